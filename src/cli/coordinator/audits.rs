//! `echomesh coordinator audit` and `audits`.

use std::path::PathBuf;

use argh::FromArgs;

use super::view;
use crate::cli::print;
use crate::codec::NodeId;
use crate::coordinator::reference::operator::Command as Operation;
use crate::core::exit::Failure;

/// Buy from a node now, unannounced, and compare what it then signs; `audits` shows what came of it.
#[derive(FromArgs)]
#[argh(subcommand, name = "audit")]
pub(super) struct Audit {
    /// the node; without it, one is drawn
    #[argh(option)]
    node: Option<NodeId>,
    /// folder of store and keys
    #[argh(option)]
    dir: PathBuf,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

/// List the unannounced purchases: what was bought, what the node signed.
#[derive(FromArgs)]
#[argh(subcommand, name = "audits")]
pub(super) struct Audits {
    /// folder of store and keys
    #[argh(option)]
    dir: PathBuf,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

impl Audit {
    pub(super) fn run(self) -> Result<(), Failure> {
        let said = super::ask::perform(&self.dir, &Operation::Audit { node: self.node })?;
        if self.json { print::json(&said) } else { print::text(&format!("session {}\n", said["sessionId"].as_str().unwrap_or_default())) }
    }
}

impl Audits {
    pub(super) fn run(self) -> Result<(), Failure> {
        let columns = ["begunAt", "nodeId", "result", "boughtIngress", "signedIngress", "boughtEgress", "signedEgress", "why"];
        view(&self.dir, &Operation::Purchases, self.json, "purchases", &columns)
    }
}
