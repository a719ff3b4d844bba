//! Exponential back-off with full jitter, pure: the caller brings the randomness and sleeps.

use std::time::Duration;

/// Delays that double from `first` up to `most`, each spread over its upper half.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    failures: u32,
}

impl Backoff {
    /// A back-off that has seen no failure.
    pub const fn new(first: Duration, most: Duration) -> Backoff {
        Backoff { first, most, failures: 0 }
    }

    /// The delay after one more failure. `random` is uniform over the whole range of `u32`.
    pub fn failed(&mut self, random: u32) -> Duration {
        let full = self.first.saturating_mul(1u32.checked_shl(self.failures.min(20)).unwrap_or(u32::MAX)).min(self.most);
        self.failures = self.failures.saturating_add(1);
        let half = full / 2;
        half + half.mul_f64(f64::from(random) / f64::from(u32::MAX))
    }

    /// All is well again: the next failure starts from `first`.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Failures in a row so far.
    pub const fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_the_limit_and_starts_again() {
        let mut b = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        let most: Vec<u64> = (0..8).map(|_| b.failed(u32::MAX).as_secs()).collect();
        assert_eq!(most, [1, 2, 4, 8, 16, 32, 60, 60]);
        b.succeeded();
        assert_eq!(b.failed(0), Duration::from_millis(500));
    }
}
