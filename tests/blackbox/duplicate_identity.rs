//! Two nodes start with one identity: the newer one serves, the older stands back until it is started anew.

use std::io::Read as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::buyer::wish;
use crate::support::node::Node;
use crate::support::world::{RAW, SHOP};
use crate::support::{Plan, World, process, script, until};

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

fn alert(node: &Node) -> Option<Value> {
    node.status()["alerts"].as_array().unwrap().iter().find(|a| a["id"] == "duplicate-identity").cloned()
}

#[test]
fn of_two_nodes_with_one_identity_the_older_stands_back() {
    let mut world = World::start(Plan::default());
    script::origin(world.raw());
    let session = world.market.open(&wish());
    let door = world.door(&session);
    let mut tunnel = script::tunnel(&door, RAW, script::ECHO);

    // A copy of the state folder, as a router restored from another's backup has it.
    let mut settings = world.node.settings.clone();
    settings.drop("node", "state_dir").drop("proxy", "listen");
    let mut twin = Node::new(world.folder.path(), "twin", world.ip(102), settings);
    copy(&world.node.state_dir, &twin.state_dir);
    twin.start();
    assert_eq!(twin.status()["nodeId"], world.node.status()["nodeId"]);

    world.node.state("degraded");
    let status = world.node.status();
    assert!(status["stateReason"].as_str().unwrap().contains("another node runs with this identity"), "{status}");
    assert_eq!(status["coordinator"]["reachable"], true, "it answers, but not to us");
    assert_eq!(status["sessions"][0]["state"], "halted");
    let told = until("the alert stands", || alert(&world.node));
    assert_eq!(told["severity"], "critical");
    assert_eq!(tunnel.read(&mut [0; 1]).unwrap_or(0), 0, "the live tunnel ended");
    let (answer, _) = door.connect(SHOP).unwrap();
    assert_eq!((answer.status, answer.header("echomesh-reason")), (503, Some("lease-expired")));
    assert!(alert(&twin).is_none());
    assert_eq!(twin.status()["state"], "running");
    let wait = status["coordinator"]["retryInSec"].as_u64();
    assert!(wait.is_none_or(|sec| sec <= 60), "{wait:?}");

    // The owner stops the other and restarts this one: a newer start, so it is believed.
    twin.process = None;
    world.node.running().kill();
    world.node.process = None;
    world.node.start();
    assert!(alert(&world.node).is_none());
    until("the session goes on", || (world.door(&session).connect(SHOP).ok()?.0.status == 200).then_some(()));
    let dir = world.folder.join("coordinator");
    process::said(["coordinator", "verify", "--dir", dir.to_str().unwrap()]);
    assert_eq!(world.operator(&["nodes"])["nodes"].as_array().map(Vec::len), Some(1));
    assert_eq!(world.operator(&["sessions"])["sessions"][0]["phase"], json!("active"));
}
