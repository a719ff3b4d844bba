//! What the daemon says of updates: the coordinator's word, and what root's updater left in its status file. It makes none.

use std::path::Path;

use serde_json::Value;

use super::node::Node;
use crate::control::status;
use crate::update::{Version, progress};

/// Ends of an update that are nobody's fault here, or that the owner chose: no alert.
const NO_ALERT: [&str; 5] = ["server", "busy", "not-running", "not-allowed", "aborted"];

impl Node {
    /// The `update` of the status.
    pub fn update_view(&self) -> status::Update {
        let heard = self.heard.borrow();
        let named = heard.as_ref().and_then(|h| h.update.as_ref()).map(|u| u.version.as_str());
        view(&progress::read(&self.run_dir), named, Version::own(), &program())
    }
}

/// The same of a node that is locked, and has heard nobody.
pub fn locked() -> status::Update {
    view(&Value::Null, None, Version::own(), &program())
}

fn view(last: &Value, named: Option<&str>, own: Version, program: &Path) -> status::Update {
    let word = |name: &str| last[name].as_str().map(str::to_owned);
    let newest = [named, last["version"].as_str()].into_iter().flatten().filter_map(Version::parse).max();
    let runs = match program.parent().and_then(Path::file_name).and_then(|n| n.to_str()) {
        Some("green") => "update",
        Some(folder) if folder.ends_with("-update") => "trial",
        _ => "package",
    };
    status::Update {
        available: newest.filter(|v| *v > own).map(|v| v.to_string()),
        runs: runs.into(),
        phase: word("phase"),
        version: word("version"),
        reason: word("reason"),
        message: word("message"),
        at: word("at"),
    }
}

/// What an update that failed said, where the owner should know.
pub fn failed(update: &status::Update) -> Option<&str> {
    let counts = update.phase.as_deref() == Some("failed") && !update.reason.as_deref().is_some_and(|r| NO_ALERT.contains(&r));
    update.message.as_deref().filter(|_| counts)
}

/// This process's program; one that was replaced or removed is still named by where it was.
fn program() -> std::path::PathBuf {
    std::env::current_exe().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seen(last: &Value, named: Option<&str>, program: &str) -> status::Update {
        view(last, named, Version::parse("0.2.0").unwrap(), Path::new(program))
    }

    #[test]
    fn only_what_is_newer_is_available() {
        let package = "/usr/bin/echomesh";
        assert_eq!(seen(&Value::Null, None, package), status::Update { runs: "package".into(), ..status::Update::default() });
        assert_eq!(seen(&Value::Null, Some("0.2.1"), package).available.as_deref(), Some("0.2.1"));
        assert_eq!(seen(&Value::Null, Some("0.2.0"), package).available, None);
        assert_eq!(seen(&Value::Null, Some("soon"), package).available, None, "what is no version");
        assert_eq!(seen(&json!({"version": "0.3.0"}), Some("0.2.1"), package).available.as_deref(), Some("0.3.0"));
    }

    #[test]
    fn what_runs_is_told_by_where_it_is() {
        assert_eq!(seen(&Value::Null, None, "/usr/lib/echomesh/green/echomesh-00").runs, "update");
        assert_eq!(seen(&Value::Null, None, "/var/run/echomesh-update/echomesh").runs, "trial");
        assert_eq!(seen(&Value::Null, None, "/tmp/run/echomesh-update/echomesh (deleted)").runs, "trial");
    }

    #[test]
    fn a_failure_that_the_owner_can_do_something_about_is_told() {
        let last = |phase: &str, reason: &str| seen(&json!({"phase": phase, "reason": reason, "message": "why"}), None, "");
        assert_eq!(failed(&last("failed", "unhealthy")), Some("why"));
        for (phase, reason) in [("failed", "server"), ("checked", "not-newer"), ("done", "")] {
            assert_eq!(failed(&last(phase, reason)), None, "{phase} {reason}");
        }
    }
}
