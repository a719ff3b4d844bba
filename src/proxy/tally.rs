//! How often each reason was given, since start: for metrics and status.

use std::cell::Cell;

use crate::core::Reason;

/// One counter a reason, and what else the engine counts.
#[derive(Debug)]
pub struct Tally {
    reasons: [Cell<u64>; Reason::ALL.len()],
    /// Connections accepted.
    pub connections: Cell<u64>,
    /// Tunnels whose outcome is known.
    pub requests: Cell<u64>,
    /// Of these, failed for a cause beyond policy.
    pub errors: Cell<u64>,
    /// Tunnels that were established.
    pub tunnels: Cell<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Tally {
            reasons: std::array::from_fn(|_| Cell::new(0)),
            connections: Cell::new(0),
            requests: Cell::new(0),
            errors: Cell::new(0),
            tunnels: Cell::new(0),
        }
    }
}

/// One more.
pub fn up(cell: &Cell<u64>) {
    cell.set(cell.get().saturating_add(1));
}

impl Tally {
    /// One more refusal for `reason`.
    pub fn refused(&self, reason: Reason) {
        if let Some(cell) = Reason::ALL.iter().position(|r| *r == reason).and_then(|at| self.reasons.get(at)) {
            up(cell);
        }
    }

    /// Every reason with its count.
    pub fn reasons(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        Reason::ALL.iter().copied().zip(self.reasons.iter().map(Cell::get))
    }
}
