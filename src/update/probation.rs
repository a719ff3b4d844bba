//! Whether a node under a new program is as healthy as it was under the one before. Pure: statuses and times in, a verdict out.
//!
//! Only what the API promises over versions is read, by name: the two programs may differ in everything else.

use std::time::Duration;

use serde_json::Value;

use super::version::Version;
use crate::core::Mono;

/// How long a daemon that was healthy may be silent: a busy router answers late.
const SILENT: Duration = Duration::from_secs(15);

/// The node before the trial.
#[derive(Clone, PartialEq, Debug)]
pub struct Before {
    state: String,
    sealed: bool,
    reachable: bool,
    quarantine: bool,
    integrity: bool,
    roles: Vec<String>,
    sessions: usize,
}

/// What one look says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Not yet as healthy as before, for this reason; look again.
    NotYet(String),
    /// As healthy as before; look again until the probation is over.
    Healthy,
    /// Healthy for as long as was asked.
    Passed,
    /// It will not do.
    Failed(String),
}

/// One probation.
#[derive(Clone, Debug)]
pub struct Probation {
    before: Before,
    version: Version,
    /// Until then it must have been healthy once.
    patience: Mono,
    /// How long it must stay so.
    lasts: Duration,
    healthy_since: Option<Mono>,
    heard: Option<Mono>,
    pid: Option<i32>,
    last: String,
}

impl Before {
    /// Of the status before.
    pub fn of(status: &Value, sealed: bool) -> Before {
        Before {
            state: status["state"].as_str().unwrap_or_default().to_owned(),
            sealed,
            reachable: status["coordinator"]["reachable"] == true,
            quarantine: !status["quarantine"].is_null(),
            integrity: has_integrity(status),
            roles: running_roles(status),
            sessions: sessions(status),
        }
    }

    /// What `now` lacks; none where it is as healthy as it was.
    fn lacks(&self, now: &Value) -> Option<String> {
        let state = now["state"].as_str().unwrap_or_default();
        if state == "locked" && self.sealed {
            return None; // nothing more can be seen until the owner unlocks it
        }
        if state != "running" && state != self.state {
            let why = now["stateReason"].as_str().unwrap_or_default();
            return Some(format!("the node is {state}, and was {}: {why}", self.state));
        }
        if self.reachable && now["coordinator"]["reachable"] != true {
            return Some("the coordinator is not reached, and was before".into());
        }
        let roles = running_roles(now);
        if let Some(role) = self.roles.iter().find(|role| !roles.contains(role)) {
            return Some(format!("the role {role} does not run, and did before"));
        }
        // One or another may have ended by itself; all of them at once have not.
        (self.sessions > 0 && sessions(now) == 0).then(|| "no session came back".into())
    }

    /// What is wrong for good.
    fn breaks(&self, now: &Value) -> Option<String> {
        if !self.quarantine && !now["quarantine"].is_null() {
            return Some(format!("the node went into quarantine: {}", now["quarantine"]["reason"].as_str().unwrap_or_default()));
        }
        (!self.integrity && has_integrity(now)).then(|| "it finds what is stored damaged, and the version before did not".into())
    }
}

impl Probation {
    /// Begins at `now`, when the service was restarted.
    pub fn begin(before: Before, version: Version, now: Mono, patience: Duration, lasts: Duration) -> Probation {
        let last = "the daemon does not answer".to_owned();
        Probation { before, version, patience: now.plus(patience), lasts, healthy_since: None, heard: None, pid: None, last }
    }

    /// One look at `now`: what the daemon answers, if it does, and its process id.
    pub fn look(&mut self, now: Mono, status: Option<&Value>, pid: Option<i32>) -> Verdict {
        let ours = status.filter(|s| s["version"].as_str().and_then(Version::parse) == Some(self.version));
        let Some(status) = ours else {
            let silent = self.heard.is_some_and(|at| now.since(at) > SILENT);
            if silent || (status.is_some() && self.heard.is_some()) {
                return Verdict::Failed("it ran, and then no longer answered".into());
            }
            if let Some(other) = status.and_then(|s| s["version"].as_str()) {
                self.last = format!("version {other} answers, not {}", self.version);
            }
            return self.not_yet(now);
        };
        self.heard = Some(now);
        if let (Some(pid), Some(known)) = (pid, self.pid)
            && pid != known
        {
            return Verdict::Failed("it ended and was started again".into());
        }
        self.pid = self.pid.or(pid);
        if let Some(why) = self.before.breaks(status) {
            return Verdict::Failed(why);
        }
        if let Some(why) = self.before.lacks(status) {
            // The line may be lost for reasons of its own: it has as long as at the start to come back.
            if self.healthy_since.take().is_some() {
                self.patience = now.plus(self.lasts.max(SILENT));
            }
            self.last = why;
            return self.not_yet(now);
        }
        let since = *self.healthy_since.get_or_insert(now);
        if now.since(since) >= self.lasts { Verdict::Passed } else { Verdict::Healthy }
    }

    fn not_yet(&self, now: Mono) -> Verdict {
        if now >= self.patience && self.healthy_since.is_none() { Verdict::Failed(self.last.clone()) } else { Verdict::NotYet(self.last.clone()) }
    }
}

