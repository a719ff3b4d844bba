//! `echomesh status`: where the node is, once or as a table that lives.

use std::io::IsTerminal as _;
use std::path::Path;
use std::time::Duration;

use argh::FromArgs;

use super::ask::Daemon;
use super::print;
use super::tree::text;
use crate::control::status::NodeState;
use crate::core::exit::Failure;

pub mod table;

/// Between two pictures.
const REFRESH: Duration = Duration::from_secs(1);
/// Cursor to the top left; and after the text, clear what is left of the picture before.
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K\n";
const CLEAR_REST: &str = "\x1b[J";
const CLEAR_ALL: &str = "\x1b[2J";

#[derive(FromArgs)]
#[argh(subcommand, name = "status")]
/// Show where the node is; in a terminal, refreshed every second until Ctrl-C.
pub struct Status {
    /// print the status object as JSON, once
    #[argh(switch)]
    json: bool,
    /// print the table once
    #[argh(switch)]
    once: bool,
}

impl Status {
    /// Prints it.
    pub fn run(self, run_dir: &Path) -> Result<(), Failure> {
        let daemon = Daemon::at(run_dir);
        if self.json {
            let status: serde_json::Value = daemon.get("/status")?.read()?;
            return print::json(&status);
        }
        if self.once || !std::io::stdout().is_terminal() {
            return print::text(&picture(&daemon)?);
        }
        print::text(CLEAR_ALL)?;
        loop {
            let picture = picture(&daemon)?;
            print::text(&format!("{HOME}{}{CLEAR_REST}", picture.replace('\n', CLEAR_LINE)))?;
            std::thread::sleep(REFRESH);
        }
    }
}

fn picture(daemon: &Daemon) -> Result<String, Failure> {
    let status: serde_json::Value = daemon.get("/status")?.read()?;
    if text(&status, "state") == NodeState::Locked.name() {
        return Ok(format!("{} is locked: {}\n", text(&status, "nodeId"), text(&status, "stateReason")));
    }
    let series: serde_json::Value = daemon.get("/series")?.read()?;
    Ok(table::render(&status, &series))
}
