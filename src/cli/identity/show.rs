//! `echomesh identity show`.

use std::path::{Path, PathBuf};

use argh::FromArgs;
use serde_json::json;

use crate::cli::ask::Daemon;
use crate::cli::print;
use crate::control::call::IdentityView;
use crate::core::exit::{self, Failure};
use crate::identity::{Stored, file};

#[derive(FromArgs)]
#[argh(subcommand, name = "show")]
/// Print the node id, and the hash of the listener's key.
pub(super) struct Show {
    /// print JSON
    #[argh(switch)]
    json: bool,
    /// read the identity of this state folder instead of asking the daemon
    #[argh(option)]
    state_dir: Option<PathBuf>,
}

impl Show {
    pub(super) fn run(self, run_dir: &Path) -> Result<(), Failure> {
        let view = match &self.state_dir {
            None => Daemon::at(run_dir).get("/identity")?.read()?,
            Some(folder) => {
                let stored = file::load(folder).map_err(|e| Failure::new(exit::NO_INPUT, e.to_string()))?;
                let none =
                    || Failure::new(exit::NO_INPUT, format!("{} holds no identity; the daemon makes one when it first runs", folder.display()));
                let stored = stored.ok_or_else(none)?;
                IdentityView { node_id: stored.node_id(), spki: None, sealed: matches!(stored, Stored::Sealed(_)) }
            }
        };
        if self.json {
            return print::json(&json!(view));
        }
        let spki = view.spki.map_or_else(String::new, |spki| format!("spki   {spki}\n"));
        let sealed = if view.sealed { "sealed at rest\n" } else { "" };
        print::text(&format!("nodeId {}\n{spki}{sealed}", view.node_id))
    }
}
