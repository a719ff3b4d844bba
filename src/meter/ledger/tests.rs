//! The ledger as a whole: sessions beside each other, bounds, caps, what outlives a restart.

use super::*;
use crate::codec::json;
use crate::core::Reason;
use crate::meter::bundle::Bundle;
use crate::meter::image::Image;

const W: u64 = 1_766_152_800;

struct Signer(SigningKey, NodeId);

fn signer() -> Signer {
    let key = SigningKey::from_bytes(&[9; 32]);
    let id = NodeId::from(&key.verifying_key());
    Signer(key, id)
}

impl Signer {
    fn next(&self, ledger: &mut Ledger, id: &str) -> Option<(Signed, Bundle)> {
        ledger.journaled();
        let signed = ledger.next_bundle(id, &self.0, self.1)?;
        let bundle = json::from_slice(&signed.body).unwrap();
        Some((signed, bundle))
    }
}

fn line(t: u64) -> Line {
    Line { t, host_hash: Hash::of(b"h"), port: 443, status: 502, reason: Some(Reason::DialFailed), ingress: 1, egress: 2, ms: 3 }
}

#[test]
fn sessions_never_wait_for_each_other_and_a_settled_one_leaves_its_receipt() {
    let s = signer();
    let mut l = Ledger::new();
    for id in ["a", "b"] {
        l.open(id, Vec::new(), W).unwrap();
        l.add(id, W + 1, 5, 6);
    }
    assert_eq!(l.next_seal(), Some(W + 300));
    l.seal_due(W + 300);
    assert_eq!(l.next_seal(), None);
    assert!(l.due(W + 400, 30).is_empty(), "not in the journal yet");
    l.journaled();
    assert_eq!((l.next_send(W + 329, 30), l.due(W + 329, 30)), (Some(W + 330), vec![]));
    assert_eq!(l.due(W + 330, 30), ["a", "b"]);
    let (a, _) = s.next(&mut l, "a").unwrap();
    l.finish("b", W + 310);
    let (b, bundle) = s.next(&mut l, "b").unwrap();
    assert!(!bundle.is_final, "the oldest first");
    assert_eq!(l.acked("b", b.seq, b.hash, Vec::new()), Acked::Left);
    assert_eq!(l.acked("b", a.seq, a.hash, Vec::new()), Acked::Unknown);
    let (b, bundle) = s.next(&mut l, "b").unwrap();
    assert!(bundle.is_final);
    assert_eq!(l.acked("b", b.seq, b.hash, b"answer".to_vec()), Acked::Settled);
    assert!(l.session("b").is_none());
    assert_eq!(l.receipts().map(|(id, r)| (id, r.seq)).collect::<Vec<_>>(), [("b", 2)]);
    assert_eq!(l.spooled(), 1);
}

#[test]
fn a_bundle_tells_what_happened() {
    let s = signer();
    let mut l = Ledger::new();
    l.open("a", Vec::new(), W).unwrap();
    l.add("a", W + 1, 5, 6);
    l.outcome("a", W + 1, false, Some(40));
    l.outcome("a", W + 2, true, None);
    l.outcome("a", W + 2, false, Some(60));
    l.denied("a", W + 3);
    l.closed("a", line(W + 4));
    assert_eq!(l.qos(W + 5).error_rate_pct, 33.333);
    let chain = l.session("a").unwrap();
    assert_eq!((chain.latency(), chain.totals().error_rate_pct(), chain.totals().denied), ((Some(40), Some(60)), 33.333, 1));
    assert_eq!(chain.totals().today(W), 11);
    l.seal_due(W + 300);
    assert_eq!(l.session("a").unwrap().latency(), (Some(40), Some(60)), "the last that had a sample");
    let (_, b) = s.next(&mut l, "a").unwrap();
    assert_eq!(b.buckets, [(W + 1, 5, 6, 1, 0), (W + 2, 0, 0, 2, 1)]);
    assert_eq!((b.requests, b.denied, b.error_rate_pct), (3, 1, 33.333));
    assert_eq!((b.latency_ms_p50, b.latency_ms_p95), (Some(40), Some(60)));
    assert_eq!(b.access_log_hash, Hash::of(&line(W + 4).text()));
    assert!(l.export().last().unwrap().contains(&b.access_log_hash.to_string()), "the export can be checked against the bundle");
    assert_eq!(b.node_id, s.1);
}

#[test]
fn a_relayed_byte_costs_two_on_the_uplink() {
    let mut l = Ledger::new();
    l.open("a", Vec::new(), W).unwrap();
    l.add("a", W, 10, 5);
    l.add("unknown", W, 1000, 1000);
    l.probed(W, 7);
    assert_eq!((l.usage().today(W), l.usage().this_month(W)), (37, 37));
    assert_eq!(l.rate(W + 1), (10 * 8 / 5, 5 * 8 / 5));
    assert_eq!(l.series(W + 1).sessions.last(), Some(&1));
    l.finish("a", W + 1);
    l.add("a", W + 1, 1000, 1000);
    assert_eq!(l.usage().today(W), 37, "nothing counts after the end");
    assert_eq!(l.series(W + 2).sessions.last(), Some(&0));
}

