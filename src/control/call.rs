//! The calls of the local control API as types, what answers them, and the answer as an HTTP response.
//!
//! The daemon implements [`Answers`] on the data-plane thread; [`answer`] runs there too, so an answer is one
//! consistent moment of the node. Nothing here waits.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use smol::channel::Sender;

use super::jobs::Job;
use super::keys::Keys;
use super::metrics::{self, Counters};
use super::overview::overview;
use super::report::Report;
use super::series::Series;
use super::status::{At, NodeState, Status};
use super::who::{OpenedDay, Who};
use crate::codec::{Hash, NodeId, time};
use crate::config::json::JsonFinding;
use crate::config::presets;
use crate::config::settings::Rate;
use crate::core::{Reason, logging};
use crate::net::http::Response;

/// One call of the control API.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// `GET /status`.
    Status,
    /// `POST /control`.
    Control {
        /// What to do.
        action: Action,
        /// For `pause`: how long. None = until `start`.
        seconds: Option<u32>,
    },
    /// `POST /sessions/close`.
    CloseSession(String),
    /// `GET /config`.
    GetConfig,
    /// `PUT /config`: a JSON merge patch.
    PutConfig(Value),
    /// `POST /config/check`: a JSON merge patch.
    CheckConfig(Value),
    /// `GET /policy/explain`.
    Explain {
        /// As a buyer would name it.
        host: String,
        /// Destination port.
        port: u16,
        /// Under which session's profile; none = the owner's alone.
        session: Option<String>,
    },
    /// `GET /logs`: lines after this number.
    Logs {
        /// 0 = all that are kept.
        since: u64,
    },
    /// `GET /logs/export`.
    ExportLogs,
    /// `GET /series`.
    Series {
        /// The last so many of them.
        seconds: usize,
    },
    /// `GET /overview`: status, series and recent alerts at once.
    Overview {
        /// Of the series.
        seconds: usize,
    },
    /// `GET /survey`.
    Survey,
    /// `GET /presets`.
    Presets {
        /// What the line carries, where that is known.
        line: Option<Rate>,
    },
    /// `POST /setup/test`: tries what the settings with this merge patch need.
    TestSettings(Value),
    /// `GET /metrics`.
    Metrics,
    /// `GET /identity`.
    Identity,
    /// `GET /report`; as text with `?text=1`.
    Report {
        /// For a person to paste into an issue.
        text: bool,
    },
    /// `GET /logs/who`.
    Who {
        /// Unix seconds.
        at: u64,
        /// As a buyer would name it.
        host: Option<String>,
    },
    /// `POST /logs/open-day`: a UTC date.
    OpenDay(String),
    /// `POST /identity/…`.
    Keys(Keys),
    /// `GET /jobs/ID`.
    Job(String),
}

/// What the owner tells the node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// End a pause or a stop.
    Start,
    /// No new tunnels, live ones end within 1 s; until the deadline or `start`.
    Pause,
    /// The same, and it outlives a reboot.
    Stop,
    /// The cause of the quarantine is gone.
    ClearQuarantine,
    /// Open a sealed identity: answered with where the passphrase goes, `POST /identity/unlock`.
    Unlock,
}

/// `POST /control`, done: where the node is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Controlled {
    /// State of the node.
    pub state: NodeState,
    /// It is paused.
    pub paused: bool,
    /// When the pause ends by itself.
    pub until: Option<At>,
    /// It is in quarantine.
    pub quarantine: bool,
}

/// A call that is not done, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// HTTP status, 4xx or 5xx.
    pub status: u16,
    /// Stable id.
    pub reason: String,
    /// One sentence for the person who reads it, with what to do.
    pub message: String,
}

/// What became of `PUT /config`.
#[derive(Clone, Debug, PartialEq)]
pub enum PutOutcome {
    /// In force; the settings as they are now.
    Applied(Value),
    /// Right, but root has to write it: the lines for `uci batch`.
    Batch(String),
    /// Wrong: every finding; nothing was changed.
    Findings(Vec<JsonFinding>),
}

