//! The coordinator changes its key, and nodes follow: at once, and over restarts.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::support::buyer::wish;
use crate::support::world::SHOP;
use crate::support::{Plan, World, process, until};

/// A heartbeat was answered, verified, after this call began.
#[track_caller]
fn hears(world: &World) {
    let contact = || world.node.status()["coordinator"]["lastContact"].clone();
    let before = contact();
    until("another verified answer", || (contact() != before).then_some(()));
    assert_eq!(world.node.status()["coordinator"]["reachable"], true);
}

fn works(world: &World) {
    let session = world.market.open(&wish());
    until("a tunnel opens", || (world.door(&session).connect(SHOP).ok()?.0.status == 200).then_some(()));
    world.market.close(&session);
}

#[track_caller]
fn told(world: &World) {
    until("the node has heard of the successor", || (world.operator(&["key", "show"])["notTold"] == json!([])).then_some(()));
}

fn restart(world: &mut World) {
    world.node.running().kill();
    world.node.process = None;
    world.node.start();
}

#[test]
fn a_node_follows_a_new_key_over_restarts_of_both_sides() {
    let mut world = World::start(Plan::default());
    let file = world.node.state_dir.join("coordinator-keys");
    let first = world.operator(&["key", "rotate"]);
    assert_eq!(world.operator(&["key", "rotate"])["nextKey"], first["nextKey"], "one successor");
    told(&world);
    until("it is kept", || file.exists().then_some(()));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    hears(&world);

    // The announcement outlives the coordinator; the node is told again and writes nothing.
    let before = std::fs::metadata(&file).unwrap().modified().unwrap();
    world.coordinator_gone();
    world.coordinator_back();
    let key_of = |world: &World| world.operator(&["key", "show"])["key"].clone();
    assert_eq!(key_of(&world), first["key"]);
    told(&world);
    assert_eq!(std::fs::metadata(&file).unwrap().modified().unwrap(), before);

    let switched = world.operator(&["key", "switch"]);
    assert_eq!((&switched["key"], &switched["nextKey"]), (&first["nextKey"], &Value::Null));
    hears(&world);
    restart(&mut world);
    works(&world);
    world.coordinator_gone();
    world.coordinator_back();
    assert_eq!(key_of(&world), first["nextKey"]);
    world.node.state("running");
    works(&world);

    // A second change on top of the first.
    let second = world.operator(&["key", "rotate"]);
    told(&world);
    world.operator(&["key", "switch"]);
    restart(&mut world);
    works(&world);

    // The owner takes over the newest key: what was kept is dropped, and not needed.
    let newest = second["nextKey"].as_str().unwrap().to_owned();
    let kept = std::fs::read(&file).unwrap();
    world.node.settings.drop("coordinator", "key").add("coordinator", "key", &newest);
    world.node.write_settings();
    restart(&mut world);
    // A kill may have the announcement told once more, and kept under the new setting.
    assert_ne!(std::fs::read(&file).unwrap_or_default(), kept);
    works(&world);
    assert_eq!(world.node.metric("echomesh_coordinator_dropped_total"), 0.0);
    assert_eq!(world.node.status()["alerts"].as_array().unwrap().iter().filter(|a| a["id"] == "integrity").count(), 0);
}

#[test]
fn a_switch_waits_for_nodes_that_have_not_heard_and_a_damaged_file_is_told() {
    let mut world = World::start(Plan::default());
    world.node.running().kill();
    world.node.process = None;
    world.operator(&["key", "rotate"]);
    let dir = world.folder.join("coordinator");
    let switch = |more: &[&str]| {
        let mut all = vec!["coordinator", "key", "switch", "--dir", dir.to_str().unwrap()];
        all.extend(more);
        process::run(all)
    };
    let refused = switch(&[]);
    assert_eq!(refused.status.code(), Some(69));
    assert!(process::text(&refused.stderr).contains("key show"), "{}", process::text(&refused.stderr));
    world.node.start();
    told(&world);
    assert!(switch(&[]).status.success());
    hears(&world);

    let file = world.node.state_dir.join("coordinator-keys");
    world.node.running().kill();
    world.node.process = None;
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, bytes).unwrap();
    world.node.launch();
    let alert = until("the damage is told", || {
        let answer = world.node.call("GET", "/status", "").ok()?;
        answer.json()["alerts"].as_array()?.iter().find(|a| a["id"] == "integrity").cloned()
    });
    assert!(alert["message"].as_str().unwrap().contains("coordinator-keys"), "{alert}");
    assert_ne!(world.node.status()["state"], "running", "the key of the settings no longer signs");
}
