//! `echomesh coordinator key`.

use std::path::{Path, PathBuf};

use argh::FromArgs;
use serde_json::Value;

use super::ask;
use crate::cli::print;
use crate::coordinator::reference::operator::Command as Operation;
use crate::coordinator::reference::rotation::KeyCommand;
use crate::core::exit::Failure;

/// Show or change the key the coordinator signs with: first `rotate`, then, when every node has heard, `switch`.
#[derive(FromArgs)]
#[argh(subcommand, name = "key")]
pub(super) struct Key {
    #[argh(subcommand)]
    command: Command,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum Command {
    Show(Show),
    Rotate(Rotate),
    Switch(Switch),
}

/// Print the key, its successor, and the nodes that have not heard of the successor.
#[derive(FromArgs)]
#[argh(subcommand, name = "show")]
struct Show {
    /// folder of store and keys
    #[argh(option)]
    dir: PathBuf,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

/// Make a successor and announce it to every node, signed with the key they know. Given twice it is still the same one.
#[derive(FromArgs)]
#[argh(subcommand, name = "rotate")]
struct Rotate {
    /// folder of store and keys
    #[argh(option)]
    dir: PathBuf,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

/// Sign with the successor from now on. The key before is gone; tell owners of new nodes the new one.
#[derive(FromArgs)]
#[argh(subcommand, name = "switch")]
struct Switch {
    /// folder of store and keys
    #[argh(option)]
    dir: PathBuf,
    /// even though nodes have not heard of it; their owners must set the new key themselves
    #[argh(switch)]
    force: bool,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

impl Key {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Show(c) => perform(&c.dir, KeyCommand::Show, c.json),
            Command::Rotate(c) => perform(&c.dir, KeyCommand::Rotate, c.json),
            Command::Switch(c) => perform(&c.dir, KeyCommand::Switch { force: c.force }, c.json),
        }
    }
}

/// One fact a line, as `coordinator run` prints them.
fn perform(dir: &Path, what: KeyCommand, json: bool) -> Result<(), Failure> {
    let said = ask::perform(dir, &Operation::Key { what })?;
    if json {
        return print::json(&said);
    }
    let mut text = String::new();
    for (name, member) in [("key", "key"), ("next-key", "nextKey")] {
        if let Some(key) = said.get(member).and_then(Value::as_str) {
            text.push_str(&format!("{name} {key}\n"));
        }
    }
    for node in said.get("notTold").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        text.push_str(&format!("not-told {node}\n"));
    }
    print::text(&text)
}
