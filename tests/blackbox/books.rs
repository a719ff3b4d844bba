//! The books can be checked by who trusts neither side: exports of node and coordinator, receipts, one changed byte.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use echomesh::codec::{NodeId, envelope, time};
use echomesh::core::Clock;
use echomesh::meter::Journal;
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};

use crate::support::buyer::wish;
use crate::support::{Plan, Session, World, process, until};

/// Opens a session, carries `n` bytes and a refusal in it, and sees it settled.
pub fn settled(world: &World, n: u64) -> Session {
    let session = world.market.open(&wish());
    let door = world.door(&session);
    world.fetch(&door, n);
    assert_eq!(door.connect("www.blocked.test:8443").unwrap().0.status, 403);
    until("all tunnels are over", || (world.node.tunnels() == 0).then_some(()));
    world.market.close(&session);
    until("the session settles", || (world.market.seen(&session)["state"] == "settled").then_some(()));
    until("the node has the receipt", || world.node.said(&["receipts"]).contains(&session.id).then_some(()));
    session
}

fn node_id(world: &World) -> String {
    world.node.status()["nodeId"].as_str().unwrap().to_owned()
}

fn coordinator_key(world: &World) -> String {
    world.operator(&["key", "show"])["key"].as_str().unwrap().to_owned()
}

/// `echomesh verify --json`: its exit code and what it says.
fn verify(file: &Path, node: &str, coordinator: Option<&str>) -> (Option<i32>, Value) {
    let mut args = vec!["verify", file.to_str().unwrap(), "--node", node, "--json"];
    args.extend(coordinator.into_iter().flat_map(|key| ["--coordinator", key]));
    let output = process::run(args);
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", process::text(&output.stderr))))
}

fn exports(world: &World) -> (PathBuf, PathBuf) {
    let (own, booked) = (world.folder.join("own"), world.folder.join("booked"));
    world.node.said(&["logs", "export", "--out", own.to_str().unwrap()]);
    let dir = world.folder.join("coordinator");
    let said = process::said(["coordinator", "export", "--node", &node_id(world), "--dir", dir.to_str().unwrap()]);
    process::write(&booked, &said);
    (own, booked)
}

#[test]
fn both_sides_exports_hold_and_one_changed_byte_is_named() {
    let world = World::start(Plan::default());
    settled(&world, 300_007);
    settled(&world, 200_003);
    let (own, booked) = exports(&world);
    let (node, key) = (node_id(&world), coordinator_key(&world));
    let (code, said) = verify(&own, &node, Some(&key));
    assert_eq!((code, &said["holds"]), (Some(0), &true.into()), "{said}");
    let report = &said["report"];
    assert_eq!((&report["sessions"], &report["complete"], &report["receiptsChecked"]), (&2.into(), &2.into(), &2.into()), "{report}");
    assert_eq!((&report["chunksWhole"], &report["chunksSigned"]), (&report["chunks"], &report["chunks"]), "{report}");
    let (code, said) = verify(&booked, &node, Some(&key));
    assert_eq!(code, Some(0), "{said}");
    for member in ["bundles", "bytesIngress", "bytesEgress", "requests"] {
        assert_eq!(said["report"][member], report[member], "both sides say the same: {member}");
    }
    assert!(process::said(["verify", own.to_str().unwrap(), "--node", &node]).contains("give --coordinator KEY"));

    for file in [&own, &booked] {
        let good = std::fs::read(file).unwrap();
        for at in (0..good.len()).step_by(good.len() / 9) {
            let mut bad = good.clone();
            bad[at] = if bad[at] == b'7' { b'x' } else { b'7' };
            std::fs::write(file, &bad).unwrap();
            let (code, said) = verify(file, &node, Some(&key));
            assert_eq!((code, &said["holds"]), (Some(65), &false.into()));
            let finding = &said["finding"];
            assert_eq!((&finding["offset"], &finding["is"], &finding["was"]), (&at.into(), &bad[at].into(), &good[at].into()), "{finding}");
        }
        std::fs::write(file, &good[..good.len() / 2]).unwrap();
        let (code, said) = verify(file, &node, None);
        assert!(code == Some(65) && said["finding"]["what"].as_str().unwrap().contains("truncated"), "{said}");
    }
    let other = process::run(["verify", booked.to_str().unwrap(), "--node", &key]);
    assert_eq!(other.status.code(), Some(65));
    assert_eq!(process::run(["verify", "/nonexistent", "--node", &node]).status.code(), Some(66));
    assert_eq!(process::run(["verify", booked.to_str().unwrap(), "--node", "nobody"]).status.code(), Some(64));
}

