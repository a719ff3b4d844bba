//! The node's own gate before every session: what the owner and the node's state allow at all.

use crate::core::{Mono, Reason};

/// Whether work is allowed now, apart from any one session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gate {
    /// The owner stopped the node; outlives a reboot.
    pub stopped: bool,
    /// The owner paused it until then.
    pub paused_until: Option<Mono>,
    /// The node stopped itself.
    pub quarantine: bool,
    /// No window of the owner's is open.
    pub out_of_hours: bool,
    /// Another node runs with our identity, and the coordinator believes that one.
    pub duplicate: bool,
    /// The process is on its way out.
    pub leaving: bool,
}

impl Gate {
    /// Why no tunnel may open at `now`, the lasting reason first.
    pub fn refuses(&self, now: Mono) -> Option<Reason> {
        if self.leaving {
            Some(Reason::NodeRestart)
        } else if self.quarantine {
            Some(Reason::Quarantine)
        } else if self.stopped {
            Some(Reason::Stopped)
        } else if self.duplicate {
            // To a buyer it is what it looks like from there: the leases are no longer ours to serve.
            Some(Reason::LeaseExpired)
        } else if self.paused_until.is_some_and(|until| now < until) {
            Some(Reason::Paused)
        } else if self.out_of_hours {
            Some(Reason::Schedule)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_ends_by_itself_and_a_stop_does_not() {
        let mut gate = Gate { paused_until: Some(Mono(10)), ..Gate::default() };
        assert_eq!(gate.refuses(Mono(9)), Some(Reason::Paused));
        assert_eq!(gate.refuses(Mono(10)), None);
        gate.out_of_hours = true;
        assert_eq!(gate.refuses(Mono(9)), Some(Reason::Paused));
        assert_eq!(gate.refuses(Mono(10)), Some(Reason::Schedule));
        gate.duplicate = true;
        assert_eq!(gate.refuses(Mono(10)), Some(Reason::LeaseExpired));
        gate.stopped = true;
        assert_eq!(gate.refuses(Mono(10)), Some(Reason::Stopped));
        gate.quarantine = true;
        assert_eq!(gate.refuses(Mono(10)), Some(Reason::Quarantine));
    }
}
