//! What is kept on flash: modes, damage, a folder that cannot be written.

use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::buyer::wish;
use crate::support::folder::Folder;
use crate::support::node::{Node, Uci};
use crate::support::world::SHOP;
use crate::support::{Plan, World, until};

fn lone(folder: &Folder, name: &str) -> Node {
    let mut settings = Uci::default();
    settings.set("node", "enabled", "0").set("node", "log_dest", "stderr").set("security", "dns_over_https", "0");
    Node::new(folder.path(), name, Ipv4Addr::new(127, 0, 9, 1), settings)
}

fn stop(node: &mut Node) {
    node.running().signal(Signal::SIGTERM);
    assert!(node.running().ended(Duration::from_secs(10)).success());
    node.process = None;
}

/// Starts it, and gives how it ended: at once, with a message.
#[track_caller]
fn refuses_to_start(node: &mut Node) -> (Option<i32>, String) {
    node.launch();
    let status = node.running().ended(Duration::from_secs(10));
    let log = node.running().log();
    node.process = None;
    assert!(!log.contains("panicked"), "{log}");
    (status.code(), log)
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn where_every_role_is_off_there_is_nothing_to_start_and_it_says_so() {
    let folder = Folder::new();
    let mut node = lone(&folder, "node");
    node.launch();
    node.state("stopped");
    for action in ["start", "stop", "start"] {
        assert_eq!(node.tell("POST", "/control", &serde_json::json!({ "action": action }))["state"], "stopped", "{action}");
    }
    let reason = node.status()["stateReason"].as_str().unwrap().to_owned();
    assert!(reason.starts_with("no role is on"), "{reason}");
    node.stop();
}

#[test]
fn keys_are_private_and_a_bad_one_is_named_not_replaced() {
    let folder = Folder::new();
    let mut node = lone(&folder, "node");
    node.launch();
    node.state("stopped");
    for name in ["identity", "listener.key"] {
        assert_eq!(mode(&node.state_dir.join(name)), 0o600, "{name}");
    }
    let id = node.said(&["identity", "show"]);
    stop(&mut node);
    for name in ["identity", "listener.key"] {
        let path = node.state_dir.join(name);
        let good = std::fs::read(&path).unwrap();
        for open in [0o644, 0o640, 0o604] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(open)).unwrap();
            let (code, log) = refuses_to_start(&mut node);
            assert!(code != Some(0) && log.contains(path.to_str().unwrap()) && log.contains("chmod 600"), "{name} {open:o}: {code:?} {log}");
            assert!(log.contains(&format!("{open:04o}")), "{log}");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        for at in [0, good.len() / 2, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, &bad).unwrap();
            if name == "identity" {
                let (code, log) = refuses_to_start(&mut node);
                assert!(code != Some(0) && log.contains("damaged") && log.contains(path.to_str().unwrap()), "{name}[{at}]: {code:?} {log}");
                assert_eq!(std::fs::read(&path).unwrap(), bad, "the evidence stays");
            }
        }
        std::fs::write(&path, &good[..good.len() / 2]).unwrap();
        let (code, log) = refuses_to_start(&mut node);
        assert!(code != Some(0) && log.contains(path.to_str().unwrap()), "{name} cut: {code:?} {log}");
        std::fs::write(&path, &good).unwrap();
    }
    node.launch();
    node.state("stopped");
    assert_eq!(node.said(&["identity", "show"]), id, "whole again");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = Folder::new();
    // Nobody can make a folder there, root neither.
    for (number, place) in ["/proc/echomesh", "/dev/null/echomesh"].into_iter().enumerate() {
        let mut node = lone(&folder, &format!("node{number}"));
        node.settings.set("node", "state_dir", place);
        node.write_settings();
        let (code, log) = refuses_to_start(&mut node);
        assert!(code.is_some_and(|c| (64..=78).contains(&c)) && log.contains(place), "{code:?} {log}");
    }
    let mut node = lone(&folder, "run");
    node.run_dir = "/proc/echomesh".into();
    let (code, log) = refuses_to_start(&mut node);
    assert!(code.is_some_and(|c| (64..=78).contains(&c)) && log.contains("/proc/echomesh"), "{code:?} {log}");
}

#[test]
fn a_damaged_journal_is_named_and_the_other_copy_or_the_coordinators_head_continues_the_chain() {
    let mut world = World::start(Plan::default());
    let mut session = world.market.open(&wish());
    let mut door = world.door(&session);
    world.fetch(&door, 100_000);
    stop(&mut world.node);
    let places = [world.node.run_dir.join("journal"), world.node.state_dir.join("journal")];
    let present: Vec<_> = places.iter().filter(|p| p.exists()).collect();
    assert!(!present.is_empty(), "no journal in {:?}", world.node.run_dir);
    let flip = |path: &Path| {
        let mut bytes = std::fs::read(path).unwrap();
        let at = bytes.len() / 2;
        bytes[at] ^= 0x10;
        std::fs::write(path, &bytes).unwrap();
    };
    // One copy after the other, then both.
    for round in 0..=present.len() {
        for (number, path) in present.iter().enumerate() {
            if round == number || round == present.len() {
                flip(path);
            }
        }
        world.node.start();
        if round == present.len() {
            // Nothing whole is left to go on from: the node stops serving until its owner has seen it.
            let quarantine = world.node.quarantine().expect("a broken journal ends in quarantine");
            assert!(quarantine["reason"].as_str().unwrap().contains("journal"), "{quarantine}");
            assert!(quarantine["remedy"].as_str().unwrap().contains("check the flash"), "{quarantine}");
            until("the session is over", || (world.market.seen(&session)["state"] == "settled").then_some(()));
            world.node.said(&["control", "clear-quarantine"]);
            session = world.market.open(&wish());
            door = world.door(&session);
        }
        until("the session is back", || (door.connect(SHOP).ok()?.0.status == 200).then_some(()));
        let log = world.node.running().log();
        assert!(!log.contains("panicked"), "{log}");
        if round == present.len() {
            let named =
                world.node.status()["alerts"].as_array().unwrap().iter().any(|a| a["message"].as_str().unwrap_or_default().contains("journal"));
            assert!(named, "{}\n{}", world.node.status()["alerts"], log);
        }
        world.fetch(&door, 50_000);
        stop(&mut world.node);
    }
    world.node.start();
    world.market.close(&session);
    until("the session settles", || (world.market.seen(&session)["state"] == "settled").then_some(()));
    let dir = world.folder.join("coordinator");
    crate::support::process::said(["coordinator", "verify", "--dir", dir.to_str().unwrap()]);
    let bundles: Value = world.operator(&["bundles"]);
    let counted: u64 = bundles.as_array().unwrap().iter().map(|b| b["bytesIngress"].as_u64().unwrap()).sum();
    assert!(counted <= world.origin_counts().0, "nothing is counted twice");
}
