//! How sessions end, how they wait, and what the owner's word does to them.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::buyer::{Door, Wire, patient, wish, wish_with};
use crate::support::wait::PROMPTLY;
use crate::support::world::{RAW, SHOP};
use crate::support::{Plan, World, script, until, within};

/// Whether a tunnel still carries bytes both ways.
fn alive(wire: &mut Wire) -> bool {
    let mut back = [0; 5];
    wire.write_all(b"alive").and_then(|()| wire.flush()).and_then(|()| wire.read_exact(&mut back)).is_ok() && &back == b"alive"
}

#[track_caller]
fn ends(wire: &mut Wire, limit: Duration) {
    patient(wire.socket(), limit);
    let mut rest = Vec::new();
    let ended = wire.read_to_end(&mut rest);
    let waiting = matches!(&ended, Err(e) if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut));
    assert!(!waiting, "the tunnel was not ended within {limit:?}");
}

fn reason(door: &Door) -> Option<String> {
    door.connect(SHOP).ok()?.0.header("echomesh-reason").map(str::to_owned)
}

#[track_caller]
fn settles(world: &World, session: &crate::support::Session) {
    until("the session settles", || (world.market.seen(session)["state"] == "settled").then_some(()));
    let bundles = world.operator(&["bundles"]);
    let last = bundles.as_array().unwrap().iter().rfind(|b| b["sessionId"] == session.id.as_str());
    assert_eq!(last.unwrap_or_else(|| panic!("no bundle of {} in {bundles}", session.id))["final"], true);
}

#[test]
fn expiry_the_coordinators_word_the_budget_and_the_owner_end_a_session_and_seal_it() {
    let world = World::start(Plan::default());
    script::origin(world.raw());

    let short = world.market.open(&wish_with(&json!({"ttlSec": 4})));
    let door = world.door(&short);
    let mut tunnel = script::tunnel(&door, RAW, script::ECHO);
    assert!(alive(&mut tunnel));
    ends(&mut tunnel, Duration::from_secs(15));
    assert_eq!(reason(&door).as_deref(), Some("session-expired"));
    settles(&world, &short);

    let closed = world.market.open(&wish());
    let door = world.door(&closed);
    let mut tunnel = script::tunnel(&door, RAW, script::ECHO);
    assert!(alive(&mut tunnel));
    world.market.close(&closed);
    ends(&mut tunnel, Duration::from_secs(15));
    assert_eq!(reason(&door).as_deref(), Some("session-expired"));
    settles(&world, &closed);

    let small = world.market.open(&wish_with(&json!({"maxGB": 1})));
    let door = world.door(&small);
    let mut tunnel = script::tunnel(&door, RAW, script::FLOOD);
    let mut got = 0u64;
    let mut piece = vec![0; 256 * 1024];
    while let Ok(n) = tunnel.read(&mut piece) {
        if n == 0 {
            break;
        }
        got += n as u64;
    }
    assert!((999_000_000..1_040_000_000).contains(&got), "1 GB, and what was on its way: {got}");
    until("the volume is known to be used up", || (reason(&door)? == "session-cap").then_some(()));
    settles(&world, &small);

    let owned = world.market.open(&wish());
    let door = world.door(&owned);
    let mut tunnel = script::tunnel(&door, RAW, script::ECHO);
    assert!(world.node.said(&["sessions"]).contains(&owned.id));
    world.node.said(&["sessions", "close", &owned.id]);
    ends(&mut tunnel, PROMPTLY);
    assert_eq!(reason(&door).as_deref(), Some("session-expired"));
    settles(&world, &owned);
    let unknown = world.node.cli(&["sessions", "close", &owned.id.replace(['a', 'b', 'c', 'd', '1', '2', '3'], "0")]);
    assert!(!unknown.status.success());
    // The buyer who kept his secret cannot have it back.
    assert_eq!(reason(&world.door(&short)).as_deref(), Some("session-expired"));
}

