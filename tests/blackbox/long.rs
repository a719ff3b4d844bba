//! What takes minutes. Ignored by `cargo test`; `tests/long/*.sh` runs each.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::buyer::{Door, wish_with};
use crate::support::world::{RAW, SHOP};
use crate::support::{Plan, World, http, process, script, until};

/// A number from the environment, for shorter or longer runs.
fn knob(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(usual)
}

fn sums(world: &World) -> (u64, u64) {
    let bundles = world.operator(&["bundles"]);
    let sum = |name: &str| bundles.as_array().unwrap().iter().map(|b: &Value| b[name].as_u64().unwrap()).sum();
    (sum("bytesIngress"), sum("bytesEgress"))
}

#[test]
#[ignore = "takes minutes: tests/long/kill-loop.sh"]
fn killed_a_hundred_times_under_traffic_nothing_is_billed_twice_and_each_loses_a_second_at_most() {
    crate::faults::kill::rounds(knob("ECHOMESH_ROUNDS", 100));
}

#[test]
#[ignore = "takes minutes: tests/long/soak.sh"]
fn ten_minutes_of_churn_leave_memory_files_and_books_as_they_were() {
    let lasts = Duration::from_secs(knob("ECHOMESH_SECONDS", 600));
    let mut world = World::start(Plan::default());
    script::origin(world.raw());
    // A fast build moves more than the usual volume.
    let session = world.market.open(&wish_with(&json!({"maxGB": 100_000, "ttlSec": 86_400})));
    let doors = [world.door(&session), world.tls_door(&session)];
    let pid = world.node.running().pid();
    world.fetch(&doors[0], 1000);
    until("quiet", || (world.node.tunnels() == 0).then_some(()));
    let files = open_files(pid);
    let done = Arc::new(AtomicBool::new(false));
    let exchanges = Arc::new(AtomicU64::new(0));
    let workers: Vec<_> = (0..12).map(|n| churn(n, doors[n % 2].clone(), world.shop.clone(), done.clone(), exchanges.clone())).collect();
    let began = Instant::now();
    let mut rss = Vec::new();
    while began.elapsed() < lasts {
        rss.push(world.node.status()["memory"]["rssBytes"].as_u64().unwrap());
        assert_eq!(world.node.status()["state"], "running");
        std::thread::sleep(Duration::from_secs(1));
    }
    done.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.join().unwrap();
    }
    until("quiet", || (world.node.tunnels() == 0).then_some(()));
    let most = |part: &[u64]| part.iter().copied().max().unwrap();
    let (early, late) = (most(&rss[..rss.len() / 3]), most(&rss[rss.len() * 2 / 3..]));
    println!("{} exchanges; RSS at most {early} in the first third, {late} in the last", exchanges.load(Ordering::Relaxed));
    assert!(late < early + early / 5 + (2 << 20), "memory grows: {early} to {late}");
    until("files and sockets are as before", || (open_files(pid) <= files + 4).then_some(()));
    let seen = world.node.session(&session.id).unwrap();
    world.market.close(&session);
    until("the session settles", || (world.market.seen(&session)["state"] == "settled").then_some(()));
    let (ingress, egress) = sums(&world);
    assert_eq!((seen["bytesIngress"].as_u64(), seen["bytesEgress"].as_u64()), (Some(ingress), Some(egress)));
    let dir = world.folder.join("coordinator");
    process::said(["coordinator", "verify", "--dir", dir.to_str().unwrap()]);
}

fn open_files(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// Fetches, uploads, refused names, tunnels broken off in the middle: one after the other until `done`.
fn churn(seed: usize, door: Door, shop: Arc<rustls::ClientConfig>, done: Arc<AtomicBool>, exchanges: Arc<AtomicU64>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut n = seed as u64;
        while !done.load(Ordering::Relaxed) {
            n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let size = (n >> 33) % 2_000_000;
            match (n >> 20) % 5 {
                0 => drop(door.connect("www.blocked.test:8443")),
                1 => {
                    let mut wire = script::tunnel(&door, RAW, script::FLOOD);
                    let _ = wire.read_exact(&mut vec![0; usize::try_from(size / 4).unwrap()]);
                }
                2 => {
                    let request = http::request("POST", "/up", "shop.example.test", &[], &vec![1; usize::try_from(size).unwrap()]);
                    assert_eq!(door.https(&shop, SHOP, &request).unwrap().status, 200);
                }
                _ => {
                    let request = http::request("GET", &format!("/down/{size}"), "shop.example.test", &[], b"");
                    assert_eq!(door.https(&shop, SHOP, &request).unwrap().body.len() as u64, size);
                }
            }
            exchanges.fetch_add(1, Ordering::Relaxed);
        }
    })
}
