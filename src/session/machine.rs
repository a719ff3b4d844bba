//! One session's life, pure: an event and a time in, actions and the next deadline out (seed, "Session lifecycle").
//!
//! ```text
//! Discover → Handshake → Active ⇄ Probing → Closing → Settled → (forgotten)
//!     └──────────┴─ refused → (forgotten)
//! ```
//!
//! `Idle` of the seed is a session that is not in the table. A session stands `halted` beside its phase while the
//! owner pauses or stops the node: it keeps its lease and its counters, and opens no tunnel. The seed's `Quarantine` is
//! `Closing` and `Settled` by [`End::Quarantine`]: what was counted is sealed and handed in, and the session is over.

use crate::core::{Mono, Reason};

/// Where a session is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Phase {
    /// Assigned by the coordinator; our answer is being made.
    Discover,
    /// Our acceptance is on its way.
    Handshake,
    /// Tunnels may open.
    Active,
    /// As `Active`, with a probe in flight.
    Probing,
    /// No new tunnel; live ones are ending.
    Closing,
    /// Counters are sealed; waits for the last acknowledgement.
    Settled,
    /// Over: to be dropped from the table.
    Gone,
}

impl Phase {
    /// Name in status and API.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Discover => "discover",
            Phase::Handshake => "handshake",
            Phase::Active => "active",
            Phase::Probing => "probing",
            Phase::Closing => "closing",
            Phase::Settled => "settled",
            Phase::Gone => "idle",
        }
    }
}

/// Why a session ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum End {
    /// `expiresAt` passed.
    Expired,
    /// `maxGB` is used up.
    Budget,
    /// The coordinator closed it, or no longer lists it.
    Closed,
    /// Twice the lease passed without a signed word of the coordinator.
    LeaseLost,
    /// The owner closed it.
    Owner,
    /// The node took itself out of service.
    Quarantine,
}

impl End {
    /// Name in events and logs.
    pub const fn name(self) -> &'static str {
        match self {
            End::Expired => "expired",
            End::Budget => "budget-reached",
            End::Closed => "closed-by-coordinator",
            End::LeaseLost => "lease-lost",
            End::Owner => "closed-by-owner",
            End::Quarantine => "quarantine",
        }
    }

    /// What a buyer is told from here on.
    pub const fn reason(self) -> Reason {
        match self {
            End::Budget => Reason::SessionCap,
            End::LeaseLost => Reason::LeaseExpired,
            End::Quarantine => Reason::Quarantine,
            End::Expired | End::Closed | End::Owner => Reason::SessionExpired,
        }
    }
}

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Event {
    /// Our answer to the assignment was taken by the coordinator; `true` = we serve it.
    Answered(bool),
    /// A verified word of the coordinator arrived: every lease starts anew.
    Renewed,
    /// A probe for this session began.
    ProbeStarted,
    /// It ended, however.
    ProbeEnded,
    /// The session must end.
    End(End),
    /// No tunnel is left.
    Drained,
    /// The final bundle was acknowledged or refused for good.
    Settled,
    /// A deadline may have passed.
    Tick,
}

/// What the shell must do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// End the live tunnels with this reason; [`Event::Drained`] follows when none is left.
    EndTunnels(Reason),
    /// Seal the open window as the final bundle.
    Seal,
    /// Drop it from the table.
    Forget,
}

/// Actions of one event; at most two.
pub type Actions = heapless::Vec<Action, 2>;

/// The state of one session.
#[derive(Clone, Debug)]
pub struct Machine {
    phase: Phase,
    end: Option<End>,
    /// Monotonic point of `expiresAt`.
    expires: Mono,
    lease_ms: u64,
    renewed: Mono,
}

impl Machine {
    /// A session just assigned, or restored (`accepted`: the coordinator already holds our answer).
    pub fn new(now: Mono, expires: Mono, lease_sec: u32, accepted: bool) -> Machine {
        let phase = if accepted { Phase::Active } else { Phase::Discover };
        Machine { phase, end: None, expires, lease_ms: u64::from(lease_sec) * 1000, renewed: now }
    }

