//! How often a passphrase may be tried: each wrong one doubles the wait for the next.

use std::time::Duration;

use crate::core::Mono;

const FIRST: Duration = Duration::from_secs(1);
/// The owner who mistyped waits a minute at the very most.
const MOST: Duration = Duration::from_secs(60);

/// Wrong passphrases in a row. Pure: time comes in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attempts {
    failures: u32,
    until: Option<Mono>,
}

impl Attempts {
    /// How long the next try has to wait; `None` where it may come now.
    pub fn wait(&self, now: Mono) -> Option<Duration> {
        self.until.filter(|until| now < *until).map(|until| until.since(now))
    }

    /// The passphrase was wrong.
    pub fn failed(&mut self, now: Mono) {
        let wait = FIRST.saturating_mul(1 << self.failures.min(6)).min(MOST);
        self.failures = self.failures.saturating_add(1);
        self.until = Some(now.plus(wait));
    }

    /// It was right.
    pub fn succeeded(&mut self) {
        *self = Attempts::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_one_doubles_the_wait_up_to_a_minute() {
        let (mut attempts, mut now, mut waits) = (Attempts::default(), Mono(0), Vec::new());
        assert_eq!(attempts.wait(now), None);
        for _ in 0..9 {
            attempts.failed(now);
            let wait = attempts.wait(now).unwrap();
            waits.push(wait.as_secs());
            assert!(attempts.wait(now.plus(wait / 2)).is_some());
            now = now.plus(wait);
            assert_eq!(attempts.wait(now), None);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        attempts.succeeded();
        attempts.failed(now);
        assert_eq!(attempts.wait(now), Some(FIRST));
    }
}
