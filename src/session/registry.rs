//! The bounded table of sessions: carries out what each [`Machine`] decides, and admits tunnels.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::VecDeque;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::entry::{self, Session, Spent};
use super::gate::Gate;
use super::machine::{Action, End, Event, Machine, Phase};
use super::secret;
use super::tunnel::Tunnel;
use crate::codec::{Hash, json};
use crate::coordinator::wire;
use crate::core::sorted::Sorted;
use crate::core::{Clock, Mono, Reason, Signal};
use crate::guard::Owner;
use crate::guard::geo::Evidence;
use crate::meter::Ledger;
use crate::meter::chain::Chain;
use crate::meter::ledger::OpenError;
use crate::net::pace::Limiter;

/// Sessions at once: about 3 KiB each with its open window, 768 KiB together.
pub const MOST_SESSIONS: usize = 256;
/// Sessions that are over and still told apart from unknown ones: about 150 bytes each, 10 KiB.
const MOST_PAST: usize = 64;

/// A session that is over.
struct Past {
    id: String,
    secret_hash: Hash,
    reason: Reason,
}

/// What others want to know of a session's life.
#[derive(Clone, Debug)]
pub enum Notice {
    /// It serves buyers from now on.
    Opened(String),
    /// It ends.
    Closing(String, End),
    /// Its counters are sealed.
    Sealed(String),
}

/// The owner's limits over all sessions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Tunnels at once.
    pub tunnels: u32,
    /// Bytes on the uplink per day; `None` = no limit.
    pub day: Option<u64>,
    /// Bytes on the uplink per month; `None` = no limit.
    pub month: Option<u64>,
}

/// What the journal keeps of a session for us.
#[derive(Serialize, Deserialize)]
struct Kept {
    accepted: bool,
    session: wire::Session,
}

/// All sessions. One thread; `Rc`.
pub struct Registry {
    clock: Clock,
    /// Counters of all sessions.
    pub ledger: Rc<RefCell<Ledger>>,
    limiter: Limiter,
    owner: RefCell<Rc<Owner>>,
    /// What is known of the node's place.
    pub place: RefCell<Evidence>,
    gate: Cell<Gate>,
    limits: Cell<Limits>,
    tunnels: Cell<u32>,
    relayed: Cell<(u64, u64)>,
    sessions: RefCell<Sorted<String, Rc<Session>>>,
    past: RefCell<VecDeque<Past>>,
    /// Rings when the table changed: somebody must be answered, a deadline moved, something was sealed.
    pub changed: Signal,
    /// Rings when the last tunnel of all is gone.
    pub emptied: Signal,
    /// Rings when bytes move that nobody watches.
    pub traffic: Signal,
    /// Somebody watches the bytes that move.
    pub watched: Cell<bool>,
    /// Whoever waits for [`Registry::changed`] looks at the ledger every second anyway.
    pub awake: Cell<bool>,
    notices: Box<dyn Fn(Notice)>,
}

impl Registry {
    /// An empty table.
    pub fn new(clock: Clock, ledger: Rc<RefCell<Ledger>>, limiter: Limiter, owner: Owner, notices: impl Fn(Notice) + 'static) -> Registry {
        Registry {
            clock,
            ledger,
            limiter,
            owner: RefCell::new(Rc::new(owner)),
            place: RefCell::default(),
            gate: Cell::new(Gate::default()),
            limits: Cell::default(),
            traffic: Signal::default(),
            watched: Cell::new(false),
            awake: Cell::new(false),
            tunnels: Cell::new(0),
            relayed: Cell::default(),
            sessions: RefCell::new(Sorted::new()),
            past: RefCell::new(VecDeque::new()),
            changed: Signal::default(),
            emptied: Signal::default(),
            notices: Box::new(notices),
        }
    }

    /// The owner's policy.
    pub fn owner(&self) -> Rc<Owner> {
        self.owner.borrow().clone()
    }

    /// New settings: every session's effective profile is made anew; live tunnels stay.
    pub fn set_owner(&self, owner: Owner) {
        for session in self.all() {
            let effective = entry::effective(&owner, &session.assigned()).map(Rc::new);
            *session.effective.borrow_mut() = effective;
        }
        *self.owner.borrow_mut() = Rc::new(owner);
    }

