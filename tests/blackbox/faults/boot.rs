//! A router as it boots: flash that cannot be written, hardly any memory, no clock, no line, names that do not resolve yet.
//! Each has a clear state, and ends by itself where it can.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::clock::bent;
use super::disk::Small;
use crate::support::buyer::wish;
use crate::support::process::text;
use crate::support::world::SHOP;
use crate::support::{Plan, World, books, until};

/// The last words of a daemon that did not start, as `status` tells them.
#[track_caller]
fn refused(world: &mut World) -> String {
    world.node.launch();
    let status = world.node.running().ended(Duration::from_secs(10));
    let log = world.node.running().log();
    world.node.process = None;
    assert!(status.code().is_some_and(|c| (64..=78).contains(&c)), "{status}");
    assert!(!log.contains("panicked"), "{log}");
    log.lines().last().unwrap_or_default().to_owned()
}

/// What `status` says where no daemon runs.
fn told(world: &World) -> String {
    let output = world.node.cli(&["status", "--json"]);
    assert_eq!(output.status.code(), Some(69));
    text(&output.stderr)
}

#[test]
fn on_a_read_only_root_it_says_what_it_needs_and_starts_once_it_has_it() {
    let mut world = World::without_node(Plan::default());
    let Some(state) = Small::mount(&world.node.state_dir.clone(), 512) else { return };
    state.remount("ro");
    let last = refused(&mut world);
    assert!(last.contains("identity") && last.contains("Read-only") && last.contains("writable"), "{last}");
    let said = told(&world);
    assert!(said.contains("it ended with") && said.contains("Read-only"), "{said}");
    state.remount("rw");
    world.node.start();
    assert!(!world.node.run_dir.join("failed").exists());
    world.node.stop();
    assert!(told(&world).contains("nothing listens"), "a good end is no failure");

    // It had been running, and the root turns read-only over night: what it holds is served on, and the owner is told.
    world.node.start();
    let session = world.market.open(&wish());
    world.fetch(&world.door(&session), 50_000);
    let before = books::counted(&world, &session);
    world.node.running().kill();
    world.node.process = None;
    state.remount("ro");
    world.node.start();
    let door = world.door(&session);
    until("the session is back", || (door.connect(SHOP).ok()?.0.status == 200).then_some(()));
    world.fetch(&door, 50_000);
    let counted = books::counted(&world, &session);
    assert!(counted.0 >= 50_000 && counted.0 <= before.0 + 60_000, "{counted:?}, {before:?} before the kill");
    state.remount("rw");
    assert_eq!(books::billed(&books::settle(&world, &session)), counted);
}

#[test]
fn in_a_run_folder_without_room_it_says_so_and_in_a_small_one_it_works() {
    let mut world = World::without_node(Plan::default());
    let Some(run) = Small::mount(&world.node.run_dir.clone(), 64) else { return };
    run.fill();
    let last = refused(&mut world);
    assert!(last.contains("No space left") && last.contains(world.node.run_dir.to_str().unwrap()), "{last}");
    run.free();
    // 64 KiB are a thousandth of a small router's memory, and enough for one session.
    world.node.start();
    let session = world.market.open(&wish());
    world.fetch(&world.door(&session), 300_000);
    let counted = books::counted(&world, &session);
    assert_eq!(books::billed(&books::settle(&world, &session)), counted);
    assert!(world.node.alert("integrity").is_none(), "{:?}", world.node.alert("integrity"));
}

#[test]
fn where_the_overlay_is_full_settings_stay_whole() {
    let mut world = World::without_node(Plan::default());
    let Some(overlay) = Small::mount(&world.folder.join("overlay"), 512) else { return };
    let config = world.folder.join("overlay/echomesh");
    std::fs::copy(&world.node.config, &config).unwrap();
    world.node.config = config.clone();
    world.node.start();
    overlay.fill();
    let before = std::fs::read_to_string(&config).unwrap();
    let output = world.node.cli(&["config", "set", "network.max_mbps=7", "--config", config.to_str().unwrap()]);
    let said = text(&output.stderr);
    assert!(!output.status.success() && said.contains("No space left"), "{said}");
    assert_eq!(std::fs::read_to_string(&config).unwrap(), before, "no byte of it is lost");
    assert_eq!(world.node.status()["caps"]["maxMbps"].as_f64(), Some(8000.0), "and what is in force is what is in the file");
    overlay.free();
    world.node.said(&["config", "set", "network.max_mbps=7", "--config", config.to_str().unwrap()]);
    assert_eq!(world.node.status()["caps"]["maxMbps"].as_f64(), Some(7.0));
}

