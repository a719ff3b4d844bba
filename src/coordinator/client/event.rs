//! What the events thread tells the data plane.

use std::time::Duration;

use super::error::CallError;
use super::fault::Fault;
use crate::coordinator::wire::SessionEvent;

/// Reports waiting for the data plane: at most 4 × an answer of 64 KiB, parsed about three times that. When it is full,
/// the events thread waits and the coordinator keeps the rest.
pub(super) const PENDING: usize = 4;

/// One report.
#[derive(Debug)]
pub enum Event {
    /// Events to act upon, or a position that was lost.
    Batch(Batch),
    /// The coordinator came within reach, or went out of it.
    Link(Link),
}

/// What one answer of `GET /sessions/control` brought.
#[derive(Debug)]
pub struct Batch {
    /// The stream after this batch; `None` = lost, a snapshot follows in a later batch.
    pub stream: Option<String>,
    /// Position after this batch, for the journal.
    pub seq: u64,
    /// Verified, addressed to this node, contiguous, in order.
    pub events: Vec<SessionEvent>,
    /// What else was in the answer, and why it was dropped. Already counted and logged.
    pub dropped: Vec<Fault>,
}

/// Reachability, as the long poll sees it. Told at each change, and at each further failure.
#[derive(Debug)]
pub enum Link {
    /// An answer came and was believed.
    Up,
    /// No answer to act upon: out of reach, not believable, refused, or node time unknown.
    Down {
        /// What happened.
        error: CallError,
        /// Until the next try.
        retry_in: Duration,
    },
}

/// The data plane's end.
#[derive(Debug)]
pub struct Events(pub(super) smol::channel::Receiver<Event>);

impl Events {
    /// Waits for the next report; `None` when the thread has ended (its [`super::Client`] is gone).
    pub async fn next(&self) -> Option<Event> {
        self.0.recv().await.ok()
    }
}
