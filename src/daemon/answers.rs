//! What the control API asks of the node.

use std::path::Path;
use std::rc::Rc;

use serde_json::Value;

use super::keys::{self, refused};
use super::locked::not_locked;
use super::node::Node;
use super::opt_out;
use super::reload;
use super::roles::Roles;
use super::state::Turn;
use super::{trials, who};
use crate::config::json::JsonFinding;
use crate::config::{self, Settings};
use crate::control::call::{Action, Answers, Controlled, Explanation, IdentityView, PutOutcome, Refused, Reply};
use crate::control::jobs::{Job, JobState};
use crate::control::keys::Keys;
use crate::control::metrics::Counters;
use crate::control::report::{Report, System};
use crate::control::series::Series;
use crate::control::status::{At, Status};
use crate::control::survey::Survey;
use crate::control::who::{OpenedDay, Who};
use crate::core::{Reason, logging};
use crate::identity::Role;
use crate::net::host::Host;
use crate::net::http::Response;
use crate::net::work;
use crate::platform::{files, given};
use crate::session::{End, Session};

/// The node and its roles, as the control API sees them.
pub struct Desk {
    /// The node.
    pub node: Rc<Node>,
    /// Its roles.
    pub roles: Rc<Roles>,
}

impl Desk {
    /// Tells everybody where the node is now.
    fn controlled(&self) -> Controlled {
        let node = &self.node;
        node.tell_state();
        let paused = node.pause_view();
        let (state, ..) = node.state();
        Controlled { state, paused: paused.is_some(), until: paused.and_then(|p| p.until), quarantine: node.registry.gate().quarantine }
    }
}

impl Answers for Desk {
    fn status(&self) -> Status {
        self.node.snapshot()
    }

    fn counters(&self) -> Counters {
        self.node.counted()
    }

    fn control(&self, action: Action, seconds: Option<u32>) -> Result<Controlled, Refused> {
        let node = &self.node;
        match action {
            Action::Start => {
                node.unpause();
                node.gate(|gate| gate.stopped = false);
                node.set_stopped(false);
                if !self.roles.work() {
                    // There is nothing to start, and the state goes on saying why.
                    self.roles.follow_settings();
                    return Ok(self.controlled());
                }
                node.turn(Turn::Start, None);
                if node.link.get().reachable && node.link.get().registered {
                    node.turn(Turn::Connected, None);
                }
            }
            Action::Pause => node.pause(seconds),
            Action::Stop => {
                node.gate(|gate| gate.stopped = true);
                node.set_stopped(true);
                node.turn(Turn::Stop, Some("the owner stopped the node".into()));
                node.turn(Turn::Drained, Some("the owner stopped the node".into()));
            }
            Action::ClearQuarantine => {
                if !node.clear_quarantine() {
                    return Err(refused(409, "not-in-quarantine", "the node is not in quarantine"));
                }
            }
            Action::Unlock => return Err(not_locked()),
        }
        Ok(self.controlled())
    }

    fn close_session(&self, session_id: &str) -> Result<(), Refused> {
        if self.node.registry.get(session_id).is_none() {
            return Err(refused(404, "session-unknown", "there is no such session; GET /status lists them"));
        }
        self.node.registry.end(session_id, End::Owner);
        Ok(())
    }

    fn config(&self) -> Value {
        config::json::to_json(&self.node.settings())
    }

    fn put_config(&self, patch: Value, reply: Reply) {
        let (node, roles) = (self.node.clone(), self.roles.clone());
        self.roles.spawn(async move { reply.put(put_config(&node, &roles, &patch).await) });
    }

    fn check_config(&self, patch: &Value) -> Vec<JsonFinding> {
        config::json::merge(&self.node.settings(), patch).err().unwrap_or_default()
    }

