//! A sealed window: what a bundle will say, kept small until its signed acknowledgement came.
//!
//! Sequence number, previous hash and signature are not kept: only the oldest window of a session is ever sent, so
//! they follow from the chain's head when it is. Ed25519 is deterministic: making it again gives the same bytes.

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

use super::access_log::Logged;
use super::bucket::{Bucket, LAST_SECOND, LENGTH, Sums, aligned};
use super::bundle::{Bundle, Head};
use crate::codec::{Hash, NodeId, envelope, json, time};

/// One window of one session, closed. About 5 kB with 300 busy seconds, typically some hundred bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// First second, Unix.
    pub start: u64,
    /// The second after the last.
    pub end: u64,
    /// The non-zero seconds, ascending, as postcard: a quarter of their size as structs.
    packed: Vec<u8>,
    /// Policy refusals.
    pub denied: u64,
    /// Median latency in ms, where there was a sample.
    pub p50: Option<u32>,
    /// 95th percentile.
    pub p95: Option<u32>,
    /// The log lines of tunnels that closed in it.
    pub log: Logged,
    /// The session's last.
    pub is_final: bool,
    /// Unix seconds `[from, to]` in which counters were lost before this window.
    pub gap: Option<(u64, u64)>,
    /// Restored from a copy older than what the coordinator may have accepted (a power cut).
    pub suspect: bool,
}

/// A bundle ready to be posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Canonical JSON with `nodeSig`: the body.
    pub body: Vec<u8>,
    /// Hash of `body`: what the acknowledgement names and the next bundle chains to.
    pub hash: Hash,
    /// Its number within the session, from 1.
    pub seq: u64,
}

impl Sealed {
    /// Packs a window. `buckets` are ascending and inside `[start, end)` counted from `aligned`.
    pub(super) fn pack(start: u64, end: u64, buckets: &[Bucket], denied: u64, quantiles: (Option<u32>, Option<u32>), log: Logged) -> Sealed {
        // postcard into a growing Vec fails only on a type of unknown length, which a slice is not.
        let packed = postcard::to_allocvec(buckets).unwrap_or_default();
        Sealed { start, end, packed, denied, p50: quantiles.0, p95: quantiles.1, log, is_final: false, gap: None, suspect: false }
    }

    /// The non-zero seconds.
    pub fn buckets(&self) -> Vec<Bucket> {
        postcard::from_bytes(&self.packed).unwrap_or_default()
    }

    /// Sums of the buckets.
    pub fn sums(&self) -> Sums {
        Sums::of(&self.buckets())
    }

    /// Bytes it takes in memory, about.
    pub fn size(&self) -> usize {
        size_of::<Sealed>() + self.packed.len()
    }

    /// What it says as the bundle after `head`.
    pub fn bundle(&self, node_id: NodeId, session_id: &str, head: &Head) -> Bundle {
        let buckets = self.buckets();
        let sums = Sums::of(&buckets);
        let base = aligned(self.start);
        Bundle {
            node_id,
            session_id: session_id.to_owned(),
            seq: head.seq + 1,
            prev_hash: head.hash,
            window_start: self.start,
            window_end: self.end,
            bytes_ingress: sums.ingress,
            bytes_egress: sums.egress,
            requests: sums.requests,
            denied: self.denied,
            latency_ms_p50: self.p50.map(u64::from),
            latency_ms_p95: self.p95.map(u64::from),
            error_rate_pct: sums.error_rate_pct(),
            buckets: buckets.iter().map(|b| (base + u64::from(b.at), b.ingress, b.egress, b.requests.into(), b.errors.into())).collect(),
            access_log_hash: self.log.digest,
            is_final: self.is_final,
            gap: self.gap.map(|(from, to)| (time::rfc3339(from), time::rfc3339(to))),
        }
    }

    /// The signed bundle after `head`.
    pub fn sign(&self, key: &SigningKey, node_id: NodeId, session_id: &str, head: &Head) -> Signed {
        let mut object = json::object(&self.bundle(node_id, session_id, head));
        envelope::sign(&mut object, envelope::NODE_SIG, envelope::context::METERING, key);
        let body = json::canonical(&object.into());
        Signed { hash: Hash::of(&body), seq: head.seq + 1, body }
    }

    /// Whether a window read from a file can be one that was written: its buckets decode, ascend and lie inside it.
    pub(super) fn is_sound(&self) -> bool {
        let Ok(buckets) = postcard::from_bytes::<Vec<Bucket>>(&self.packed) else { return false };
        if self.start >= self.end || self.end > LAST_SECOND || self.end - aligned(self.start) > LENGTH {
            return false;
        }
        if self.log.lines > json::MAX_INTEGER {
            return false;
        }
        let inside = |b: &Bucket| (self.start..self.end).contains(&(aligned(self.start) + u64::from(b.at)));
        let gap = self.gap.is_none_or(|(from, to)| from <= to && to <= LAST_SECOND);
        gap && buckets.iter().all(inside) && buckets.is_sorted_by(|a, b| a.at < b.at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::window::Window;
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn totals_are_the_sums_and_the_canonical_form_is_stable(
            events in prop::collection::vec((0u64..300, 0u64..1 << 40, 0u64..1 << 40, any::<bool>(), 0u64..200_000), 1..40),
        ) {
            let base = 1_766_152_800;
            let mut window = Window::open(base + events[0].0, false);
            for &(at, ingress, egress, error, ms) in &events {
                window.add(base + at, ingress, egress);
                window.outcome(base + at, error, (!error).then_some(ms));
            }
            let sealed = window.seal(base + 300);
            prop_assert!(sealed.is_sound());
            let key = SigningKey::from_bytes(&[3; 32]);
            let id = NodeId::from(&key.verifying_key());
            let head = Head { seq: 41, hash: Some(Hash::of(b"previous")) };
            let signed = sealed.sign(&key, id, "s", &head);
            prop_assert_eq!(&signed, &sealed.sign(&key, id, "s", &head));
            let tree = json::parse(&signed.body).unwrap();
            prop_assert_eq!(&json::canonical(&tree), &signed.body);
            envelope::verify(&tree, envelope::NODE_SIG, envelope::context::METERING, [&key.verifying_key()]).unwrap();
            let bundle: Bundle = json::from_slice(&signed.body).unwrap();
            prop_assert_eq!(&bundle, &sealed.bundle(id, "s", &head));
            let sum = |f: fn(&(u64, u64, u64, u64, u64)) -> u64| bundle.buckets.iter().map(f).sum::<u64>();
            prop_assert_eq!(bundle.bytes_ingress, sum(|b| b.1));
            prop_assert_eq!(bundle.bytes_egress, sum(|b| b.2));
            prop_assert_eq!(bundle.requests, sum(|b| b.3));
            prop_assert_eq!(bundle.bytes_ingress, events.iter().map(|e| e.1).sum::<u64>());
            prop_assert_eq!(bundle.requests, events.len() as u64);
            prop_assert!(bundle.buckets.iter().all(|b| (bundle.window_start..bundle.window_end).contains(&b.0)));
            prop_assert!(bundle.buckets.iter().all(|b| b.1 + b.2 + b.3 + b.4 > 0), "only non-zero seconds");
        }
    }
}
