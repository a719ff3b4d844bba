//! The local control API: one status object, typed calls, a bounded doorman before tiny_http, an event stream.
//!
//! ```text
//! client → control.sock, 0660 → doorman (data-plane executor, 8 connections, deadlines)
//!        → inner.sock, 0600   → tiny_http → thread "control" → channel → the daemon: call::answer → and back
//! ```

use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use smol::LocalExecutor;
use smol::channel::Receiver;

use crate::core::exit::{self, Failure};

#[cfg(test)]
pub(crate) mod at_the_door;
pub mod call;
#[cfg(test)]
pub(crate) mod contract;
pub mod doorman;
pub mod events;
pub mod health;
pub mod jobs;
pub mod keys;
pub mod metrics;
pub mod overview;
pub mod report;
pub mod route;
pub mod run_dir;
pub mod series;
pub mod server;
pub mod status;
pub mod survey;
pub mod who;

pub use call::{Answers, Call};
pub use events::{Event, EventHub};
pub use jobs::Jobs;
pub use keys::Keys;
pub use run_dir::RunDir;
pub use server::Asked;
pub use status::Status;

/// Why the control API cannot start.
#[derive(Debug)]
pub enum ControlError {
    /// A file or socket of the run folder cannot be made.
    Io(PathBuf, io::Error),
    /// Another daemon holds the run folder.
    Taken {
        /// The folder.
        run_dir: PathBuf,
        /// That daemon's process id, where it is known.
        pid: Option<i32>,
    },
    /// The control thread cannot be started.
    Thread(io::Error),
}

impl std::fmt::Display for ControlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ControlError::Io(path, e) => write!(f, "{}: {e}; the run folder must be writable (option --run-dir)", path.display()),
            ControlError::Taken { run_dir, pid } => {
                let who = pid.map_or_else(String::new, |pid| format!(" (process {pid})"));
                write!(f, "another echomesh{who} runs in {}; stop it first, or give this one a --run-dir of its own", run_dir.display())
            }
            ControlError::Thread(e) => write!(f, "the control thread cannot be started: {e}; the system is short of memory or processes"),
        }
    }
}

impl std::error::Error for ControlError {}

impl From<ControlError> for Failure {
    fn from(e: ControlError) -> Failure {
        let code = match &e {
            ControlError::Io(_, io) if io.kind() == io::ErrorKind::PermissionDenied => exit::NO_PERM,
            ControlError::Io(..) => exit::CANT_CREATE,
            ControlError::Taken { .. } => exit::UNAVAILABLE,
            ControlError::Thread(_) => exit::OS,
        };
        Failure::new(code, e.to_string())
    }
}

/// Starts the control API in `run_dir`: the control thread, and the doorman on `ex`.
///
/// The daemon answers each [`Asked`] from its own loop with [`Asked::answer`], and tells the hub what happens.
pub fn start(ex: &Rc<LocalExecutor<'static>>, run_dir: &RunDir) -> Result<(Receiver<Asked>, EventHub), ControlError> {
    let hub = EventHub::new();
    let (inner, calls) = server::Inner::start(run_dir.join(run_dir::INNER_SOCKET))?;
    doorman::open(ex, run_dir, inner, hub.clone())?;
    Ok((calls, hub))
}
