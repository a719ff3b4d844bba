//! The household comes first: windows, caps over restarts, and giving way.

use std::io::{Read as _, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use echomesh::codec::time::from_rfc3339;
use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::buyer::{Door, Wire, wish};
use crate::support::wait::SOON;
use crate::support::world::{RAW, SHOP};
use crate::support::{Plan, World, script, until};

fn unix() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn reason(door: &Door) -> Option<String> {
    door.connect(SHOP).ok()?.0.header("echomesh-reason").map(str::to_owned)
}

fn alive(wire: &mut Wire) -> bool {
    let mut back = [0; 5];
    wire.write_all(b"alive").and_then(|()| wire.flush()).and_then(|()| wire.read_exact(&mut back)).is_ok() && &back == b"alive"
}

/// A time zone in which it is noon in `ahead` seconds. POSIX counts westwards, and to the second.
fn noon_in(ahead: u64) -> Vec<(String, String)> {
    let west = (unix() + ahead).cast_signed() % 86_400 - 43_200;
    let (sign, west) = (if west < 0 { "-" } else { "" }, west.unsigned_abs());
    vec![("TZ".into(), format!("<T>{sign}{}:{:02}:{:02}", west / 3600, west / 60 % 60, west % 60).replace("<T>", "TST"))]
}

fn again(world: &mut World) {
    world.node.running().signal(Signal::SIGTERM);
    world.node.running().ended(SOON);
    world.node.process = None;
    world.node.start();
}

#[test]
fn tunnels_end_with_their_window_and_the_session_waits_for_the_next() {
    let mut world = World::without_node(Plan { settings: vec![("window", "start", "08:00"), ("window", "end", "12:00")], ..Plan::default() });
    script::origin(world.raw());
    world.node.settings.set("window", "max_mbps", "2");
    world.node.write_settings();
    world.node.env = noon_in(3600);
    world.node.start();
    let session = world.market.open(&wish());
    let door = world.door(&session);
    until("the window is open", || (world.node.status()["schedule"]["open"] == true).then_some(()));
    let status = world.node.status();
    assert_eq!(status["caps"]["effectiveMbps"], 2.0, "{status}");
    assert_eq!(status["schedule"]["maxMbps"], 2.0, "{status}");
    assert!(alive(&mut script::tunnel(&door, RAW, script::ECHO)));

    // Noon comes in a quarter of a minute.
    world.node.env = noon_in(15);
    again(&mut world);
    until("the window is open again", || (world.node.status()["schedule"]["open"] == true).then_some(()));
    let closes = from_rfc3339(world.node.status()["schedule"]["closesAt"].as_str().unwrap()).unwrap();
    let mut tunnels: Vec<Wire> = (0..3).map(|_| script::tunnel(&door, RAW, script::ECHO)).collect();
    assert!(tunnels.iter_mut().all(alive));
    for tunnel in &mut tunnels {
        crate::support::buyer::patient(tunnel.socket(), SOON);
        assert!(tunnel.rest().is_empty());
    }
    assert!(unix() >= closes, "not before noon");
    assert_eq!(reason(&door).as_deref(), Some("schedule"));
    let status = world.node.status();
    assert_eq!(status["schedule"]["open"], false);
    assert_eq!(from_rfc3339(status["schedule"]["opensAt"].as_str().unwrap()), Some(closes + 20 * 3600), "{status}");
    assert_eq!(world.node.session(&session.id).unwrap()["state"], "halted");
    let page = world.node.said(&["status", "--once"]);
    assert!(page.contains("windows  closed, opens "), "{page}");

    // The owner opens the afternoon: the same session goes on, at the rate of the settings.
    world.node.tell("PUT", "/config", &json!({"node": {"schedules": [{"start": "12:00", "end": "11:59"}]}}));
    until("the session goes on", || (door.connect(SHOP).ok()?.0.status == 200).then_some(()));
    let status = world.node.status();
    assert_eq!((&status["schedule"]["open"], &status["caps"]["effectiveMbps"]), (&json!(true), &json!(8000.0)), "{status}");
    world.node.tell("PUT", "/config", &json!({"node": {"schedules": []}}));
    assert!(world.node.status()["schedule"].is_null());
}
