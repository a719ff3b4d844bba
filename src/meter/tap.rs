//! The tap a relay feeds: every byte the moment the receiving socket took it.

use std::cell::RefCell;
use std::rc::Rc;

use super::ledger::Ledger;
use crate::core::Clock;
use crate::net;

/// Counts one session's bytes into the ledger under node time.
#[derive(Clone, Debug)]
pub struct SessionTap {
    ledger: Rc<RefCell<Ledger>>,
    clock: Clock,
    session_id: Rc<str>,
}

impl SessionTap {
    /// For tunnels of `session_id`.
    pub fn new(ledger: Rc<RefCell<Ledger>>, clock: Clock, session_id: &str) -> SessionTap {
        SessionTap { ledger, clock, session_id: session_id.into() }
    }

    fn count(&self, ingress: u64, egress: u64) {
        let mut ledger = self.ledger.borrow_mut();
        ledger.clock(self.clock.steps());
        ledger.add(&self.session_id, self.clock.unix(), ingress, egress);
    }
}

impl net::Tap for SessionTap {
    fn ingress(&self, bytes: u64) {
        self.count(bytes, 0);
    }

    fn egress(&self, bytes: u64) {
        self.count(0, bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::net::Tap as _;

    #[test]
    fn counts_under_node_time_and_notices_its_steps() {
        let clock = Clock::test(1_766_152_800);
        let ledger = Rc::new(RefCell::new(Ledger::new()));
        ledger.borrow_mut().open("s", Vec::new(), clock.unix()).unwrap();
        let tap = SessionTap::new(ledger.clone(), clock.clone(), "s");
        tap.ingress(5);
        tap.egress(7);
        clock.vouch_signed(clock.unix() + 10); // within the same 300 s
        clock.advance(Duration::from_secs(1));
        tap.ingress(1);
        let ledger = ledger.borrow();
        let chain = ledger.session("s").unwrap();
        assert_eq!((chain.totals().ingress, chain.totals().egress, chain.spooled()), (6, 7, 1));
    }
}
