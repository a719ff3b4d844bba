//! The owner's pause: lasts until its deadline or `start`, over restarts too, whatever the clock does meanwhile.
//!
//! While the process lives, the deadline is a point of the monotonic clock, which no clock's step moves. A restart has
//! only the Unix second that was kept: then the pause is as long as from now until then, but never longer than it was
//! meant to be; and when node time is first vouched for, that is worked out once more.

use std::time::Duration;

use super::node::Node;
use crate::control::status::{self, At};
use crate::core::Mono;
use crate::meter::image::Pause;

/// A pause without an end.
const FOREVER: Mono = Mono(u64::MAX);
/// The longest pause with a deadline: a week. Longer than that is a pause until `start`.
const LONGEST: u32 = 7 * 24 * 3600;

impl Node {
    /// Pauses for so many seconds; `None` = until `start`.
    pub fn pause(&self, seconds: Option<u32>) {
        let (now, unix) = (self.clock.now(), self.clock.unix());
        let seconds = seconds.map(|s| u64::from(s.min(LONGEST)));
        self.registry.ledger.borrow_mut().set_pause(Some(Pause { since: unix, until: seconds.map(|s| unix.saturating_add(s)) }));
        self.household.unplaced_pause.set(false);
        self.gate(|gate| gate.paused_until = Some(seconds.map_or(FOREVER, |s| now.plus(Duration::from_secs(s)))));
    }

    /// Ends the pause.
    pub fn unpause(&self) {
        self.registry.ledger.borrow_mut().set_pause(None);
        self.household.unplaced_pause.set(false);
        self.gate(|gate| gate.paused_until = None);
    }

    /// Takes up the pause that the journal kept.
    pub fn restore_pause(&self) {
        self.household.unplaced_pause.set(!self.clock.synced());
        self.place_pause();
    }

    /// A pause ends at its deadline; one of before a restart is placed anew when node time is known.
    pub fn follow_pause(&self) {
        if self.household.unplaced_pause.get() && self.clock.synced() {
            self.household.unplaced_pause.set(false);
            self.place_pause();
        }
        if self.registry.gate().paused_until.is_some_and(|until| self.clock.now() >= until) {
            self.unpause();
            log::info!("the pause is over");
            self.tell_state();
        }
    }

    /// When [`Node::follow_pause`] must come next.
    pub fn pause_end(&self) -> Option<Mono> {
        self.registry.gate().paused_until.filter(|until| *until != FOREVER)
    }

    /// The pause as status tells it.
    pub fn pause_view(&self) -> Option<status::Paused> {
        let now = self.clock.now();
        let until = self.registry.gate().paused_until.filter(|until| now < *until)?;
        let ends = (until != FOREVER).then_some(until);
        let since = self.registry.ledger.borrow().pause().map_or(0, |pause| pause.since);
        Some(status::Paused {
            since: At(since),
            until: ends.map(|until| At(self.clock.unix_at(until))),
            left_sec: ends.map(|until| until.since(now).as_millis().div_ceil(1000).try_into().unwrap_or(u32::MAX)),
        })
    }

    /// Sets the deadline by what was kept and node time.
    fn place_pause(&self) {
        let Some(pause) = self.registry.ledger.borrow().pause() else { return };
        let until = match pause.until {
            None => FOREVER,
            Some(until) => self.clock.now().plus(Duration::from_secs(left(pause.since, until, self.clock.unix()))),
        };
        self.gate(|gate| gate.paused_until = Some(until));
    }
}

/// Seconds left at `now` of a pause from `since` to `until`: never more than it was meant to last.
fn left(since: u64, until: u64, now: u64) -> u64 {
    until.saturating_sub(now).min(until.saturating_sub(since))
}

#[cfg(test)]
mod tests {
    use super::left;

    #[test]
    fn no_clock_makes_a_pause_longer_than_it_was_meant() {
        assert_eq!(left(1_000, 4_600, 1_600), 3_000);
        assert_eq!(left(1_000, 4_600, 4_600), 0);
        assert_eq!(left(1_000, 4_600, 9_999), 0);
        assert_eq!(left(1_000, 4_600, 0), 3_600, "a boot clock in the past");
        assert_eq!(left(4_600, 1_000, 0), 0, "nonsense in the file");
    }
}
