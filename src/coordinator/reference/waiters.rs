//! Answers that wait for something to happen: nodes' long polls and buyers' waits.

use std::cell::RefCell;
use std::collections::BTreeMap;

use smol::channel::{Receiver, Sender, bounded};

use super::bounds::WAITING;

/// Who waits for what.
#[derive(Debug, Default)]
pub struct Waiters(RefCell<BTreeMap<String, Vec<Sender<()>>>>);

impl Waiters {
    /// Waits for `key`: the receiver gets one message, or an end. `None` where too many wait already.
    ///
    /// `alone`: the newest replaces the one before, whose wait ends (a node polls once at a time).
    pub fn wait(&self, key: &str, alone: bool) -> Option<Receiver<()>> {
        let mut map = self.0.borrow_mut();
        if map.values().map(Vec::len).sum::<usize>() >= WAITING {
            map.retain(|_, senders| {
                senders.retain(|s| !s.is_closed());
                !senders.is_empty()
            });
            if map.values().map(Vec::len).sum::<usize>() >= WAITING {
                return None;
            }
        }
        let (sender, receiver) = bounded(1);
        let senders = map.entry(key.to_owned()).or_default();
        senders.retain(|s| !alone && !s.is_closed());
        senders.push(sender);
        Some(receiver)
    }

    /// Something happened to `key`.
    pub fn wake(&self, key: &str) {
        for sender in self.0.borrow_mut().remove(key).unwrap_or_default() {
            let _ = sender.try_send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wakes_all_or_the_newest_and_is_bounded() {
        let waiters = Waiters::default();
        let (a, b) = (waiters.wait("x", false).unwrap(), waiters.wait("x", false).unwrap());
        waiters.wake("x");
        assert!(a.try_recv().is_ok() && b.try_recv().is_ok());
        let (old, new) = (waiters.wait("n", true).unwrap(), waiters.wait("n", true).unwrap());
        assert!(old.is_closed() && !new.is_closed());
        let held: Vec<_> = (0..WAITING - 1).map(|n| waiters.wait(&n.to_string(), false).unwrap()).collect();
        assert!(waiters.wait("more", false).is_none());
        drop(held);
        assert!(waiters.wait("more", false).is_some(), "who went away makes room");
    }
}
