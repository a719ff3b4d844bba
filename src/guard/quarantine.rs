//! The node takes itself out of service and says why: a pure machine, a finding and a time in, what changed and the
//! next deadline out (seed, "Quarantine on policy breach").
//!
//! ```text
//! free ── found(cause) ──→ held ── clear, or the cool-down is over ──→ free
//! ```
//!
//! What makes a cause last (a mismatch of places over several heartbeats, a key's file that stays changed) is judged
//! where it is seen; after a clearing that judging begins anew, so a cause that persists brings the quarantine back
//! only after its lasting time.

use std::time::Duration;

use crate::core::Mono;

/// Longest detail kept of a cause: 4 causes, 1 kB together.
const MOST_DETAIL: usize = 256;

/// What the node does not go on working with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Cause {
    /// The coordinator keeps seeing the node where its owner does not offer it.
    Geo,
    /// Our own engine was about to carry what it had not judged.
    Breach,
    /// The identity's file is not what this process loaded.
    Key,
    /// Nothing whole was left of the journal to go on from.
    Journal,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Cause; 4] = [Cause::Geo, Cause::Breach, Cause::Key, Cause::Journal];

    /// Stable id, as kept in the journal.
    pub const fn id(self) -> &'static str {
        match self {
            Cause::Geo => "geo",
            Cause::Breach => "policy-breach",
            Cause::Key => "key",
            Cause::Journal => "journal",
        }
    }

    /// The cause of a stable id.
    pub fn from_id(id: &str) -> Option<Cause> {
        Cause::ALL.into_iter().find(|c| c.id() == id)
    }

    /// What the owner can do about it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Cause::Geo => "set node.region_allow to where this router stands, or ask the coordinator's operator to correct what it sees",
            Cause::Breach => "keep the logs and report this: it is a defect of the program; update or restart it",
            Cause::Key => "put the identity's file back from a backup and restart; if somebody else may have had it, make a new identity",
            Cause::Journal => "check the flash and the free space of the run and state folders, and tell the coordinator's operator",
        }
    }
}

/// A cause with what was seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Which.
    pub cause: Cause,
    /// One clause for the owner.
    pub detail: String,
}

impl Found {
    /// `detail` is cut to 256 bytes.
    pub fn new(cause: Cause, detail: impl Into<String>) -> Found {
        let mut detail = detail.into();
        let end = (0..=MOST_DETAIL.min(detail.len())).rev().find(|&i| detail.is_char_boundary(i)).unwrap_or(0);
        detail.truncate(end);
        Found { cause, detail }
    }
}

/// The machine.
#[derive(Clone, Debug, Default)]
pub struct Quarantine {
    held: Option<Held>,
    /// `None` = only the owner ends it.
    cooldown: Option<Duration>,
}

#[derive(Clone, Debug)]
struct Held {
    /// Unix seconds, for the owner and the journal.
    since: u64,
    /// This process counts from here.
    from: Mono,
    /// What earlier processes had counted.
    spent: Duration,
    /// The first of each cause, in the order they were found: at most 4.
    found: Vec<Found>,
}

/// What an event did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// Nothing.
    Nothing,
    /// The quarantine begins: every session ends.
    Entered,
    /// It stands already and now has one more cause.
    Grew,
    /// It is over.
    Left,
}