#[test]
fn while_no_name_resolves_buyers_are_told_and_once_they_do_nothing_else_is_needed() {
    let mut world = World::without_node(Plan::default());
    world.doh_gone();
    world.node.start();
    let session = world.market.open(&wish());
    let door = world.door(&session);
    let (answer, _) = door.connect(SHOP).unwrap();
    assert_eq!((answer.status, answer.header("echomesh-reason")), (502, Some("dns-failed")));
    assert_eq!(world.node.status()["state"], "running");
    world.doh_back();
    until("names resolve", || (door.connect(SHOP).ok()?.0.status == 200).then_some(()));
    world.fetch(&door, 100_000);
    let counted = books::counted(&world, &session);
    assert_eq!(books::billed(&books::settle(&world, &session)), counted);
}

/// The host file of a mount namespace of its own.
const HOSTS: &str = "ECHOMESH_TEST_HOSTS";

#[test]
fn a_coordinator_whose_name_does_not_resolve_yet_is_found_once_it_does() {
    let hosts = std::env::temp_dir().join(format!("echomesh-hosts-{}", std::process::id()));
    std::fs::write(&hosts, "127.0.0.1 localhost\n").unwrap();
    let script = "mount --bind \"$ECHOMESH_TEST_HOSTS\" /etc/hosts && exec \"$0\" \"$@\"";
    let apart = |command: &[&str]| {
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]).args(command).env(HOSTS, &hosts).output()
    };
    if !apart(&["true"]).is_ok_and(|o| o.status.success()) {
        println!("SKIPPED: needs unshare, user and mount namespaces");
        return;
    }
    let exe = std::env::current_exe().unwrap();
    let test = "faults::boot::a_coordinator_by_name_apart";
    let output = apart(&[exe.to_str().unwrap(), "--exact", "--ignored", "--nocapture", test]).unwrap();
    let said = text(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{}", text(&output.stderr));
    std::fs::remove_file(hosts).unwrap();
}

#[test]
#[ignore = "needs a mount namespace of its own: run by a_coordinator_whose_name_does_not_resolve_yet_is_found_once_it_does"]
fn a_coordinator_by_name_apart() {
    let hosts = PathBuf::from(std::env::var_os(HOSTS).unwrap());
    let mut world = World::without_node(Plan::default());
    // A name that its certificate holds, too.
    world.node.settings.set("coordinator", "url", "https://probe.example.test:8443");
    world.node.write_settings();
    world.node.launch();
    let status = until("it tries", || world.node.call("GET", "/status", "").ok().filter(|a| a.json()["state"] == "reconnecting")).json();
    assert!(!status["stateReason"].is_null(), "{status}");
    assert_eq!(status["coordinator"]["reachable"], false);
    // In place: a router's file is another one, but only this one is mounted here.
    std::fs::write(&hosts, format!("127.0.0.1 localhost\n{} probe.example.test\n", world.ip(1))).unwrap();
    world.node.state("running");
}

#[test]
fn a_power_cut_while_the_line_is_down_and_the_clock_unknown_loses_what_the_contracts_say_and_no_more() {
    let Some(mut world) = bent(Plan::default(), "+0") else { return };
    world.node.start();
    let session = world.market.open(&wish());
    let door = world.door(&session);
    world.fetch(&door, 200_000);
    // A restart in good order puts all of it on flash.
    world.node.stop();
    world.node.start();
    let counted = books::counted(&world, &session);
    world.coordinator_gone();
    world.doh_gone();
    world.node.state("reconnecting");
    world.node.running().kill();
    world.node.process = None;
    // Back without clock, line, names, or anything that was in memory.
    for entry in std::fs::read_dir(&world.node.run_dir).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    std::fs::write(world.folder.join("clock"), super::clock::epoch()).unwrap();
    world.node.launch();
    let status = until("it is up", || world.node.call("GET", "/status", "").ok().filter(|a| a.json()["state"] == "reconnecting")).json();
    assert_eq!(status["clockSynced"], false, "{status}");
    let ids: Vec<&Value> = status["alerts"].as_array().unwrap().iter().map(|a| &a["id"]).collect();
    assert!(ids.contains(&&Value::from("clock")), "{ids:?}");
    assert_eq!(books::counted(&world, &session), counted, "it stands in the journal on flash");
    world.coordinator_back();
    world.doh_back();
    world.node.state("running");
    until("the session goes on", || (door.connect(SHOP).ok()?.0.status == 200).then_some(()));
    world.fetch(&door, 30_000);
    let counted = books::counted(&world, &session);
    let bundles = books::settle(&world, &session);
    assert_eq!(books::billed(&bundles), counted);
    assert!(!books::gaps(&bundles).is_empty(), "what may have been lost is said");
    books::verify(&world);
}
