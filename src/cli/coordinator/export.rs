//! `echomesh coordinator export`.

use std::path::PathBuf;

use argh::FromArgs;

use super::ask;
use crate::cli::print;
use crate::codec::NodeId;
use crate::coordinator::reference::audit::AuditFault;
use crate::coordinator::reference::{export, keys, store};
use crate::core::Clock;
use crate::core::exit::{self, Failure};

/// Print what is booked of a session or of a whole node, as `echomesh verify` checks it: bundles as they were signed, and
/// for each session what is booked, signed with the coordinator's key.
#[derive(FromArgs)]
#[argh(subcommand, name = "export")]
pub(super) struct Export {
    /// the session's id; without it, all sessions of --node
    #[argh(positional)]
    session: Option<String>,
    /// the node
    #[argh(option)]
    node: Option<NodeId>,
    /// folder of store and keys
    #[argh(option)]
    dir: PathBuf,
}

impl Export {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Export { session, node, dir } = self;
        let state = store::peek(&dir).map_err(|e| ask::store_failure(&e))?;
        let (node, ids) = match (session, node) {
            (Some(id), None) => match export::signer(&dir, &id)? {
                Some(node) => (node, vec![id]),
                None => return Err(Failure::new(exit::NO_INPUT, format!("no bundle of session {id} is stored"))),
            },
            (None, Some(node)) => (node, export::sessions_of(&dir, &state, node)?),
            _ => return Err(Failure::new(exit::USAGE, "name a session, or a node with --node")),
        };
        if ids.is_empty() {
            return Err(Failure::new(exit::NO_INPUT, format!("no bundle of node {node} is stored")));
        }
        let key = keys::load(&dir, keys::COORDINATOR).map_err(|e| Failure::new(exit::NO_PERM, e.to_string()))?;
        export::write(&dir, &state, (node, &ids), (key.as_ref(), Clock::system().unix()), |line| print::text(&format!("{line}\n")))
    }
}

impl From<AuditFault> for Failure {
    fn from(fault: AuditFault) -> Failure {
        Failure::new(exit::DATA, fault.to_string())
    }
}
