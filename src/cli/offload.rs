//! `echomesh offload`: what this box brings to move bytes, as `status` and reports have it. Asks no daemon.

use std::path::Path;
use std::time::Duration;

use argh::FromArgs;
use serde_json::{Map, Value};

use super::print;
use crate::core::exit::Failure;
use crate::platform::errand::Errands;
use crate::platform::offload;
use crate::platform::uplink::Routes;

/// fw4's tool, and what it may take.
const NFT: &str = "/usr/sbin/nft";
const NFT_WITHIN: Duration = Duration::from_secs(2);

#[derive(FromArgs)]
#[argh(subcommand, name = "offload")]
/// Print what this box brings to move bytes: AES, kernel TLS, flow offload. As root it can tell more.
pub struct Offload {
    /// print JSON
    #[argh(switch)]
    json: bool,
}

impl Offload {
    /// Prints it.
    pub fn run(self) -> Result<(), Failure> {
        let uplinks = Routes::open().and_then(|routes| routes.default_route_devices()).unwrap_or_default();
        let mut members = offload::here(&uplinks).members();
        members.insert("flowtableInUse".into(), in_use().into());
        if self.json {
            return print::text(&format!("{}\n", Value::Object(members)));
        }
        print::text(&lines(&members))
    }
}

fn lines(members: &Map<String, Value>) -> String {
    let word = |value: &Value| match value {
        Value::Null => "unknown".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    members.iter().map(|(name, value)| format!("{name} = {}\n", word(value))).collect()
}

/// Whether a flow table stands in the ruleset; `None` where that cannot be asked: only root may.
fn in_use() -> Option<bool> {
    let args = ["list", "flowtables"];
    (nix::unistd::geteuid().is_root())
        .then(|| Errands::new().ask(Path::new(NFT), &args, NFT_WITHIN))
        .flatten()
        .map(|text| offload::flowtables_in(&text) > 0)
}