impl Quarantine {
    /// Takes the owner's cool-down; 0 seconds = the owner ends it.
    pub fn set_cooldown(&mut self, seconds: u32) {
        self.cooldown = (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)));
    }

    /// Takes up what an earlier process left. A clock that is behind what it wrote costs the owner time, never safety:
    /// the whole cool-down is waited for again.
    pub fn restore(&mut self, now: Mono, unix: u64, since: u64, found: Vec<Found>) {
        let spent = Duration::from_secs(unix.saturating_sub(since));
        self.held = Some(Held { since, from: now, spent, found });
    }

    /// A cause was found at `now`.
    pub fn found(&mut self, now: Mono, unix: u64, found: Found) -> Change {
        match &mut self.held {
            None => {
                self.held = Some(Held { since: unix, from: now, spent: Duration::ZERO, found: vec![found] });
                Change::Entered
            }
            Some(held) if held.found.iter().any(|f| f.cause == found.cause) => Change::Nothing,
            Some(held) => {
                held.found.push(found);
                Change::Grew
            }
        }
    }

    /// The owner clears it.
    pub fn clear(&mut self) -> Change {
        if self.held.take().is_some() { Change::Left } else { Change::Nothing }
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Mono) -> Change {
        if self.ends().is_some_and(|at| now >= at) { self.clear() } else { Change::Nothing }
    }

    /// When it ends by itself; `None` = when the owner says so, or it does not stand.
    pub fn ends(&self) -> Option<Mono> {
        let (held, cooldown) = (self.held.as_ref()?, self.cooldown?);
        Some(held.from.plus(cooldown.saturating_sub(held.spent)))
    }

    /// Whether it stands.
    pub const fn stands(&self) -> bool {
        self.held.is_some()
    }

    /// Since when (Unix seconds), and the causes; `None` where it does not stand.
    pub fn standing(&self) -> Option<(u64, &[Found])> {
        self.held.as_ref().map(|h| (h.since, h.found.as_slice()))
    }

    /// What happened, in one sentence; `None` where it does not stand.
    pub fn reason(&self) -> Option<String> {
        let (_, found) = self.standing()?;
        Some(found.iter().map(|f| f.detail.as_str()).collect::<Vec<_>>().join("; "))
    }

    /// What the owner can do; `None` where it does not stand.
    pub fn remedy(&self) -> Option<String> {
        let (_, found) = self.standing()?;
        let steps = found.iter().map(|f| f.cause.remedy()).collect::<Vec<_>>().join("; ");
        let end = match self.cooldown {
            None => "then: echomesh control clear-quarantine",
            Some(_) => "then: echomesh control clear-quarantine, or wait for policy.quarantine_cooldown",
        };
        Some(format!("{steps}; {end}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn geo() -> Found {
        Found::new(Cause::Geo, "seen elsewhere")
    }

    #[test]
    fn the_owner_clears_it_where_no_cool_down_is_set() {
        let mut q = Quarantine::default();
        assert_eq!((q.clear(), q.tick(Mono(0)), q.reason()), (Change::Nothing, Change::Nothing, None));
        assert_eq!(q.found(Mono(5), 100, geo()), Change::Entered);
        assert_eq!(q.found(Mono(6), 101, Found::new(Cause::Geo, "again")), Change::Nothing);
        assert_eq!(q.found(Mono(7), 102, Found::new(Cause::Journal, "damaged")), Change::Grew);
        assert_eq!(q.reason().as_deref(), Some("seen elsewhere; damaged"));
        assert!(q.remedy().unwrap().contains("region_allow") && q.remedy().unwrap().ends_with("clear-quarantine"));
        assert_eq!((q.ends(), q.tick(Mono(u64::MAX))), (None, Change::Nothing));
        assert_eq!(q.standing().map(|(since, found)| (since, found.len())), Some((100, 2)));
        assert_eq!((q.clear(), q.stands()), (Change::Left, false));
        assert_eq!(q.found(Mono(8), 103, geo()), Change::Entered, "a new one is told again");
    }

    #[test]
    fn a_cool_down_goes_on_over_a_restart_and_never_shortens_by_a_clock_that_is_behind() {
        let mut q = Quarantine::default();
        q.set_cooldown(60);
        q.found(Mono(1_000), 100, geo());
        assert_eq!(q.ends(), Some(Mono(61_000)));
        assert_eq!((q.tick(Mono(60_999)), q.tick(Mono(61_000))), (Change::Nothing, Change::Left));
        for (unix, ends) in [(140, 20_000), (100, 60_000), (5, 60_000), (10_000, 0)] {
            let mut q = Quarantine::default();
            q.set_cooldown(60);
            q.restore(Mono(0), unix, 100, vec![geo()]);
            assert_eq!(q.ends(), Some(Mono(ends)), "{unix}");
        }
        q.restore(Mono(0), 100, 100, vec![geo()]);
        q.set_cooldown(0);
        assert_eq!(q.ends(), None, "the owner took the cool-down away");
    }

    #[test]
    fn ids_resolve_and_details_are_bounded() {
        for cause in Cause::ALL {
            assert_eq!(Cause::from_id(cause.id()), Some(cause));
        }
        assert_eq!(Found::new(Cause::Key, "é".repeat(300)).detail.len(), MOST_DETAIL);
        assert_eq!(Found::new(Cause::Key, format!("x{}", "é".repeat(300))).detail.len(), MOST_DETAIL - 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        /// Whatever happens in whatever order: entering and leaving take turns, a cause stands once, and with a
        /// cool-down it never stands past it.
        #[test]
        fn entering_and_leaving_take_turns(events in prop::collection::vec((0u8..6, 0u64..30_000), 0..60), cooldown in 0u32..40) {
            let mut q = Quarantine::default();
            q.set_cooldown(cooldown);
            let (mut now, mut stands) = (0, false);
            for (event, ms) in events {
                now += ms;
                let change = match event {
                    0 => q.clear(),
                    1 => q.tick(Mono(now)),
                    n => q.found(Mono(now), now / 1000, Found::new(Cause::ALL[usize::from(n) - 2], "x")),
                };
                match change {
                    Change::Entered => prop_assert!(!std::mem::replace(&mut stands, true)),
                    Change::Left => prop_assert!(std::mem::replace(&mut stands, false)),
                    Change::Grew => prop_assert!(stands),
                    Change::Nothing => {}
                }
                prop_assert_eq!(q.stands(), stands);
                prop_assert!(q.standing().is_none_or(|(_, found)| found.len() <= Cause::ALL.len()));
                if event == 1 {
                    prop_assert!(q.ends().is_none_or(|at| at > Mono(now)));
                }
            }
        }
    }
}
