//! An admitted tunnel: counts its bytes the moment they move, and gives its place back when it is dropped.

use std::cell::Cell;
use std::rc::Rc;

use super::Session;
use super::registry::Registry;
use crate::net::Tap;

/// A place in the session's and the node's tables of tunnels, and the meter of its bytes.
pub struct Tunnel {
    registry: Rc<Registry>,
    /// Whose tunnel it is.
    pub session: Rc<Session>,
    ingress: Cell<u64>,
    egress: Cell<u64>,
}

impl Tunnel {
    pub(super) fn new(registry: Rc<Registry>, session: Rc<Session>) -> Tunnel {
        session.tunnels.set(session.tunnels.get() + 1);
        Tunnel { registry, session, ingress: Cell::new(0), egress: Cell::new(0) }
    }

    /// Bytes from and to the destination so far.
    pub fn bytes(&self) -> (u64, u64) {
        (self.ingress.get(), self.egress.get())
    }
}

impl Tap for Tunnel {
    fn ingress(&self, bytes: u64) {
        self.ingress.set(self.ingress.get().saturating_add(bytes));
        self.registry.moved(&self.session, bytes, 0);
    }

    fn egress(&self, bytes: u64) {
        self.egress.set(self.egress.get().saturating_add(bytes));
        self.registry.moved(&self.session, 0, bytes);
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.session.tunnels.set(self.session.tunnels.get().saturating_sub(1));
        self.registry.left(&self.session);
    }
}
