//! The node's keys at rest: sealed and unlocked, backed up and restored.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::buyer::wish;
use crate::support::node::Node;
use crate::support::wait::SOON;
use crate::support::{Plan, World, process, until};

const PASSPHRASE: &str = "correct horse battery";

/// A client command with `line` on its standard input.
fn typed(node: &Node, line: &str, args: &[&str]) -> (Option<i32>, String) {
    let mut all = args.to_vec();
    all.extend(["--run-dir", node.run_dir.to_str().unwrap()]);
    let output = process::fed(&format!("{line}\n"), all);
    (output.status.code(), process::text(&output.stdout) + &process::text(&output.stderr))
}

#[track_caller]
fn typed_well(node: &Node, line: &str, args: &[&str]) -> String {
    let (code, said) = typed(node, line, args);
    assert_eq!(code, Some(0), "{args:?}: {said}");
    said
}

fn stop(node: &mut Node) {
    node.running().signal(Signal::SIGTERM);
    assert!(node.running().ended(SOON).success());
    node.process = None;
}

fn identity(node: &Node) -> Value {
    node.get("/identity").json()
}

/// Whether any file below `folder` holds `needle`.
fn holds(folder: &Path, needle: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() { holds(&path, needle) } else { std::fs::read(&path).is_ok_and(|b| b.windows(needle.len()).any(|w| w == needle)) }
    })
}

