//! Probes: made through the guard to a host the owner listed, judged by the coordinator, counted against the caps.

use serde_json::Value;

use crate::support::buyer::wish;
use crate::support::{Plan, World, until};

fn judged(world: &World) -> (u64, u64) {
    let nodes = world.operator(&["nodes"]);
    let node: &Value = &nodes["nodes"][0];
    (node["probesPassed"].as_u64().unwrap(), node["probesFailed"].as_u64().unwrap())
}

#[test]
fn a_probe_of_a_listed_host_passes_and_costs_the_owners_volume() {
    let world = World::start(Plan { probe_host: Some("probe.example.test:8443"), ..Plan::default() });
    let session = world.market.open(&wish());
    until("a probe passes", || (world.node.metric("echomesh_probes_total{result=\"passed\"}") == 1.0).then_some(()));
    assert_eq!(judged(&world), (1, 0));
    let status = world.node.status();
    assert_eq!(status["qos"]["probePassRatePct"].as_f64(), Some(100.0));
    assert!(status["caps"]["usedTodayBytes"].as_u64().unwrap() >= 262_144, "{}", status["caps"]);
    // Not the buyer's bytes.
    let seen = world.node.session(&session.id).unwrap();
    assert_eq!((&seen["bytesIngress"], &seen["bytesEgress"]), (&0.into(), &0.into()));
}

#[test]
fn a_probe_of_a_host_that_is_not_listed_is_not_made() {
    let world = World::start(Plan { probe_host: Some("other.example.test"), ..Plan::default() });
    let session = world.market.open(&wish());
    until("it says so", || world.node.process.as_ref()?.log().contains("probe_host").then_some(()));
    assert_eq!(judged(&world).0, 0);
    assert_eq!(world.node.session(&session.id).unwrap()["state"], "active");
    assert_eq!(world.node.status()["caps"]["usedTodayBytes"], 0);
}
