//! The node as one value: what every task of the daemon shares. One thread; `Rc`.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;

use super::distrust::Distrust;
use super::household::Household;
use super::roster::Book;
use super::state::{self, Turn};
use super::supervisor::RoleHealth;
use super::world::World;
use crate::config::Settings;
use crate::control::health::Watch;
use crate::control::status::NodeState;
use crate::control::{Event, EventHub, Jobs};
use crate::coordinator::client::Client;
use crate::coordinator::wire;
use crate::core::{Clock, Mono, Signal};
use crate::guard::Quarantine;
use crate::identity::Identity;
use crate::identity::attempts::Attempts;
use crate::identity::watch::KeyWatch;
use crate::meter::Journal;
use crate::meter::journal::FlashJob;
use crate::net::pace::Limiter;
use crate::net::pool::Pool;
use crate::net::roots::Roots;
use crate::platform::given;
use crate::platform::offload::Offload;
use crate::platform::sandbox::Sandbox;
use crate::probe::Allowance;
use crate::proxy::Engine;
use crate::session::registry::Notice;
use crate::session::{Gate, Registry};

/// The connection to the coordinator, as status tells it.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinkView {
    /// The last call was answered and verified.
    pub reachable: bool,
    /// Our registration stands.
    pub registered: bool,
    /// When an answer last verified, Unix seconds.
    pub last_contact: Option<u64>,
    /// Since when there was none.
    pub away_since: Option<Mono>,
    /// When the next try is.
    pub retry_at: Option<Mono>,
    /// Calls that failed since start.
    pub failures: u64,
}

/// Probes since start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Probes {
    /// Reported and acknowledged.
    pub passed: u64,
    /// Failed on the way.
    pub failed: u64,
    /// How the last ones ended, the newest in the lowest bit: 1 = passed.
    recent: u32,
}

impl Probes {
    /// Probes the pass rate looks back on: enough for a share, few enough that a mended line shows within half an hour.
    pub const LAST: u32 = 20;

    /// One more has ended.
    pub fn ended(&mut self, passed: bool) {
        *(if passed { &mut self.passed } else { &mut self.failed }) += 1;
        self.recent = (self.recent << 1 | u32::from(passed)) & ((1 << Self::LAST) - 1);
    }

    /// Probes behind [`Probes::pass_rate_pct`]: at most [`Probes::LAST`].
    pub fn counted(&self) -> u32 {
        u32::try_from(self.passed + self.failed).unwrap_or(u32::MAX).min(Self::LAST)
    }

    /// Share of the last ones that passed, in per cent; `None` before the first.
    pub fn pass_rate_pct(&self) -> Option<f64> {
        let counted = self.counted();
        (counted > 0).then(|| crate::codec::json::milli(f64::from(self.recent.count_ones()) * 100.0 / f64::from(counted)))
    }
}

/// All that the tasks share.
pub struct Node {
    /// The clock.
    pub clock: Clock,
    /// The outer world.
    pub world: World,
    /// What this process is confined by.
    pub sandbox: Sandbox,
    /// The settings file.
    pub config: PathBuf,
    /// The run folder.
    pub run_dir: PathBuf,
    /// The state folder this process started with.
    pub state_dir: PathBuf,
    /// Settings in force.
    pub settings: RefCell<Rc<Settings>>,
    /// The node's keys.
    pub identity: Rc<Identity>,
    /// The identity is sealed at rest.
    pub sealed: Cell<bool>,
    /// Wrong passphrases lately.
    pub attempts: Cell<Attempts>,
    /// The owner opted out and the files are going: nothing is written any more.
    pub gone: Cell<bool>,
    /// Rings when the client has heard how the opting out went.
    pub heard_out: Signal,
    /// Rings when the process has nothing left to do.
    pub farewell: Signal,
    /// Long work the control API started.
    pub jobs: Rc<RefCell<Jobs>>,
    /// 16 random bytes of this start, base64url.
    pub boot_id: String,
    /// Roots trusted for what the node itself connects to.
    pub roots: RefCell<Roots>,
    /// Sessions and their counters.
    pub registry: Rc<Registry>,
    /// Rates.
    pub limiter: Limiter,
    /// What the household allows now.
    pub household: Household,
    /// Pipes and buffers.
    pub pool: Pool,
    /// What the machine brings to move bytes.
    pub machine: RefCell<Offload>,
    /// The proxy.
    pub engine: Rc<Engine>,
    /// Hash of the listener's SubjectPublicKeyInfo.
    pub spki: crate::codec::Hash,
    /// Who was served when.
    pub book: Book,
    /// Persistence of the counters.
    pub journal: RefCell<Journal>,
    /// Its next copy on flash.
    pub flash_job: RefCell<Option<FlashJob>>,
    /// Rings when there is one.
    pub flash_due: Signal,
    /// The coordinator's client; `None` where none is configured.
    pub client: RefCell<Option<Rc<Client>>>,
    /// Listeners of the control API's events.
    pub hub: EventHub,
    /// Rings when there is something to post.
    pub post: Signal,
    /// The next heartbeat is due now.
    pub hurry: Cell<bool>,
    /// The quarantine; the gate follows it.
    pub held: RefCell<Quarantine>,
    /// Watches the identity's file. Whoever rewrites the file tells it.
    pub key_watch: RefCell<KeyWatch>,
    /// What of the coordinator was not believed lately.
    pub distrust: Cell<Distrust>,
    /// The connection to the coordinator.
    pub link: Cell<LinkView>,
    /// The last heartbeat's answer.
    pub heard: RefCell<Option<wire::Heard>>,
    /// Probes since start.
    pub probes: Cell<Probes>,
    /// What probes may use.
    pub probe_allowance: RefCell<Allowance>,
    /// Rings when a session became active or a pause ended.
    pub probe_due: Signal,
    /// Bundles acknowledged and refused since start.
    pub bundles: Cell<(u64, u64)>,
    /// What is wrong with what was stored or signed, a sentence each; at most 16.
    pub integrity: RefCell<Vec<String>>,
    /// The alerts over time.
    pub health: RefCell<Watch>,
    /// Addresses the proxy listens on.
    pub listening: RefCell<Vec<SocketAddr>>,
    /// Rings when the proxy must bind anew.
    pub rebind: Signal,
    /// The connection to the gateway.
    pub gateway: super::gateway::Tie,
    /// How the proxy is doing.
    pub proxy_health: RoleHealth,
    /// Where it is in its life.
    pub life: Life,
}

