//! Where the node is seen against where its owner offers it.

use serde_json::json;

use crate::support::buyer::{wish, wish_with};
use crate::support::world::{RAW, SHOP};
use crate::support::{Plan, World, script, until};

#[track_caller]
fn observe(world: &World, place: &[&str]) {
    let node = world.node.status()["nodeId"].as_str().unwrap().to_owned();
    world.operator(&[&["geo", &node], place].concat());
}

#[test]
fn a_mismatch_refuses_at_once_and_ends_in_quarantine_when_it_lasts() {
    // Five heartbeats of two seconds: time to see what comes before.
    let world = World::start(Plan { heartbeat: 2, ..Plan::default() });
    script::origin(world.raw());
    let session = world.market.open(&wish());
    let door = world.door(&session);
    let confidence = || world.node.status()["qos"]["geoConfidence"].as_f64();
    assert_eq!(confidence(), Some(0.5), "the owner's word, and the claim told back");
    observe(&world, &["PH-NCR", "0.9"]);
    until("a surer word", || (confidence() == Some(0.74)).then_some(()));
    std::fs::write(world.node.run_dir.join("uplink-country"), "PH\n").unwrap();
    until("the uplink's country counts too", || (confidence() == Some(0.84)).then_some(()));
    std::fs::remove_file(world.node.run_dir.join("uplink-country")).unwrap();
    let mut live = script::tunnel(&door, RAW, script::ECHO);

    observe(&world, &["DE", "0.95"]);
    let seen = until("the mismatch is seen", || Some(world.node.status()["geo"].take()).filter(|g| !g["mismatch"].is_null()));
    assert_eq!((&seen["observed"], &seen["observedConfidence"]), (&json!("DE"), &json!(0.95)));
    let (answer, _) = door.connect(SHOP).unwrap();
    assert_eq!((answer.status, answer.header("echomesh-reason")), (403, Some("geo")));
    let alert = world.node.alert("geo").unwrap();
    assert!(
        alert["message"].as_str().unwrap().contains("DE (confidence 0.95)") && alert["remedy"].as_str().unwrap().contains("region_allow"),
        "{alert}"
    );
    let explained = world.node.get(&format!("/policy/explain?host=shop.example.test&port=8443&session={}", session.id)).json();
    assert_eq!((&explained["allowed"], &explained["reason"]), (&json!(false), &json!("geo")), "{explained}");
    assert!(explained["rule"].as_str().unwrap().contains("DE"), "{explained}");

    let quarantine = until("it lasts", || world.node.quarantine());
    assert!(quarantine["reason"].as_str().unwrap().contains("DE") && quarantine["until"].is_null(), "{quarantine}");
    assert!(quarantine["remedy"].as_str().unwrap().contains("clear-quarantine"), "{quarantine}");
    assert_eq!(live.rest(), b"", "the live tunnel ended");
    assert!(world.node.refusals("quarantine") >= 1);
    let (answer, _) = door.connect(SHOP).unwrap();
    assert_eq!((answer.status, answer.header("echomesh-reason")), (503, Some("quarantine")));
    assert_eq!(world.node.alert("quarantine").unwrap()["severity"], "critical");
    assert_eq!(world.node.metric("echomesh_quarantine"), 1.0);
    until("the coordinator hears of it", || (world.operator(&["nodes"])["nodes"][0]["state"] == "quarantine").then_some(()));
    until("what was counted is handed in", || (world.market.seen(&session)["state"] == "settled").then_some(()));
    let next = world.market.order(&wish());
    assert!(world.node.said(&["status"]).contains("in quarantine"));

    // Cleared while the cause persists: it has to last again, and comes back.
    assert!(!world.node.said(&["control", "clear-quarantine"]).contains("quarantine"));
    assert!(!world.node.cli(&["control", "clear-quarantine"]).status.success(), "there is none to clear");
    assert!(world.node.quarantine().is_none());
    until("it comes back", || world.node.quarantine());
    assert_ne!(world.market.seen(&next)["state"], "active", "offered or not, it was not taken");
    observe(&world, &["none"]);
    until("the mismatch is over", || world.node.status()["geo"]["mismatch"].is_null().then_some(()));
    assert!(world.node.quarantine().is_some(), "which alone ends no quarantine");
    world.node.said(&["control", "clear-quarantine"]);
    let served = world.market.open(&wish());
    assert_eq!(world.door(&served).connect(SHOP).unwrap().0.status, 200);
    assert!(world.node.alert("quarantine").is_none() && world.node.alert("geo").is_none());
}

#[test]
fn a_session_for_another_place_than_the_observed_one_is_not_taken() {
    let mut world = World::without_node(Plan::default());
    world.node.settings.add("node", "region_allow", "DE");
    world.node.write_settings();
    world.node.start();
    observe(&world, &["DE-Bayern", "0.95"]);
    until("it is heard", || (world.node.status()["geo"]["observed"] == "DE-Bayern").then_some(()));
    let refused = world.market.order(&wish());
    until("the node says why", || {
        let sessions = world.operator(&["sessions"]);
        let row = sessions["sessions"].as_array()?.iter().find(|s| s["sessionId"] == refused.id.as_str())?.clone();
        (row["refusals"][0]["reason"] == "geo").then_some(())
    });
    assert!(world.node.status()["geo"]["mismatch"].is_null(), "the owner offers it there, too");
    let served = world.market.open(&wish_with(&json!({"region": "DE"})));
    assert_eq!(world.door(&served).connect(SHOP).unwrap().0.status, 200);
}
