//! The uplink gets another address while the node runs: the coordinator hears of it at once. In a network of its own, so
//! that nobody else's changes.

use std::process::Command;

use crate::support::process::text;
use crate::support::{Plan, World, until};

/// In a user and network namespace of its own, as root there.
fn apart(test: &str) -> std::process::Output {
    let exe = std::env::current_exe().unwrap();
    let script = "ip link set lo up && exec \"$0\" --exact --ignored --nocapture \"$1\"";
    Command::new("unshare").args(["--user", "--map-root-user", "--net", "sh", "-c", script]).arg(exe).arg(test).output().unwrap()
}

#[test]
fn a_changed_uplink_is_told_to_the_coordinator_at_once() {
    let allowed = Command::new("unshare").args(["--user", "--map-root-user", "--net", "ip", "link"]).output();
    if !allowed.is_ok_and(|o| o.status.success()) {
        println!("SKIPPED: needs unshare, user and network namespaces, and ip");
        return;
    }
    let output = apart("uplink::a_changed_uplink_apart");
    let said = text(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{}", text(&output.stderr));
}

#[test]
#[ignore = "needs a network of its own: run by a_changed_uplink_is_told_to_the_coordinator_at_once"]
fn a_changed_uplink_apart() {
    // Heartbeats are rare: what happens soon happens because of the change.
    let mut world = World::start(Plan { heartbeat: 600, gateway: true, ..Plan::default() });
    let gateway = |world: &World| world.node.status()["roles"]["proxy"]["gateway"].clone();
    until("the gateway is reached", || (gateway(&world)["connected"] == true).then_some(()));
    let registrations = |world: &mut World| world.node.running().log().matches("registered with the coordinator").count();
    let before = registrations(&mut world);
    for (change, so_many) in [("add", 1), ("del", 2)] {
        let args = ["addr", change, "127.88.0.1/32", "dev", "lo"];
        let ip = Command::new("ip").args(args).output().unwrap();
        assert!(ip.status.success(), "{}", text(&ip.stderr));
        until("the node registers anew", || (registrations(&mut world) == before + so_many).then_some(()));
    }
    // What is no change of the uplink is none: a route to somewhere.
    let ip = Command::new("ip").args(["route", "add", "192.0.2.0/24", "dev", "lo"]).output().unwrap();
    assert!(ip.status.success(), "{}", text(&ip.stderr));
    let log = world.node.running().log();
    assert_eq!(log.matches("the uplink changed").count(), 2, "{log}");
    assert_eq!((&gateway(&world)["connected"], &gateway(&world)["losses"]), (&true.into(), &0.into()), "its own address is still there");
}
