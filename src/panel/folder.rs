//! The panel's own folder: what takes the place of the router's files. Gone with the panel.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use crate::core::exit::{self, Failure};

/// A folder for the owner alone; removed when dropped.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// A new one.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new() -> Result<Folder, Failure> {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).map_err(|_| Failure::new(exit::OS, "the system gave no random bytes"))?;
        let path = std::env::temp_dir().join(format!("echomesh-panel-{:016x}", u64::from_ne_bytes(bytes)));
        std::fs::DirBuilder::new().mode(0o700).create(&path).map_err(|e| Failure::new(exit::CANT_CREATE, format!("{}: {e}", path.display())))?;
        Ok(Folder(path))
    }

    /// Where it is.
    pub fn path(&self) -> &std::path::Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
