//! What came from the coordinator's address and was not believed, as an alert: it stands for an hour after the last.

use std::time::Duration;

use super::node::Node;
use crate::coordinator::client::{Fault, Faults};
use crate::core::Mono;

/// How long the owner is told of it.
const TOLD_FOR: Duration = Duration::from_secs(3600);

/// What was dropped since the alert began, by kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Distrust {
    /// Counts at the last look.
    seen: Faults,
    since: [u32; Fault::ALL.len()],
    last: Option<Mono>,
}

impl Distrust {
    /// Takes the client's counts at `now`.
    pub fn look(&mut self, faults: Faults, now: Mono) {
        if self.last.is_some_and(|last| now.since(last) > TOLD_FOR) {
            (self.since, self.last) = (Default::default(), None);
        }
        for (kind, since) in Fault::ALL.into_iter().zip(self.since.iter_mut()) {
            // A client that was made anew counts from nothing.
            let before = if faults.of(kind) < self.seen.of(kind) { 0 } else { self.seen.of(kind) };
            let more = faults.of(kind) - before;
            if more > 0 {
                *since = since.saturating_add(more);
                self.last = Some(now);
            }
        }
        self.seen = faults;
    }

    /// What to tell the owner; `None` = nothing, or long ago.
    pub fn told(&self) -> Option<String> {
        self.last?;
        let kinds = Fault::ALL.into_iter().zip(self.since).filter(|(_, n)| *n > 0).map(|(kind, n)| format!("{} {n}", kind.id()));
        Some(format!("what came from the coordinator's address was not believed and dropped ({})", kinds.collect::<Vec<_>>().join(", ")))
    }
}

impl Node {
    /// What of the coordinator was not believed lately, in words for the owner.
    pub fn distrust_now(&self) -> Option<String> {
        let mut distrust = self.distrust.get();
        let faults = self.client.borrow().as_ref().map(|c| c.faults()).unwrap_or_default();
        distrust.look(faults, self.clock.now());
        self.distrust.set(distrust);
        distrust.told()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_for_an_hour_after_the_last_and_counts_by_kind() {
        let mut d = Distrust::default();
        let mut faults = Faults::default();
        d.look(faults, Mono(0));
        assert_eq!(d.told(), None);
        faults.add(Fault::BadObject);
        faults.add(Fault::Gap);
        d.look(faults, Mono(1_000));
        faults.add(Fault::Gap);
        d.look(faults, Mono(2_000));
        assert!(d.told().unwrap().ends_with("(bad-object 1, gap 2)"), "{:?}", d.told());
        d.look(faults, Mono(3_602_000));
        assert!(d.told().is_some());
        d.look(faults, Mono(3_602_001));
        assert_eq!(d.told(), None);
        // The client was replaced: its counts begin anew.
        let mut anew = Faults::default();
        anew.add(Fault::Stale);
        d.look(anew, Mono(3_603_000));
        assert!(d.told().unwrap().ends_with("(stale 1)"));
    }
}
