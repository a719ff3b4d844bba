//! The uplink gets another address while the node runs: the coordinator hears of it at once. In a network of its own, so
//! that nobody else's changes.

use std::process::Command;

use echomesh::codec::NodeId;
use ed25519_dalek::SigningKey;

use crate::support::folder::Folder;
use crate::support::node::{Node, Uci};
use crate::support::process::{Process, text};
use crate::support::{Plan, World, until};

/// In a user and network namespace of its own, as root there.
fn apart(test: &str) -> std::process::Output {
    let exe = std::env::current_exe().unwrap();
    let script = "ip link set lo up && exec \"$0\" --exact --ignored --nocapture \"$1\"";
    Command::new("unshare").args(["--user", "--map-root-user", "--net", "sh", "-c", script]).arg(exe).arg(test).output().unwrap()
}

/// Runs `test` apart; says so where that is not allowed.
#[track_caller]
fn passes(test: &str) {
    let allowed = Command::new("unshare").args(["--user", "--map-root-user", "--net", "ip", "link"]).output();
    if !allowed.is_ok_and(|o| o.status.success()) {
        println!("SKIPPED: needs unshare, user and network namespaces, and ip");
        return;
    }
    let output = apart(test);
    let said = text(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{}", text(&output.stderr));
}

#[track_caller]
fn ip(args: &str) {
    let ip = Command::new("ip").args(args.split(' ')).output().unwrap();
    assert!(ip.status.success(), "{args}: {}", text(&ip.stderr));
}

#[test]
fn an_uplink_that_has_another_name_now_is_an_alert_until_it_is_named_right() {
    passes("uplink::a_renamed_uplink_apart");
}

#[test]
#[ignore = "needs a network of its own: run by an_uplink_that_has_another_name_now_is_an_alert_until_it_is_named_right"]
fn a_renamed_uplink_apart() {
    ip("link add eth1 type veth peer name isp");
    ip("link set eth1 up");
    let folder = Folder::new();
    let mut settings = Uci::default();
    settings
        .set("node", "enabled", "1")
        .set("node", "log_dest", "stderr")
        .set("security", "dns_over_https", "0")
        .set("security", "sandbox_mode", "standard")
        .set("coordinator", "url", "https://192.0.2.1:8443")
        .add("coordinator", "key", &NodeId::from(&SigningKey::from_bytes(&[5; 32]).verifying_key()).to_string())
        .set("proxy", "enabled", "1")
        .add("network", "uplink", "eth1");
    let mut node = Node::new(folder.path(), "node", [127, 0, 0, 1].into(), settings);
    // The real thing, for which the uplinks are those of the settings.
    let (config, run_dir) = (node.config.clone(), node.run_dir.clone());
    let args = ["run", "--config", config.to_str().unwrap(), "--run-dir", run_dir.to_str().unwrap()];
    node.process = Some(Process::start("node", folder.path(), args));
    node.state("reconnecting");
    assert!(node.alert("uplink").is_none());
    ip("link set eth1 down");
    ip("link set eth1 name wan");
    ip("link set wan up");
    let alert = until("the owner is told", || node.alert("uplink"));
    assert!(alert["message"].as_str().unwrap().contains("network.uplink names eth1"), "{alert}");
    assert!(alert["remedy"].as_str().unwrap().contains("ip route show default"), "{alert}");
    node.said(&["config", "set", "network.uplink=wan", "--config", config.to_str().unwrap()]);
    until("it is over", || node.alert("uplink").is_none().then_some(()));
}

#[test]
fn a_changed_uplink_is_told_to_the_coordinator_at_once() {
    passes("uplink::a_changed_uplink_apart");
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