    /// The owner's limits over all sessions.
    pub fn set_limits(&self, limits: Limits) {
        self.limits.set(limits);
    }

    /// The node's own gate.
    pub fn gate(&self) -> Gate {
        self.gate.get()
    }

    /// Sets the gate; where it refuses now, every live tunnel ends.
    pub fn set_gate(&self, gate: Gate) {
        self.gate.set(gate);
        if let Some(reason) = gate.refuses(self.clock.now()) {
            for session in self.all() {
                session.end_tunnels(reason);
            }
        }
    }

    /// Every session, by id.
    pub fn all(&self) -> Vec<Rc<Session>> {
        self.sessions.borrow().values().cloned().collect()
    }

    /// The session of this id.
    pub fn get(&self, id: &str) -> Option<Rc<Session>> {
        self.sessions.borrow().get(id).cloned()
    }

    /// Live tunnels of all sessions.
    pub fn tunnels(&self) -> u32 {
        self.tunnels.get()
    }

    /// An `open` or `policy` event, or one line of a snapshot. `accepted`: the coordinator holds our answer already.
    ///
    /// # Errors
    /// The table is full.
    pub fn assign(&self, assigned: wire::Session, accepted: bool) -> Result<(), Reason> {
        let now = self.clock.now();
        let expires = self.mono_of(assigned.expires_at);
        if let Some(session) = self.get(&assigned.session_id) {
            session.machine.borrow_mut().amend(expires, assigned.lease_sec);
            let (rate, burst) = entry::rate_of(&assigned);
            session.share.set_rate(rate, burst);
            *session.effective.borrow_mut() = entry::effective(&self.owner(), &assigned).map(Rc::new);
            *session.assigned.borrow_mut() = assigned;
            let accepted = !matches!(session.phase(), Phase::Discover | Phase::Handshake);
            if let Err(e) = self.keep(&session, accepted) {
                log::warn!("session {}: its new limits hold until a restart only: {e}", session.id);
            }
            self.changed.ring();
            return Ok(());
        }
        if self.sessions.borrow().len() >= MOST_SESSIONS {
            return Err(Reason::Overload);
        }
        let machine = Machine::new(now, expires, assigned.lease_sec, accepted);
        let (rate, burst) = entry::rate_of(&assigned);
        let effective = entry::effective(&self.owner(), &assigned);
        let unix = self.clock.unix();
        let session = Rc::new(Session::new(assigned, machine, effective, self.limiter.share(rate, burst), unix));
        match self.keep(&session, accepted) {
            Ok(()) => {}
            // Ours is over already and only its last bundle is on its way: the coordinator will see it.
            Err(OpenError::Closed) => return Ok(()),
            Err(OpenError::Full | OpenError::TooLong) => return Err(Reason::Overload),
        }
        self.sessions.borrow_mut().insert(session.id.clone(), session);
        self.changed.ring();
        Ok(())
    }

    /// Has the journal keep what a restart needs of `session`.
    fn keep(&self, session: &Session, accepted: bool) -> Result<(), OpenError> {
        let kept = Kept { accepted, session: session.assigned().clone() };
        let definition = json::text(&kept);
        let (mut ledger, unix) = self.ledger_now();
        ledger.open(&session.id, definition, unix)
    }

    /// The ledger to count into, and the Unix second it happens in. A step of node time is told to it before anything else
    /// is: counted at the new time into a window of the old one, that window would end in a future nobody believes.
    pub fn ledger_now(&self) -> (RefMut<'_, Ledger>, u64) {
        let (unix, steps) = self.clock.reading();
        let mut ledger = self.ledger.borrow_mut();
        ledger.clock(steps, unix);
        (ledger, unix)
    }

    /// Takes up the sessions that the journal kept.
    pub fn restore(&self) {
        let kept: Vec<Kept> = {
            let ledger = self.ledger.borrow();
            let live = ledger.sessions().filter(|(_, chain)| !chain.is_closed());
            live.filter_map(|(_, chain)| json::from_slice(chain.definition()).ok()).collect()
        };
        for Kept { accepted, session } in kept {
            let _ = self.assign(session, accepted);
        }
    }

