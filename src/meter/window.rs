//! The open window of a session: 1-second buckets, refusals, latencies, and the digest of its log lines.

use serde::{Deserialize, Serialize};

use super::access_log::{Digest, Line, Logged};
use super::bucket::{Bucket, LENGTH, Sums, aligned};
use super::histogram::Histogram;
use super::sealed::Sealed;

/// Node time may be set back by this much without being a step (contracts, "Clock"): it does not close a window.
const WOBBLE: u64 = 2;

/// An open window. With all its parts at most 11 kB (300 buckets, the histogram, the running digest).
#[derive(Clone, Debug)]
pub struct Window {
    aligned: u64,
    from: u64,
    buckets: Vec<Bucket>,
    denied: u64,
    latencies: Histogram,
    log: Digest,
    gap: Option<(u64, u64)>,
}

impl Window {
    /// The window of `sec`: from its aligned start, or, where the time before was not this session's to count
    /// (it just began, the clock stepped, the node restarted), from `sec`.
    pub fn open(sec: u64, whole: bool) -> Window {
        let start = aligned(sec);
        Window {
            aligned: start,
            from: if whole { start } else { sec },
            buckets: Vec::new(),
            denied: 0,
            latencies: Histogram::new(),
            log: Digest::default(),
            gap: None,
        }
    }

    /// States that counters of `[from, to]` were lost before this window.
    pub fn state_gap(&mut self, gap: Option<(u64, u64)>) {
        self.gap = gap;
    }

    /// The second under which an event of `sec` counts here; `None` where it belongs to another window.
    pub fn place(&self, sec: u64) -> Option<u64> {
        let sec = if sec < self.aligned && self.aligned - sec <= WOBBLE { self.aligned } else { sec };
        (aligned(sec) == self.aligned).then_some(sec)
    }

    /// The first second after it.
    pub fn ends(&self) -> u64 {
        self.aligned + LENGTH
    }

    /// First second it counts.
    pub fn from(&self) -> u64 {
        self.from
    }

    /// Median and 95th percentile in ms.
    pub fn quantiles(&self) -> (Option<u32>, Option<u32>) {
        // The largest answer of the histogram is far below u32::MAX.
        let q = |q| self.latencies.quantile(q).and_then(|ms| u32::try_from(ms).ok());
        (q(0.5), q(0.95))
    }

    /// Sums so far.
    pub fn sums(&self) -> Sums {
        Sums::of(&self.buckets)
    }

    /// The log lines so far.
    pub fn logged(&self) -> Logged {
        self.log.logged()
    }

    /// Bytes moved in `sec`, which is a second of this window.
    pub fn add(&mut self, sec: u64, ingress: u64, egress: u64) {
        if ingress == 0 && egress == 0 {
            return;
        }
        let b = self.bucket(sec);
        b.ingress = b.ingress.saturating_add(ingress);
        b.egress = b.egress.saturating_add(egress);
    }

    /// A tunnel's outcome in `sec`.
    pub fn outcome(&mut self, sec: u64, error: bool, latency_ms: Option<u64>) {
        let b = self.bucket(sec);
        b.requests = b.requests.saturating_add(1);
        b.errors = b.errors.saturating_add(error.into());
        if let Some(ms) = latency_ms {
            self.latencies.record(ms);
        }
    }

    /// A refusal by policy in `sec`.
    pub fn denied(&mut self, sec: u64) {
        self.reach(sec);
        self.denied = self.denied.saturating_add(1);
    }

    /// A tunnel closed in `sec` and left this line.
    pub fn closed(&mut self, sec: u64, line: &Line) {
        self.reach(sec);
        self.log.add(line);
    }

    /// The window as it stands, closed at its aligned end or, before that, after the second `now`.
    pub fn seal(&self, now: u64) -> Sealed {
        let last = self.buckets.last().map_or(self.from, |b| self.aligned + u64::from(b.at));
        let end = now.saturating_add(1).max(last + 1).min(self.ends());
        let mut sealed = Sealed::pack(self.from, end, &self.buckets, self.denied, self.quantiles(), self.log.logged());
        sealed.gap = self.gap;
        sealed
    }