#[test]
fn full_is_told_and_nothing_is_evicted() {
    let mut l = Ledger::new();
    for n in 0..MOST_SESSIONS {
        l.open(&n.to_string(), Vec::new(), W).unwrap();
    }
    assert_eq!(l.open("one more", Vec::new(), W), Err(OpenError::Full));
    l.open("7", b"new policy".to_vec(), W).unwrap();
    assert_eq!(l.session("7").unwrap().definition(), b"new policy");
    assert_eq!(l.open("8", vec![0; MOST_DEFINITION + 1], W), Err(OpenError::TooLong));
    assert_eq!(l.open(&"x".repeat(MOST_ID + 1), Vec::new(), W), Err(OpenError::TooLong));
    for n in 0..MOST_DEFINITIONS / MOST_DEFINITION {
        l.open(&n.to_string(), vec![0; MOST_DEFINITION], W).unwrap();
    }
    assert_eq!(l.open("200", vec![0; MOST_DEFINITION], W), Err(OpenError::Full));
    assert!(l.forget("200", W));
    l.open("one more", Vec::new(), W).unwrap();
    l.add("9", W, 1, 1);
    assert!(!l.forget("9", W), "something was counted");
    l.finish("9", W + 1);
    assert_eq!(l.open("9", Vec::new(), W), Err(OpenError::Closed));
    assert!(!l.has_room("9") && l.has_room("10") && !l.has_room("unknown"));
}

#[test]
fn an_outage_past_every_lease_ends_new_tunnels_only() {
    let mut l = Ledger::new();
    for id in ["a", "b"] {
        l.open(id, Vec::new(), W).unwrap();
    }
    for n in 0..SPOOL_ROOM as u64 {
        assert!(l.has_room("a"));
        l.add("a", W + 300 * n, 1, 1);
        l.seal_due(W + 300 * (n + 1));
    }
    assert!(!l.has_room("a") && l.has_room("b"));
    l.add("a", W + 300 * 40, 1, 1);
    assert_eq!(l.session("a").unwrap().totals().ingress, SPOOL_ROOM as u64 + 1);
}

#[test]
fn the_clocks_step_closes_every_window() {
    let mut l = Ledger::new();
    for id in ["a", "b"] {
        l.open(id, Vec::new(), W).unwrap();
        l.add(id, W + 5, 1, 1);
    }
    l.clock(0, W + 6);
    assert_eq!(l.spooled(), 0);
    l.clock(1, W + 600);
    l.clock(1, W + 600);
    assert_eq!((l.spooled(), l.next_seal(), l.next_send(W + 1000, 60)), (2, None, Some(W + 6)));
}

#[test]
fn refusals_are_kept_aside_and_bounded() {
    let s = signer();
    let mut l = Ledger::new();
    l.open("a", Vec::new(), W).unwrap();
    for n in 0..MOST_ASIDE as u64 + 2 {
        l.add("a", W + 300 * n, n, 1);
        l.seal_due(W + 300 * (n + 1));
        assert_eq!(l.refused("a", 1, "x"), None, "nothing was handed out");
        let (signed, _) = s.next(&mut l, "a").unwrap();
        assert_eq!(l.refused("a", signed.seq, &"ä".repeat(MOST_REASON)), Some(false));
    }
    assert_eq!(l.aside().count(), MOST_ASIDE);
    let first = l.aside().next().unwrap();
    assert_eq!((first.reason.len(), first.sealed.sums().ingress, first.head), (MOST_REASON, 2, Head::NONE));
    l.finish("a", W);
    let (signed, _) = s.next(&mut l, "a").unwrap();
    assert_eq!(l.refused("a", signed.seq, ""), Some(true), "with its last bundle the session is settled");
    assert!(l.session("a").is_none());
}

#[test]
fn a_session_the_coordinator_knew_continues_its_chain_and_states_what_was_lost() {
    let s = signer();
    let there = Head { seq: 3, hash: Some(Hash::of(b"h")) };
    let mut l = Ledger::restore(Image::default(), false, Some(Lost { from: W, restart: W + 100 }));
    l.on_head("old", there, &s.0, s.1);
    for id in ["old", "new"] {
        l.open(id, Vec::new(), W + 100).unwrap();
        l.add(id, W + 110, 1, 1);
        l.finish(id, W + 120);
    }
    let (_, old) = s.next(&mut l, "old").unwrap();
    assert_eq!((old.seq, old.prev_hash, old.gap.is_some()), (4, there.hash, true));
    let (_, new) = s.next(&mut l, "new").unwrap();
    assert_eq!((new.seq, new.prev_hash, new.gap), (1, None, None));
}

#[test]
fn a_final_bundle_the_coordinator_has_already_settles_the_session() {
    let s = signer();
    let mut l = Ledger::new();
    l.open("a", Vec::new(), W).unwrap();
    l.finish("a", W + 120);
    let (signed, _) = s.next(&mut l, "a").unwrap();
    let synced = l.on_head("a", Head { seq: 1, hash: Some(signed.hash) }, &s.0, s.1);
    assert_eq!((synced.settled, synced.dropped.windows), (true, 1));
    assert!(l.session("a").is_none());
}

#[test]
fn nodes_do_not_all_send_at_once() {
    let offsets: std::collections::BTreeSet<u32> =
        (0..200u8).map(|n| send_offset(&NodeId::from(&SigningKey::from_bytes(&[n; 32]).verifying_key()))).collect();
    assert!(offsets.len() > 40 && offsets.iter().all(|&o| o <= 60), "{offsets:?}");
}