#[test]
fn a_sealed_node_waits_locked_for_its_passphrase_over_restarts() {
    let mut world = World::start(Plan::default());
    let node = &mut world.node;
    let before = identity(node)["nodeId"].clone();
    assert_eq!(identity(node)["sealed"], json!(false));
    let plain = std::fs::read(node.state_dir.join("identity")).unwrap();
    let seed = &plain[13..45];
    assert!(holds(&node.state_dir, seed), "this test knows where the seed is");

    assert_eq!(typed(node, "short", &["identity", "seal"]).0, Some(65));
    assert_eq!(typed(node, "", &["identity", "seal"]).0, Some(65));
    typed_well(node, PASSPHRASE, &["identity", "seal"]);
    assert_eq!((node.status()["state"].clone(), identity(node)["sealed"].clone()), (json!("running"), json!(true)));
    assert!(!holds(&node.state_dir, seed) && !holds(&node.run_dir, seed), "no seed in clear");
    let mode = std::fs::metadata(node.state_dir.join("identity")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    assert_eq!(node.call("POST", "/identity/unlock", r#"{"passphrase":"x"}"#).unwrap().status, 409);

    for again in [false, true] {
        if again {
            node.running().kill();
            node.process = None;
        } else {
            stop(node);
        }
        node.launch();
        node.state("locked");
        let status = node.status();
        assert_eq!((&status["nodeId"], &status["sessions"]), (&before, &json!([])));
        assert!(status["stateReason"].as_str().unwrap().contains("identity unlock"), "{status}");
        assert!(std::net::TcpStream::connect(node.listen).is_err(), "nothing listens");
        for (method, target, body) in
            [("GET", "/config", ""), ("POST", "/control", r#"{"action":"start"}"#), ("GET", "/logs/export", ""), ("GET", "/metrics", "")]
        {
            let answer = node.call(method, target, body).unwrap();
            assert_eq!((answer.status, answer.json()["reason"].clone()), (409, json!("locked")), "{target}");
        }
        let answer = node.call("POST", "/control", r#"{"action":"unlock"}"#).unwrap();
        assert_eq!((answer.status, answer.json()["reason"].clone()), (409, json!("passphrase-needed")));
        assert!(node.said(&["status", "--once"]).contains("locked"));
        assert!(node.said(&["identity", "show"]).contains("sealed"));

        let (code, said) = typed(node, "wrong horse battery", &["identity", "unlock"]);
        assert_eq!(code, Some(77), "{said}");
        assert!(said.contains("the passphrase is wrong"), "{said}");
        until("guessing is slowed down", || {
            let answer = node.call("POST", "/identity/unlock", r#"{"passphrase":"guess"}"#).unwrap();
            (answer.status == 429).then(|| assert!(answer.text().contains("try again in"), "{}", answer.text()))
        });
        until("it is unlocked", || (typed(node, PASSPHRASE, &["identity", "unlock"]).0 == Some(0)).then_some(()));
        node.state("running");
        assert_eq!(identity(node)["nodeId"], before);
    }
    let log = node.running().log();
    assert!(!log.contains("horse") && !log.contains("guess"), "a passphrase in the log");

    // A stop while locked is an ordinary end.
    stop(node);
    node.launch();
    node.state("locked");
    stop(node);
    node.launch();
    node.state("locked");
    typed_well(node, PASSPHRASE, &["identity", "unlock"]);
    node.state("running");
    assert_eq!(typed(node, "wrong horse battery", &["identity", "unseal"]).0, Some(77));
    until("unsealed", || (typed(node, PASSPHRASE, &["identity", "unseal"]).0 == Some(0)).then_some(()));
    stop(node);
    node.start();
    assert_eq!(identity(node), json!({ "nodeId": before, "spki": identity(node)["spki"], "sealed": false }));
}

#[test]
fn a_backup_brings_the_node_back_and_says_what_is_wrong_with_it() {
    let mut world = World::start(Plan::default());
    let (folder, node) = (world.folder.path().to_owned(), &mut world.node);
    let before = identity(node)["nodeId"].as_str().unwrap().to_owned();
    let file = folder.join("node.backup");
    let name = file.to_str().unwrap();
    assert_eq!(typed(node, "short", &["identity", "backup", name]).0, Some(65));
    let said = typed_well(node, PASSPHRASE, &["identity", "backup", name]);
    assert!(said.contains(&before), "{said}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(typed(node, PASSPHRASE, &["identity", "backup", name]).0, Some(73), "an older backup is not overwritten");
    let plain = std::fs::read(node.state_dir.join("identity")).unwrap();
    let bytes = std::fs::read(&file).unwrap();
    assert!(!bytes.windows(32).any(|w| w == &plain[13..45]), "always sealed");

    let state = node.state_dir.to_str().unwrap().to_owned();
    let restore = |node: &Node, line: &str, from: &str, more: &[&str]| {
        typed(node, line, &[&["identity", "restore", from, "--state-dir", &state], more].concat())
    };
    let (code, said) = restore(node, PASSPHRASE, name, &[]);
    assert_eq!(code, Some(69), "{said}");
    assert!(said.contains("stop it first"), "{said}");
    stop(node);

    // Another node in its place: what a router that was reset has.
    std::fs::remove_file(node.state_dir.join("identity")).unwrap();
    node.start();
    let other = identity(node)["nodeId"].as_str().unwrap().to_owned();
    assert_ne!(other, before);
    stop(node);
    for (bytes, code, why) in [
        (&b"#!/bin/sh\n"[..], 65, "no backup"),
        (&bytes[..bytes.len() - 1], 65, "damaged"),
        (&[&bytes[..60], b"x", &bytes[61..]].concat(), 65, "damaged"),
        (b"", 65, "no backup"),
    ] {
        let bad = folder.join("bad");
        std::fs::write(&bad, bytes).unwrap();
        let (got, said) = restore(node, PASSPHRASE, bad.to_str().unwrap(), &["--replace"]);
        assert_eq!(got, Some(code), "{said}");
        assert!(said.contains(why), "{said}");
    }
    assert_eq!(restore(node, PASSPHRASE, "/nonexistent", &[]).0, Some(66));
    let (code, said) = restore(node, "wrong horse battery", name, &["--replace"]);
    assert_eq!((code, said.contains("passphrase is wrong")), (Some(77), true), "{said}");
    let (code, said) = restore(node, PASSPHRASE, name, &[]);
    assert_eq!(code, Some(65), "{said}");
    assert!(said.contains(&other) && said.contains("--replace"), "{said}");
    node.start();
    assert_eq!(identity(node)["nodeId"], other.as_str(), "nothing was changed by any of it");
    stop(node);

    let (code, said) = restore(node, PASSPHRASE, name, &["--replace", "--sealed"]);
    assert_eq!(code, Some(0), "{said}");
    node.launch();
    node.state("locked");
    typed_well(node, PASSPHRASE, &["identity", "unlock"]);
    node.state("running");
    assert_eq!(identity(node)["nodeId"], before.as_str());
    stop(node);
    assert_eq!(restore(node, PASSPHRASE, name, &[]).0, Some(0), "the same node: nothing to replace");
    node.start();
    assert_eq!(identity(node)["nodeId"], before.as_str());
}

/// What the coordinator knows of its one node: name and micro-credits.
fn known(world: &World) -> (String, u64) {
    let nodes = world.operator(&["nodes"]);
    assert_eq!(nodes["nodes"].as_array().map(Vec::len), Some(1), "{nodes}");
    let node = &nodes["nodes"][0];
    (node["nodeId"].as_str().unwrap().to_owned(), node["credits"].as_u64().unwrap())
}

#[test]
fn a_rotation_waits_for_the_books_and_takes_reputation_and_credits_along() {
    let mut world = World::start(Plan::default());
    let session = world.market.open(&wish());
    world.fetch(&world.door(&session), 300_000);
    let refused = world.node.cli(&["identity", "rotate"]);
    assert_eq!(refused.status.code(), Some(65));
    assert!(process::text(&refused.stderr).contains("not settled"), "{}", process::text(&refused.stderr));
    world.market.close(&session);
    until("the books are closed", || (world.node.status()["sessions"] == json!([])).then_some(()));
    let (first, earned) = known(&world);
    assert!(earned > 0);

    world.node.said(&["identity", "rotate"]);
    let second = identity(&world.node)["nodeId"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    world.node.state("running");
    until("the new name has it all", || (known(&world) == (second.clone(), earned)).then_some(()));
    until("told and noted", || (!world.node.state_dir.join("succession").exists()).then_some(()));
    let session = world.market.open(&wish());
    world.fetch(&world.door(&session), 300_000);
    world.market.close(&session);
    until("the books are closed", || (world.node.status()["sessions"] == json!([])).then_some(()));
    let (name, earned) = known(&world);
    assert_eq!(name, second);

    // Sealed, with the coordinator away, and killed before it can be told.
    typed_well(&world.node, PASSPHRASE, &["identity", "seal"]);
    world.coordinator_gone();
    assert_eq!(world.node.call("POST", "/identity/rotate", "{}").unwrap().status, 409, "the passphrase seals the new key");
    typed_well(&world.node, PASSPHRASE, &["identity", "rotate"]);
    let third = identity(&world.node)["nodeId"].as_str().unwrap().to_owned();
    world.node.running().kill();
    world.node.process = None;
    world.coordinator_back();
    world.node.launch();
    world.node.state("locked");
    assert_eq!(identity(&world.node)["nodeId"], third.as_str());
    typed_well(&world.node, PASSPHRASE, &["identity", "unlock"]);
    world.node.state("running");
    until("the third name has it all", || (known(&world) == (third.clone(), earned)).then_some(()));
    let session = world.market.open(&wish());
    world.fetch(&world.door(&session), 1000);
    let dir = world.folder.join("coordinator");
    process::said(["coordinator", "verify", "--dir", dir.to_str().unwrap()]);
}
