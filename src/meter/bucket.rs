//! One-second buckets: what a window counts in, and their sums.

use serde::{Deserialize, Serialize};

use crate::codec::json;

/// Seconds of a window; windows start at multiples of it since the epoch.
pub const LENGTH: u64 = 300;
/// The last second accepted from a file (the year 9999, where RFC 3339 ends); arithmetic on it cannot overflow.
pub(super) const LAST_SECOND: u64 = 253_402_300_799;

/// One non-zero second. In memory 24 bytes; a busy window has 300: 7 kB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// Seconds since the window's aligned start, 0..300.
    pub at: u16,
    /// Bytes accepted from destinations.
    pub ingress: u64,
    /// Bytes sent to destinations.
    pub egress: u64,
    /// Tunnels with an outcome.
    pub requests: u32,
    /// Of them, failed for a cause beyond policy.
    pub errors: u32,
}

/// The multiple of [`LENGTH`] at or before `sec`.
pub const fn aligned(sec: u64) -> u64 {
    sec - sec % LENGTH
}

/// Sums over a window's buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Bytes accepted from destinations.
    pub ingress: u64,
    /// Bytes sent to destinations.
    pub egress: u64,
    /// Tunnels with an outcome.
    pub requests: u64,
    /// Of them, failed for a cause beyond policy.
    pub errors: u64,
}

impl Sums {
    /// Sums of `buckets`.
    pub fn of<'a>(buckets: impl IntoIterator<Item = &'a Bucket>) -> Sums {
        buckets.into_iter().fold(Sums::default(), |mut s, b| {
            s.ingress = s.ingress.saturating_add(b.ingress);
            s.egress = s.egress.saturating_add(b.egress);
            s.requests = s.requests.saturating_add(u64::from(b.requests));
            s.errors = s.errors.saturating_add(u64::from(b.errors));
            s
        })
    }

    /// Adds `other`.
    pub fn add(&mut self, other: Sums) {
        self.ingress = self.ingress.saturating_add(other.ingress);
        self.egress = self.egress.saturating_add(other.egress);
        self.requests = self.requests.saturating_add(other.requests);
        self.errors = self.errors.saturating_add(other.errors);
    }

    /// Errors of requests in percent, at most 3 decimals; 0 without a request.
    pub fn error_rate_pct(&self) -> f64 {
        if self.requests == 0 { 0.0 } else { json::milli((self.errors.min(self.requests) as f64) * 100.0 / self.requests as f64) }
    }
}