    fn explain(&self, host: &str, port: u16, session: Option<&str>) -> Result<Explanation, Refused> {
        let registry = &self.node.registry;
        let owner = registry.owner();
        let host = match Host::parse(host) {
            Ok(host) => host,
            Err(reason) => return Ok(Explanation::refused(reason, "the form of the name")),
        };
        let session = match session {
            None => None,
            Some(id) => {
                let unknown = || refused(404, "session-unknown", "there is no such session; GET /status lists them");
                Some(registry.get(id).ok_or_else(unknown)?)
            }
        };
        let effective = match session.as_ref().map_or_else(|| Ok(Rc::new(owner.own())), |s| s.effective()) {
            Ok(effective) => effective,
            Err(reason) => return Ok(Explanation::refused(reason, "the session's category, profile or region")),
        };
        let verdict = owner.judge(&effective, host.as_str(), port);
        if let Some(reason) = verdict.reason {
            return Ok(Explanation::refused(reason, verdict.rule));
        }
        Ok(match self.not_now(session.as_deref(), effective.category()) {
            Some((reason, rule)) => Explanation::refused(reason, rule),
            None => Explanation { allowed: true, reason: None, rule: verdict.rule, message: "a tunnel there would be opened".into() },
        })
    }

    fn export_logs(&self) -> Vec<String> {
        let node = &self.node;
        let made_at = node.clock.synced().then(|| node.clock.unix());
        node.registry.ledger.borrow().books(&node.identity.role_key(Role::Proxy), node.identity.node_id(), made_at).collect()
    }

    fn series(&self) -> Series {
        let s = self.node.registry.ledger.borrow().series(self.node.clock.unix());
        Series { until: At(s.until), bits_in: s.bits_in, bits_out: s.bits_out, sessions: s.sessions, p95: s.p95, errors: s.errors }
    }

    fn recent_alerts(&self) -> Vec<u8> {
        self.node.hub.recent_alerts()
    }

    fn survey(&self, reply: Reply) {
        let settings = self.node.settings();
        self.roles.spawn(async move {
            let uplinks = settings.network.uplink.clone();
            // It reads files.
            let survey = work::aside(move || Survey::here(&uplinks)).await;
            reply.send(Response::json(200, &survey));
        });
    }

    fn test_settings(&self, patch: &Value) -> Result<Job, Refused> {
        let wrong = |findings: Vec<JsonFinding>| {
            let listed: Vec<String> = findings.iter().map(ToString::to_string).collect();
            refused(422, "findings", listed.join("; "))
        };
        let settings = config::json::merge(&self.node.settings(), patch).map_err(wrong)?;
        let job = self.node.jobs.borrow_mut().start("setup/test")?;
        let (node, id) = (self.node.clone(), job.id.clone());
        let ours: Vec<String> = node.listening.borrow().iter().map(ToString::to_string).collect();
        self.roles.spawn(async move {
            let tests = work::aside(move || trials::listed(&settings, &ours)).await;
            node.jobs.borrow_mut().end(&id, Ok(tests));
        });
        Ok(job)
    }

    fn report(&self) -> Report {
        let node = &self.node;
        // A small file on tmpfs or in the page cache: what is odd about it is not kept anywhere else.
        let findings = config::read(&node.config).map(|(_, findings)| findings).unwrap_or_default();
        let report = Report::new(node.clock.unix(), System::here(), &node.settings(), &findings);
        report.with_daemon(&node.snapshot(), &node.counted(), &logging::recent(0))
    }

    fn identity(&self) -> IdentityView {
        IdentityView { node_id: self.node.identity.node_id(), spki: Some(self.node.spki), sealed: self.node.sealed.get() }
    }

    fn who(&self, at: u64, host: Option<&str>) -> Result<Who, Refused> {
        let no_host = |_| refused(400, "bad-request", "that is no host name a buyer could have asked for");
        let host = host.map(Host::parse).transpose().map_err(no_host)?;
        Ok(who::who(&self.node, at, host.as_ref()))
    }

    fn open_day(&self, date: &str) -> Result<OpenedDay, Refused> {
        let opened = who::open_day(&self.node, date).ok_or_else(|| refused(400, "bad-request", "a date is YYYY-MM-DD, in UTC"))?;
        log::warn!("the access log's key of {date} was shown: whoever has it can check the hosts of that day");
        Ok(opened)
    }

