//! One byte flipped in what was written down: the self-test's proof that the comparison would notice.

use std::path::{Path, PathBuf};

use super::node::Node;
use super::wait::fail;
use crate::core::exit::{self, Failure};

/// Name of a node's journal, in both of its folders.
const JOURNAL: &str = "journal";

/// Flips a byte in both copies of the journal of a node that is down.
///
/// # Errors
/// There is no journal.
pub fn journal(node: &Node) -> Result<(), Failure> {
    let copies: Vec<PathBuf> = [&node.run_dir, &node.state_dir].iter().map(|dir| dir.join(JOURNAL)).filter(|path| path.exists()).collect();
    if copies.is_empty() {
        return Err(fail(format!("{} has no journal", node.name)));
    }
    copies.iter().try_for_each(|path| flip(path))
}

/// Flips a byte in one of the coordinator's stored chains of bundles; which file.
///
/// # Errors
/// There is none.
pub fn bundle(coordinator: &Path, session: &str) -> Result<PathBuf, Failure> {
    let path = coordinator.join("bundles").join(format!("{session}.log"));
    flip(&path)?;
    Ok(path)
}

fn flip(path: &Path) -> Result<(), Failure> {
    let cannot = |e| Failure::new(exit::IO, format!("{}: {e}", path.display()));
    let mut bytes = std::fs::read(path).map_err(cannot)?;
    let middle = bytes.len() / 2;
    let byte = bytes.get_mut(middle).ok_or_else(|| fail(format!("{} is empty", path.display())))?;
    *byte ^= 1;
    std::fs::write(path, bytes).map_err(cannot)
}