    /// What the journal holds of it: everything except buckets before offset `keep`, which it holds already.
    pub(super) fn image(&self, keep: u16) -> OpenImage {
        let (p50, p95) = self.quantiles();
        let tail = self.buckets.partition_point(|b| b.at < keep);
        OpenImage {
            aligned: self.aligned,
            from: self.from,
            keep,
            buckets: self.buckets[tail..].to_vec(),
            denied: self.denied,
            p50,
            p95,
            log: self.log.logged(),
            gap: self.gap,
        }
    }

    /// Offset of `sec`, for the journal.
    pub(super) fn offset(&self, sec: u64) -> u16 {
        (sec - self.aligned) as u16 // below 300: `place` has judged it
    }

    fn reach(&mut self, sec: u64) {
        self.from = self.from.min(sec); // set back by a second or two within the window
    }

    fn bucket(&mut self, sec: u64) -> &mut Bucket {
        self.reach(sec);
        let at = self.offset(sec);
        let i = match self.buckets.binary_search_by_key(&at, |b| b.at) {
            Ok(i) => i,
            Err(i) => {
                self.buckets.insert(i, Bucket { at, ..Bucket::default() });
                i
            }
        };
        &mut self.buckets[i]
    }
}

/// An open window in the journal. It is never opened again: what a restart finds is sealed as it stands, so neither
/// the histogram nor the running digest needs to be kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenImage {
    pub(super) aligned: u64,
    pub(super) from: u64,
    /// Buckets before this offset are as in the journal's earlier image of the same window.
    pub(super) keep: u16,
    pub(super) buckets: Vec<Bucket>,
    denied: u64,
    p50: Option<u32>,
    p95: Option<u32>,
    log: Logged,
    gap: Option<(u64, u64)>,
}

impl OpenImage {
    /// The window, sealed after its last second; `None` where it could not have been written.
    pub(super) fn seal(&self) -> Option<Sealed> {
        let last = self.buckets.last().map_or(Some(self.from), |b| self.aligned.checked_add(u64::from(b.at)))?;
        let end = last.max(self.from).checked_add(1)?;
        let mut sealed = Sealed::pack(self.from, end, &self.buckets, self.denied, (self.p50, self.p95), self.log);
        sealed.gap = self.gap;
        (self.aligned == aligned(self.from) && sealed.is_sound()).then_some(sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const W: u64 = 1_766_152_800;

    #[test]
    fn seconds_ascend_whatever_their_order_and_an_early_seal_is_shorter() {
        let mut w = Window::open(W + 10, false);
        w.add(W + 12, 5, 0);
        w.add(W + 10, 1, 2);
        w.add(W + 12, 5, 0);
        w.add(W + 11, 0, 0);
        let sealed = w.seal(W + 12);
        assert_eq!((sealed.start, sealed.end), (W + 10, W + 13));
        assert_eq!(sealed.buckets().iter().map(|b| (b.at, b.ingress, b.egress)).collect::<Vec<_>>(), [(10, 1, 2), (12, 10, 0)]);
        assert_eq!(w.seal(W + 5000).end, W + 300);
    }

    #[test]
    fn a_wobble_stays_and_a_step_belongs_elsewhere() {
        let w = Window::open(W, true);
        assert_eq!(w.place(W - 2), Some(W));
        assert_eq!(w.place(W - 3), None);
        assert_eq!(w.place(W + 299), Some(W + 299));
        assert_eq!(w.place(W + 300), None);
    }

    #[test]
    fn only_refusals_make_a_window_without_buckets() {
        let mut w = Window::open(W + 7, false);
        w.denied(W + 7);
        let sealed = w.seal(W + 300);
        assert!(sealed.is_sound());
        assert_eq!((sealed.denied, sealed.buckets().len(), sealed.sums().error_rate_pct()), (1, 0, 0.0));
        assert_eq!(sealed.log, Logged { digest: crate::codec::Hash::of(b""), lines: 0 });
    }
}
