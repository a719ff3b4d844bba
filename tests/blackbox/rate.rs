//! The owner's rate bounds all sessions together, and sessions share it whatever number of tunnels they open.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::buyer::{Wire, wish_with};
use crate::support::world::RAW;
use crate::support::{Plan, World, script, within};

/// Counts what comes out of `wire` until it ends or `done`.
fn drain(mut wire: Wire, count: Arc<AtomicU64>, done: Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut piece = vec![0; 64 * 1024];
        while let Ok(n) = wire.read(&mut piece) {
            if n == 0 || done.load(Ordering::Relaxed) {
                return;
            }
            count.fetch_add(n as u64, Ordering::Relaxed);
        }
    })
}

#[test]
fn two_sessions_share_the_owners_rate_evenly_and_a_session_keeps_to_its_own() {
    const MBPS: u64 = 24;
    let world = World::start(Plan { settings: vec![("network", "max_mbps", "24"), ("network", "burst_mb", "1")], ..Plan::default() });
    script::origin(world.raw());
    let fast = json!({"maxMbps": 1000, "burstMB": 1});
    let sessions = [
        world.market.open(&wish_with(&fast)),
        world.market.open(&wish_with(&fast)),
        world.market.open(&wish_with(&json!({"maxMbps": 4, "burstMB": 1}))),
    ];
    let counts: Vec<Arc<AtomicU64>> = sessions.iter().map(|_| Arc::default()).collect();
    let done = Arc::new(AtomicBool::new(false));
    let began = Instant::now();
    let mut readers = Vec::new();
    for (n, tunnels) in [6, 1, 2].into_iter().enumerate() {
        for _ in 0..tunnels {
            let wire = script::tunnel(&world.door(&sessions[n]), RAW, script::FLOOD);
            readers.push(drain(wire, counts[n].clone(), done.clone()));
        }
    }
    let of = |n: usize| counts[n].load(Ordering::Relaxed);
    // Long enough that bursts and the time between the first and the last tunnel weigh little.
    within(Duration::from_secs(60), "16 MB arrive", || (of(0) + of(1) + of(2) >= 16_000_000).then_some(()));
    let (counted, took) = ([of(0), of(1), of(2)], began.elapsed());
    done.store(true, Ordering::Relaxed);
    let total: u64 = counted.iter().sum();
    let allowed = |mbps: u64| 1_000_000.0 + mbps as f64 * 125_000.0 * took.as_secs_f64();
    assert!(total as f64 <= allowed(MBPS) * 1.02, "{total} in {took:?} is over the owner's rate");
    assert!(counted[2] as f64 <= allowed(4) * 1.02, "{counted:?} in {took:?}: the third is over its own rate");
    let (many, one) = (counted[0] as f64, counted[1] as f64);
    assert!((0.6..1.67).contains(&(many / one)), "six tunnels and one: {counted:?}");
    // The rate can change under way: what waits goes on.
    world.node.tell("PUT", "/config", &json!({"network": {"maxMbps": 4000}}));
    drop(readers);
}
