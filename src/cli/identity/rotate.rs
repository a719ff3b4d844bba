//! `echomesh identity rotate`: a new key, the same node.

use std::path::Path;

use argh::FromArgs;
use serde_json::json;

use crate::cli::ask::Daemon;
use crate::cli::{passphrase, print, work};
use crate::control::call::IdentityView;
use crate::core::exit::Failure;

#[derive(FromArgs)]
#[argh(subcommand, name = "rotate")]
/// Give the node a new key. Reputation and credits move to it; only without sessions, and with all bundles handed in.
pub(super) struct Rotate {}

impl Rotate {
    pub(super) fn run(self, run_dir: &Path) -> Result<(), Failure> {
        let daemon = Daemon::at(run_dir);
        let now: IdentityView = daemon.get("/identity")?.read()?;
        let body = if now.sealed { json!({ "passphrase": passphrase::known("the identity")?.expose() }) } else { json!({}) };
        let done = work::done(&daemon, "/identity/rotate", &body)?;
        print::text(&format!(
            "nodeId {}\nbefore {}\nBackups made before this are of the old key: make a new one (`echomesh identity backup FILE`).\n",
            done["nodeId"].as_str().unwrap_or_default(),
            done["previousNodeId"].as_str().unwrap_or_default()
        ))
    }
}
