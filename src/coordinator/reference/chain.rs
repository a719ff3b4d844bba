//! Judges metering bundles as they arrive: what follows from a bundle itself is `meter::consistent`'s to say, here are its times.

pub use crate::meter::consistent::{Fault, Signed, consistent, continues, signed};

use crate::coordinator::wire::Bundle;

/// A window may end this much after the coordinator's time: the skew that requests may have.
const AHEAD_SEC: u64 = 120;

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