    /// A snapshot replaces the table: what it does not list is over.
    pub fn replace(&self, sessions: Vec<wire::Session>) {
        for session in self.all() {
            if !sessions.iter().any(|s| s.session_id == session.id) {
                self.end(&session.id, End::Closed);
            }
        }
        for assigned in sessions {
            let id = assigned.session_id.clone();
            if self.assign(assigned, false).is_err() {
                log::warn!("no room for session {id}: {MOST_SESSIONS} are open");
            }
        }
    }

    /// Sessions whose assignment is not answered yet.
    pub fn unanswered(&self) -> Vec<Rc<Session>> {
        self.all().into_iter().filter(|s| matches!(s.phase(), Phase::Discover | Phase::Handshake)).collect()
    }

    /// Our answer to an assignment is on its way.
    pub fn answering(&self, id: &str) {
        if let Some(session) = self.get(id) {
            session.machine.borrow_mut().answering();
        }
    }

    /// Feeds one event to one session and carries out what follows.
    pub fn on(&self, id: &str, event: Event) {
        let Some(session) = self.get(id) else { return };
        let before = session.phase();
        let actions = session.machine.borrow_mut().on(self.clock.now(), event);
        if before != Phase::Active && session.phase() == Phase::Active && matches!(event, Event::Answered(true)) {
            if let Err(e) = self.keep(&session, true) {
                log::warn!("session {}: not kept over a restart: {e}", session.id);
            }
            (self.notices)(Notice::Opened(session.id.clone()));
        }
        if session.phase() != before {
            session.turned.ring();
            self.changed.ring();
        }
        for action in actions {
            self.act(&session, action);
        }
    }

    /// Ends a session.
    pub fn end(&self, id: &str, end: End) {
        self.on(id, Event::End(end));
    }

    /// A verified word of the coordinator renews every lease.
    pub fn renew(&self) {
        for session in self.all() {
            session.machine.borrow_mut().on(self.clock.now(), Event::Renewed);
        }
        self.changed.ring();
    }

    /// Time has passed: deadlines take effect.
    pub fn tick(&self) {
        for session in self.all() {
            self.on(&session.id, Event::Tick);
        }
    }

    /// When [`Registry::tick`] must come next.
    pub fn deadline(&self) -> Option<Mono> {
        self.sessions.borrow().values().filter_map(|s| s.machine.borrow().deadline()).min()
    }

    /// The session of these credentials.
    ///
    /// # Errors
    /// `SessionUnknown`, `BadCredentials`, or what ended it: only who has the secret learns that.
    pub fn authenticate(&self, id: &str, secret: &str) -> Result<Rc<Session>, Reason> {
        if let Some(session) = self.get(id) {
            let right = secret::matches(id, secret, &session.assigned().secret_hash);
            return if right { Ok(session) } else { Err(Reason::BadCredentials) };
        }
        match self.past.borrow().iter().find(|p| p.id == id) {
            Some(past) if secret::matches(id, secret, &past.secret_hash) => Err(past.reason),
            Some(_) => Err(Reason::BadCredentials),
            None => Err(Reason::SessionUnknown),
        }
    }

    /// Whether any session takes plain CONNECT from `ip`.
    pub fn knows_buyer(&self, ip: std::net::IpAddr) -> bool {
        self.sessions.borrow().values().any(|s| s.takes_plain_from(ip))
    }

    /// A place for one more tunnel of `session`.
    ///
    /// # Errors
    /// The first of life and lease, gate, volume, place, tunnels that refuses.
    pub fn admit(self: &Rc<Self>, session: &Rc<Session>) -> Result<Tunnel, Reason> {
        self.would_admit(session)?;
        self.tunnels.set(self.tunnels.get() + 1);
        Ok(Tunnel::new(self.clone(), session.clone()))
    }

