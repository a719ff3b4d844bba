//! `echomesh verify`: checks an export offline.

use std::path::PathBuf;

use argh::FromArgs;
use serde_json::json;

use super::print;
use crate::codec::NodeId;
use crate::core::exit::{self, Failure};
use crate::meter::export::verify::{MOST_BYTES, verify};

#[derive(FromArgs)]
#[argh(subcommand, name = "verify")]
/// Check an export of a node or of a coordinator, offline: signatures, chains, totals, digests. Names the first changed
/// byte, or what does not follow, and exits 65.
pub struct Verify {
    /// the export
    #[argh(positional)]
    export: PathBuf,
    /// the node whose books they are: `echomesh identity show` prints it
    #[argh(option)]
    node: NodeId,
    /// a key of the coordinator, for its signatures; may be given more than once
    #[argh(option)]
    coordinator: Vec<NodeId>,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

impl Verify {
    /// Checks it.
    pub fn run(self) -> Result<(), Failure> {
        let cannot = |e: std::io::Error| Failure::new(exit::NO_INPUT, format!("{}: {e}", self.export.display()));
        if std::fs::metadata(&self.export).map_err(cannot)?.len() > MOST_BYTES {
            let what = format!("{} is larger than 512 MiB; export fewer sessions at once", self.export.display());
            return Err(Failure::new(exit::NO_INPUT, what));
        }
        let file = std::fs::read(&self.export).map_err(cannot)?;
        match verify(&file, self.node, &self.coordinator) {
            Ok(report) if self.json => print::json(&json!({ "holds": true, "report": report })),
            Ok(report) => print::text(&report.to_string()),
            Err(finding) => {
                if self.json {
                    print::json(&json!({ "holds": false, "finding": finding }))?;
                }
                Err(Failure::new(exit::DATA, finding.to_string()))
            }
        }
    }
}