#[test]
fn past_its_lease_a_session_takes_no_tunnel_and_past_twice_that_it_seals_and_nothing_is_lost() {
    let mut world = World::start(Plan { lease: 4, ..Plan::default() });
    script::origin(world.raw());
    let session = world.market.open(&wish());
    let door = world.door(&session);
    let mut tunnel = script::tunnel(&door, RAW, script::ECHO);
    world.fetch(&door, 500_000);
    world.coordinator_gone();
    until("no new tunnel past the lease", || (reason(&door)? == "lease-expired").then_some(()));
    ends(&mut tunnel, Duration::from_secs(20));
    until("the session is sealed", || (world.node.session(&session.id)?["state"] == "settled").then_some(()));
    let seen = world.node.session(&session.id).unwrap();
    assert!(world.node.status()["coordinator"]["spooledBundles"].as_u64().unwrap() >= 1);
    assert_eq!(reason(&door).as_deref(), Some("lease-expired"));

    world.coordinator_back();
    until("the coordinator has the final bundle", || {
        let bundles = world.operator(&["bundles"]);
        let of: Vec<&Value> = bundles.as_array().unwrap().iter().filter(|b| b["sessionId"] == session.id.as_str()).collect();
        let sum = |name: &str| of.iter().map(|b| b[name].as_u64().unwrap()).sum::<u64>();
        let whole = of.last()?["final"] == true;
        whole
            .then(|| assert_eq!((Some(sum("bytesIngress")), Some(sum("bytesEgress"))), (seen["bytesIngress"].as_u64(), seen["bytesEgress"].as_u64())))
    });
}

#[test]
fn a_pause_ends_live_tunnels_at_once_and_itself_in_time_and_a_stop_outlives_a_restart() {
    let mut world = World::start(Plan::default());
    script::origin(world.raw());
    let session = world.market.open(&wish());
    let door = world.door(&session);

    let mut tunnels: Vec<_> = (0..5).map(|_| script::tunnel(&door, RAW, script::ECHO)).collect();
    assert!(tunnels.iter_mut().all(alive));
    let said = world.node.said(&["control", "pause", "--seconds", "3"]);
    assert!(said.contains("paused until"), "{said}");
    for tunnel in &mut tunnels {
        ends(tunnel, PROMPTLY);
    }
    let status = world.node.status();
    assert!(status["paused"]["until"].is_string(), "{status}");
    assert_eq!(world.node.session(&session.id).unwrap()["state"], "halted");
    assert_eq!(reason(&door).as_deref(), Some("paused"));
    until("the pause is over", || (door.connect(SHOP).ok()?.0.status == 200).then_some(()));
    assert!(world.node.status()["paused"].is_null());

    let mut tunnel = script::tunnel(&door, RAW, script::ECHO);
    world.node.said(&["control", "stop"]);
    ends(&mut tunnel, PROMPTLY);
    world.node.state("stopped");
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        world.node.running().signal(signal);
        world.node.running().ended(Duration::from_secs(10));
        world.node.process = None;
        world.node.launch();
        world.node.state("stopped");
    }
    world.node.said(&["control", "start"]);
    world.node.state("running");
    until("the same session goes on", || (door.connect(SHOP).ok()?.0.status == 200).then_some(()));
}

#[test]
fn a_second_daemon_is_refused_and_sigterm_ends_the_first_at_once() {
    let mut world = World::start(Plan::default());
    script::origin(world.raw());
    let session = world.market.open(&wish());
    let mut tunnels: Vec<_> = (0..5).map(|_| script::tunnel(&world.door(&session), RAW, script::ECHO)).collect();

    let (config, run_dir) = (world.node.config.to_str().unwrap(), world.node.run_dir.to_str().unwrap());
    let second = crate::support::process::run(["run", "--config", config, "--run-dir", run_dir]);
    let message = crate::support::process::text(&second.stderr);
    assert!(!second.status.success() && message.contains(run_dir) && message.contains(&world.node.running().pid().to_string()), "{message}");
    assert!(tunnels.iter_mut().all(alive), "the first daemon did not notice");

    world.node.running().signal(Signal::SIGTERM);
    let status = world.node.running().ended(PROMPTLY);
    assert!(status.success(), "{status}");
    for tunnel in &mut tunnels {
        ends(tunnel, PROMPTLY);
    }
    assert!(!world.node.run_dir.join("control.sock").exists());
    let away = world.node.cli(&["status", "--json"]);
    assert_eq!(away.status.code(), Some(69));
    within(PROMPTLY, "the port is free", || std::net::TcpListener::bind(world.node.listen).ok());
}