#[test]
fn receipts_outlive_a_kill_and_stay_good() {
    let mut world = World::start(Plan::default());
    let session = settled(&world, 100_003);
    let before = world.node.said(&["receipts", "--json"]);
    until("the journal holds it", || {
        let flushed = std::fs::read(world.node.run_dir.join("journal")).unwrap();
        flushed.windows(4).any(|w| w == b"\"ack").then_some(())
    });
    world.node.running().kill();
    world.node.process = None;
    world.node.start();
    assert_eq!(world.node.said(&["receipts", "--json"]), before);
    let (own, _) = exports(&world);
    let (code, said) = verify(&own, &node_id(&world), Some(&coordinator_key(&world)));
    assert_eq!((code, &said["report"]["receiptsChecked"]), (Some(0), &1.into()), "{said}");
    assert_eq!(said["report"]["bundles"], 0, "bundles that left are not kept across a restart; the receipts are");
    assert!(before.contains(&session.id));
}

fn signed(member: &Value, context: &str) -> Value {
    let mut object = member.as_object().unwrap().clone();
    envelope::sign(&mut object, envelope::BUYER_SIG, context, &SigningKey::from_bytes(&[77; 32]));
    Value::Object(object)
}

fn registers_a_key(world: &World) {
    let key = NodeId::from(&SigningKey::from_bytes(&[77; 32]).verifying_key());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let wish = signed(&json!({"key": key, "time": time::rfc3339(now)}), envelope::context::BUYER_KEY);
    assert_eq!(world.market.call("POST", "/buyers/key", Some(&wish)).unwrap().status, 200);
}

/// Sends a record of each window of a settled session: what its bundles say, changed by `say`. The answers.
fn records(world: &World, session: &Session, say: impl Fn(u64) -> u64) -> Vec<Value> {
    let mut windows: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for bundle in world.operator(&["bundles", "--session", &session.id]).as_array().unwrap() {
        let start = time::from_rfc3339(bundle["windowStart"].as_str().unwrap()).unwrap();
        let window = windows.entry(start - start % 300).or_default();
        window.0 += bundle["bytesIngress"].as_u64().unwrap();
        window.1 += bundle["bytesEgress"].as_u64().unwrap();
    }
    let one = |(start, (ingress, egress)): (u64, (u64, u64))| {
        let record = json!({"sessionId": session.id, "windowStart": time::rfc3339(start), "bytesIngress": say(ingress), "bytesEgress": egress});
        let record = signed(&record, envelope::context::BUYER_USAGE);
        let answer = world.market.call("POST", "/buyers/usage", Some(&record)).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let again = world.market.call("POST", "/buyers/usage", Some(&record)).unwrap();
        assert_eq!(again.json(), answer.json(), "the same again");
        answer.json()
    };
    windows.into_iter().map(one).collect()
}

/// Bytes in that the node's journal holds of a session, read from a copy of it.
fn journaled(world: &World, session: &str) -> Option<u64> {
    let (run, state) = (world.folder.join("copy.run"), world.folder.join("copy.state"));
    for (from, to) in [(&world.node.run_dir, &run), (&world.node.state_dir, &state)] {
        std::fs::create_dir_all(to).unwrap();
        let _ = std::fs::copy(from.join("journal"), to.join("journal"));
    }
    let (_, ledger, _) = Journal::open(&run, &state, &Clock::system()).ok()?;
    ledger.session(session).map(|chain| chain.totals().ingress)
}

/// What the node counted is another when it is started again: a journal that its owner has helped along.
pub fn lies(world: &mut World, session: &str, more: u64) {
    world.node.running().kill();
    world.node.process = None;
    let clock = Clock::system();
    let (mut journal, mut ledger, _) = Journal::open(&world.node.run_dir, &world.node.state_dir, &clock).unwrap();
    assert!(ledger.session(session).is_some(), "the journal holds the session");
    ledger.add(session, clock.unix(), more, 0);
    journal.flush(&mut ledger, &clock).unwrap();
    drop(journal);
    world.node.start();
}

