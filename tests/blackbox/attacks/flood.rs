//! Two thousand idle tunnels, and floods of connections: memory has bounds.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::json;

use crate::support::buyer::{Wire, wish_with};
use crate::support::world::{RAW, SHOP};
use crate::support::{Plan, World, script, until};

const IDLE: u64 = 2000;
/// Of the process for one idle tunnel: an unoptimised build holds larger futures than the one that is shipped.
const MOST_PER_TUNNEL: u64 = 24 * 1024;

/// Room for as many open files, here and in the processes started from here.
fn files(wanted: u64) {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    assert!(hard >= wanted, "needs {wanted} open files: ulimit -Hn says {hard}");
    setrlimit(Resource::RLIMIT_NOFILE, soft.max(wanted), hard).unwrap();
}

/// An origin in one thread that answers each hello and holds the connection.
fn holder(addr: SocketAddr) -> Arc<Mutex<Vec<TcpStream>>> {
    let listener = TcpListener::bind(addr).unwrap();
    let held = Arc::new(Mutex::new(Vec::new()));
    let holds = held.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            if stream.read(&mut [0; 2048]).is_ok_and(|n| n > 0) && stream.write_all(&[22, 3, 3, 0, 1, 2]).is_ok() {
                holds.lock().unwrap().push(stream);
            }
        }
    });
    held
}

fn rss(world: &World) -> u64 {
    world.node.status()["memory"]["rssBytes"].as_u64().unwrap()
}

#[test]
fn two_thousand_idle_tunnels_and_a_flood_of_connections_stay_within_bounds() {
    files(3 * IDLE + 1000);
    let world = World::start(Plan { settings: vec![("network", "max_tunnels", "2100")], ..Plan::default() });
    let held = holder(world.raw());
    let session = world.market.open(&wish_with(&json!({"maxTunnels": 2100})));
    let door = world.door(&session);
    world.fetch(&door, 1_000_000);
    until("quiet", || (world.node.tunnels() == 0).then_some(()));
    let hello = script::hello(RAW, &[]);
    let idle = || {
        let mut wire = door.tunnel(&format!("{RAW}:8443"));
        wire.write_all(&hello).unwrap();
        wire.read_exact(&mut [0; 6]).unwrap();
        wire
    };
    let mut wires: Vec<Wire> = (0..50).map(|_| idle()).collect();
    let before = rss(&world);
    wires.extend((50..IDLE).map(|_| idle()));
    assert_eq!(world.node.tunnels(), IDLE);
    let each = rss(&world).saturating_sub(before) / (IDLE - 50);
    println!("{each} bytes of resident memory for one of {IDLE} idle tunnels");
    assert!(each < MOST_PER_TUNNEL, "{each} bytes each");

    // Strangers by the thousand: silent, or gone at once, or with nonsense.
    let quiet = rss(&world);
    let mut silent = Vec::new();
    for n in 0..3000u32 {
        let Ok(mut wire) = door.from(100 + (n % 100) as u8).reach() else { continue };
        match n % 3 {
            0 => silent.push(wire),
            1 => drop(wire),
            _ => drop(wire.write_all(b"\x16\x03\x01\x02\x00\x01\xff\xff")),
        }
        if n.is_multiple_of(500) {
            assert!(world.node.tunnels() >= IDLE, "no live tunnel suffers");
            assert_eq!(door.connect(SHOP).unwrap().0.status, 200, "and a buyer gets in");
        }
    }
    let grown = rss(&world).saturating_sub(quiet);
    println!("{grown} bytes more in a flood of 3000 connections");
    assert!(grown < 6 << 20, "{grown} bytes more");
    drop(silent);
    // The first and the last still carry.
    let last = wires.len() - 1;
    for wire in [0, last] {
        wires[wire].write_all(b"x").unwrap();
    }
    drop(wires);
    held.lock().unwrap().clear();
    until("all are over", || (world.node.tunnels() == 0).then_some(()));
    assert_eq!(world.node.status()["state"], "running");
}
