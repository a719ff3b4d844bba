//! Exports as nodes and coordinators write them, and what becomes of a check when a byte is another.

use ed25519_dalek::SigningKey;
use proptest::prelude::*;

use super::report::Finding;
use super::verify::verify;
use super::*;
use crate::codec::{Hash, envelope};
use crate::core::Reason;
use crate::meter::Ledger;
use crate::meter::access_log::Line;

const W: u64 = 1_766_152_800;

fn key(n: u8) -> (SigningKey, NodeId) {
    let key = SigningKey::from_bytes(&[n; 32]);
    let id = NodeId::from(&key.verifying_key());
    (key, id)
}

/// The coordinator's answer to a bundle, as the node keeps it.
fn evidence(node: NodeId, session: &str, signed: &Signed) -> Vec<u8> {
    let body =
        json!({ "ack": Hash::of(&signed.body), "nodeId": node, "sessionId": session, "seq": signed.seq, "time": time::rfc3339(W + 301) }).to_string();
    let answer = envelope::Answer { status: 200, nonce: "bm9uY2U", body: body.as_bytes(), time: W + 301 };
    let signature = envelope::sign_text(&answer.text(), &key(2).0);
    serde_json::to_vec(&json!({ "nonce": "bm9uY2U", "time": W + 301, "body": body, "signature": signature })).unwrap()
}

/// The books of a node that carried `windows` windows, with `lines` lines of its log in each.
fn books(windows: u64, lines: u64) -> Vec<u8> {
    let (key, node) = key(1);
    let mut ledger = Ledger::new();
    ledger.open("s", Vec::new(), W).unwrap();
    for window in 0..windows {
        let start = W + window * 300;
        ledger.add("s", start + 1, 5_000, 60);
        ledger.outcome("s", start + 1, false, Some(12));
        for n in 0..lines {
            let line = Line {
                t: start + n,
                host_hash: Hash::of(b"h"),
                port: 443,
                status: 403,
                reason: Some(Reason::Category),
                ingress: n,
                egress: 2,
                ms: 3,
            };
            ledger.closed("s", line);
        }
        ledger.seal_due(start + 300);
        ledger.journaled();
        let signed = ledger.next_bundle("s", &key, node).unwrap();
        ledger.acked("s", signed.seq, signed.hash, evidence(node, "s", &signed));
    }
    file(ledger.books(&key, node, Some(W + 10_000)))
}

fn file(lines: impl Iterator<Item = String>) -> Vec<u8> {
    lines.flat_map(|l| (l + "\n").into_bytes()).collect()
}

fn check(file: &[u8]) -> Result<report::Report, Finding> {
    verify(file, key(1).1, &[key(2).1])
}

/// The file with its checks written anew, as who forges it would.
fn forged(file: &[u8]) -> Vec<u8> {
    let lines = String::from_utf8_lossy(file).into_owned();
    let kept = lines.lines().filter(|l| !l.starts_with(CHECKS) && !l.starts_with(END)).map(str::to_owned).collect::<Vec<_>>();
    self::file(checked(kept.into_iter()))
}

/// `text` in place of its first `was`, in the first line that holds `within`.
fn replaced(file: &[u8], within: &str, was: &str, is: &str) -> (Vec<u8>, usize) {
    let text = String::from_utf8(file.to_vec()).unwrap();
    let line = text.lines().find(|l| l.contains(within) && l.contains(was)).unwrap_or_else(|| panic!("{within} {was}"));
    let start = line.as_ptr() as usize - text.as_ptr() as usize;
    let at = start + line.find(was).unwrap();
    ([&text[..at], is, &text[at + was.len()..]].concat().into_bytes(), at)
}

#[test]
fn a_whole_export_holds_and_says_what_it_holds() {
    let good = books(70, 1);
    let report = check(&good).unwrap();
    assert_eq!((report.sessions, report.bundles, report.bytes_ingress, report.bytes_egress), (1, 64, 64 * 5_000, 64 * 60), "64 are kept");
    assert_eq!((report.receipts, report.receipts_checked, report.complete), (1, 1, 0));
    assert_eq!((report.log_lines, report.chunks, report.chunks_whole, report.chunks_signed), (70, 70, 70, 64));
    let unchecked = verify(&good, key(1).1, &[]).unwrap();
    assert_eq!((unchecked.receipts, unchecked.receipts_checked), (1, 0));
    assert!(verify(&good, key(3).1, &[]).unwrap_err().what.contains("is the export of node"));
    assert!(verify(&good, key(1).1, &[key(3).1]).unwrap_err().what.contains("no key given"));
    assert_eq!(check(&books(0, 0)).unwrap().bundles, 0, "an empty one is one");
    assert_eq!(forged(&good), good);
}

#[test]
fn every_flipped_bit_of_every_byte_is_found_and_named() {
    let good = books(2, 1);
    assert!(good.len() > 1500);
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        let found = check(&bad).unwrap_err();
        assert_eq!((found.offset, found.is, found.was), (at, Some(bad[at]), Some(good[at])), "{found}");
    }
}

