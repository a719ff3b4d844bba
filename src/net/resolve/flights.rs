//! One look-up for all who ask for the same host at the same time.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use smol::lock::Mutex;

use super::Outcome;

/// Look-ups under way, by host. No larger than the callers that wait in it, which the cap on tunnels bounds (about
/// 200 bytes a host).
#[derive(Default)]
pub(super) struct Flights {
    by_host: RefCell<HashMap<String, Rc<Flight>>>,
}

/// Whoever holds the lock does the look-up; the others find its outcome when they get the lock. If it is dropped before
/// it ends, since its buyer went away, the next in line does it.
type Flight = Mutex<Option<Outcome>>;

impl Flights {
    /// The outcome of `make` for `host`, made by this caller or by one that was there before.
    pub(super) async fn share(&self, host: &str, make: impl AsyncFnOnce() -> Outcome) -> Outcome {
        let flight = Rc::clone(self.by_host.borrow_mut().entry(host.to_owned()).or_default());
        let _leaving = Leaving { flights: self, host, flight: &flight };
        let mut landed = flight.lock().await;
        if let Some(outcome) = &*landed {
            return outcome.clone();
        }
        let outcome = make().await;
        *landed = Some(outcome.clone());
        // Who comes now starts anew; those in line have their own handle.
        self.by_host.borrow_mut().remove(host);
        outcome
    }
}

/// The last one to leave a flight that never landed takes it off the list.
struct Leaving<'a> {
    flights: &'a Flights,
    host: &'a str,
    flight: &'a Rc<Flight>,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        let mut by_host = self.flights.by_host.borrow_mut();
        let listed = by_host.get(self.host).is_some_and(|listed| Rc::ptr_eq(listed, self.flight));
        // The list's handle and this caller's.
        if listed && Rc::strong_count(self.flight) == 2 {
            by_host.remove(self.host);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use smol::future::{poll_once, yield_now, zip};

    use super::super::Resolved;
    use super::*;
    use crate::core::Reason;

    fn outcome(n: u8) -> Outcome {
        Ok(Resolved { addresses: vec![[192, 0, 2, n].into()], chain: Vec::new() })
    }

    #[test]
    fn those_who_ask_meanwhile_share_and_later_ones_do_not() {
        let (flights, made) = (Flights::default(), Cell::new(0));
        let ask = |host: &'static str| {
            flights.share(host, async || {
                made.set(made.get() + 1);
                yield_now().await;
                outcome(made.get())
            })
        };
        smol::block_on(async {
            let ((first, second), other) = zip(zip(ask("a"), ask("a")), ask("b")).await;
            assert_eq!(first, second);
            assert!(other.is_ok());
            assert_eq!(made.get(), 2);
            assert!(ask("a").await.is_ok());
            assert_eq!(made.get(), 3);
        });
        assert!(flights.by_host.borrow().is_empty());
    }

    #[test]
    fn a_caller_that_goes_away_hands_on_and_leaves_nothing_behind() {
        let flights = Flights::default();
        smol::block_on(async {
            let mut first = Box::pin(flights.share("a", async || std::future::pending().await));
            let mut second = Box::pin(flights.share("a", async || outcome(2)));
            assert!(poll_once(&mut first).await.is_none());
            assert!(poll_once(&mut second).await.is_none());
            drop(first);
            assert_eq!(second.await, outcome(2));

            let mut alone = Box::pin(flights.share("b", async || std::future::pending().await));
            assert!(poll_once(&mut alone).await.is_none());
            drop(alone);
        });
        assert!(flights.by_host.borrow().is_empty());
    }

    #[test]
    fn a_failure_is_shared_too() {
        let (flights, made) = (Flights::default(), Cell::new(0));
        let ask = || {
            flights.share("a", async || {
                made.set(made.get() + 1);
                yield_now().await;
                Err(Reason::TimedOut)
            })
        };
        let both = smol::block_on(zip(ask(), ask()));
        assert_eq!(both, (Err(Reason::TimedOut), Err(Reason::TimedOut)));
        assert_eq!(made.get(), 1);
    }
}
