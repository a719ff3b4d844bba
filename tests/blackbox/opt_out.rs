//! The owner leaves: nothing of the node stays on the device, told or untold, killed or not.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::buyer::wish;
use crate::support::node::Node;
use crate::support::wait::SOON;
use crate::support::{Plan, World, process, until};

/// Names of what lies in a folder.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder).map_or(Vec::new(), |d| d.map(|e| e.unwrap().file_name().into_string().unwrap()).collect());
    names.sort();
    names
}

fn seed(node: &Node) -> Vec<u8> {
    std::fs::read(node.state_dir.join("identity")).unwrap()[13..45].to_vec()
}

/// Nothing that makes the node is left in its folders and settings.
#[track_caller]
fn nothing_is_left(node: &Node, seed: &[u8]) {
    assert_eq!(names(&node.state_dir), Vec::<String>::new());
    for folder in [&node.state_dir, &node.run_dir] {
        for name in names(folder) {
            let bytes = std::fs::read(folder.join(&name)).unwrap_or_default();
            assert!(!bytes.windows(seed.len()).any(|w| w == seed), "the seed is in {name}");
            // What a killed process of any kind leaves: its id, its sockets.
            let process = ["lock", "pid", "control.sock", "inner.sock"].contains(&name.as_str());
            assert!(process || bytes.is_empty(), "{name} is left in the run folder");
        }
    }
    let shown = process::said(["config", "show", "--config", node.config.to_str().unwrap()]);
    assert!(shown.contains("node.enabled=0") && shown.contains("proxy.enabled=0"), "{shown}");
    let settings = std::fs::read_to_string(&node.config).unwrap();
    assert!(!settings.contains("ed25519:") && !settings.contains("127.77."), "{settings}");
}

fn opt_out(node: &Node, more: &[&str]) -> (Option<i32>, String) {
    let output = node.cli(&[&["opt-out", "--config", node.config.to_str().unwrap()], more].concat());
    (output.status.code(), process::text(&output.stdout) + &process::text(&output.stderr))
}

#[test]
fn who_opts_out_is_unlisted_and_leaves_nothing_behind() {
    let mut world = World::start(Plan::default());
    let session = world.market.open(&wish());
    world.fetch(&world.door(&session), 300_000);
    let seed = seed(&world.node);
    let (code, said) = opt_out(&world.node, &[]);
    assert_eq!(code, Some(64), "nobody typed the word: {said}");
    assert_eq!(world.node.call("POST", "/identity/opt-out", "{}").unwrap().status, 400);
    assert_eq!(world.node.status()["state"], "running");

    let (code, said) = opt_out(&world.node, &["--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("The coordinator was told."), "{said}");
    assert!(world.node.running().ended(SOON).success());
    world.node.process = None;
    nothing_is_left(&world.node, &seed);
    let nodes = world.operator(&["nodes"]);
    assert_eq!(nodes["nodes"][0]["left"], json!(true), "{nodes}");
    let counted = world.origin_counts();
    let bundles: Vec<Value> = world.operator(&["bundles"]).as_array().unwrap().clone();
    let sum: u64 = bundles.iter().filter(|b| b["sessionId"] == session.id.as_str()).map(|b| b["bytesIngress"].as_u64().unwrap()).sum();
    assert_eq!(sum, counted.0, "the last bundle was handed in before");
    let (code, said) = opt_out(&world.node, &["--yes"]);
    assert_eq!(code, Some(66), "there is nothing to leave with: {said}");
}

#[test]
fn a_coordinator_that_is_away_holds_nobody_back() {
    let mut world = World::start(Plan::default());
    let seed = seed(&world.node);
    world.coordinator_gone();
    world.node.state("reconnecting");
    let (code, said) = opt_out(&world.node, &["--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("was not told"), "{said}");
    assert!(world.node.running().ended(SOON).success());
    nothing_is_left(&world.node, &seed);
}

#[test]
fn root_s_copy_of_the_settings_goes_with_the_rest_and_a_daemon_that_is_started_again_finds_nothing() {
    let mut world = World::without_node(Plan::default());
    // As the init script lays it out: root's folder beside the run folder, with the settings in force.
    let given = world.node.run_dir.with_file_name("node.run-root");
    std::fs::create_dir_all(&given).unwrap();
    let real = std::mem::replace(&mut world.node.config, given.join("echomesh"));
    std::fs::copy(&real, &world.node.config).unwrap();
    world.node.start();
    let seed = seed(&world.node);
    // The copy is nobody's to write but root's: what changes goes to the real one.
    let answer = world.node.call("PUT", "/config", r#"{"network":{"maxMbps":5}}"#).unwrap();
    assert_eq!(answer.status, 409, "{}", answer.text());
    let output = world.node.cli(&["opt-out", "--yes", "--config", real.to_str().unwrap()]);
    assert!(output.status.success(), "{}", process::text(&output.stderr));
    assert!(world.node.running().ended(SOON).success());
    world.node.process = None;
    assert!(!world.node.config.exists(), "the copy is gone");
    // What procd does with whoever ended.
    world.node.launch();
    assert_eq!(world.node.running().ended(SOON).code(), Some(66));
    world.node.process = None;
    assert_eq!(names(&world.node.state_dir), Vec::<String>::new(), "no new identity is made");
    std::fs::remove_file(world.node.run_dir.join("failed")).unwrap();
    world.node.config = real;
    nothing_is_left(&world.node, &seed);
}

#[test]
fn a_kill_while_leaving_is_finished_by_the_next_start_or_command() {
    let mut world = World::start(Plan::default());
    let seed = seed(&world.node);
    world.node.running().kill();
    world.node.process = None;
    // What a kill right after the decision leaves: everything, and the mark.
    std::fs::write(world.node.state_dir.join("leaving"), b"").unwrap();
    world.node.launch();
    assert!(world.node.running().ended(SOON).success());
    world.node.process = None;
    nothing_is_left(&world.node, &seed);

    // Without a daemon the command does it all.
    world.node.write_settings();
    world.node.start();
    let seed = self::seed(&world.node);
    world.node.running().kill();
    world.node.process = None;
    let (code, said) = opt_out(&world.node, &["--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("the coordinator was not told"), "{said}");
    nothing_is_left(&world.node, &seed);

    // Killed at some moment of it: the node is whole, or the next start finishes.
    for pause in [0u32, 1, 3, 8, 20, 60] {
        world.node.write_settings();
        world.node.start();
        let seed = self::seed(&world.node);
        let answer = world.node.call("POST", "/identity/opt-out", r#"{"confirm":"opt-out","offline":true}"#).unwrap();
        assert_eq!(answer.status, 202, "{}", answer.text());
        // Not to wait for something, but to kill at another moment each time.
        std::thread::sleep(std::time::Duration::from_millis(u64::from(pause)));
        world.node.running().kill();
        world.node.process = None;
        let decided = !names(&world.node.state_dir).contains(&"identity".to_owned()) || world.node.state_dir.join("leaving").exists();
        if decided {
            if world.node.state_dir.join("leaving").exists() {
                world.node.launch();
                until("it ends", || world.node.running().log().contains("nothing of the node is left").then_some(()));
                assert!(world.node.running().ended(SOON).success());
                world.node.process = None;
            }
            nothing_is_left(&world.node, &seed);
        } else {
            world.node.start();
            assert_eq!(self::seed(&world.node), seed, "whole");
            world.node.running().kill();
            world.node.process = None;
        }
    }
}
