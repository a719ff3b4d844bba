//! Judges metering bundles: signature, addressee, chain, totals. Used when a bundle arrives, and again by `verify`.

use serde_json::Value;

use crate::codec::{Hash, NodeId, envelope, json, time};
use crate::coordinator::wire::{Bundle, Head};

/// Length of a window, aligned to the epoch.
pub const WINDOW_SEC: u64 = 300;
/// A window may end this much after the coordinator's time: the skew that requests may have.
const AHEAD_SEC: u64 = 120;
/// What two writings of one fraction with 3 decimals may differ by.
const FRACTION: f64 = 0.0011;

/// A bundle as received, its signature verified.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Its members.
    pub bundle: Bundle,
    /// JCS with the signature: what is stored, and what `prevHash` and `ack` name.
    pub canonical: Vec<u8>,
    /// Hash of `canonical`.
    pub hash: Hash,
}

/// Why a bundle is refused for good (422).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A member is missing or of another type.
    Members,
    /// `nodeSig` does not verify.
    Signature,
    /// The bundle is another node's, or the session is not at this node.
    Addressee,
    /// The window is empty, longer than 300 s, or crosses an aligned boundary.
    Window,
    /// The window ends in the future, or began before the session.
    Time,
    /// Buckets out of order, outside the window, or empty.
    Buckets,
    /// Totals are not the sums of the buckets.
    Totals,
    /// The error rate does not follow from the buckets.
    ErrorRate,
    /// Quantiles out of order, or there without a request.
    Latency,
    /// `gap` is no span of time.
    Gap,
    /// The session's last bundle was received before.
    AfterFinal,
}

impl Fault {
    /// The stable id.
    pub const fn id(self) -> &'static str {
        match self {
            Fault::Members => "malformed",
            Fault::Signature => "bad-signature",
            Fault::Addressee => "not-your-session",
            Fault::Window => "bad-window",
            Fault::Time => "bad-time",
            Fault::Buckets => "bad-buckets",
            Fault::Totals => "bad-totals",
            Fault::ErrorRate => "bad-error-rate",
            Fault::Latency => "bad-latency",
            Fault::Gap => "bad-gap",
            Fault::AfterFinal => "after-final",
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id())
    }
}

/// Reads a bundle and verifies that `node` signed it. The tree is verified as received: unknown members count.
pub fn signed(tree: &Value, node: NodeId) -> Result<Signed, Fault> {
    let key = node.key().ok_or(Fault::Signature)?;
    envelope::verify(tree, envelope::NODE_SIG, envelope::context::METERING, [&key]).map_err(|_| Fault::Signature)?;
    let bundle: Bundle = serde_json::from_value(tree.clone()).map_err(|_| Fault::Members)?;
    if bundle.node_id != node {
        return Err(Fault::Addressee);
    }
    let canonical = json::canonical(tree);
    let hash = Hash::of(&canonical);
    Ok(Signed { bundle, canonical, hash })
}

/// Whether `bundle` is the next one after `head`.
pub fn continues(bundle: &Bundle, head: Head) -> bool {
    head.seq.checked_add(1) == Some(bundle.seq) && bundle.prev_hash == head.hash
}

/// Everything that follows from the bundle alone.
pub fn consistent(bundle: &Bundle) -> Result<(), Fault> {
    let Bundle { window_start: start, window_end: end, .. } = *bundle;
    let last = end.checked_sub(1).filter(|last| *last >= start).ok_or(Fault::Window)?;
    if start / WINDOW_SEC != last / WINDOW_SEC {
        return Err(Fault::Window);
    }
    let (mut ingress, mut egress, mut requests, mut errors) = (0u64, 0u64, 0u64, 0u64);
    let mut after = None;
    for &(second, b_in, b_out, b_requests, b_errors) in &bundle.buckets {
        let empty = (b_in, b_out, b_requests, b_errors) == (0, 0, 0, 0);
        if empty || second < start || second >= end || after.is_some_and(|a| second <= a) || b_errors > b_requests {
            return Err(Fault::Buckets);
        }
        after = Some(second);
        let add = |sum: &mut u64, part: u64| sum.checked_add(part).map(|s| *sum = s).ok_or(Fault::Totals);
        add(&mut ingress, b_in)?;
        add(&mut egress, b_out)?;
        add(&mut requests, b_requests)?;
        add(&mut errors, b_errors)?;
    }
    if (ingress, egress, requests) != (bundle.bytes_ingress, bundle.bytes_egress, bundle.requests) {
        return Err(Fault::Totals);
    }
    #[allow(clippy::cast_precision_loss)] // integers of the wire are below 2^53
    let rate = if requests == 0 { 0.0 } else { errors as f64 * 100.0 / requests as f64 };
    let given = bundle.error_rate_pct;
    if !(0.0..=100.0).contains(&given) || (given - rate).abs() > FRACTION || (given - json::milli(given)).abs() > 1e-9 {
        return Err(Fault::ErrorRate);
    }
    match (bundle.latency_ms_p50, bundle.latency_ms_p95) {
        (None, None) => {}
        (Some(p50), Some(p95)) if p50 <= p95 && requests > 0 => {}
        _ => return Err(Fault::Latency),
    }
    if let Some((from, to)) = &bundle.gap {
        match (time::from_rfc3339(from), time::from_rfc3339(to)) {
            (Some(from), Some(to)) if from <= to => {}
            _ => return Err(Fault::Gap),
        }
    }
    Ok(())
}

