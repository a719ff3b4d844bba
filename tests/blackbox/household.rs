//! The household comes first: windows, caps over restarts, and giving way.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use echomesh::codec::time::from_rfc3339;
use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::buyer::{Door, Wire, wish, wish_with};
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

/// Reads from `wire` until `bytes` have come, or its end; tells how many came.
fn pull(wire: &mut Wire, bytes: u64) -> u64 {
    let (mut got, mut piece) = (0, vec![0; 256 * 1024]);
    while got < bytes {
        match wire.read(&mut piece) {
            Ok(n) if n > 0 => got += n as u64,
            _ => break,
        }
    }
    got
}

#[test]
fn volumes_of_day_month_and_session_count_over_restarts() {
    let mut world = World::start(Plan { settings: vec![("network", "max_gb_per_day", "1")], ..Plan::default() });
    script::origin(world.raw());
    let session = world.market.open(&wish_with(&json!({"maxGB": 1})));
    let door = world.door(&session);
    let flood = |door: &Door| script::tunnel(door, RAW, script::FLOOD);

    let first = pull(&mut flood(&door), 200_000_000);
    again(&mut world);
    let used = world.node.status()["caps"]["usedTodayBytes"].as_u64().unwrap();
    assert!(used >= 2 * first, "{used} on the uplink, {first} relayed");
    // A relayed GB costs two on the uplink: the day ends at half a GB.
    let second = pull(&mut flood(&door), u64::MAX);
    until("the day's volume is used up", || (reason(&door)? == "daily-cap").then_some(()));
    assert!((450_000_000..=510_000_000).contains(&(first + second)), "{first} and {second}");
    again(&mut world);
    assert_eq!(reason(&door).as_deref(), Some("daily-cap"));
    let alerts = world.node.status()["alerts"].to_string();
    assert!(alerts.contains("\"daily-cap\""), "{alerts}");

    world.node.tell("PUT", "/config", &json!({"network": {"maxGBPerDay": 0, "maxGBPerMonth": 1}}));
    assert_eq!(reason(&door).as_deref(), Some("monthly-cap"));
    again(&mut world);
    assert_eq!(reason(&door).as_deref(), Some("monthly-cap"));

    world.node.tell("PUT", "/config", &json!({"network": {"maxGBPerMonth": 0}}));
    let third = pull(&mut flood(&door), u64::MAX);
    until("the session's volume is used up", || (reason(&door)? == "session-cap").then_some(()));
    assert!((950_000_000..=1_010_000_000).contains(&(first + second + third)), "{first}, {second} and {third}");
}

#[test]
fn a_pause_outlives_restarts_and_ends_by_itself() {
    let mut world = World::start(Plan::default());
    let session = world.market.open(&wish());
    let door = world.door(&session);
    world.node.said(&["control", "pause", "--seconds", "600"]);
    let paused = world.node.status()["paused"].clone();
    let page = world.node.said(&["status", "--once"]);
    assert!(page.contains(", paused until ") && page.contains(" left)"), "{page}");
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        world.node.running().signal(signal);
        world.node.running().ended(SOON);
        world.node.process = None;
        world.node.start();
        let now = world.node.status()["paused"].clone();
        let second = |v: &serde_json::Value, name: &str| from_rfc3339(v[name].as_str().unwrap()).unwrap();
        assert_eq!(now["since"], paused["since"]);
        assert!(second(&now, "until").abs_diff(second(&paused, "until")) <= 1, "{now} {paused}");
        assert!(now["leftSec"].as_u64().unwrap() <= 600);
        assert_eq!(reason(&door).as_deref(), Some("paused"));
    }
    world.node.said(&["control", "start"]);
    until("the session goes on", || (door.connect(SHOP).ok()?.0.status == 200).then_some(()));
    again(&mut world);
    assert!(world.node.status()["paused"].is_null());

    world.node.said(&["control", "pause", "--seconds", "6"]);
    let until_when = from_rfc3339(world.node.status()["paused"]["until"].as_str().unwrap()).unwrap();
    again(&mut world);
    until("the pause is over", || (door.connect(SHOP).ok()?.0.status == 200).then_some(()));
    assert!(unix() >= until_when);

    world.node.tell("POST", "/control", &json!({"action": "pause"}));
    again(&mut world);
    let paused = world.node.status()["paused"].clone();
    assert!(paused.is_object() && paused["until"].is_null() && paused["leftSec"].is_null(), "{paused}");
}

#[test]
fn while_the_household_uses_the_line_the_rate_is_a_quarter() {
    let settings = vec![("network", "max_mbps", "40"), ("network", "burst_mb", "1"), ("network", "yield", "1"), ("network", "line_mbps", "100")];
    let mut world = World::without_node(Plan { settings, ..Plan::default() });
    // The uplink's counters are files of the test's: the household's traffic is what it writes into them.
    let counters = world.folder.join("counters");
    let lo = counters.join("lo/statistics");
    std::fs::create_dir_all(&lo).unwrap();
    let write = |name: &str, bytes: u64| {
        let next = lo.join(format!("{name}.new"));
        std::fs::write(&next, format!("{bytes}\n")).unwrap();
        std::fs::rename(next, lo.join(name)).unwrap();
    };
    write("tx_bytes", 0);
    write("rx_bytes", 0);
    world.node.args = vec!["--counters".into(), counters.to_str().unwrap().into()];
    world.node.start();
    script::origin(world.raw());
    let session = world.market.open(&wish());
    let mut flood = script::tunnel(&world.door(&session), RAW, script::FLOOD);
    let (tell, over) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut piece = vec![0; 64 * 1024];
            while over.try_recv().is_err() && flood.read(&mut piece).is_ok_and(|n| n > 0) {}
        });
        let caps = || world.node.status()["caps"].clone();
        assert_eq!(caps()["giveWay"], "rate");
        until("bytes move", || (world.node.metric("echomesh_ingress_bytes_total") > 2e6).then_some(()));
        assert_eq!((&caps()["yielding"], &caps()["effectiveMbps"]), (&json!(false), &json!(40.0)));

        // A household of 160 Mbps, our own bytes included.
        let began = Instant::now();
        let busy = |until_then: &dyn Fn() -> bool| {
            let end = Instant::now() + SOON;
            while !until_then() {
                assert!(Instant::now() < end, "not in time");
                write("rx_bytes", (began.elapsed().as_secs_f64() * 2e7) as u64);
                std::thread::sleep(Duration::from_millis(20));
            }
        };
        busy(&|| caps()["yielding"] == true);
        println!("gave way after {:?}", began.elapsed());
        assert_eq!(caps()["effectiveMbps"], 10.0);
        let (bytes, from) = (world.node.metric("echomesh_ingress_bytes_total"), Instant::now());
        busy(&|| from.elapsed() > Duration::from_secs(3));
        let moved = world.node.metric("echomesh_ingress_bytes_total") - bytes;
        // A second's worth as burst, and what the reading of the counters takes.
        let most = (from.elapsed().as_secs_f64() + 1.0) * 1.25e6 * 1.05;
        assert!(moved <= most, "{moved} bytes, at a quarter {most} at most");

        let calm = Instant::now();
        crate::support::within(Duration::from_secs(90), "the whole rate is back", || {
            let caps = caps();
            (caps["yielding"] == false && caps["effectiveMbps"] == 40.0).then_some(())
        });
        assert!(calm.elapsed() >= Duration::from_secs(28), "{:?}", calm.elapsed());
        let _ = tell.send(());
    });
}
