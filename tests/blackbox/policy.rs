//! The operator changes a live session's limits, and the node applies them.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::buyer::wish_with;
use crate::support::world::{RAW, SHOP};
use crate::support::{Plan, World, http, process, script, until};

#[test]
fn new_limits_reach_a_live_node_and_its_live_tunnels() {
    let world = World::start(Plan::default());
    script::origin(world.raw());
    // 1 Mbit/s after 1 MB: 20 MB would take 150 s.
    let session = world.market.open(&wish_with(&json!({"maxMbps": 1, "burstMB": 1, "maxTunnels": 3})));
    let door = world.door(&session);
    let _held = script::tunnel(&door, RAW, script::ECHO);
    let (through, shop) = (door.clone(), world.shop.clone());
    let fetch = std::thread::spawn(move || {
        let began = Instant::now();
        let answer = through.https(&shop, SHOP, &http::request("GET", "/down/20000000", "shop.example.test", &[], b"")).unwrap();
        assert_eq!((answer.status, answer.body.len()), (200, 20_000_000));
        began.elapsed()
    });
    until("the slow tunnel flows", || (world.node.session(&session.id)?["bytesIngress"].as_u64()? > 100_000).then_some(()));
    let said = world.operator(&["policy", &session.id, "--max-mbps", "4000", "--burst-mb", "100"]);
    assert_eq!((&said["maxMbps"], &said["changed"]), (&json!(4000), &json!(true)));
    let fetching = fetch.join().unwrap();
    assert!(fetching < Duration::from_secs(60), "{fetching:?}");

    world.operator(&["policy", &session.id, "--max-tunnels", "1", "--expires-in", "1000"]);
    until("one tunnel is the most now", || (door.connect(SHOP).ok()?.0.status == 429).then_some(()));
    let expires = world.operator(&["sessions"])["sessions"][0]["expiresAt"].clone();
    assert_eq!(world.node.session(&session.id).unwrap()["expiresAt"], expires);
    assert!(world.node.refusals("tunnel-cap") >= 1);

    // The same again is no event; what is out of range or unknown is told and changes nothing.
    assert_eq!(world.operator(&["policy", &session.id, "--max-tunnels", "1"])["changed"], false);
    let dir = world.folder.join("coordinator");
    for (args, code) in [(vec![session.id.as_str(), "--max-mbps", "0"], 64), (vec!["none", "--max-mbps", "5"], 65), (vec![session.id.as_str()], 64)] {
        let mut all = vec!["coordinator", "policy"];
        all.extend(args.iter().copied());
        all.extend(["--dir", dir.to_str().unwrap()]);
        assert_eq!(process::run(all).status.code(), Some(code), "{args:?}");
    }
}

#[test]
fn new_limits_outlive_a_kill_of_the_coordinator() {
    let mut world = World::start(Plan::default());
    let session = world.market.open(&wish_with(&json!({"maxTunnels": 3})));
    world.coordinator_gone();
    // With no coordinator running, the command works on its folder; the node hears of it with the snapshot.
    world.operator(&["policy", &session.id, "--max-mbps", "6", "--expires-in", "1234"]);
    world.coordinator_back();
    let row = world.operator(&["sessions"])["sessions"][0].clone();
    assert_eq!((&row["maxMbps"], &row["maxTunnels"]), (&json!(6), &json!(3)));
    until("the node has it", || (world.node.session(&session.id)?["expiresAt"] == row["expiresAt"]).then_some(()));
}