#[test]
fn a_buyers_record_lowers_the_credit_and_what_is_apart_is_disputed() {
    let mut world = World::start(Plan::default());
    let early = world.market.call(
        "POST",
        "/buyers/usage",
        Some(&json!({"sessionId": "x", "windowStart": "2026-01-31T12:00:00Z", "bytesIngress": 1, "bytesEgress": 1})),
    );
    assert_eq!(early.unwrap().status, 409, "no key yet");
    registers_a_key(&world);
    let credits = |world: &World, session: &Session| world.market.seen(session)["credits"].as_u64().unwrap();
    let disputes = |world: &World| world.operator(&["disputes"])["disputes"].as_array().unwrap().clone();

    let honest = settled(&world, 3_000_000);
    let before = credits(&world, &honest);
    assert!(records(&world, &honest, |n| n + 100).iter().all(|c| c["state"] == "agreed"));
    assert_eq!((credits(&world, &honest), disputes(&world).len()), (before, 0));

    let cheated = settled(&world, 3_000_000);
    let before = credits(&world, &cheated);
    records(&world, &cheated, |n| n / 2);
    let after = credits(&world, &cheated);
    assert!(after < before * 6 / 10 && after > before * 4 / 10, "the smaller count is paid: {before} {after}");
    assert!(disputes(&world).iter().all(|d| d["sessionId"] == cheated.id.as_str()));

    let inflated = world.market.open(&wish());
    world.fetch(&world.door(&inflated), 1_000_000);
    until("the tunnel is over", || (world.node.tunnels() == 0).then_some(()));
    until("the journal holds it", || (journaled(&world, &inflated.id)? >= 1_000_000).then_some(()));
    lies(&mut world, &inflated.id, 50_000_000);
    world.market.close(&inflated);
    until("the session settles", || (world.market.seen(&inflated)["state"] == "settled").then_some(()));
    let before = credits(&world, &inflated);
    let compared = records(&world, &inflated, |n| if n > 50_000_000 { n - 50_000_000 } else { n });
    let (after, seen) = (credits(&world, &inflated), disputes(&world));
    assert!(after < before / 10, "what the buyer did not move is not paid: {before} {after} {seen:?} {compared:?}");
    let found = seen.iter().find(|d| d["sessionId"] == inflated.id.as_str()).unwrap_or_else(|| panic!("{seen:?}"));
    assert!(found["withheld"].as_u64().unwrap() > 40_000, "{found}");

    world.coordinator_gone();
    world.coordinator_back();
    assert_eq!(disputes(&world), seen, "disputes are in the store");
}

#[test]
fn an_unannounced_purchase_agrees_with_what_an_honest_node_signs() {
    let world = World::start(Plan::default());
    let node = node_id(&world);
    let audits = || world.operator(&["audits"])["purchases"].as_array().unwrap().clone();
    let session = world.operator(&["audit", "--node", &node])["sessionId"].as_str().unwrap().to_owned();
    let done = until("the purchase is judged", || audits().into_iter().find(|p| p["sessionId"] == session.as_str() && p["result"] != "under-way"));
    assert_eq!(done["result"], "agreed", "{done}");
    assert!(done["boughtIngress"].as_u64().unwrap() > 64 * 1024, "{done}");
    assert!(done["signedIngress"].as_u64().unwrap() > 64 * 1024, "{done}");
    let seen = world.operator(&["sessions"]);
    let seen = seen["sessions"].as_array().unwrap().iter().find(|s| s["sessionId"] == session.as_str()).unwrap().clone();
    assert_eq!((&seen["phase"], &seen["reason"]), (&"settled".into(), &"buyer-closed".into()), "{seen}");
    assert!(seen["credits"].as_u64().unwrap() > 0, "it is paid like any other");

    // A node that is not asked for its port says no, which says nothing of it.
    world.node.said(&["config", "set", "network.port=443"]);
    let session = world.operator(&["audit", "--node", &node])["sessionId"].as_str().unwrap().to_owned();
    let done = until("the purchase is given up", || audits().into_iter().find(|p| p["sessionId"] == session.as_str() && p["result"] != "under-way"));
    assert_eq!(done["result"], "not-possible", "{done}");
    assert!(done["why"].as_str().unwrap().contains("port-not-allowed"), "{done}");
}
