//! `echomesh control`: start, pause, stop, clear a quarantine.

use std::path::Path;

use argh::FromArgs;
use serde_json::json;

use super::ask::Daemon;
use super::print;
use crate::control::call::Controlled;
use crate::control::status::At;
use crate::core::exit::Failure;

#[derive(FromArgs)]
#[argh(subcommand, name = "control")]
/// Start, pause or stop the work for others; clear a quarantine.
pub struct Control {
    #[argh(subcommand)]
    action: Action,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum Action {
    Start(Start),
    Pause(Pause),
    Stop(Stop),
    ClearQuarantine(ClearQuarantine),
}

#[derive(FromArgs)]
#[argh(subcommand, name = "start")]
/// End a pause or a stop.
struct Start {}

#[derive(FromArgs)]
#[argh(subcommand, name = "pause")]
/// Refuse new tunnels at once and end live ones within a second.
struct Pause {
    /// end the pause after so many seconds; without it, `start` ends it
    #[argh(option)]
    seconds: Option<u32>,
}

#[derive(FromArgs)]
#[argh(subcommand, name = "stop")]
/// The same as pause, and it lasts until `start`, over reboots.
struct Stop {}

#[derive(FromArgs)]
#[argh(subcommand, name = "clear-quarantine")]
/// Take the node out of quarantine.
struct ClearQuarantine {}

impl Control {
    /// Sends the action and prints where the node is then.
    pub fn run(self, run_dir: &Path) -> Result<(), Failure> {
        let body = match self.action {
            Action::Start(_) => json!({ "action": "start" }),
            Action::Pause(Pause { seconds: Some(seconds) }) => json!({ "action": "pause", "seconds": seconds }),
            Action::Pause(_) => json!({ "action": "pause" }),
            Action::Stop(_) => json!({ "action": "stop" }),
            Action::ClearQuarantine(_) => json!({ "action": "clear-quarantine" }),
        };
        let now: Controlled = Daemon::at(run_dir).send("POST", "/control", &body)?.read()?;
        let mut line = now.state.name().to_owned();
        match now.until {
            Some(At(until)) => line.push_str(&format!(", paused until {}", crate::codec::time::rfc3339(until))),
            None if now.paused => line.push_str(", paused"),
            None => {}
        }
        if now.quarantine {
            line.push_str(", in quarantine");
        }
        print::text(&format!("{line}\n"))
    }
}
