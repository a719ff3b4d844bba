//! Bytes on the owner's uplink today and this month, for the caps.

use serde::{Deserialize, Serialize};

use super::periods::Periods;

/// Seconds of a UTC day.
pub(super) const DAY: u64 = 86_400;

/// Counters of the uplink, by UTC day and month. A relayed byte counts twice (it comes down once and goes up once), a
/// probe's once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// By days since the epoch.
    days: Periods,
    /// By months since the year 0.
    months: Periods,
}

impl Usage {
    /// Counts `bytes` inside tunnels, both directions together, in second `sec`.
    pub fn relayed(&mut self, sec: u64, bytes: u64) {
        self.count(sec, bytes.saturating_mul(2));
    }

    /// Counts `bytes` of a probe.
    pub fn probed(&mut self, sec: u64, bytes: u64) {
        self.count(sec, bytes);
    }

    /// The clock was set, and shows `sec` from here on.
    pub fn clock_set(&mut self, sec: u64) {
        self.days.set(sec / DAY);
        self.months.set(month_of(sec));
    }

    /// Bytes on the uplink on the UTC day of `sec`.
    pub fn today(&self, sec: u64) -> u64 {
        self.days.used(sec / DAY)
    }

    /// Bytes on the uplink in the UTC month of `sec`.
    pub fn this_month(&self, sec: u64) -> u64 {
        self.months.used(month_of(sec))
    }

    fn count(&mut self, sec: u64, bytes: u64) {
        self.days.count(sec / DAY, bytes);
        self.months.count(month_of(sec), bytes);
    }
}

/// The first second of the UTC day after that of `sec`: when the daily cap starts anew.
pub const fn next_day(sec: u64) -> u64 {
    (sec / DAY + 1).saturating_mul(DAY)
}

/// Months since the year 0 of the proleptic Gregorian calendar (the usual days-to-civil arithmetic on years that
/// begin in March, so that the leap day is the last one).
fn month_of(sec: u64) -> u64 {
    let days = sec / DAY + 719_468; // from 0000-03-01
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let since_march = (5 * of_year + 2) / 153;
    (era * 400 + year_of_era) * 12 + since_march + 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::time;

    fn at(text: &str) -> u64 {
        time::from_rfc3339(text).unwrap()
    }

    #[test]
    fn months_turn_where_the_calendar_says() {
        for (a, b, same) in [
            ("2024-02-29T23:59:59Z", "2024-03-01T00:00:00Z", false),
            ("2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z", false),
            ("2026-01-01T00:00:00Z", "2026-01-31T23:59:59Z", true),
            ("2026-03-01T00:00:00Z", "2026-03-31T23:59:59Z", true),
        ] {
            let (a, b) = (month_of(at(a)), month_of(at(b)));
            assert_eq!(b - a, u64::from(!same));
        }
        assert_eq!(month_of(0), 1970 * 12);
    }

    #[test]
    fn a_day_ends_a_month_goes_on_and_a_step_back_empties_nothing() {
        let mut u = Usage::default();
        let first = at("2026-01-30T23:59:59Z");
        u.relayed(first, 10);
        u.probed(first, 5);
        assert_eq!((u.today(first), u.this_month(first)), (25, 25));
        assert_eq!((u.today(first + 1), u.this_month(first + 1)), (0, 25));
        u.probed(first + 1, 1);
        assert_eq!((u.today(first + 1), u.this_month(first + 1)), (1, 26));
        u.probed(first, 1);
        assert_eq!(u.today(first), 27, "set back over midnight");
        assert_eq!(u.this_month(first + 2 * DAY), 0);
        u.clock_set(first + 40 * DAY);
        assert_eq!((u.today(first + 40 * DAY), u.this_month(first + 40 * DAY)), (27, 27), "and forward: what was counted comes along");
        assert_eq!(next_day(first), first + 1);
    }
}
