//! Long work: a call starts it and gets an id, `GET /jobs/ID` tells how it stands. One at a time, the last few are kept.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::call::Refused;

/// Jobs kept, the running one included: 8 × about 1 KiB.
pub const KEPT: usize = 8;

/// How a job stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// Under way.
    Running,
    /// Done; `result` tells more.
    Done,
    /// Not done; `reason` and `message` tell why.
    Failed,
}

/// `GET /jobs/ID`, and the answer to what started it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// To ask for it.
    pub id: String,
    /// What is done: the call without its slash.
    pub kind: String,
    /// How it stands.
    pub state: JobState,
    /// Stable id of why it failed; null otherwise.
    pub reason: Option<String>,
    /// The same in a sentence, with what to do; null where it did not fail.
    pub message: Option<String>,
    /// What came of it; null before it is done.
    pub result: Option<Value>,
}

/// The jobs of this process.
#[derive(Debug)]
pub struct Jobs {
    /// Of this process, so that an id of one before is unknown.
    prefix: u32,
    next: u32,
    jobs: VecDeque<Job>,
}

impl Default for Jobs {
    fn default() -> Jobs {
        Jobs { prefix: getrandom::u32().unwrap_or_else(|_| std::process::id()), next: 1, jobs: VecDeque::new() }
    }
}

impl Jobs {
    /// Starts a job.
    ///
    /// # Errors
    /// Another one runs.
    pub fn start(&mut self, kind: &str) -> Result<Job, Refused> {
        if let Some(running) = self.running() {
            let message = format!("job {} ({}) is still running; wait for it: GET /jobs/{}", running.id, running.kind, running.id);
            return Err(Refused { status: 409, reason: "busy".into(), message });
        }
        if self.jobs.len() == KEPT {
            self.jobs.pop_front();
        }
        let id = format!("{:08x}-{}", self.prefix, self.next);
        self.next = self.next.wrapping_add(1);
        let job = Job { id, kind: kind.to_owned(), state: JobState::Running, reason: None, message: None, result: None };
        self.jobs.push_back(job.clone());
        Ok(job)
    }

    /// The one that runs.
    pub fn running(&self) -> Option<&Job> {
        self.jobs.iter().find(|j| j.state == JobState::Running)
    }

    /// A job has ended.
    pub fn end(&mut self, id: &str, outcome: Result<Value, Refused>) {
        let Some(job) = self.jobs.iter_mut().find(|j| j.id == id) else { return };
        match outcome {
            Ok(result) => (job.state, job.result) = (JobState::Done, Some(result)),
            Err(r) => (job.state, job.reason, job.message) = (JobState::Failed, Some(r.reason), Some(r.message)),
        }
    }

    /// How a job stands.
    ///
    /// # Errors
    /// There is none of this id, or none any more.
    pub fn view(&self, id: &str) -> Result<Job, Refused> {
        let unknown = || Refused { status: 404, reason: "job-unknown".into(), message: "there is no such job, or none any more".into() };
        self.jobs.iter().find(|j| j.id == id).cloned().ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_runs_at_a_time_and_the_last_are_kept() {
        let mut jobs = Jobs::default();
        let mut ids = Vec::new();
        for n in 0..KEPT + 2 {
            let job = jobs.start("identity/seal").unwrap();
            assert_eq!(jobs.start("identity/backup").unwrap_err().status, 409);
            assert_eq!(jobs.view(&job.id).unwrap().state, JobState::Running);
            let failed = Refused { status: 403, reason: "wrong".into(), message: "wrong".into() };
            jobs.end(&job.id, if n == 3 { Err(failed) } else { Ok(n.into()) });
            ids.push(job.id);
        }
        assert_eq!(jobs.view(&ids[1]).unwrap_err().status, 404);
        assert_eq!(jobs.view(&ids[3]).unwrap().reason.as_deref(), Some("wrong"));
        assert_eq!(jobs.view(&ids[9]).unwrap().result, Some(9.into()));
        assert!(Jobs::default().view(&ids[9]).is_err(), "another process's");
    }
}