    /// Whether [`Registry::admit`] would give a place now.
    ///
    /// # Errors
    /// As [`Registry::admit`].
    pub fn would_admit(&self, session: &Session) -> Result<(), Reason> {
        let now = self.clock.now();
        session.machine.borrow().admits(now)?;
        if let Some(reason) = self.gate.get().refuses(now) {
            return Err(reason);
        }
        self.spent(session, self.clock.unix()).map_err(|_| Reason::SessionCap)?;
        if let Some(reason) = self.cap_reached() {
            return Err(reason);
        }
        self.judge_place(&session.assigned().region).map_err(|_| Reason::Geo)?;
        if !self.ledger.borrow().has_room(&session.id) {
            return Err(Reason::Overload);
        }
        if session.tunnels.get() >= session.assigned().max_tunnels {
            return Err(Reason::TunnelCap);
        }
        if self.tunnels.get() >= self.limits.get().tunnels {
            return Err(Reason::Overload);
        }
        Ok(())
    }

    /// Whether the node stands where a session for `region` may be served; the rule that refuses.
    ///
    /// # Errors
    /// The rule, in words for the owner.
    pub fn judge_place(&self, region: &str) -> Result<(), String> {
        self.place.borrow().judge(self.owner().regions(), region)
    }

    /// Whether a tunnel that was admitted may still go on: asked again after whatever took time.
    ///
    /// # Errors
    /// What refuses now.
    pub fn still_admits(&self, session: &Session) -> Result<(), Reason> {
        let now = self.clock.now();
        session.machine.borrow().admits(now)?;
        self.gate.get().refuses(now).map_or(Ok(()), Err)
    }

    /// Whether a volume of `session` is used up, by what the ledger has counted.
    fn spent(&self, session: &Session, unix: u64) -> Result<(), Spent> {
        let totals = self.ledger.borrow().session(&session.id).map(Chain::totals).unwrap_or_default();
        session.spent(totals.ingress.saturating_add(totals.egress), totals.today(unix))
    }

    /// Which of the owner's volumes is used up.
    pub fn cap_reached(&self) -> Option<Reason> {
        let (limits, unix, ledger) = (self.limits.get(), self.clock.unix(), self.ledger.borrow());
        let usage = ledger.usage();
        if limits.day.is_some_and(|most| usage.today(unix) >= most) {
            Some(Reason::DailyCap)
        } else {
            limits.month.is_some_and(|most| usage.this_month(unix) >= most).then_some(Reason::MonthlyCap)
        }
    }

    /// Bytes moved in a tunnel of `session`.
    pub(super) fn moved(&self, session: &Session, ingress: u64, egress: u64) {
        let (mut ledger, unix) = self.ledger_now();
        ledger.add(&session.id, unix, ingress, egress);
        drop(ledger);
        let (all_in, all_out) = self.relayed.get();
        self.relayed.set((all_in.saturating_add(ingress), all_out.saturating_add(egress)));
        if !self.watched.replace(true) {
            self.traffic.ring();
        }
        self.noted();
        match self.spent(session, unix) {
            Ok(()) => {}
            Err(Spent::All) => self.end(&session.id, End::Budget),
            Err(Spent::Today) => session.end_tunnels(Reason::SessionCap),
        }
        if let Some(reason) = self.cap_reached() {
            for session in self.all() {
                session.end_tunnels(reason);
            }
        }
    }

    /// Bytes relayed since start: ingress, egress.
    pub fn relayed(&self) -> (u64, u64) {
        self.relayed.get()
    }

    /// Whether the owner's volumes leave room.
    pub fn volume_left(&self) -> bool {
        self.cap_reached().is_none()
    }

    /// Something was counted beside bytes: the journal should hold it within the second.
    pub fn noted(&self) {
        if !self.awake.replace(true) {
            self.changed.ring();
        }
    }

    /// A tunnel of `session` is gone.
    pub(super) fn left(&self, session: &Rc<Session>) {
        self.tunnels.set(self.tunnels.get().saturating_sub(1));
        if self.tunnels.get() == 0 {
            self.emptied.ring();
        }
        if session.tunnels() == 0 && session.phase() == Phase::Closing {
            self.on(&session.id, Event::Drained);
        }
    }

