//! The service the program runs in: how it is restarted, and how its daemon is asked.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::{Trouble, child, trouble::Id};
use crate::control::run_dir;
use crate::core::{Clock, Mono};

/// A restart by the init script: the daemon itself ends within a second.
const RESTART: Duration = Duration::from_secs(60);
/// Between two looks at the daemon.
const LOOK: Duration = Duration::from_millis(250);

/// The service of one system.
pub struct Service<'a> {
    /// The init script; run with `restart`.
    pub script: PathBuf,
    /// The daemon's run folder.
    pub run_dir: &'a Path,
    /// Asks the daemon: a path of the control API, the JSON it answers with 200; `None` where it does not answer in time.
    pub ask: &'a dyn Fn(&str) -> Option<Value>,
    /// For deadlines.
    pub clock: &'a Clock,
}

impl Service<'_> {
    /// Restarts it, with whatever program [`super::which`] names now.
    pub fn restart(&self) -> Result<(), Trouble> {
        let failed = |why: String| Trouble::new(Id::System, format!("`{} restart` failed: {why}", self.script.display()));
        match child::run(&self.script, &["restart"], RESTART, self.clock) {
            Ok((true, _)) => Ok(()),
            Ok((false, _)) => Err(failed("it ended with an error; the system log may say why".into())),
            Err(e) => Err(failed(e.to_string())),
        }
    }

    /// The status object.
    pub fn status(&self) -> Option<Value> {
        (self.ask)("/status").filter(Value::is_object)
    }

    /// The identity is sealed at rest.
    pub fn is_sealed(&self) -> bool {
        (self.ask)("/identity").is_some_and(|identity| identity["sealed"] == true)
    }

    /// Process id of the daemon, as it wrote it.
    pub fn pid(&self) -> Option<i32> {
        run_dir::pid(self.run_dir)
    }

    /// Looks until `done` says so or `end` is there; `None` then.
    pub fn poll<T>(&self, end: Mono, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        loop {
            if let Some(found) = look() {
                return Some(found);
            }
            if self.clock.now() >= end {
                return None;
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// Tunnels open now, as a status tells them.
pub fn tunnels(status: &Value) -> u64 {
    let sessions = status["sessions"].as_array().map(Vec::as_slice).unwrap_or_default();
    sessions.iter().filter_map(|s| s["tunnels"].as_u64()).sum()
}