/// Where the node is in its life: changed by [`Node::turn`] alone.
pub struct Life {
    state: Cell<(NodeState, u64)>,
    reason: RefCell<Option<String>>,
}

impl Life {
    /// State `init` since `unix` seconds.
    pub fn new(unix: u64) -> Life {
        Life { state: Cell::new((NodeState::Init, unix)), reason: RefCell::default() }
    }
}

/// Integrity findings kept.
const MOST_FINDINGS: usize = 16;

impl Node {
    /// The settings in force.
    pub fn settings(&self) -> Rc<Settings> {
        self.settings.borrow().clone()
    }

    /// State, since when (Unix seconds), and why.
    pub fn state(&self) -> (NodeState, u64, Option<String>) {
        let (state, since) = self.life.state.get();
        (state, since, self.life.reason.borrow().clone())
    }

    /// Turns the state machine, and says why.
    pub fn turn(&self, turn: Turn, why: Option<String>) {
        let (state, _) = self.life.state.get();
        let Some(next) = state::turned(state, turn) else { return };
        match &why {
            Some(why) => log::info!("{} → {}: {why}", state.name(), next.name()),
            None => log::info!("{} → {}", state.name(), next.name()),
        }
        self.life.state.set((next, self.clock.unix()));
        *self.life.reason.borrow_mut() = why;
        self.tell_state();
    }

    /// What had failed works again: back to work, unless something else is wrong still.
    pub fn mended(&self) {
        if self.registry.gate().duplicate {
            return;
        }
        self.turn(Turn::Mended, None);
        let link = self.link.get();
        if link.reachable && link.registered {
            self.turn(Turn::Connected, None);
        }
    }

    /// Tells listeners state, pause and quarantine.
    pub fn tell_state(&self) {
        let (state, _) = self.life.state.get();
        let gate = self.registry.gate();
        let paused = gate.paused_until.is_some_and(|until| self.clock.now() < until);
        let event = Event::State { state, reason: self.life.reason.borrow().clone(), paused, quarantine: gate.quarantine };
        self.tell(&event);
    }

    /// Tells listeners.
    pub fn tell(&self, event: &Event) {
        self.hub.publish(self.clock.unix(), event);
    }

    /// Changes the gate.
    pub fn gate(&self, change: impl FnOnce(&mut Gate)) {
        let mut gate = self.registry.gate();
        change(&mut gate);
        self.registry.set_gate(gate);
        self.registry.changed.ring();
        self.probe_due.ring();
    }

    /// Changes the view of the link.
    pub fn link(&self, change: impl FnOnce(&mut LinkView)) {
        let mut link = self.link.get();
        let away = link.away_since;
        change(&mut link);
        self.link.set(link);
        if link.away_since != away {
            // The alert about it has a deadline of its own.
            self.registry.changed.ring();
        }
    }

    /// Whether the system says that NTP has set its clock since boot: its hotplug script leaves a file and sends SIGHUP.
    pub fn look_for_ntp(&self) {
        if given::places(&self.run_dir, given::NTP_SYNCED).iter().any(|mark| mark.exists()) {
            self.clock.vouch_ntp();
        }
    }

    /// What the table of sessions tells.
    pub fn noticed(&self, notice: Notice) {
        match notice {
            Notice::Opened(session_id) => {
                log::info!("session {session_id} is open");
                if let Some(session) = self.registry.get(&session_id) {
                    let buyer = session.assigned().buyer_id.clone();
                    self.book.note(|roster| roster.opened(&session_id, &buyer, self.clock.unix()));
                }
                self.probe_due.ring();
                self.tell(&Event::SessionOpen { session_id });
            }
            Notice::Closing(session_id, end) => {
                log::info!("session {session_id} ends: {}", end.name());
                self.tell(&Event::SessionClose { session_id, reason: end.name().into() });
            }
            Notice::Sealed(session_id) => {
                log::debug!("session {session_id} is sealed");
                self.book.note(|roster| roster.closed(&session_id, self.clock.unix()));
                self.sealed();
            }
        }
    }

    /// Something stored or signed is not as it should be.
    pub fn finding(&self, text: String) {
        let mut findings = self.integrity.borrow_mut();
        if findings.contains(&text) {
            return; // said once, not with every try
        }
        log::error!("{text}");
        if findings.len() < MOST_FINDINGS {
            findings.push(text);
        }
    }

    /// What began with these words is as it should be again.
    pub fn no_longer(&self, beginning: &str) {
        let mut findings = self.integrity.borrow_mut();
        let before = findings.len();
        findings.retain(|text| !text.starts_with(beginning));
        if findings.len() < before {
            log::info!("no longer: {beginning}");
        }
    }
}