    /// Where it is.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Name in status and API: that of the phase, but for a session that a quarantine ends.
    pub fn name(&self) -> &'static str {
        match (self.phase, self.end) {
            (Phase::Closing | Phase::Settled, Some(End::Quarantine)) => "quarantine",
            (phase, _) => phase.name(),
        }
    }

    /// Why it ended, once it does.
    pub const fn end(&self) -> Option<End> {
        self.end
    }

    /// Until when new tunnels may open without another word of the coordinator.
    pub const fn lease_until(&self) -> Mono {
        Mono(self.renewed.0.saturating_add(self.lease_ms))
    }

    /// New limits came with a `policy` event.
    pub fn amend(&mut self, expires: Mono, lease_sec: u32) {
        self.expires = expires;
        self.lease_ms = u64::from(lease_sec) * 1000;
    }

    /// Our answer is being sent.
    pub fn answering(&mut self) {
        if self.phase == Phase::Discover {
            self.phase = Phase::Handshake;
        }
    }

    /// Whether a tunnel may open now.
    pub fn admits(&self, now: Mono) -> Result<(), Reason> {
        match self.phase {
            Phase::Active | Phase::Probing if now >= self.expires => Err(Reason::SessionExpired),
            Phase::Active | Phase::Probing if now > self.lease_until() => Err(Reason::LeaseExpired),
            Phase::Active | Phase::Probing => Ok(()),
            Phase::Discover | Phase::Handshake => Err(Reason::SessionUnknown),
            Phase::Closing | Phase::Settled | Phase::Gone => Err(self.end.unwrap_or(End::Closed).reason()),
        }
    }

    /// When [`Event::Tick`] must come next, if time alone can change anything.
    pub fn deadline(&self) -> Option<Mono> {
        match self.phase {
            Phase::Discover | Phase::Handshake | Phase::Active | Phase::Probing => Some(self.expires.min(self.seal_at())),
            Phase::Closing | Phase::Settled | Phase::Gone => None,
        }
    }

    /// Past twice the lease without contact the session seals: an outage has a bounded spool.
    const fn seal_at(&self) -> Mono {
        Mono(self.renewed.0.saturating_add(self.lease_ms.saturating_mul(2)).saturating_add(1))
    }

    /// Takes `event` at `now`.
    pub fn on(&mut self, now: Mono, event: Event) -> Actions {
        let mut actions = Actions::new();
        match (self.phase, event) {
            (Phase::Gone, _) => {}
            (_, Event::Renewed) => self.renewed = now,
            (Phase::Discover | Phase::Handshake, Event::Answered(true)) => self.phase = Phase::Active,
            (Phase::Discover | Phase::Handshake, Event::Answered(false) | Event::End(_)) => self.go(&mut actions),
            (Phase::Active, Event::ProbeStarted) => self.phase = Phase::Probing,
            (Phase::Probing, Event::ProbeEnded) => self.phase = Phase::Active,
            (Phase::Active | Phase::Probing, Event::End(end)) => self.close(end, &mut actions),
            (Phase::Closing, Event::Drained) => {
                self.phase = Phase::Settled;
                let _ = actions.push(Action::Seal);
            }
            (Phase::Settled, Event::Settled) => self.go(&mut actions),
            (Phase::Discover | Phase::Handshake, Event::Tick) if self.overdue(now).is_some() => self.go(&mut actions),
            (Phase::Active | Phase::Probing, Event::Tick) => {
                if let Some(end) = self.overdue(now) {
                    self.close(end, &mut actions);
                }
            }
            _ => {}
        }
        actions
    }

    fn overdue(&self, now: Mono) -> Option<End> {
        if now >= self.expires { Some(End::Expired) } else { (now >= self.seal_at()).then_some(End::LeaseLost) }
    }

    fn close(&mut self, end: End, actions: &mut Actions) {
        self.phase = Phase::Closing;
        self.end = Some(end);
        let _ = actions.push(Action::EndTunnels(end.reason()));
    }

    fn go(&mut self, actions: &mut Actions) {
        self.phase = Phase::Gone;
        let _ = actions.push(Action::Forget);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Mono = Mono(3_600_000);

    fn active() -> Machine {
        let mut m = Machine::new(Mono(0), HOUR, 900, false);
        m.answering();
        assert_eq!(m.on(Mono(1), Event::Answered(true)), []);
        m
    }

    #[test]
    fn the_life_of_a_session() {
        let mut m = active();
        m.on(Mono(2), Event::ProbeStarted);
        assert_eq!(m.phase(), Phase::Probing);
        assert_eq!(m.admits(Mono(2)), Ok(()));
        m.on(Mono(3), Event::ProbeEnded);
        assert_eq!(m.on(Mono(4), Event::End(End::Closed)), [Action::EndTunnels(Reason::SessionExpired)]);
        assert_eq!(m.admits(Mono(4)), Err(Reason::SessionExpired));
        assert_eq!(m.on(Mono(5), Event::Drained), [Action::Seal]);
        assert_eq!(m.on(Mono(6), Event::End(End::Owner)), []);
        assert_eq!(m.on(Mono(7), Event::Settled), [Action::Forget]);
    }

    #[test]
    fn a_lost_lease_first_refuses_then_seals_and_a_word_renews_it() {
        let mut m = active();
        m.on(Mono(100_000), Event::Renewed);
        assert_eq!(m.admits(Mono(1_000_000)), Ok(()));
        assert_eq!(m.admits(Mono(1_000_001)), Err(Reason::LeaseExpired));
        assert_eq!(m.on(Mono(1_900_000), Event::Tick), []);
        assert_eq!(m.deadline(), Some(Mono(1_900_001)));
        assert_eq!(m.on(Mono(1_900_001), Event::Tick), [Action::EndTunnels(Reason::LeaseExpired)]);
        assert_eq!(m.end(), Some(End::LeaseLost));
    }

    #[test]
    fn expiry_ends_it_whatever_the_lease() {
        let mut m = active();
        m.on(Mono(3_599_000), Event::Renewed);
        assert_eq!(m.deadline(), Some(HOUR));
        assert_eq!(m.on(HOUR, Event::Tick), [Action::EndTunnels(Reason::SessionExpired)]);
    }

    /// Every sequence of events up to a depth: a session is sealed exactly once before it is forgotten, if it ever
    /// was active; no tunnel is admitted after an end; what is gone stays gone.
    #[test]
    fn every_short_life() {
        const EVENTS: [Event; 12] = [
            Event::Answered(true),
            Event::Answered(false),
            Event::Renewed,
            Event::ProbeStarted,
            Event::ProbeEnded,
            Event::End(End::Budget),
            Event::End(End::Closed),
            Event::Drained,
            Event::Settled,
            Event::Tick,
            Event::End(End::LeaseLost),
            Event::End(End::Quarantine),
        ];
        fn walk(m: &Machine, at: u64, depth: u32, sealed: u32, was_active: bool, ended: bool) {
            assert!(sealed <= 1);
            if ended {
                assert!(m.admits(Mono(at)).is_err());
            }
            if m.phase() == Phase::Gone {
                assert_eq!(sealed, u32::from(was_active));
            }
            if depth == 0 {
                return;
            }
            for event in EVENTS {
                let mut next = m.clone();
                let at = at + 400_000;
                let actions = next.on(Mono(at), event);
                assert!(m.phase() != Phase::Gone || actions.is_empty());
                let seals = actions.iter().filter(|a| **a == Action::Seal).count() as u32;
                let ends = actions.iter().any(|a| matches!(a, Action::EndTunnels(_) | Action::Forget));
                let active = was_active || next.phase() == Phase::Active;
                walk(&next, at, depth - 1, sealed + seals, active, ended || ends);
            }
        }
        walk(&Machine::new(Mono(0), HOUR, 900, false), 0, 6, 0, false, false);
    }
}
