//! Long work of the daemon: start it, and ask how it stands until it has ended.

use std::time::Duration;

use serde_json::Value;

use super::ask::Daemon;
use crate::control::jobs::{Job, JobState};
use crate::core::exit::{self, Failure};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(200);
/// Looks before it is given up, three minutes: a derivation takes seconds, a coordinator that does not answer half a minute.
const LOOKS: u32 = 900;

/// Starts the job of `POST target` and gives its result.
pub fn done(daemon: &Daemon, target: &str, body: &Value) -> Result<Value, Failure> {
    let mut job: Job = daemon.send("POST", target, body)?.read()?;
    let mut looks = 0;
    while job.state == JobState::Running {
        if looks == LOOKS {
            return Err(Failure::new(exit::UNAVAILABLE, format!("job {} is still running; the log may say why", job.id)));
        }
        looks += 1;
        std::thread::sleep(LOOK);
        job = daemon.get(&format!("/jobs/{}", job.id))?.read()?;
    }
    match job.state {
        JobState::Done => Ok(job.result.unwrap_or_default()),
        _ => {
            let code = match job.reason.as_deref() {
                Some("wrong-passphrase") => exit::NO_PERM,
                Some("no-key") => exit::OS,
                Some("not-kept") => exit::CANT_CREATE,
                _ => exit::DATA,
            };
            Err(Failure::new(code, job.message.unwrap_or_else(|| format!("{} failed", job.kind))))
        }
    }
}
