//! `echomesh receipts`: what the coordinator has acknowledged, as the node keeps it.

use std::path::Path;

use argh::FromArgs;
use serde_json::{Value, json};

use super::ask::Daemon;
use super::print;
use crate::codec::json as strict;
use crate::core::exit::Failure;

#[derive(FromArgs)]
#[argh(subcommand, name = "receipts")]
/// List the last signed acknowledgement of each session: of those under way, and of the last 64 that ended.
pub struct Receipts {
    /// print JSON, with the signatures
    #[argh(switch)]
    json: bool,
}

impl Receipts {
    /// Lists them. They are part of the node's export.
    pub fn run(self, run_dir: &Path) -> Result<(), Failure> {
        let export = Daemon::at(run_dir).get("/logs/export")?.bytes()?;
        let lines = export.split(|b| *b == b'\n').filter_map(|line| strict::parse(line).ok());
        let receipts: Vec<Value> = lines.filter_map(|tree| tree.get("receipt").cloned()).collect();
        if self.json {
            return print::json(&json!({ "receipts": receipts }));
        }
        let mut text = String::new();
        for receipt in &receipts {
            let ack = receipt["body"].as_str().and_then(|b| strict::parse(b.as_bytes()).ok()).unwrap_or_default();
            let word = |name: &str| ack[name].as_str().unwrap_or("-").chars().filter(|c| !c.is_control()).collect::<String>();
            text.push_str(&format!("{}  {}  bundle {}  {}\n", word("time"), word("sessionId"), ack["seq"], word("ack")));
        }
        print::text(if text.is_empty() { "no receipts yet\n" } else { &text })
    }
}