/// Whether the window lies within the session's life and not in the future.
pub fn timely(bundle: &Bundle, opened_at: u64, now: u64) -> Result<(), Fault> {
    let early = bundle.window_end.saturating_add(AHEAD_SEC) < opened_at;
    if early || bundle.window_end > now.saturating_add(AHEAD_SEC) { Err(Fault::Time) } else { Ok(()) }
}

/// Failed tunnels of the window.
pub fn errors(bundle: &Bundle) -> u64 {
    bundle.buckets.iter().map(|b| b.4).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing;
    use super::*;

    const START: u64 = 1_800_000_000;

    #[test]
    fn a_good_bundle_passes_and_each_lie_is_named() {
        let good = testing::bundle(1, "s", 1, None, START);
        assert_eq!(consistent(&good), Ok(()));
        let lie = |change: &dyn Fn(&mut Bundle)| {
            let mut bundle = good.clone();
            change(&mut bundle);
            consistent(&bundle)
        };
        assert_eq!(lie(&|b| b.bytes_ingress += 1), Err(Fault::Totals));
        assert_eq!(lie(&|b| b.bytes_egress -= 1), Err(Fault::Totals));
        assert_eq!(lie(&|b| b.requests += 1), Err(Fault::Totals));
        assert_eq!(lie(&|b| b.buckets.reverse()), Err(Fault::Buckets));
        assert_eq!(lie(&|b| b.buckets[0].0 = START - 1), Err(Fault::Buckets));
        assert_eq!(lie(&|b| b.buckets[1].0 = START + 300), Err(Fault::Buckets));
        assert_eq!(lie(&|b| b.buckets.push((START + 9, 0, 0, 0, 0))), Err(Fault::Buckets));
        assert_eq!(lie(&|b| b.window_end = START), Err(Fault::Window));
        assert_eq!(lie(&|b| b.window_end = 0), Err(Fault::Window));
        assert_eq!(lie(&|b| b.window_end = START + 301), Err(Fault::Window));
        assert_eq!(lie(&|b| b.window_start = START - 1), Err(Fault::Window));
        assert_eq!(lie(&|b| b.error_rate_pct = 50.01), Err(Fault::ErrorRate));
        assert_eq!(lie(&|b| b.error_rate_pct = f64::NAN), Err(Fault::ErrorRate));
        assert_eq!(lie(&|b| b.latency_ms_p50 = Some(9_999)), Err(Fault::Latency));
        assert_eq!(lie(&|b| b.latency_ms_p50 = None), Err(Fault::Latency));
        assert_eq!(lie(&|b| b.gap = Some(("x".into(), "y".into()))), Err(Fault::Gap));
        assert_eq!(timely(&good, START - 600, START + 300), Ok(()));
        assert_eq!(timely(&good, START - 600, START), Err(Fault::Time));
        assert_eq!(timely(&good, START + 600, START + 300), Err(Fault::Time));
    }

    #[test]
    fn a_signature_covers_every_member() {
        let tree = testing::signed_bundle(1, &testing::bundle(1, "s", 1, None, START));
        let node = testing::id(1);
        assert!(signed(&tree, node).is_ok());
        assert_eq!(signed(&tree, testing::id(2)).unwrap_err(), Fault::Signature);
        let mut more = tree.clone();
        more["extra"] = true.into();
        assert_eq!(signed(&more, node).unwrap_err(), Fault::Signature);
        let other = testing::signed_bundle(1, &testing::bundle(2, "s", 1, None, START));
        assert_eq!(signed(&other, node).unwrap_err(), Fault::Addressee);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn no_numbers_make_it_panic(start: u64, end: u64, buckets in proptest::collection::vec(any::<(u64, u64, u64, u64, u64)>(), 0..4), sum: u64, rate: f64) {
            let mut bundle = testing::bundle(1, "s", 1, None, START);
            (bundle.window_start, bundle.window_end, bundle.buckets) = (start, end, buckets);
            (bundle.bytes_ingress, bundle.error_rate_pct) = (sum, rate);
            let _ = (consistent(&bundle), timely(&bundle, end, start), errors(&bundle));
        }
    }
}
