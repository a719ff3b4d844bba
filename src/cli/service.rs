//! The service around work that may be done only while no daemon runs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::ask::Daemon;
use super::config::set::{self, INIT_SCRIPT};
use crate::control::{ControlError, RunDir, run_dir};
use crate::core::Clock;
use crate::core::exit::{self, Failure};

/// The daemon's time to end; procd gives it ten seconds, and then kills it.
const ENDS_WITHIN: Duration = Duration::from_secs(15);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// What starts and stops the daemon: a program that takes a word, as init scripts do. None = the daemon was started by hand.
pub struct Service(Option<PathBuf>);

/// The service, stopped; until [`Stopped::start`] no daemon can start in this run folder.
pub struct Stopped {
    held: RunDir,
    service: Service,
    /// What brings it back as it was; none = it was off.
    verb: Option<&'static str>,
}

impl Service {
    /// `named`, or the router's init script where that runs the daemon which has its settings at `config`.
    pub fn new(named: Option<PathBuf>, config: &Path) -> Service {
        Service(named.or_else(|| set::has_init_script(config).then(|| INIT_SCRIPT.into())))
    }

    /// Ends the daemon of `run_dir` where one runs. `enabled` = the settings have the node on.
    ///
    /// # Errors
    /// It did not end. It is started again as far as that can be.
    pub fn stop(self, run_dir: &Path, enabled: bool) -> Result<Stopped, Failure> {
        let ran = Daemon::at(run_dir).get("/status").is_ok();
        let verb = match (enabled, ran) {
            // Also where it could not start: what is done now may be what it lacked.
            (true, _) => Some("start"),
            // A node that is off runs only while a page sets it up, and a stop forgets that.
            (false, true) => Some("setup"),
            (false, false) => None,
        };
        if self.0.is_some() {
            self.told("stop");
        } else if let (true, Some(pid)) = (ran, run_dir::pid(run_dir)) {
            kill(Pid::from_raw(pid), Signal::SIGTERM).map_err(|e| Failure::new(exit::OS, format!("process {pid} cannot be told to end: {e}")))?;
        }
        let clock = Clock::system();
        let end = clock.now().plus(ENDS_WITHIN);
        loop {
            match RunDir::claim(run_dir) {
                Ok(held) => return Ok(Stopped { held, service: self, verb }),
                Err(ControlError::Taken { .. }) if clock.now() < end => std::thread::sleep(LOOK),
                Err(e) => {
                    if let Some(verb) = verb {
                        self.told(verb);
                    }
                    return Err(Failure::from(e));
                }
            }
        }
    }

    fn told(&self, verb: &str) -> bool {
        self.0.as_ref().is_some_and(|script| Command::new(script).arg(verb).status().is_ok_and(|status| status.success()))
    }
}

impl Stopped {
    /// Has the service as it was before; says in a sentence how it stands.
    pub fn start(self) -> &'static str {
        drop(self.held);
        match self.verb {
            None => "The daemon did not run before, and does not now: the node is off.",
            Some(verb) if self.service.told(verb) => "The daemon is started again.",
            Some(_) => "The daemon is stopped. Start it: `service echomesh start`.",
        }
    }
}
