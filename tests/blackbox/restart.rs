//! The daemon ends or is killed in mid-session and comes back; settings change under live tunnels.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::buyer::{Wire, wish};
use crate::support::world::{RAW, SHOP};
use crate::support::{Plan, Session, World, process, script, until};

fn bundles(world: &World, session: &Session) -> Vec<Value> {
    let all = world.operator(&["bundles"]);
    all.as_array().unwrap().iter().filter(|b| b["sessionId"] == session.id.as_str()).cloned().collect()
}

#[track_caller]
fn close_and_settle(world: &World, session: &Session) -> Vec<Value> {
    world.market.close(session);
    until("the session settles", || (world.market.seen(session)["state"] == "settled").then_some(()));
    let bundles = bundles(world, session);
    let seqs: Vec<u64> = bundles.iter().map(|b| b["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=bundles.len() as u64).collect::<Vec<_>>(), "one chain");
    let dir = world.folder.join("coordinator");
    process::said(["coordinator", "verify", "--dir", dir.to_str().unwrap()]);
    bundles
}

fn sum(bundles: &[Value], name: &str) -> u64 {
    bundles.iter().map(|b| b[name].as_u64().unwrap()).sum()
}

fn echo(wire: &mut Wire, bytes: &[u8]) -> bool {
    let mut back = vec![0; bytes.len()];
    wire.write_all(bytes).and_then(|()| wire.flush()).and_then(|()| wire.read_exact(&mut back)).is_ok() && back == bytes
}

#[test]
fn after_sigterm_the_same_session_goes_on_and_nothing_is_lost() {
    let mut world = World::start(Plan::default());
    let session = world.market.open(&wish());
    let door = world.door(&session);
    let identity = world.node.said(&["identity", "show"]);
    for _ in 0..2 {
        world.fetch(&door, 1_234_567);
        world.node.running().signal(Signal::SIGTERM);
        assert!(world.node.running().ended(Duration::from_secs(10)).success());
        world.node.process = None;
        world.node.start();
        until("the session is back", || (door.connect(SHOP).ok()?.0.status == 200).then_some(()));
    }
    world.fetch(&door, 1_234_567);
    assert_eq!(world.node.said(&["identity", "show"]), identity, "the same node, the same pinned key");
    let counts = world.origin_counts();
    let seen = world.node.session(&session.id).unwrap();
    assert_eq!((seen["bytesIngress"].as_u64(), seen["bytesEgress"].as_u64()), (Some(counts.0), Some(counts.1)));
    let bundles = close_and_settle(&world, &session);
    assert_eq!((sum(&bundles, "bytesIngress"), sum(&bundles, "bytesEgress")), counts);
    assert!(bundles.iter().all(|b| b["gap"].is_null()), "no time was lost: {bundles:?}");
}

#[test]
fn after_kill_9_the_session_goes_on_the_last_second_at_most_is_lost_and_the_gap_is_stated() {
    const PIECE: usize = 2000;
    let mut world = World::start(Plan::default());
    script::origin(world.raw());
    let session = world.market.open(&wish());
    let door = world.door(&session);
    let mut tunnel = script::tunnel(&door, RAW, script::ECHO);
    let began = Instant::now();
    let mut moved = Vec::new();
    let mut total = 0;
    while began.elapsed() < Duration::from_secs(5) {
        assert!(echo(&mut tunnel, &[1; PIECE]));
        total += PIECE as u64;
        moved.push((Instant::now(), total));
    }
    world.node.running().kill();
    let killed = Instant::now();
    world.node.process = None;
    world.node.start();
    until("the session is back", || (door.connect(SHOP).ok()?.0.status == 200).then_some(()));
    let bundles = close_and_settle(&world, &session);
    let counted = sum(&bundles, "bytesEgress");
    // One second of journal's rhythm, and one in which a busy machine lets it wait.
    let safe = moved.iter().rfind(|(at, _)| killed.duration_since(*at) > Duration::from_secs(2)).unwrap().1;
    assert!(counted >= safe, "{counted} of {safe} that were moved two seconds before the kill");
    assert!(counted <= total + 4096, "{counted} counted, {total} moved");
    let gap = bundles.iter().find_map(|b| b["gap"].as_array()).unwrap_or_else(|| panic!("no gap in {bundles:?}"));
    assert_eq!(gap.len(), 2);
}

#[test]
fn new_settings_apply_without_ending_a_live_tunnel_and_bad_ones_change_nothing() {
    let mut world = World::start(Plan::default());
    script::origin(world.raw());
    let session = world.market.open(&wish());
    let door = world.door(&session);
    let mut tunnel = script::tunnel(&door, RAW, script::ECHO);
    let blocked = |reason: Option<&str>| {
        until("the new list is in force", || {
            let (answer, _) = door.connect(SHOP).ok()?;
            (answer.header("echomesh-reason") == reason).then_some(())
        });
    };
    blocked(None);

    world.node.settings.add("network", "block_domain", "shop.example.test").set("network", "max_mbps", "777");
    world.node.write_settings();
    world.node.running().signal(Signal::SIGHUP);
    blocked(Some("blocked-domain"));
    assert!(echo(&mut tunnel, b"after a SIGHUP"));
    assert_eq!(world.node.status()["caps"]["maxMbps"].as_f64(), Some(777.0));

    let before = world.node.get("/config").json();
    let good = world.node.settings.clone();
    world.node.settings.set("network", "max_mbps", "fast").drop("network", "block_domain");
    world.node.write_settings();
    world.node.running().signal(Signal::SIGHUP);
    until("it says why", || world.node.running().log().contains("network.max_mbps").then_some(()));
    assert_eq!(world.node.get("/config").json(), before);
    blocked(Some("blocked-domain"));
    world.node.settings = good;
    world.node.write_settings();

    let put = world.node.tell("PUT", "/config", &json!({"network": {"blocklistDomains": [], "maxMbps": 555}}));
    assert_eq!(put["network"]["maxMbps"].as_f64(), Some(555.0), "{put}");
    blocked(None);
    assert!(std::fs::read_to_string(&world.node.config).unwrap().contains("555"), "what was put is in the file");
    let wrong = world.node.call("PUT", "/config", r#"{"network": {"maxMbps": -1, "ports": [0]}}"#).unwrap();
    assert_eq!(wrong.status, 422, "{}", wrong.text());
    let paths: Vec<String> = wrong.json().as_array().unwrap().iter().map(|f| f["path"].as_str().unwrap().to_owned()).collect();
    assert!(paths.iter().any(|p| p.contains("maxMbps")) && paths.iter().any(|p| p.contains("ports")), "{paths:?}");
    assert_eq!(world.node.get("/config").json(), put);
    assert_eq!(world.node.status()["caps"]["maxMbps"].as_f64(), Some(555.0));

    // The listener moves, the tunnel stays.
    let other = format!("{}:9443", world.ip(101));
    world.node.tell("PUT", "/config", &json!({"proxy": {"listen": [other]}}));
    until("it listens there", || std::net::TcpStream::connect(&other).ok());
    until("and no longer here", || std::net::TcpStream::connect(world.node.listen).err());
    assert!(echo(&mut tunnel, b"after all of that"));
    assert_eq!(world.node.tunnels(), 1);
}
