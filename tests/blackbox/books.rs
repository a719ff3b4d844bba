//! The books can be checked by who trusts neither side: exports of node and coordinator, receipts, one changed byte.

use std::path::{Path, PathBuf};

use serde_json::Value;

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
