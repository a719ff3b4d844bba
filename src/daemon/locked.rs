//! A sealed identity: the node is `locked`. The control socket is up and tells who it is, and nothing else runs until the
//! owner's passphrase opens it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use smol::channel::{Receiver, Sender, bounded};
use smol::future::FutureExt as _;
use smol::{LocalExecutor, Task};

use super::confine;
use super::keys::{may_try, open, refused};
use super::signals::{Asked, Watch};
use crate::config::Settings;
use crate::control::call::{self, Action, Call, IdentityView, Refused, refusal};
use crate::control::jobs::{Job, Jobs};
use crate::control::keys::Keys;
use crate::control::overview::overview;
use crate::control::status::{self, Alert, At, NodeState, Severity, Status};
use crate::control::{self, Event, EventHub};
use crate::core::Clock;
use crate::identity::attempts::Attempts;
use crate::identity::sealed::Sealed;
use crate::identity::{Identity, Passphrase};
use crate::net::http::Response;
use crate::net::work;
use crate::platform::sandbox::Sandbox;
use crate::platform::{facts, files};

/// What the owner is told to do, wherever the lock shows.
pub const REMEDY: &str = "run `echomesh identity unlock` and type the passphrase it was sealed with";

/// The node while it is locked. One thread; `Rc`.
pub struct Locked {
    clock: Clock,
    settings: Settings,
    sandbox: Sandbox,
    sealed: Sealed,
    since: u64,
    /// Shared with the node that comes after: an answer to `unlock` can still be asked for.
    jobs: Rc<RefCell<Jobs>>,
    attempts: Cell<Attempts>,
    opened: (Sender<Identity>, Receiver<Identity>),
    work: RefCell<Option<Task<()>>>,
}

/// What ended the wait.
enum Turn {
    Call(Option<control::Asked>),
    Signal(Asked),
    Opened(Identity),
}

impl Locked {
    /// Locked since now.
    pub fn new(clock: Clock, settings: Settings, sealed: Sealed, jobs: Rc<RefCell<Jobs>>, sandbox: Sandbox) -> Rc<Locked> {
        let since = clock.unix();
        let (attempts, work) = Default::default();
        Rc::new(Locked { clock, settings, sandbox, sealed, since, jobs, attempts, opened: bounded(1), work })
    }

    /// Answers calls until the identity is open; `None` where the process is asked to end first.
    pub async fn wait(
        self: Rc<Self>,
        ex: &LocalExecutor<'static>,
        calls: &Receiver<control::Asked>,
        hub: &EventHub,
        signals: &mut Watch,
    ) -> Option<Identity> {
        log::warn!("the identity of {} is sealed: the node is locked; {REMEDY}", self.sealed.node_id);
        let event = Event::State { state: NodeState::Locked, reason: Some(REMEDY.into()), paused: false, quarantine: false };
        hub.publish(self.since, &event);
        loop {
            let call = async { Turn::Call(calls.recv().await.ok()) };
            let signal = async { Turn::Signal(signals.next().await) };
            let opened = async {
                match self.opened.1.recv().await {
                    Ok(identity) => Turn::Opened(identity),
                    Err(_) => std::future::pending().await,
                }
            };
            match call.or(signal).or(opened).await {
                Turn::Call(Some(asked)) => asked.answer_with(|call| self.answer(ex, call)),
                Turn::Call(None) | Turn::Signal(Asked::Stop) => return None,
                // Settings are read again when the identity is open.
                Turn::Signal(Asked::Reload) => {}
                Turn::Opened(identity) => {
                    log::info!("the identity is unlocked");
                    return Some(identity);
                }
            }
        }
    }

    fn answer(self: &Rc<Self>, ex: &LocalExecutor<'static>, call: Call) -> Response {
        match call {
            Call::Status => Response::json(200, &self.status()),
            Call::Overview { .. } => overview(&self.status(), None, b"[]"),
            Call::Identity => Response::json(200, &IdentityView { node_id: self.sealed.node_id, spki: None, sealed: true }),
            Call::Keys(Keys::Unlock(passphrase)) => call::started(self.unlock(ex, passphrase)),
            Call::Job(id) => call::done(self.jobs.borrow().view(&id)),
            Call::Control { action: Action::Unlock, .. } => {
                refusal(409, "passphrase-needed", "the passphrase goes to POST /identity/unlock, or type it to `echomesh identity unlock`")
            }
            _ => refusal(409, "locked", &format!("the identity is sealed and the node does nothing: {REMEDY}")),
        }
    }

    fn unlock(self: &Rc<Self>, ex: &LocalExecutor<'static>, passphrase: Passphrase) -> Result<Job, Refused> {
        may_try(&self.attempts.get(), self.clock.now())?;
        let job = self.jobs.borrow_mut().start(Keys::Unlock(passphrase.clone()).kind())?;
        let (locked, id) = (self.clone(), job.id.clone());
        let task = work::start(ex, async move {
            let outcome = open(locked.sealed.clone(), passphrase).await;
            let told = match &outcome {
                Ok(identity) => Ok(serde_json::json!({ "nodeId": identity.node_id() })),
                Err(r) => Err(r.clone()),
            };
            locked.jobs.borrow_mut().end(&id, told);
            match outcome {
                Ok(identity) => drop(locked.opened.0.try_send(identity)),
                Err(r) => {
                    if r.reason == "wrong-passphrase" {
                        let mut attempts = locked.attempts.get();
                        attempts.failed(locked.clock.now());
                        locked.attempts.set(attempts);
                    }
                    log::warn!("not unlocked: {}", r.message);
                }
            }
        });
        *self.work.borrow_mut() = Some(task);
        Ok(job)
    }

    /// The status object of a node that does nothing.
    fn status(&self) -> Status {
        let network = &self.settings.network;
        let (writes, kib) = files::flash_writes();
        let alert = Alert {
            id: "locked".into(),
            severity: Severity::Critical,
            message: "the identity is sealed: the node serves nobody".into(),
            remedy: REMEDY.into(),
            since: At(self.since),
        };
        Status {
            version: env!("CARGO_PKG_VERSION").into(),
            node_id: self.sealed.node_id,
            state: NodeState::Locked,
            state_reason: Some(format!("the identity is sealed: {REMEDY}")),
            state_since: At(self.since),
            paused: None,
            quarantine: None,
            uptime_sec: self.clock.now().0 / 1000,
            clock_synced: self.clock.synced(),
            roles: BTreeMap::new(),
            sessions: Vec::new(),
            qos: status::Qos::default(),
            geo: status::Geo::default(),
            reputation_guard: Vec::new(),
            schedule: None,
            caps: status::Caps {
                max_mbps: network.max_mbps.0 as f64 / 1e6,
                max_gb_per_day: network.max_gb_per_day,
                max_gb_per_month: network.max_gb_per_month,
                ..status::Caps::default()
            },
            earnings: None,
            reputation: None,
            coordinator: status::Coordinator::default(),
            sandbox: confine::view(&self.sandbox),
            offload: status::Offload::copying(),
            memory: status::Memory { rss_bytes: facts::rss_bytes(), ram_bytes: facts::ram_bytes(), ..status::Memory::default() },
            flash: status::Flash { writes_today: writes, bytes_today: u64::from(kib) * 1024 },
            update: super::updates::locked(),
            alerts: vec![alert],
        }
    }
}

/// What `unlock` says of a node that is open.
pub fn not_locked() -> Refused {
    refused(409, "not-locked", "the node is not locked; there is nothing to unlock")
}
