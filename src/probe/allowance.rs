//! How much probing the owner has granted: one at a time, one a minute, 64 MiB a day, each nonce once. Pure.

use std::time::Duration;

use heapless::Deque;

use super::plan::{Plan, ProbeRefusal};
use crate::core::Mono;

/// Between the starts of two probes.
pub const INTERVAL: Duration = Duration::from_secs(60);
/// Bytes of all probes of one UTC day, both directions.
pub const PER_DAY: u64 = 64 * 1024 * 1024;
/// Nonces remembered: 64 × 16 bytes. With one probe a minute they reach back longer than any request lives
/// ([`super::plan::MAX_TTL`]).
const NONCES: usize = 64;

const DAY: u64 = 24 * 3600;

/// What was used of it.
#[derive(Debug, Default)]
pub struct Allowance {
    /// Days since the epoch that `spent` is of.
    day: u64,
    spent: u64,
    last: Option<Mono>,
    /// Until when the one under way counts as such, even if nobody says that it ended.
    busy_until: Option<Mono>,
    nonces: Deque<[u8; 16], NONCES>,
}

impl Allowance {
    /// Goes on after a restart: `spent` bytes on the day of `unix`.
    pub fn resume(unix: u64, spent: u64) -> Allowance {
        Allowance { day: unix / DAY, spent, ..Allowance::default() }
    }

    /// Bytes spent on the day of `unix`, for journal and status.
    pub const fn spent(&self, unix: u64) -> u64 {
        if unix / DAY == self.day { self.spent } else { 0 }
    }

    /// Grants `plan` and books its size, or says why not.
    pub fn grant(&mut self, plan: &Plan, now: Mono, unix: u64) -> Result<(), ProbeRefusal> {
        let nonce = short(&plan.nonce);
        let spent = self.spent(unix);
        if self.busy_until.is_some_and(|until| now < until) {
            return Err(ProbeRefusal::Busy);
        }
        if self.last.is_some_and(|last| now.since(last) < INTERVAL) {
            return Err(ProbeRefusal::TooSoon);
        }
        if self.nonces.iter().any(|n| *n == nonce) {
            return Err(ProbeRefusal::NonceUsed);
        }
        if spent.saturating_add(plan.size) > PER_DAY {
            return Err(ProbeRefusal::DailyVolume);
        }
        if self.nonces.is_full() {
            self.nonces.pop_front();
        }
        let _ = self.nonces.push_back(nonce);
        (self.day, self.spent) = (unix / DAY, spent + plan.size);
        (self.last, self.busy_until) = (Some(now), Some(now.plus(plan.within)));
        Ok(())
    }

    /// The granted `plan` ended, however: what it took on the wire replaces what was booked.
    pub fn ended(&mut self, plan: &Plan, taken: u64, unix: u64) {
        let booked = if self.last_day_is(plan, unix) { plan.size } else { 0 };
        (self.day, self.spent) = (unix / DAY, self.spent(unix).saturating_sub(booked).saturating_add(taken));
        self.busy_until = None;
    }

    /// Whether the booking of `plan` is in the sum of today.
    const fn last_day_is(&self, plan: &Plan, unix: u64) -> bool {
        self.day == unix / DAY && plan.day == self.day
    }
}

fn short(nonce: &str) -> [u8; 16] {
    let mut out = [0; 16];
    out.copy_from_slice(&blake3::hash(nonce.as_bytes()).as_bytes()[..16]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::plan::tests::plan;

    const NOON: u64 = 20_000 * DAY + DAY / 2;
    const MINUTE: u64 = 60_000;

    #[test]
    fn one_at_a_time_one_a_minute_each_nonce_once() {
        let mut a = Allowance::default();
        let first = plan("n1", 1000, NOON);
        assert_eq!(a.grant(&first, Mono(0), NOON), Ok(()));
        assert_eq!(a.grant(&plan("n2", 1, NOON), Mono(1), NOON), Err(ProbeRefusal::Busy));
        a.ended(&first, 1200, NOON);
        assert_eq!(a.grant(&plan("n2", 1, NOON), Mono(MINUTE - 1), NOON), Err(ProbeRefusal::TooSoon));
        assert_eq!(a.grant(&first, Mono(MINUTE), NOON), Err(ProbeRefusal::NonceUsed));
        assert_eq!(a.grant(&plan("n2", 1, NOON), Mono(MINUTE), NOON), Ok(()));
        assert_eq!(a.spent(NOON), 1201);
    }

    #[test]
    fn one_that_never_said_it_ended_does_not_block_for_good() {
        let mut a = Allowance::default();
        let lost = plan("n1", 1000, NOON);
        assert_eq!(a.grant(&lost, Mono(0), NOON), Ok(()));
        let later = Mono(0).plus(lost.within).plus(INTERVAL);
        assert_eq!(a.grant(&plan("n2", 1, NOON), later, NOON), Ok(()));
        assert_eq!(a.spent(NOON), 1001, "its booking stays");
    }

    #[test]
    fn the_day_has_an_end_and_a_restart_is_none() {
        let mut a = Allowance::resume(NOON, PER_DAY - 1000);
        assert_eq!(a.grant(&plan("n1", 1001, NOON), Mono(0), NOON), Err(ProbeRefusal::DailyVolume));
        let fits = plan("n1", 1000, NOON);
        assert_eq!(a.grant(&fits, Mono(0), NOON), Ok(()), "a refusal uses up neither nonce nor minute");
        assert_eq!(a.spent(NOON), PER_DAY);
        // It ends after midnight: what it took is the new day's.
        a.ended(&fits, 1100, NOON + DAY);
        assert_eq!(a.spent(NOON + DAY), 1100);
        assert_eq!(a.grant(&plan("n2", 1000, NOON + DAY), Mono(MINUTE), NOON + DAY), Ok(()));
    }

    #[test]
    fn the_window_of_nonces_is_bounded_and_drops_the_oldest() {
        let mut a = Allowance::default();
        for n in 0..=NONCES as u64 {
            let plan = plan(&format!("n{n}"), 1, NOON);
            a.grant(&plan, Mono(n * MINUTE), NOON).unwrap();
            a.ended(&plan, 1, NOON);
        }
        let at = Mono((NONCES as u64 + 1) * MINUTE);
        assert_eq!(a.grant(&plan("n1", 1, NOON), at, NOON), Err(ProbeRefusal::NonceUsed));
        assert_eq!(a.grant(&plan("n0", 1, NOON), at, NOON), Ok(()));
    }
}
