//! `echomesh coordinator geo`: where a node is observed.

use std::path::PathBuf;

use argh::FromArgs;

use super::{ask, table};
use crate::cli::print;
use crate::codec::NodeId;
use crate::coordinator::reference::operator::Command;
use crate::coordinator::reference::places::Observed;
use crate::core::exit::{self, Failure};

/// Say where a node is observed; it hears it with its next heartbeat. Where nothing is said, its own claim is told back.
#[derive(FromArgs)]
#[argh(subcommand, name = "geo")]
pub(super) struct Geo {
    /// the node's id
    #[argh(positional)]
    node: String,
    /// country, or country and region: PH, PH-NCR; `none` forgets what was said
    #[argh(positional)]
    place: String,
    /// how sure that is, 0 to 1
    #[argh(positional)]
    confidence: Option<f64>,
    /// folder of store and keys
    #[argh(option)]
    dir: PathBuf,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

impl Geo {
    pub(super) fn run(self) -> Result<(), Failure> {
        let usage = |message: &str| Failure::new(exit::USAGE, message);
        let node: NodeId = self.node.parse().map_err(|_| usage("a node's id is ed25519: and 43 characters; `nodes` shows them"))?;
        let observed = match (self.place.as_str(), self.confidence) {
            ("none", _) => None,
            (_, Some(confidence)) => Some(Observed { place: self.place, confidence }),
            (_, None) => return Err(usage("name how sure the place is, for example: geo NODE DE 0.9")),
        };
        let said = ask::perform(&self.dir, &Command::Geo { node, observed })?;
        if self.json {
            return print::json(&said);
        }
        print::text(&table::text(&["nodeId", "place", "confidence"], &[said]))
    }
}
