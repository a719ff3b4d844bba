//! One session in the table: what was assigned, its machine, its limits and what it has used.

use std::cell::{Cell, Ref, RefCell};
use std::rc::Rc;

use super::machine::{Machine, Phase};
use crate::config::settings::Rate;
use crate::coordinator::wire;
use crate::core::{Reason, Signal};
use crate::guard::{Effective, Owner};
use crate::net::pace::Share;
use crate::net::relay::Stop;

/// GB of the contracts.
pub const GB: u64 = 1_000_000_000;

/// A session. One thread; shared by its tunnels.
pub struct Session {
    /// UUID, as the coordinator wrote it.
    pub id: String,
    /// Unix seconds of the assignment.
    pub opened_at: u64,
    /// What the coordinator assigned, as last amended.
    pub(super) assigned: RefCell<wire::Session>,
    pub(super) machine: RefCell<Machine>,
    /// What its tunnels may do; `Err` = we do not serve it, and say so in our answer.
    pub(super) effective: RefCell<Result<Rc<Effective>, Reason>>,
    /// Its part of the rate.
    pub share: Rc<Share>,
    /// Ends its live tunnels; a new one after each use, for those to come.
    stop: RefCell<Stop>,
    pub(super) tunnels: Cell<u32>,
    tls: RefCell<Option<TlsFacts>>,
    /// Rings when the phase changed; who hears it rings it for the next.
    pub(super) turned: Signal,
}

/// Of the last tunnel whose handshake was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// `TLSv1.3`, ….
    pub version: String,
    /// The first protocol its ClientHello offered; `None` = it offered none, which means http/1.1.
    pub alpn: Option<String>,
    /// From the ClientHello forwarded to the first byte back.
    pub handshake_ms: u64,
}

impl Session {
    pub(super) fn new(assigned: wire::Session, machine: Machine, effective: Result<Effective, Reason>, share: Rc<Share>, opened_at: u64) -> Session {
        Session {
            id: assigned.session_id.clone(),
            opened_at,
            assigned: RefCell::new(assigned),
            machine: RefCell::new(machine),
            effective: RefCell::new(effective.map(Rc::new)),
            share,
            stop: RefCell::default(),
            tunnels: Cell::new(0),
            tls: RefCell::new(None),
            turned: Signal::default(),
        }
    }

    /// Where it is in its life.
    pub fn phase(&self) -> Phase {
        self.machine.borrow().phase()
    }

    /// Where it is in its life, as status tells it.
    pub fn state_name(&self) -> &'static str {
        self.machine.borrow().name()
    }

    /// Waits while our answer to the assignment is on its way: the coordinator may tell the buyer that we accepted
    /// before it tells us that it has heard.
    pub async fn answered(&self) {
        while matches!(self.phase(), Phase::Discover | Phase::Handshake) {
            self.turned.wait().await;
        }
        self.turned.ring();
    }

    /// Until when new tunnels may open without another word of the coordinator.
    pub fn lease_until(&self) -> crate::core::Mono {
        self.machine.borrow().lease_until()
    }

    /// What a tunnel that begins now must heed.
    pub fn stop(&self) -> Stop {
        self.stop.borrow().clone()
    }

    /// Ends the live tunnels.
    pub fn end_tunnels(&self, reason: Reason) {
        self.stop.take().stop(reason);
    }

    /// The assignment.
    pub fn assigned(&self) -> Ref<'_, wire::Session> {
        self.assigned.borrow()
    }

    /// The effective profile, or why we do not serve it.
    pub fn effective(&self) -> Result<Rc<Effective>, Reason> {
        self.effective.borrow().clone()
    }

    /// Whether the coordinator named `ip` as an address of the buyer.
    pub fn takes_plain_from(&self, ip: std::net::IpAddr) -> bool {
        self.assigned.borrow().buyer_addrs.iter().any(|text| match text.parse::<ipnet::IpNet>() {
            Ok(net) => net.contains(&ip),
            Err(_) => text.parse() == Ok(ip),
        })
    }

    /// Live tunnels.
    pub fn tunnels(&self) -> u32 {
        self.tunnels.get()
    }

    /// Facts of the last TLS handshake seen, for status.
    pub fn tls(&self) -> Option<TlsFacts> {
        self.tls.borrow().clone()
    }

    /// Notes the facts of a handshake.
    pub fn note_tls(&self, facts: TlsFacts) {
        *self.tls.borrow_mut() = Some(facts);
    }

    /// Whether a volume is used up, of which `relayed` and `today` bytes are.
    pub(super) fn spent(&self, relayed: u64, today: u64) -> Result<(), Spent> {
        let assigned = self.assigned.borrow();
        if relayed >= assigned.max_gb.saturating_mul(GB) {
            Err(Spent::All)
        } else if today >= assigned.max_gb_per_day.saturating_mul(GB) {
            Err(Spent::Today)
        } else {
            Ok(())
        }
    }
}

/// Which volume is used up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spent {
    /// `maxGB`: the session ends.
    All,
    /// `maxGBPerDay`: it rests until the next UTC day.
    Today,
}

/// Sustained rate and burst of an assignment, in bytes per second and bytes.
pub(super) fn rate_of(assigned: &wire::Session) -> (u64, u64) {
    let rate = Rate::mbps(assigned.max_mbps.min(1_000_000)).bytes_per_sec();
    (rate, assigned.burst_mb.clamp(1, 1000).saturating_mul(1_000_000))
}

/// What the owner's side makes of an assignment.
pub(super) fn effective(owner: &Owner, assigned: &wire::Session) -> Result<Effective, Reason> {
    owner.serves(&assigned.category)?;
    owner.serves_region(&assigned.region)?;
    let asked = Owner::named(&assigned.policy_profile, assigned.profile.as_ref()).ok_or(Reason::Category)?;
    Ok(owner.intersect(&asked, &assigned.category))
}
