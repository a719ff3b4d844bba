//! What a session's chain keeps across restarts, and as the journal holds it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::bucket::{LAST_SECOND, LENGTH, Sums};
use super::bundle::Head;
use super::periods::Periods;
use super::sealed::Sealed;
use super::usage::DAY;
use super::window::OpenImage;
use crate::codec::Hash;

/// Sealed windows a session may have waiting: with leases of 900 s about 8 come together in an outage. 64 × at most
/// 5 kB, 320 kB; past it the oldest are lost, which the next bundle states as a gap.
pub const MOST_SEALED: usize = 64;
/// Longest receipt kept (an acknowledgement with its signature): 1 kB.
pub const MOST_RECEIPT: usize = 1024;
/// Bytes of one session's definition.
pub const MOST_DEFINITION: usize = 64 * 1024;
/// Sequence numbers are integers of I-JSON.
const MOST_SEQ: u64 = (1 << 53) - 1;

/// What a session has carried since it was opened. Survives restarts; not reset by acknowledgements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Bytes accepted from destinations.
    pub ingress: u64,
    /// Bytes sent to destinations.
    pub egress: u64,
    /// Tunnels with an outcome.
    pub requests: u64,
    /// Of them, failed for a cause beyond policy.
    pub errors: u64,
    /// Policy refusals.
    pub denied: u64,
    /// By UTC days since the epoch, both directions together.
    days: Periods,
}

impl Totals {
    /// Bytes of both directions on the UTC day of `sec`.
    pub fn today(&self, sec: u64) -> u64 {
        self.days.used(sec / DAY)
    }

    /// Errors of requests in percent, at most 3 decimals.
    pub fn error_rate_pct(&self) -> f64 {
        Sums { requests: self.requests, errors: self.errors, ..Sums::default() }.error_rate_pct()
    }

    /// The clock was set, and shows `sec` from here on.
    pub(super) fn clock_set(&mut self, sec: u64) {
        self.days.set(sec / DAY);
    }

    pub(super) fn add(&mut self, sec: u64, ingress: u64, egress: u64) {
        self.days.count(sec / DAY, ingress.saturating_add(egress));
        self.ingress = self.ingress.saturating_add(ingress);
        self.egress = self.egress.saturating_add(egress);
    }
}

/// The last acknowledgement of a session: the owner's evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Number of the bundle.
    pub seq: u64,
    /// Its hash.
    pub hash: Hash,
    /// The coordinator's signed answer, in the client's form; empty where it was longer than [`MOST_RECEIPT`].
    pub evidence: Vec<u8>,
}

/// Counters of a time that was lost, to be stated on the next bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Unix second from which.
    pub from: u64,
    /// Unix second of the restart, as the clock then had it.
    pub restart: u64,
}

impl Lost {
    /// As the bundle of a window from `sec` states it. A router's clock at boot may be years behind what it wrote
    /// before: then the time lost ends where counting began again.
    pub(super) fn until(self, sec: u64) -> (u64, u64) {
        (self.from, if self.restart >= self.from { self.restart } else { sec.max(self.from) })
    }
}

/// What a chain keeps across restarts, its open window aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    pub(super) definition: Vec<u8>,
    pub(super) head: Head,
    pub(super) spool: VecDeque<Sealed>,
    pub(super) totals: Totals,
    pub(super) lost: Option<Lost>,
    pub(super) receipt: Option<Receipt>,
    /// Restored from an older copy, and the coordinator's head was not heard since.
    pub(super) unsure: bool,
    /// Quantiles of the last window that had a sample.
    pub(super) latency: (Option<u32>, Option<u32>),
}

/// One session in the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainImage {
    pub(super) state: State,
    pub(super) open: Option<OpenImage>,
}

impl ChainImage {
    pub(super) fn is_sound(&self) -> bool {
        let s = &self.state;
        s.definition.len() <= MOST_DEFINITION
            && s.head.seq <= MOST_SEQ
            && s.spool.len() <= MOST_SEALED
            && s.spool.iter().all(Sealed::is_sound)
            && s.lost.is_none_or(|l| l.from.max(l.restart) <= LAST_SECOND)
            && s.receipt.as_ref().is_none_or(Receipt::is_sound)
            && self.open.as_ref().is_none_or(|o| o.seal().is_some())
    }

    pub(super) fn continue_with(&mut self, totals: Totals, mut open: OpenImage) -> Result<(), Unsound> {
        if open.keep > 0 {
            let mut earlier = self.open.take().filter(|e| e.aligned == open.aligned).ok_or(Unsound)?;
            sound(u64::from(open.keep) < LENGTH && open.buckets.first().is_none_or(|b| b.at >= open.keep))?;
            earlier.buckets.retain(|b| b.at < open.keep);
            earlier.buckets.append(&mut open.buckets);
            open.buckets = earlier.buckets;
            open.keep = 0;
        }
        sound(open.seal().is_some())?;
        self.open = Some(open);
        self.state.totals = totals;
        Ok(())
    }
}

impl Receipt {
    pub(super) fn is_sound(&self) -> bool {
        self.evidence.len() <= MOST_RECEIPT && self.seq <= MOST_SEQ
    }
}

/// An item that this code never writes: the file was made by something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsound;

pub(super) fn sound(yes: bool) -> Result<(), Unsound> {
    if yes { Ok(()) } else { Err(Unsound) }
}
