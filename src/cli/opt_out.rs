//! `echomesh opt-out`: leave, and delete everything that makes this node.

use std::io::{self, BufRead as _, Write as _};
use std::path::{Path, PathBuf};

use argh::FromArgs;
use serde_json::{Value, json};

use super::ask::Daemon;
use super::config::set;
use super::{CONFIG, print, work};
use crate::config;
use crate::control::RunDir;
use crate::core::exit::{self, Failure};
use crate::daemon::erase;
use crate::identity::file;

/// What is typed to confirm.
const WORD: &str = "opt-out";

#[derive(FromArgs)]
#[argh(subcommand, name = "opt-out")]
/// Leave: tell the coordinator, delete keys, counters and settings. Reputation and credits are lost, unless there is a backup.
pub struct OptOut {
    /// do not ask
    #[argh(switch)]
    yes: bool,
    /// do not tell the coordinator, and do not wait for it
    #[argh(switch)]
    offline: bool,
    /// UCI file to reset where the daemon may not, or does not run [/etc/config/echomesh]
    #[argh(option, default = "CONFIG.into()")]
    config: PathBuf,
}

impl OptOut {
    /// Leaves.
    pub fn run(self, run_dir: &Path) -> Result<(), Failure> {
        if !self.yes {
            confirm()?;
        }
        let done = work::done(&Daemon::at(run_dir), "/identity/opt-out", &json!({ "confirm": WORD, "offline": self.offline }));
        match done {
            Err(away) if away.code == exit::UNAVAILABLE => self.alone(run_dir),
            Err(failure) => Err(failure),
            Ok(done) => self.told(run_dir, &done),
        }
    }

    /// The daemon has left; what only root may write is written here.
    fn told(&self, run_dir: &Path, done: &Value) -> Result<(), Failure> {
        if !done["batch"].is_null() {
            let state_dir = PathBuf::from(done["stateDir"].as_str().unwrap_or_default());
            self.reset(run_dir, &state_dir)?;
        }
        let mut out = format!("{} has left: keys, counters and settings are deleted, and the daemon has ended.\n", text(&done["nodeId"]));
        match (done["told"] == true, done["unsent"].as_u64()) {
            (true, _) => out.push_str("The coordinator was told.\n"),
            (false, unsent) => {
                out.push_str(&format!("The coordinator was not told: {}; it learns by the silence.\n", text(&done["untold"])));
                if let Some(n) = unsent.filter(|n| *n > 0) {
                    out.push_str(&format!("{n} signed bundles did not reach it: what they count is not credited.\n"));
                }
            }
        }
        out.push_str(&left(done["left"].as_array().into_iter().flatten().map(text)));
        print::text(&out)
    }

    /// No daemon runs: the same from here, without the coordinator.
    fn alone(&self, run_dir: &Path) -> Result<(), Failure> {
        let state_dir = config::read(&self.config).map_err(|e| Failure::new(e.exit_code(), e.to_string()))?.0.node.state_dir;
        let _held = RunDir::claim(run_dir)?;
        if !erase::is_begun(&state_dir) && !state_dir.join(file::FILE).exists() {
            return Err(Failure::new(exit::NO_INPUT, format!("{} holds no identity: there is nothing to leave with", state_dir.display())));
        }
        let failed =
            |e: io::Error| Failure::new(exit::CANT_CREATE, format!("{}: {e}; not everything is deleted, run this again", state_dir.display()));
        erase::begin(&state_dir).map_err(failed)?;
        let rest = erase::files(run_dir, &state_dir).map_err(failed)?;
        self.reset(run_dir, &state_dir)?;
        print::text(&format!(
            "Keys, counters and settings are deleted.\nThe daemon was not running, so the coordinator was not told; it learns by the silence.\n{}",
            left(rest.into_iter())
        ))
    }

    fn reset(&self, run_dir: &Path, state_dir: &Path) -> Result<(), Failure> {
        erase::settings(&self.config, run_dir).map_err(|e| {
            let code = if e.kind() == io::ErrorKind::PermissionDenied { exit::NO_PERM } else { exit::CONFIG };
            Failure::new(code, format!("keys and counters are deleted, the settings are not: {e}; run this again as root"))
        })?;
        erase::end(state_dir).map_err(|e| Failure::new(exit::CANT_CREATE, format!("{}: {e}", state_dir.display())))?;
        // procd would start it again, to find nothing: a node that is off is no instance at all.
        let _ = set::init_script_reloads(&self.config);
        Ok(())
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn left(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    if names.is_empty() { String::new() } else { format!("Not of this program, and still in the state folder: {}.\n", names.join(", ")) }
}

fn confirm() -> Result<(), Failure> {
    let _ = write!(
        io::stderr(),
        "This deletes the node's keys, counters and settings. Its reputation and credits are lost for good, unless you have a backup\n\
         (`echomesh identity backup FILE`). Type {WORD} to go on: "
    );
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|e| Failure::new(exit::IO, format!("standard input: {e}")))?;
    if line.trim() == WORD { Ok(()) } else { Err(Failure::new(exit::USAGE, "not confirmed; nothing was changed")) }
}
