//! What follows from a metering bundle alone, or from it and the one before: signature, chain, totals. Used by the
//! coordinator when a bundle arrives, and by whoever checks the books afterwards.

use serde_json::Value;

use super::bucket::LENGTH;
use super::bundle::{Bundle, Head};
use crate::codec::{Hash, NodeId, envelope, json, time};

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

/// What is wrong with a bundle.
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
    let bundle: Bundle = json::read(tree).map_err(|_| Fault::Members)?;
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
    if start / LENGTH != last / LENGTH {
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
