//! How far an update is: one small file on tmpfs, written by the updater, read by everybody else.

use std::io::Read as _;
use std::path::Path;

use serde_json::{Value, json};

use super::place::{Place, is_ours, tmp_of};
use super::{Trouble, Version};
use crate::codec::{json as strict, time};
use crate::core::Clock;
use crate::platform::files::{self, Medium};

/// Name of the file in the working folder.
pub const FILE: &str = "status";
/// Bytes read of it; it has a few hundred.
const MAX: u64 = 4 * 1024;

/// Where an update is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// The manifest is fetched and judged.
    Checking,
    /// The program comes to tmpfs.
    Downloading,
    /// Its hash is compared, and it is asked for its version and whether it takes the settings.
    Verifying,
    /// For tunnels to end.
    Waiting,
    /// The service starts with it, from tmpfs.
    Trial,
    /// It runs and is watched.
    Probation,
    /// It is written to flash.
    Installing,
    /// It is in force.
    Done,
    /// It is not; the version before runs.
    Failed,
    /// The owner, or a service that did not come up, went back.
    RolledBack,
    /// Nothing to do; what was found is said.
    Checked,
}

impl Phase {
    /// The name, as in the status.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Checking => "checking",
            Phase::Downloading => "downloading",
            Phase::Verifying => "verifying",
            Phase::Waiting => "waiting",
            Phase::Trial => "trial",
            Phase::Probation => "probation",
            Phase::Installing => "installing",
            Phase::Done => "done",
            Phase::Failed => "failed",
            Phase::RolledBack => "rolled-back",
            Phase::Checked => "checked",
        }
    }
}

/// Writes the file as an update goes on.
#[derive(Debug)]
pub struct Progress<'a> {
    place: &'a Place,
    clock: &'a Clock,
    /// The version it is about.
    pub version: Option<Version>,
    /// Bytes to download.
    pub size: u64,
}

impl<'a> Progress<'a> {
    /// Of the updater that holds `place`.
    pub fn new(place: &'a Place, clock: &'a Clock) -> Progress<'a> {
        Progress { place, clock, version: None, size: 0 }
    }

    /// A phase begins.
    pub fn phase(&self, phase: Phase) {
        self.write(phase, self.size, None, None);
    }

    /// So many bytes are there.
    pub fn downloaded(&self, bytes: u64) {
        self.write(Phase::Downloading, bytes, None, None);
    }

    /// The end, with what there is to say.
    pub fn end(&self, phase: Phase, message: &str) {
        self.write(phase, self.size, None, Some(message));
    }

    /// The end, by trouble.
    pub fn failed(&self, phase: Phase, trouble: &Trouble) {
        self.write(phase, self.size, Some(trouble.id.name()), Some(&trouble.message));
    }

    fn write(&self, phase: Phase, bytes: u64, reason: Option<&str>, message: Option<&str>) {
        let text = json!({
            "phase": phase.name(),
            "version": self.version.map(|v| v.to_string()),
            "bytes": bytes,
            "size": self.size,
            "reason": reason,
            "message": message,
            "at": time::rfc3339(self.clock.unix()),
        });
        let path = self.place.tmp_file(FILE);
        // What cannot be told is no reason to stop.
        if let Err(e) = files::replace(&path, 0o644, format!("{text}\n").as_bytes(), Medium::Tmpfs) {
            log::warn!("{}: {e}", path.display());
        }
    }
}

/// What the updater said last; `Null` where none worked since boot, or the file is not root's.
pub fn read(run_dir: &Path) -> Value {
    let folder = tmp_of(run_dir);
    let path = folder.join(FILE);
    if !is_ours(&folder) || !is_ours(&path) {
        return Value::Null;
    }
    let mut bytes = Vec::new();
    match std::fs::File::open(path).and_then(|f| f.take(MAX).read_to_end(&mut bytes)) {
        Ok(_) => strict::parse(&bytes).ok().filter(Value::is_object).unwrap_or_default(),
        Err(_) => Value::Null,
    }
}
