//! `echomesh identity`: who this node is.

use std::path::{Path, PathBuf};

use argh::FromArgs;
use serde_json::json;

use super::ask::Daemon;
use super::print;
use crate::control::call::IdentityView;
use crate::core::exit::{self, Failure};

#[derive(FromArgs)]
#[argh(subcommand, name = "identity")]
/// Show who this node is.
pub struct Identity {
    #[argh(subcommand)]
    what: What,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum What {
    Show(Show),
}

#[derive(FromArgs)]
#[argh(subcommand, name = "show")]
/// Print the node id, and the hash of the listener's key.
struct Show {
    /// print JSON
    #[argh(switch)]
    json: bool,
    /// read the identity of this state folder instead of asking the daemon
    #[argh(option)]
    state_dir: Option<PathBuf>,
}

impl Identity {
    /// Prints it.
    pub fn run(self, run_dir: &Path) -> Result<(), Failure> {
        let What::Show(show) = self.what;
        let view = match &show.state_dir {
            None => Daemon::at(run_dir).get("/identity")?.read()?,
            Some(folder) => {
                let identity = crate::identity::Identity::load(folder).map_err(|e| Failure::new(exit::NO_INPUT, e.to_string()))?;
                let none =
                    || Failure::new(exit::NO_INPUT, format!("{} holds no identity; the daemon makes one when it first runs", folder.display()));
                IdentityView { node_id: identity.ok_or_else(none)?.node_id(), spki: None }
            }
        };
        if show.json {
            return print::json(&json!(view));
        }
        let spki = view.spki.map_or_else(String::new, |spki| format!("spki   {spki}\n"));
        print::text(&format!("nodeId {}\n{spki}", view.node_id))
    }
}