    fn act(&self, session: &Rc<Session>, action: Action) {
        match action {
            Action::EndTunnels(reason) => {
                if let Some(end) = session.machine.borrow().end() {
                    (self.notices)(Notice::Closing(session.id.clone(), end));
                }
                session.end_tunnels(reason);
                if session.tunnels() == 0 {
                    self.on(&session.id, Event::Drained);
                }
            }
            Action::Seal => {
                let (mut ledger, unix) = self.ledger_now();
                ledger.finish(&session.id, unix);
                drop(ledger);
                (self.notices)(Notice::Sealed(session.id.clone()));
            }
            Action::Forget => {
                self.sessions.borrow_mut().remove(&session.id);
                let (mut ledger, unix) = self.ledger_now();
                ledger.forget(&session.id, unix);
                drop(ledger);
                let mut past = self.past.borrow_mut();
                if past.len() == MOST_PAST {
                    past.pop_front();
                }
                let reason = session.machine.borrow().end().map_or(Reason::SessionUnknown, End::reason);
                past.push_back(Past { id: session.id.clone(), secret_hash: session.assigned().secret_hash, reason });
            }
        }
    }

    /// The monotonic point of a Unix second.
    fn mono_of(&self, unix: u64) -> Mono {
        let now_ms = self.clock.unix_ms();
        let ahead = (unix.saturating_mul(1000)).saturating_sub(now_ms);
        Mono(self.clock.now().0.saturating_add(ahead))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Settings;
    use crate::config::settings::Rate;
    use crate::guard::profile::COMPLIANT_DEFAULT;
    use crate::net::Tap as _;

    const ID: &str = "9d1f1c2e-0000-4000-8000-000000000001";
    const START: u64 = 1_800_000_000;

    fn registry() -> (Clock, Rc<Registry>) {
        let clock = Clock::test(START);
        let limiter = Limiter::new(clock.clone(), Rate::mbps(100).bytes_per_sec(), 4_000_000);
        let owner = Owner::new(&Settings::default()).unwrap();
        let registry = Registry::new(clock.clone(), Rc::default(), limiter, owner, |_| {});
        registry.set_limits(Limits { tunnels: 2, day: None, month: None });
        (clock, Rc::new(registry))
    }

    fn session(id: &str) -> wire::Session {
        wire::Session {
            session_id: id.into(),
            buyer_id: "buyer".into(),
            secret_hash: secret::hash(id, "secret"),
            buyer_addrs: vec!["192.0.2.0/28".into()],
            policy_profile: COMPLIANT_DEFAULT.into(),
            profile: None,
            category: "qa_testing".into(),
            max_mbps: 10,
            burst_mb: 1,
            max_gb: 1,
            max_gb_per_day: 1,
            max_tunnels: 1,
            region: "PH".into(),
            lease_sec: 900,
            expires_at: START + 3600,
        }
    }

    fn open(registry: &Rc<Registry>, id: &str) -> Rc<Session> {
        registry.assign(session(id), false).unwrap();
        registry.answering(id);
        registry.on(id, Event::Answered(true));
        registry.authenticate(id, "secret").unwrap()
    }

    fn refused(registry: &Rc<Registry>, session: &Rc<Session>) -> Option<Reason> {
        registry.admit(session).err()
    }

    #[test]
    fn only_the_secret_opens_and_the_first_rule_refuses() {
        let (clock, registry) = registry();
        assert_eq!(registry.authenticate(ID, "secret").err(), Some(Reason::SessionUnknown));
        registry.assign(session(ID), false).unwrap();
        let waiting = registry.authenticate(ID, "secret").unwrap();
        assert_eq!(refused(&registry, &waiting), Some(Reason::SessionUnknown), "not answered yet");
        let s = open(&registry, ID);
        assert_eq!(registry.authenticate(ID, "Secret").err(), Some(Reason::BadCredentials));
        let first = registry.admit(&s).unwrap();
        assert_eq!(refused(&registry, &s), Some(Reason::TunnelCap));
        let other = open(&registry, "other");
        let second = registry.admit(&other).unwrap();
        let third = open(&registry, "third");
        assert_eq!(refused(&registry, &third), Some(Reason::Overload));
        drop((first, second));
        assert_eq!(registry.tunnels(), 0);
        registry.set_gate(Gate { paused_until: Some(clock.now().plus(Duration::from_secs(5))), ..Gate::default() });
        assert_eq!(refused(&registry, &s), Some(Reason::Paused));
        clock.advance(Duration::from_secs(5));
        assert_eq!(refused(&registry, &s), None);
        assert!(s.takes_plain_from("192.0.2.3".parse().unwrap()) && !s.takes_plain_from("192.0.2.16".parse().unwrap()));
    }

    #[test]
    fn a_used_up_volume_ends_the_session_and_its_buyer_learns_why() {
        let (_, registry) = registry();
        let s = open(&registry, ID);
        let tunnel = registry.admit(&s).unwrap();
        tunnel.egress(entry::GB - 1);
        assert_eq!(s.phase(), Phase::Active);
        tunnel.ingress(1);
        assert_eq!(s.phase(), Phase::Closing);
        assert_eq!(refused(&registry, &s), Some(Reason::SessionCap));
        drop(tunnel);
        assert_eq!(s.phase(), Phase::Settled, "the last tunnel is gone");
        registry.on(ID, Event::Settled);
        assert!(registry.all().is_empty());
        assert_eq!(registry.authenticate(ID, "secret").err(), Some(Reason::SessionCap));
        assert_eq!(registry.authenticate(ID, "guess").err(), Some(Reason::BadCredentials), "only the secret learns that it was there");
    }

    #[test]
    fn the_owners_volume_counts_both_ways_over_the_uplink() {
        let (_, registry) = registry();
        registry.set_limits(Limits { tunnels: 9, day: Some(2_000), month: None });
        let s = open(&registry, ID);
        let tunnel = registry.admit(&s).unwrap();
        tunnel.ingress(999);
        assert!(registry.volume_left());
        tunnel.egress(1);
        assert!(!registry.volume_left());
        drop(tunnel);
        assert_eq!(refused(&registry, &s), Some(Reason::DailyCap));
    }

    #[test]
    fn a_snapshot_ends_what_it_does_not_list() {
        let (_, registry) = registry();
        let (kept, gone) = (open(&registry, ID), open(&registry, "gone"));
        registry.replace(vec![session(ID), session("new")]);
        assert_eq!((kept.phase(), gone.phase()), (Phase::Active, Phase::Settled));
        assert_eq!(registry.unanswered().len(), 1);
    }

    #[test]
    fn a_category_the_owner_does_not_serve_is_answered_no_and_forgotten() {
        let (_, registry) = registry();
        registry.assign(wire::Session { category: "gambling".into(), ..session(ID) }, false).unwrap();
        let s = registry.unanswered().remove(0);
        assert_eq!(s.effective().err(), Some(Reason::Category));
        registry.answering(ID);
        registry.on(ID, Event::Answered(false));
        assert!(registry.all().is_empty() && registry.ledger.borrow().sessions().next().is_none());
    }

    #[test]
    fn a_step_of_the_clock_ends_windows_where_they_stood_whoever_counts_first() {
        let (clock, registry) = registry();
        clock.advance(Duration::from_secs(10));
        clock.vouch_signed(clock.unix());
        let s = open(&registry, ID);
        registry.admit(&s).unwrap().egress(5);
        clock.vouch_signed(clock.unix() + 3 * 3600);
        // Its refusal is the first to count at the new time.
        let (mut ledger, unix) = registry.ledger_now();
        ledger.denied(ID, unix);
        assert_eq!(ledger.next_send(unix, 0), Some(START + 11), "the second after the one in which something moved");
    }

    #[test]
    fn the_table_is_bounded() {
        let (_, registry) = registry();
        for n in 0..MOST_SESSIONS {
            registry.assign(session(&format!("s{n}")), false).unwrap();
        }
        assert_eq!(registry.assign(session("more"), false), Err(Reason::Overload));
    }
}
