//! A token bucket, pure: bytes per second, a burst, and the time the caller brings.

use crate::core::Mono;

/// The rate that stands for "no limit".
pub const UNLIMITED: u64 = u64::MAX;

/// Tokens are kept in thousandths of a byte: what a rate in bytes per second adds per millisecond is then a whole number,
/// so nothing is rounded and nothing drifts.
const PARTS: u64 = 1000;

/// Bytes that may move: at most `burst` at once, `rate` per second in the long run.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    /// Bytes per second; 0 = none beyond what is there.
    rate: u64,
    /// Thousandths of a byte, at most.
    most: u64,
    /// Thousandths of a byte, at `at`.
    level: u64,
    at: Mono,
}

impl TokenBucket {
    /// A full bucket of `burst` bytes (at least 1) that fills by `rate` bytes per second.
    pub fn new(now: Mono, rate: u64, burst: u64) -> TokenBucket {
        let most = burst.max(1).saturating_mul(PARTS);
        TokenBucket { rate, most, level: most, at: now }
    }

    /// Bytes that may move now.
    pub fn available(&mut self, now: Mono) -> u64 {
        self.settle(now);
        self.level / PARTS
    }

    /// Takes up to `want` bytes and tells how many.
    pub fn take(&mut self, now: Mono, want: u64) -> u64 {
        let granted = want.min(self.available(now));
        self.level -= granted * PARTS;
        granted
    }

    /// Puts back what was taken and not used. What no longer fits is gone: a burst never exceeds the burst.
    pub fn give_back(&mut self, bytes: u64) {
        self.level = self.level.saturating_add(bytes.saturating_mul(PARTS)).min(self.most);
    }

    /// When `want` bytes (or a whole burst, if that is less) are there; `None` = never at this rate.
    pub fn next_at(&mut self, now: Mono, want: u64) -> Option<Mono> {
        self.settle(now);
        let missing = want.saturating_mul(PARTS).min(self.most).saturating_sub(self.level);
        match (missing, self.rate) {
            (0, _) => Some(now),
            (_, 0) => None,
            (missing, rate) => Some(Mono(now.0.saturating_add(missing.div_ceil(rate)))),
        }
    }

    /// Changes rate and burst from `now` on; what is above the new burst is gone.
    pub fn set_rate(&mut self, now: Mono, rate: u64, burst: u64) {
        self.settle(now);
        self.rate = rate;
        self.most = burst.max(1).saturating_mul(PARTS);
        self.level = self.level.min(self.most);
    }

    /// Bytes per second.
    pub const fn rate(&self) -> u64 {
        self.rate
    }

    /// Bytes at once.
    pub const fn burst(&self) -> u64 {
        self.most / PARTS
    }

    fn settle(&mut self, now: Mono) {
        let elapsed = now.0.saturating_sub(self.at.0);
        self.level = self.level.saturating_add(self.rate.saturating_mul(elapsed)).min(self.most);
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn grants_neither_more_nor_less_than_rate_and_burst(
            rate in 1u64..200_000_000, burst in 1u64..10_000_000, quantum in 1u64..300_000, steps in proptest::collection::vec(1u64..700, 1..200),
        ) {
            let mut bucket = TokenBucket::new(Mono(0), rate, burst);
            let (mut now, mut granted) = (0, 0);
            for step in steps {
                // Asked whenever it has something, as a busy tunnel does.
                for ms in now..now + step {
                    loop {
                        let got = bucket.take(Mono(ms), quantum);
                        granted += got;
                        if got < quantum { break }
                    }
                }
                now += step;
            }
            let earned = rate * (now - 1) / 1000;
            prop_assert!(granted <= burst + earned);
            if burst >= rate.div_ceil(1000) {
                prop_assert!(granted >= earned, "{granted} of {earned}");
            }
        }

        #[test]
        fn what_is_promised_for_a_time_is_there_at_that_time(rate in 1u64..10_000_000, burst in 1u64..1_000_000, want in 1u64..1_000_000) {
            let mut bucket = TokenBucket::new(Mono(5), rate, burst);
            bucket.take(Mono(5), burst);
            let at = bucket.next_at(Mono(5), want).unwrap();
            prop_assert!(bucket.available(at) >= want.min(burst));
            if at > Mono(5) {
                let mut early = TokenBucket::new(Mono(5), rate, burst);
                early.take(Mono(5), burst);
                prop_assert!(early.available(Mono(at.0 - 1)) < want.min(burst));
            }
        }
    }

    #[test]
    fn a_lower_rate_holds_from_its_moment_on() {
        let mut bucket = TokenBucket::new(Mono(0), 1000, 1000);
        assert_eq!(bucket.take(Mono(0), 5000), 1000);
        bucket.set_rate(Mono(500), 10, 100);
        assert_eq!(bucket.available(Mono(500)), 100, "what was earned is cut to the new burst");
        bucket.take(Mono(500), 100);
        assert_eq!(bucket.available(Mono(1500)), 10);
        bucket.set_rate(Mono(1500), 0, 100);
        assert_eq!(bucket.next_at(Mono(1500), 50), None);
    }

    #[test]
    fn without_a_limit_it_is_always_full() {
        let mut bucket = TokenBucket::new(Mono(0), UNLIMITED, UNLIMITED);
        for ms in 0..10 {
            assert_eq!(bucket.take(Mono(ms), 1 << 40), 1 << 40);
        }
    }
}
