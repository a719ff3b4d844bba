//! An owner's hand on live tunnels: one call ends all that hold a clone.

use std::cell::Cell;
use std::rc::Rc;

use smol::channel::{Receiver, Sender, bounded};

use crate::core::Reason;

/// Ends what waits on it. Cheap to clone; all clones are one. One thread.
#[derive(Clone, Debug)]
pub struct Stop(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    reason: Cell<Option<Reason>>,
    /// Never carries anything: closing it wakes everyone at once.
    sender: Sender<()>,
    receiver: Receiver<()>,
}

impl Default for Stop {
    fn default() -> Stop {
        Stop::new()
    }
}

impl Stop {
    /// One that has not been used.
    pub fn new() -> Stop {
        let (sender, receiver) = bounded(1);
        Stop(Rc::new(Inner { reason: Cell::new(None), sender, receiver }))
    }

    /// Ends everything that holds a clone, now and later. The first reason stands.
    pub fn stop(&self, reason: Reason) {
        if self.0.reason.get().is_none() {
            self.0.reason.set(Some(reason));
            self.0.sender.close();
        }
    }

    /// Why it was used, if it was.
    pub fn reason(&self) -> Option<Reason> {
        self.0.reason.get()
    }

    /// Waits until it is used.
    pub async fn stopped(&self) -> Reason {
        loop {
            if let Some(reason) = self.0.reason.get() {
                return reason;
            }
            let _ = self.0.receiver.recv().await;
        }
    }
}
