//! `GET /series`: the last five minutes, second by second, as arrays of equal length.

use serde::{Deserialize, Serialize};

use super::status::At;

/// Seconds that are kept.
pub const SECONDS: usize = 300;

/// The arrays, oldest first; the last entry is the second before `until`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Series {
    /// End of the last second.
    pub until: At,
    /// Bits relayed from destinations in each second.
    pub bits_in: Vec<u64>,
    /// Bits relayed to destinations in each second.
    pub bits_out: Vec<u64>,
    /// Sessions open in each second.
    pub sessions: Vec<u32>,
    /// 95th percentile of latency in milliseconds; null in a second without a sample.
    pub p95: Vec<Option<u64>>,
    /// Errors of service in each second.
    pub errors: Vec<u32>,
}

impl Series {
    /// The last `seconds` of it.
    pub fn last(mut self, seconds: usize) -> Series {
        let before = self.bits_in.len().saturating_sub(seconds);
        self.bits_in.drain(..before);
        self.bits_out.drain(..before);
        self.sessions.drain(..before);
        self.p95.drain(..before);
        self.errors.drain(..before);
        self
    }
}