#[test]
fn line_ends_that_come_and_go_are_named_in_long_exports_too() {
    let good = books(30, 2);
    let ends: Vec<usize> = (0..good.len()).filter(|at| good[*at] == b'\n').collect();
    for at in ends {
        let mut bad = good.clone();
        bad[at] = b' ';
        let found = check(&bad).unwrap_err();
        assert_eq!((found.offset, found.was), (at, Some(b'\n')), "{found}");
    }
    for at in (0..good.len() - 1).step_by(97) {
        let mut bad = good.clone();
        bad[at] = b'\n';
        let Err(found) = check(&bad) else {
            assert_eq!(bad, good);
            continue;
        };
        assert_eq!((found.offset, found.was), (at, Some(good[at])), "{found}");
    }
}

#[test]
fn a_cut_or_lengthened_export_says_so() {
    let good = books(3, 2);
    for length in (0..good.len()).step_by(13) {
        let found = check(&good[..length]).unwrap_err();
        assert!(found.what.contains("truncated"), "{length}: {found}");
    }
    let longer = [&good[..], b"more\n"].concat();
    let found = check(&longer).unwrap_err();
    assert!(found.what.contains("follows the end") && found.offset == good.len(), "{found}");
    // A line taken out whole, its neighbours joined up.
    let text = String::from_utf8(good).unwrap();
    let without: String = text.lines().enumerate().filter(|(n, _)| *n != 2).map(|(_, l)| format!("{l}\n")).collect();
    assert_eq!(check(without.as_bytes()).unwrap_err().line, 3);
    assert!(check(&forged(without.as_bytes())).is_ok(), "of a node's own export some bundles may be gone: it never keeps all");
}

#[test]
fn who_writes_the_checks_anew_is_found_by_what_is_signed() {
    let good = books(3, 2);
    for (within, was, is, told) in [
        ("\"seq\":1", "\"bytesIngress\":5000", "\"bytesIngress\":6000", "bytesIngress of bundle 1"),
        ("\"seq\":2", "5000,60", "5001,60", "buckets of bundle 2"),
        ("\"seq\":3", "\"bytesEgress\":60", "\"bytesEgress\":61", "bytesEgress of bundle 3"),
        ("\"host\"", "\"out\":2", "\"out\":9", "out of log line"),
        ("\"chunk\"", "\"accessLogHash\":\"b3:", "\"accessLogHash\":\"b3;", "accessLogHash is no hash"),
        ("\"receipt\"", "T14:05:01Z", "T14:05:00Z", "receipt of session s"),
    ] {
        let (bad, at) = replaced(&good, within, was, is);
        let found = check(&forged(&bad)).unwrap_err();
        assert!(found.what.contains(told), "{found}");
        if found.is.is_some() {
            let off = was.bytes().zip(is.bytes()).position(|(a, b)| a != b).unwrap();
            assert_eq!((found.offset, found.was), (at + off, Some(was.as_bytes()[off])), "{found}");
        } else {
            assert_eq!(within, "\"chunk\"", "{found}");
        }
    }
    // More than a byte: the line, and what of it does not follow.
    let (bad, _) = replaced(&good, "\"seq\":2", "5000,60", "7777,60");
    let found = check(&forged(&bad)).unwrap_err();
    assert!(found.is.is_none() && found.what.contains("bundle 2 of session s: bad-signature"), "{found}");
    assert!(check(&bad).unwrap_err().what.contains("bundle 2 of session s"));
}

#[test]
fn a_receipt_of_another_bundle_is_no_receipt_of_this_one() {
    let good = String::from_utf8(books(2, 0)).unwrap();
    // Without the newest bundle the receipt stands alone, which is no fault; with another in its place it is one.
    let other = String::from_utf8(books(1, 0)).unwrap();
    let receipt = |text: &str| text.lines().find(|l| l.contains("\"receipt\"")).unwrap().to_owned();
    let mixed = good.replace(&receipt(&good), &receipt(&other));
    assert!(check(&forged(mixed.as_bytes())).is_ok());
    let lying = receipt(&good).replace("\\\"seq\\\":2", "\\\"seq\\\":1");
    let lying = good.replace(&receipt(&good), &lying);
    let found = verify(&forged(lying.as_bytes()), key(1).1, &[]).unwrap_err();
    assert!(found.what.contains("acknowledged another bundle 1"), "{found}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn whatever_is_done_to_it_it_is_noticed_and_nothing_panics(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0usize..3), 1..4), anew in prop::bool::weighted(0.2),
    ) {
        let good = books(2, 1);
        let mut bad = good.clone();
        for (at, byte, how) in cuts {
            let at = at.index(bad.len().max(1));
            match how {
                0 => bad[at] = byte,
                1 => bad.insert(at, byte),
                _ => drop(bad.drain(at..(at + usize::from(byte)).min(bad.len()))),
            }
            if bad.is_empty() {
                bad.push(b'{');
            }
        }
        prop_assert_eq!(check(&bad).is_ok(), bad == good);
        if anew {
            let _ = check(&forged(&bad));
        }
    }

    #[test]
    fn bytes_that_are_no_export_are_told_so(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(check(&bytes).is_err());
        prop_assert!(check(&forged(&bytes)).is_err());
    }
}