    fn keys(&self, call: Keys) -> Result<Job, Refused> {
        keys::check(&self.node, &call)?;
        let job = self.node.jobs.borrow_mut().start(call.kind())?;
        let (node, roles, id) = (self.node.clone(), self.roles.clone(), job.id.clone());
        self.roles.spawn(async move {
            let outcome = keys::work(node.clone(), roles, call).await;
            if let Err(r) = &outcome {
                log::warn!("{}: {}", r.reason, r.message);
            }
            node.jobs.borrow_mut().end(&id, outcome);
            if node.gone.get() {
                opt_out::farewell(&node).await;
            }
        });
        Ok(job)
    }

    fn job(&self, id: &str) -> Result<Job, Refused> {
        let job = self.node.jobs.borrow().view(id)?;
        if self.node.gone.get() && job.state != JobState::Running {
            self.node.heard_out.ring();
        }
        Ok(job)
    }
}

/// The settings' file is ours to write.
pub fn may_write(node: &Node) -> bool {
    writable(&node.config, &node.run_dir)
}

/// The file at `config` is ours to write: not the copy that root's init script makes of the real one.
pub fn writable(config: &Path, run_dir: &Path) -> bool {
    config != given::settings(run_dir) && !config.starts_with(run_dir) && files::writable(config)
}

impl Desk {
    /// What beside the policy refuses a tunnel at this moment, in the order the engine asks, and by which rule.
    fn not_now(&self, session: Option<&Session>, category: &str) -> Option<(Reason, String)> {
        let (node, registry) = (&self.node, &self.node.registry);
        let now = node.clock.now();
        if let Some(reason) = registry.gate().refuses(now) {
            let rule = match reason {
                Reason::Quarantine => format!("the node is in quarantine: {}", node.held.borrow().reason().unwrap_or_default()),
                reason => format!("the node's own state, whatever the host: {}", reason.id()),
            };
            return Some((reason, rule));
        }
        if let Some(reason) = registry.cap_reached() {
            return Some((reason, "network.max_gb_per_day or network.max_gb_per_month is used up".into()));
        }
        let region = session.map(|s| s.assigned().region.clone()).unwrap_or_default();
        if let Err(rule) = registry.judge_place(&region) {
            return Some((Reason::Geo, rule));
        }
        if let Some(reason) = session.and_then(|s| registry.would_admit(s).err()) {
            return Some((reason, format!("the session's life and limits: {}", reason.id())));
        }
        let step = node.engine.reputation.borrow().judge(now, category).err()?;
        Some((Reason::Overload, format!("sites had enough of category {category}: it is {} (status, reputationGuard)", step.name())))
    }
}

/// Checks, writes and applies a merge patch. Lists of domains are read and the file is written beside this thread: a list of
/// 100,000 domains takes a small router a good part of a second, and another program may hold the file's lock.
async fn put_config(node: &Rc<Node>, roles: &Roles, patch: &Value) -> PutOutcome {
    let old = node.settings();
    let new = match config::json::merge(&old, patch) {
        Ok(new) => new,
        Err(findings) => return PutOutcome::Findings(findings),
    };
    if !may_write(node) {
        return PutOutcome::Batch(config::batch::uci_batch(&old, &new));
    }
    let (path, before) = (node.config.clone(), Settings::clone(&old));
    let written = work::aside(move || {
        let named = reload::named(&new).map_err(|e| format!("{e}; nothing was changed"))?;
        config::batch::commit(&path, &before, &new).map_err(|e| format!("{}: {e}; nothing was changed", path.display()))?;
        Ok((new, named))
    });
    let applied = match written.await {
        // Other settings came into force meanwhile: what holds is what the file says now, theirs and ours.
        Ok(_) if !Rc::ptr_eq(&old, &node.settings()) => {
            reload::from_file(node, roles).await;
            Ok(())
        }
        Ok((new, named)) => reload::put(node, roles, new, named).map_err(|e| format!("written, but not in force: {e}")),
        Err(message) => Err(message),
    };
    match applied {
        Ok(()) => PutOutcome::Applied(config::json::to_json(&node.settings())),
        Err(message) => PutOutcome::Findings(vec![JsonFinding { path: String::new(), message }]),
    }
}
