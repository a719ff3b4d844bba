//! Clocks that are wrong at the start, or jump while the node works. The system's clock is bent by libfaketime (Debian's
//! package faketime), the monotonic one is not; without the library the tests say that they are skipped.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use echomesh::codec::time;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::buyer::wish;
use crate::support::world::{RAW, SHOP};
use crate::support::{Plan, World, books, script, until};

fn library() -> Option<PathBuf> {
    let folders = ["/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib/faketime"];
    let found = folders.iter().map(|f| PathBuf::from(f).join("libfaketimeMT.so.1")).find(|p| p.exists());
    if found.is_none() {
        println!("SKIPPED: needs libfaketime (Debian: faketime)");
    }
    found
}

/// A world whose node's system clock follows a file. It is not started.
pub fn bent(plan: Plan, offset: &str) -> Option<World> {
    let library = library()?;
    let mut world = World::without_node(plan);
    let file = world.folder.join("clock");
    std::fs::write(&file, offset).unwrap();
    for (name, value) in [
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("FAKETIME_TIMESTAMP_FILE", file.to_str().unwrap()),
        ("FAKETIME_NO_CACHE", "1"),
        ("DONT_FAKE_MONOTONIC", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ] {
        world.node.env.push((name.into(), value.into()));
    }
    Some(world)
}

/// The system's clock is set, and the hotplug script tells the node so.
fn ntp(world: &mut World, offset: &str) {
    std::fs::write(world.folder.join("clock"), offset).unwrap();
    // In root's folder, which is not the daemon's to write.
    let given = world.node.run_dir.with_file_name("node.run-root");
    std::fs::create_dir_all(&given).unwrap();
    std::fs::write(given.join("ntp-synced"), "").unwrap();
    world.node.running().signal(Signal::SIGHUP);
}

fn unix() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// From now back to the epoch, and a little after it.
pub fn epoch() -> String {
    format!("-{}", unix() - 300)
}

fn since(status: &Value) -> u64 {
    time::from_rfc3339(status["stateSince"].as_str().unwrap()).unwrap()
}

fn starts(bundles: &[Value]) -> Vec<u64> {
    bundles.iter().map(|b| time::from_rfc3339(b["windowStart"].as_str().unwrap()).unwrap()).collect()
}

#[test]
fn a_clock_that_is_wrong_at_the_start_signs_nothing_until_the_coordinator_tells_the_time() {
    // The first is a router without a clock of its own: some minutes after the epoch.
    for offset in [epoch().as_str(), "-400d", "+400d"] {
        let Some(mut world) = bent(Plan::default(), offset) else { return };
        world.coordinator_gone();
        world.node.launch();
        let status = until("it is up", || world.node.call("GET", "/status", "").ok()).json();
        assert_eq!(status["clockSynced"], false);
        assert!(since(&status).abs_diff(unix()) > 300 * 86_400, "the clock is not bent: {}", status["stateSince"]);
        world.coordinator_back();
        world.node.state("running");
        assert!(since(&world.node.status()).abs_diff(unix()) < 60);
        let session = world.market.open(&wish());
        world.fetch(&world.door(&session), 100_000);
        let counted = books::counted(&world, &session);
        let bundles = books::settle(&world, &session);
        assert_eq!(books::billed(&bundles), counted);
        assert!(starts(&bundles).iter().all(|at| at.abs_diff(unix()) < 600), "{:?}", starts(&bundles));
    }
}

#[test]
fn a_clock_that_jumps_closes_windows_and_nothing_is_billed_twice() {
    let Some(mut world) = bent(Plan::default(), "+0") else { return };
    script::origin(world.raw());
    world.node.start();
    let session = world.market.open(&wish());
    let door = world.door(&session);
    let mut tunnel = script::tunnel(&door, RAW, script::ECHO);
    let mut right = (0, 0);
    let mut before = books_of(&world, &session);
    for (n, offset) in ["+0", "+3h", "+0", "-3h", "+0"].into_iter().enumerate() {
        ntp(&mut world, offset);
        until("the new time is in force", || {
            // A refused name leaves a line with node time.
            let wanted = unix().saturating_add_signed(hours(offset) * 3600);
            let _ = door.connect("www.blocked.test:8443");
            let logs = world.node.get("/logs/export").text();
            let times = logs.split("\"t\":\"").skip(1).filter_map(|rest| time::from_rfc3339(rest.split('"').next()?));
            times.last().is_some_and(|t| t.abs_diff(wanted) < 300).then_some(())
        });
        tunnel.write_all(&vec![7; 100_000]).unwrap();
        tunnel.read_exact(&mut vec![0; 100_000]).unwrap();
        world.fetch(&door, 50_000);
        until("only the one tunnel is left", || (world.node.tunnels() == 1).then_some(()));
        let now = books_of(&world, &session);
        if n.is_multiple_of(2) {
            right = (right.0 + now.0 - before.0, right.1 + now.1 - before.1);
        }
        before = now;
    }
    let used = world.node.status()["caps"]["usedTodayBytes"].as_u64().unwrap();
    world.node.state("running");
    drop(tunnel);
    let counted = books::counted(&world, &session);
    let bundles = books::settle(&world, &session);
    let billed = books::billed(&bundles);
    println!("counted {counted:?}, of it at the right time {right:?}, billed {billed:?} in {} windows; today {used}", bundles.len());
    assert!(billed.0 <= counted.0 && billed.1 <= counted.1, "billed {billed:?}, counted {counted:?}");
    assert!(billed.0 >= right.0 && billed.1 >= right.1, "billed {billed:?}, counted at the right time {right:?}");
    assert!(bundles.len() >= 3, "each jump closes a window");
    // What went over the uplink counts against the owner's caps, whatever the clock said: hours do not change the day often.
    assert!(used > 0);
    assert_eq!(door.connect(SHOP).unwrap().0.status, 407, "the session is over");
}

fn hours(offset: &str) -> i64 {
    offset.trim_end_matches('h').parse().unwrap()
}

fn books_of(world: &World, session: &crate::support::Session) -> (u64, u64) {
    let seen = world.node.session(&session.id).unwrap();
    (seen["bytesIngress"].as_u64().unwrap(), seen["bytesEgress"].as_u64().unwrap())
}