/// What the guard would say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// A tunnel there would be opened.
    pub allowed: bool,
    /// Id of the Reason it would be refused with; null where allowed.
    pub reason: Option<String>,
    /// Which rule decides: a setting and its entry, or the session's profile.
    pub rule: String,
    /// One sentence.
    pub message: String,
}

impl Call {
    /// Whether its answer may take longer than a moment.
    pub fn is_slow(&self) -> bool {
        matches!(self, Call::PutConfig(_) | Call::Survey)
    }
}

impl Explanation {
    /// Refused with `reason` by `rule`.
    pub fn refused(reason: Reason, rule: impl Into<String>) -> Explanation {
        Explanation { allowed: false, reason: Some(reason.id().into()), rule: rule.into(), message: reason.message().into() }
    }
}

/// `GET /identity`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdentityView {
    /// The node's public name.
    pub node_id: NodeId,
    /// Hash of the listener certificate's SubjectPublicKeyInfo; null while there is no listener.
    pub spki: Option<Hash>,
    /// The identity is sealed at rest: the next start waits for the passphrase.
    pub sealed: bool,
}

/// Where the answer to one call goes.
#[derive(Debug)]
pub struct Reply(pub(super) Sender<Response>);

impl Reply {
    /// Answers, where somebody still waits.
    pub fn send(self, response: Response) {
        // Room for one, and this is the one; it fails only when the asker just left.
        let _ = self.0.try_send(response);
    }

    /// Answers `PUT /config`.
    pub fn put(self, outcome: PutOutcome) {
        self.send(put(outcome));
    }
}

/// The daemon, as the control API sees it. Every method ends at once: what takes longer is given the [`Reply`] to answer by.
pub trait Answers {
    /// The status object.
    fn status(&self) -> Status;
    /// Counters since start, for the metrics.
    fn counters(&self) -> Counters;
    /// Does `action`; `seconds` is only ever given with `pause`.
    fn control(&self, action: Action, seconds: Option<u32>) -> Result<Controlled, Refused>;
    /// Closes the session on this node.
    fn close_session(&self, session_id: &str) -> Result<(), Refused>;
    /// The settings in force.
    fn config(&self) -> Value;
    /// Checks and applies a merge patch. Files are read and written beside the data plane, so the answer comes later.
    fn put_config(&self, patch: Value, reply: Reply);
    /// Checks a merge patch.
    fn check_config(&self, patch: &Value) -> Vec<JsonFinding>;
    /// What the guard would say of this destination.
    fn explain(&self, host: &str, port: u16, session: Option<&str>) -> Result<Explanation, Refused>;
    /// The access log: hashed, privacy-minimised JSON lines, each chunk followed by its digest line.
    fn export_logs(&self) -> Vec<String>;
    /// The last five minutes.
    fn series(&self) -> Series;
    /// The last alerts that came and went, as a JSON array ([`super::EventHub::recent_alerts`]).
    fn recent_alerts(&self) -> Vec<u8>;
    /// What can be found out about the box; the answer comes later.
    fn survey(&self, reply: Reply);
    /// Starts trying what the settings with this patch need.
    fn test_settings(&self, patch: &Value) -> Result<Job, Refused>;
    /// Who the node is.
    fn identity(&self) -> IdentityView;
    /// What helps to find out what is wrong, scrubbed.
    fn report(&self) -> Report;
    /// Who was served at `at` Unix seconds.
    fn who(&self, at: u64, host: Option<&str>) -> Result<Who, Refused>;
    /// The access log's key of one UTC date.
    fn open_day(&self, date: &str) -> Result<OpenedDay, Refused>;
    /// Starts work on the node's keys.
    fn keys(&self, keys: Keys) -> Result<Job, Refused>;
    /// How a job stands.
    fn job(&self, id: &str) -> Result<Job, Refused>;
}

