//! Sessions whose bundles met no acknowledgement wait a little: so no session holds up another's, and a coordinator that
//! never agrees does not keep the node busy. Pure.

use std::time::Duration;

use crate::core::Mono;
use crate::core::backoff::Backoff;
use crate::core::sorted::Sorted;

/// First and longest wait.
const FIRST: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_secs(300);

#[derive(Debug)]
struct Hold {
    backoff: Backoff,
    /// `None`: it may go at once. That the chain goes on from the coordinator's head is usual after a restart.
    until: Option<Mono>,
}

/// Sessions remembered: about 80 bytes each, 20 KiB. Beyond that a session does not wait.
const MOST_HELD: usize = 256;

/// Who waits.
#[derive(Debug, Default)]
pub struct Holds(Sorted<String, Hold>);

impl Holds {
    /// A bundle of `id` was handed in and not acknowledged. The second time in a row it begins to wait. `random` is
    /// uniform over the whole range of `u32`.
    pub fn missed(&mut self, id: &str, now: Mono, random: u32) {
        let full = self.0.len() >= MOST_HELD;
        match self.0.get_mut(id) {
            Some(hold) => hold.until = Some(now.plus(hold.backoff.failed(random))),
            None if full => {}
            None => drop(self.0.insert(id.to_owned(), Hold { backoff: Backoff::new(FIRST, MOST), until: None })),
        }
    }

    /// It was settled one way or the other.
    pub fn done(&mut self, id: &str) {
        self.0.remove(id);
    }

    /// Whether `id` waits still.
    pub fn held(&self, id: &str, now: Mono) -> bool {
        self.0.get(id).and_then(|hold| hold.until).is_some_and(|until| now < until)
    }

    /// When the next wait is over.
    pub fn next(&self, now: Mono) -> Option<Mono> {
        self.0.values().filter_map(|hold| hold.until).filter(|until| *until > now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_miss_is_free_and_each_more_doubles_the_wait_of_that_session_alone() {
        let mut holds = Holds::default();
        let mut now = Mono(0);
        holds.missed("a", now, u32::MAX);
        assert!(!holds.held("a", now) && holds.next(now).is_none());
        for seconds in [1, 2, 4, 8] {
            holds.missed("a", now, u32::MAX);
            let until = now.plus(Duration::from_secs(seconds));
            assert_eq!(holds.next(now), Some(until));
            assert!(holds.held("a", now) && !holds.held("a", until) && !holds.held("b", now));
            now = until;
        }
        holds.done("a");
        assert!(holds.0.is_empty());
    }
}