fn running_roles(status: &Value) -> Vec<String> {
    let roles = status["roles"].as_object().into_iter().flatten();
    roles.filter(|(_, role)| role["state"] == "running").map(|(name, _)| name.clone()).collect()
}

fn sessions(status: &Value) -> usize {
    let live = |s: &&Value| matches!(s["state"].as_str(), Some("active" | "probing" | "halted"));
    status["sessions"].as_array().map_or(0, |all| all.iter().filter(live).count())
}

fn has_integrity(status: &Value) -> bool {
    status["alerts"].as_array().is_some_and(|all| all.iter().any(|a| a["id"] == "integrity"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(version: &str, state: &str) -> Value {
        json!({
            "version": version, "state": state, "stateReason": null, "quarantine": null, "coordinator": {"reachable": true},
            "roles": {"proxy": {"state": "running"}}, "sessions": [{"state": "active"}, {"state": "active"}], "alerts": [],
        })
    }

    fn with(path: &str, value: Value) -> Value {
        let mut status = status("0.3.0", "running");
        *status.pointer_mut(path).unwrap() = value;
        status
    }

    fn probation(sealed: bool) -> Probation {
        let before = Before::of(&status("0.2.0", "running"), sealed);
        Probation::begin(before, Version::parse("0.3.0").unwrap(), Mono(0), Duration::from_secs(30), Duration::from_secs(60))
    }

    fn at(seconds: u64) -> Mono {
        Mono(seconds * 1000)
    }

    fn failed(verdict: Verdict) -> String {
        match verdict {
            Verdict::Failed(why) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn healthy_for_the_whole_time_passes() {
        let mut p = probation(false);
        assert!(matches!(p.look(at(1), None, None), Verdict::NotYet(_)));
        assert!(matches!(p.look(at(2), Some(&status("0.2.0", "running")), Some(5)), Verdict::NotYet(_)), "the one before still answers");
        assert!(matches!(p.look(at(3), Some(&status("0.3.0", "starting")), Some(6)), Verdict::NotYet(_)));
        let good = status("0.3.0", "running");
        assert_eq!(p.look(at(5), Some(&good), Some(6)), Verdict::Healthy);
        assert!(matches!(p.look(at(10), None, Some(6)), Verdict::NotYet(_)), "a late answer is no end");
        assert_eq!(p.look(at(64), Some(&good), Some(6)), Verdict::Healthy);
        assert_eq!(p.look(at(65), Some(&good), Some(6)), Verdict::Passed);
    }

    #[test]
    fn what_never_comes_up_fails_with_its_last_word() {
        assert!(failed(probation(false).look(at(30), None, None)).contains("does not answer"));
        assert!(failed(probation(false).look(at(30), Some(&status("0.2.0", "running")), None)).contains("version 0.2.0"));
        for (path, value, why) in [
            ("/state", json!("degraded"), "degraded"),
            ("/coordinator/reachable", json!(false), "coordinator"),
            ("/roles/proxy/state", json!("restarting"), "proxy"),
            ("/sessions", json!([]), "session"),
            ("/state", json!("locked"), "locked"),
        ] {
            let mut p = probation(false);
            assert!(matches!(p.look(at(29), Some(&with(path, value.clone())), None), Verdict::NotYet(_)));
            assert!(failed(p.look(at(30), Some(&with(path, value)), None)).contains(why), "{path}");
        }
        assert_eq!(probation(true).look(at(1), Some(&status("0.3.0", "locked")), None), Verdict::Healthy, "sealed before");
    }

    #[test]
    fn what_breaks_fails_at_once() {
        let good = status("0.3.0", "running");
        let mut p = probation(false);
        p.look(at(1), Some(&good), Some(6));
        assert!(failed(p.clone().look(at(2), Some(&good), Some(7))).contains("started again"));
        assert!(failed(p.clone().look(at(2), Some(&status("0.2.0", "running")), Some(7))).contains("no longer"));
        assert!(failed(p.look(at(18), None, Some(6))).contains("no longer"));
        assert!(failed(probation(false).look(at(1), Some(&with("/quarantine", json!({"reason": "x"}))), None)).contains("quarantine"));
        assert!(failed(probation(false).look(at(1), Some(&with("/alerts", json!([{"id": "integrity"}]))), None)).contains("damaged"));
    }

    #[test]
    fn a_line_that_is_lost_for_a_while_begins_the_time_anew() {
        let (good, away) = (status("0.3.0", "running"), with("/coordinator/reachable", json!(false)));
        let mut p = probation(false);
        assert_eq!(p.look(at(1), Some(&good), Some(6)), Verdict::Healthy);
        assert!(matches!(p.look(at(40), Some(&away), Some(6)), Verdict::NotYet(_)), "past the first patience");
        assert_eq!(p.look(at(50), Some(&good), Some(6)), Verdict::Healthy);
        assert_eq!(p.look(at(109), Some(&good), Some(6)), Verdict::Healthy);
        assert_eq!(p.look(at(110), Some(&good), Some(6)), Verdict::Passed);
        assert!(matches!(p.look(at(111), Some(&away), Some(6)), Verdict::NotYet(_)));
        assert!(failed(p.look(at(171), Some(&away), Some(6))).contains("coordinator"));
    }
}