/// Calls `node` and puts what it says into a response, now or later.
pub fn answer(node: &dyn Answers, call: Call, reply: Reply) {
    let response = match call {
        Call::Status => Response::json(200, &node.status()),
        Call::Control { action, seconds } => done(node.control(action, seconds)),
        Call::CloseSession(id) => done(node.close_session(&id).map(|()| json!({ "sessionId": id, "closed": true }))),
        Call::GetConfig => Response::json(200, &node.config()),
        Call::PutConfig(patch) => return node.put_config(patch, reply),
        Call::Survey => return node.survey(reply),
        Call::CheckConfig(patch) => Response::json(200, &json!({ "findings": node.check_config(&patch) })),
        Call::Explain { host, port, session } => done(node.explain(&host, port, session.as_deref())),
        Call::Logs { since } => Response::json(200, &lines(since)),
        Call::ExportLogs => Response::new(200, "application/x-ndjson", export(&node.export_logs())),
        Call::Series { seconds } => Response::json(200, &node.series().last(seconds)),
        Call::Overview { seconds } => overview(&node.status(), Some(&node.series().last(seconds)), &node.recent_alerts()),
        Call::Presets { line } => Response::json(200, &presets::to_json(line)),
        Call::TestSettings(patch) => started(node.test_settings(&patch)),
        Call::Metrics => Response::new(200, metrics::CONTENT_TYPE, metrics::text(&node.status(), &node.counters())),
        Call::Identity => Response::json(200, &node.identity()),
        Call::Report { text: true } => Response::new(200, "text/plain; charset=utf-8", node.report().text()),
        Call::Report { text: false } => Response::json(200, &node.report()),
        Call::Who { at, host } => done(node.who(at, host.as_deref())),
        Call::OpenDay(date) => done(node.open_day(&date)),
        Call::Keys(keys) => started(node.keys(keys)),
        Call::Job(id) => done(node.job(&id)),
    };
    reply.send(response);
}

/// The answer to a call that starts a job.
pub fn started(job: Result<Job, Refused>) -> Response {
    match job {
        Ok(job) => Response::json(202, &job),
        Err(r) => refusal(r.status, &r.reason, &r.message),
    }
}

/// The answer to a call that may be refused.
pub fn done<T: Serialize>(outcome: Result<T, Refused>) -> Response {
    match outcome {
        Ok(value) => Response::json(200, &value),
        Err(r) => refusal(r.status, &r.reason, &r.message),
    }
}

/// An error as every part of the control API says it.
pub fn refusal(status: u16, reason: &str, message: &str) -> Response {
    Response::json(status, &json!({ "reason": reason, "message": message }))
}

fn put(outcome: PutOutcome) -> Response {
    match outcome {
        PutOutcome::Applied(settings) => Response::json(200, &settings),
        PutOutcome::Batch(batch) => {
            let message = "the settings are right, but only root may write them: give the batch to `uci batch`, then reload";
            Response::json(409, &json!({ "reason": "needs-root", "message": message, "batch": batch }))
        }
        PutOutcome::Findings(findings) => Response::json(422, &findings),
    }
}

fn export(lines: &[String]) -> Vec<u8> {
    let mut out = Vec::with_capacity(lines.iter().map(|l| l.len() + 1).sum());
    for line in lines {
        out.extend_from_slice(line.trim_end_matches('\n').as_bytes());
        out.push(b'\n');
    }
    out
}

fn lines(since: u64) -> Value {
    let lines = logging::recent(since).into_iter().map(|l| {
        let at = (l.unix > 0).then(|| time::rfc3339(l.unix));
        json!({ "number": l.number, "time": at, "level": l.level.as_str().to_ascii_lowercase(), "target": l.target, "text": l.text })
    });
    json!({ "lines": lines.collect::<Vec<_>>() })
}
