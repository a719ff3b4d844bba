//! Bytes by period, a UTC day or month, under a clock that may be wrong. Pure.
//!
//! A router's clock is wrong after each boot and may be set at any time, back and forward. Neither may give a volume
//! a second time, lose what was counted, or keep a volume used up for ever. So the bytes of the last few periods are kept
//! by number: a clock that returns to a period finds what was counted in it. What a period had counted when the clock
//! was set back counts in the period it was set back to as well, for it was moved before now. And what
//! this process counted last goes along when the clock is set forward.

use serde::{Deserialize, Serialize};

/// Periods that are kept: 16 bytes each.
const KEPT: usize = 4;

/// See the module. 80 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Periods {
    /// Number of the period, and its bytes; (0, 0) = free.
    kept: [(u64, u64); KEPT],
    /// The period that the clock showed last.
    last: u64,
    #[serde(skip)]
    recent: Recent,
}

/// What this process has counted. Of one process only, so no part of what is compared.
#[derive(Clone, Copy, Debug, Default, Eq)]
struct Recent {
    /// In all.
    all: u64,
    /// Since the clock was last set back.
    fresh: u64,
}

impl PartialEq for Recent {
    fn eq(&self, _: &Recent) -> bool {
        true
    }
}

impl Periods {
    /// Bytes that count in the period `now`.
    pub fn used(&self, now: u64) -> u64 {
        let here = self.of(now);
        if now < self.last { here.saturating_add(self.of(self.last)) } else { here }
    }

    /// Counts `bytes` in the period `now`.
    pub fn count(&mut self, now: u64, bytes: u64) {
        self.turn(now);
        self.add(now, bytes);
        self.recent.all = self.recent.all.saturating_add(bytes);
        self.recent.fresh = self.recent.fresh.saturating_add(bytes);
    }

    /// The clock was set, and shows the period `now` from here on.
    pub fn set(&mut self, now: u64) {
        if now < self.last {
            self.recent.fresh = 0;
        } else if now > self.last {
            // What this process counted by the old clock was counted just now, whatever that clock said. A period that
            // was there before may hold part of it already: never less than all of it, and what is fresh in any case.
            let left = self.of(self.last);
            let along = self.recent.all.min(left).saturating_sub(self.of(now)).max(self.recent.fresh.min(left));
            if let Some(slot) = self.kept.iter_mut().find(|(period, bytes)| *period == self.last && *bytes > 0) {
                slot.1 -= along;
            }
            self.add(now, along);
            self.recent.fresh = along;
        }
        self.turn(now);
    }

    fn turn(&mut self, now: u64) {
        if now < self.last {
            self.add(now, self.of(self.last));
        }
        self.last = now;
    }

    fn of(&self, period: u64) -> u64 {
        self.kept.iter().find(|(kept, bytes)| *kept == period && *bytes > 0).map_or(0, |(_, bytes)| *bytes)
    }

    fn add(&mut self, period: u64, bytes: u64) {
        if bytes == 0 {
            return;
        }
        let known = self.kept.iter().position(|(kept, bytes)| *kept == period && *bytes > 0);
        let slot = known.or_else(|| self.kept.iter().position(|(_, bytes)| *bytes == 0));
        let slot = slot.or_else(|| {
            // The oldest goes, but not what counts now.
            let others = self.kept.iter().enumerate().filter(|(_, (kept, _))| *kept != self.last);
            others.min_by_key(|(_, (kept, _))| *kept).map(|(i, _)| i)
        });
        let Some(slot) = slot.and_then(|i| self.kept.get_mut(i)) else { return };
        *slot = if known.is_some() { (period, slot.1.saturating_add(bytes)) } else { (period, bytes) };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const D: u64 = 20_000;

    fn after(bytes: &[(u64, u64)]) -> Periods {
        let mut p = Periods::default();
        bytes.iter().for_each(|(day, bytes)| p.count(*day, *bytes));
        p
    }

    #[test]
    fn a_day_ends_by_itself() {
        let mut p = after(&[(D, 10), (D, 5)]);
        assert_eq!((p.used(D), p.used(D + 1)), (15, 0));
        p.count(D + 1, 1);
        assert_eq!(p.used(D + 1), 1);
    }

    #[test]
    fn a_clock_set_back_and_right_again_gives_no_volume_twice() {
        for back in [1, 30, D] {
            let mut p = after(&[(D - 1, 3), (D, 20)]);
            assert_eq!(p.used(D - back), 20 + if back == 1 { 3 } else { 0 }, "before anybody told it");
            p.set(D - back);
            assert!(p.used(D - back) >= 20, "{back}");
            p.count(D - back, 2);
            p.set(D);
            // What was counted meanwhile came along; and at most what this process counted on the day before, which it
            // cannot tell from that.
            assert!((22..=25).contains(&p.used(D)), "{back}: {}", p.used(D));
            p.set(D - back);
            p.set(D);
            assert!((22..=25).contains(&p.used(D)), "{back}, a second time: {}", p.used(D));
            assert_eq!(p.used(D + 1), 0, "{back}: and the day ends");
        }
    }

    #[test]
    fn a_clock_set_forward_loses_nothing_and_right_again_blocks_only_today() {
        for ahead in [1, 30, 36_500] {
            let mut p = after(&[(D, 10)]);
            p.set(D + ahead);
            assert_eq!(p.used(D + ahead), 10, "{ahead}");
            p.count(D + ahead, 5);
            p.set(D);
            assert_eq!(p.used(D), 15, "{ahead}");
            p.count(D, 1);
            assert_eq!(p.used(D), 16, "{ahead}");
            assert_eq!(p.used(D + 1), if ahead == 1 { 15 } else { 0 }, "{ahead}");
            assert_eq!(p.used(D + 2), 0, "{ahead}");
        }
    }

    #[test]
    fn a_boot_clock_far_in_the_past_keeps_the_day_closed_and_its_bytes_come_along() {
        let days: Vec<(u64, u64)> = (0..9).map(|n| (D - 8 + n, 20)).collect();
        // A restart: what only the process knew is gone.
        let mut p = Periods { recent: Recent::default(), ..after(&days) };
        assert_eq!(p.used(0), 20);
        p.count(0, 4);
        assert_eq!(p.used(0), 24);
        let mut same = p;
        same.set(D);
        assert_eq!(same.used(D), 24);
        p.set(D + 1);
        assert_eq!(p.used(D + 1), 4, "switched off over midnight: only what was moved since counts today");
    }

    #[test]
    fn a_step_within_the_day_changes_nothing() {
        let mut p = after(&[(D, 10)]);
        p.set(D);
        p.set(D);
        assert_eq!(p.used(D), 10);
    }

    proptest! {
        /// However the clock is set, all that was counted under it still counts: no volume is given twice.
        #[test]
        fn a_clock_that_is_set_to_and_fro_hides_nothing(steps in prop::collection::vec((0u64..3, 0u64..100), 1..40)) {
            let mut p = Periods::default();
            let mut counted = 0;
            for (day, bytes) in steps {
                p.set(D + day);
                p.count(D + day, bytes);
                counted += bytes;
                prop_assert!(p.used(D + day) >= counted);
            }
        }

        #[test]
        fn nothing_panics(steps in prop::collection::vec((any::<u64>(), any::<bool>(), any::<u64>()), 0..40)) {
            let mut p = Periods::default();
            for (period, told, bytes) in steps {
                if told { p.set(period) } else { p.count(period, bytes) }
                p.used(period);
            }
        }
    }
}
