//! The service around work that may be done only while no daemon runs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::ask::Daemon;
use super::config::set::{self, INIT_SCRIPT};
use crate::control::{ControlError, RunDir, run_dir};
use crate::core::exit::{self, Failure};

/// The daemon's time to end; procd gives it ten seconds, and then kills it.
const ENDS_WITHIN: Duration = Duration::from_secs(15);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// The service, stopped; until [`Stopped::start`] no daemon can start in this run folder.
pub struct Stopped {
    held: RunDir,
    config: PathBuf,
    /// What brings it back as it was; none = it was off.
    verb: Option<&'static str>,
}

/// Ends the daemon of `run_dir` where one runs, by the router's init script where that is what runs it. `enabled` = the settings have the
/// node on.
///
/// # Errors
/// It did not end. It is started again as far as that can be.
pub fn stop(config: &Path, run_dir: &Path, enabled: bool) -> Result<Stopped, Failure> {
    let ran = Daemon::at(run_dir).get("/status").is_ok();
    let verb = match (enabled, ran) {
        // Also where it could not start: what is done now may be what it lacked.
        (true, _) => Some("start"),
        // A node that is off runs only while a page sets it up, and a stop forgets that.
        (false, true) => Some("setup"),
        (false, false) => None,
    };
    if set::has_init_script(config) {
        script("stop");
    } else if let (true, Some(pid)) = (ran, run_dir::pid(run_dir)) {
        kill(Pid::from_raw(pid), Signal::SIGTERM).map_err(|e| Failure::new(exit::OS, format!("process {pid} cannot be told to end: {e}")))?;
    }
    let end = Instant::now() + ENDS_WITHIN;
    loop {
        match RunDir::claim(run_dir) {
            Ok(held) => return Ok(Stopped { held, config: config.to_owned(), verb }),
            Err(ControlError::Taken { .. }) if Instant::now() < end => std::thread::sleep(LOOK),
            Err(e) => {
                if let (true, Some(verb)) = (set::has_init_script(config), verb) {
                    script(verb);
                }
                return Err(Failure::from(e));
            }
        }
    }
}

impl Stopped {
    /// Has the service as it was before; says in a sentence how it stands.
    pub fn start(self) -> &'static str {
        drop(self.held);
        match self.verb {
            None => "The daemon did not run before, and does not now: the node is off.",
            Some(verb) if set::has_init_script(&self.config) && script(verb) => "The daemon is started again.",
            Some(_) => "The daemon is stopped. Start it: `service echomesh start`.",
        }
    }
}

fn script(verb: &str) -> bool {
    Command::new(INIT_SCRIPT).arg(verb).status().is_ok_and(|status| status.success())
}
