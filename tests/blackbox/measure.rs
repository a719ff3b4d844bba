//! Figures for `docs/reference/measurements.md`: printed, and asserted only where a document promises a bound.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::buyer::{Door, Wire, wish};
use crate::support::world::RAW;
use crate::support::{Plan, World, script, until};

/// `VmRSS` and the like, in KiB.
fn kib(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix(name)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
}

/// CPU seconds of all threads so far.
fn cpu(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let after = stat.rsplit_once(')').unwrap().1;
    let ticks: Vec<f64> = after.split_whitespace().skip(11).take(2).map(|t| t.parse().unwrap()).collect();
    // USER_HZ is 100 on every Linux.
    (ticks[0] + ticks[1]) / 100.0
}

/// How often its threads went to sleep so far.
fn sleeps(pid: u32) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of = |task: std::fs::DirEntry| {
        let status = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
        status.lines().find_map(|l| l.strip_prefix("voluntary_ctxt_switches:")?.trim().parse::<u64>().ok()).unwrap_or(0)
    };
    tasks.map_while(Result::ok).map(of).sum()
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort_unstable();
    all[all.len() / 2]
}

fn flood(door: &Door, tunnels: usize, each: u64) {
    let pull = |mut wire: Wire| {
        let mut piece = vec![0; 256 * 1024];
        let mut left = each;
        while left > 0 {
            left = left.saturating_sub(wire.read(&mut piece).unwrap() as u64);
        }
    };
    let wires: Vec<Wire> = (0..tunnels).map(|_| script::tunnel(door, RAW, script::FLOOD)).collect();
    std::thread::scope(|scope| wires.into_iter().for_each(|wire| drop(scope.spawn(move || pull(wire)))));
}

/// The rates of `network.max_mbps` against the clock, with the 3 % of the documents: bytes that arrived in ten seconds,
/// the burst being used up.
#[test]
#[ignore = "takes two minutes, and wants a machine to itself: tests/long/measure.sh"]
fn rates() {
    let world = World::start(Plan { settings: vec![("network", "max_mbps", "0.5"), ("network", "burst_mb", "1")], ..Plan::default() });
    script::origin(world.raw());
    let door = world.door(&world.market.open(&wish()));
    for mbps in [0.5, 5.0, 50.0, 200.0] {
        for tunnels in [1, 8] {
            world.node.tell("PUT", "/config", &json!({"network": {"maxMbps": mbps}}));
            let count = Arc::new(AtomicU64::new(0));
            let wires: Vec<Wire> = (0..tunnels).map(|_| script::tunnel(&door, RAW, script::FLOOD)).collect();
            let ends: Vec<_> = wires.iter().map(|w| w.socket().try_clone().unwrap()).collect();
            let counted = std::thread::scope(|scope| {
                for mut wire in wires {
                    let count = count.clone();
                    scope.spawn(move || {
                        let mut piece = vec![0; 64 * 1024];
                        while let Ok(n @ 1..) = wire.read(&mut piece) {
                            count.fetch_add(n as u64, Ordering::Relaxed);
                        }
                    });
                }
                std::thread::sleep(Duration::from_secs(3));
                let (before, began) = (count.load(Ordering::Relaxed), Instant::now());
                std::thread::sleep(Duration::from_secs(10));
                let counted = (count.load(Ordering::Relaxed) - before) as f64 * 8.0 / 1e6 / began.elapsed().as_secs_f64();
                ends.iter().for_each(|end| drop(end.shutdown(std::net::Shutdown::Both)));
                counted
            });
            let off = (counted / mbps - 1.0) * 100.0;
            println!("set {mbps} Mbps, {tunnels} tunnels: {counted:.3} Mbps over 10 s ({off:+.2} %)");
            assert!(off.abs() <= 3.0, "set {mbps}, {counted}");
            until("quiet", || (world.node.tunnels() == 0).then_some(()));
        }
    }
}

#[test]
#[ignore = "takes a minute, and wants a machine to itself: tests/long/measure.sh"]
fn figures() {
    let mut world = World::without_node(Plan { heartbeat: 30, ..Plan::default() });
    script::origin(world.raw());
    let mut starts = Vec::new();
    let mut stops = Vec::new();
    for _ in 0..9 {
        let began = Instant::now();
        world.node.launch();
        while world.node.call("GET", "/status", "").map_or(true, |a| a.status != 200 || a.json()["state"] != "running") {
            std::thread::yield_now();
        }
        starts.push(began.elapsed());
        let began = Instant::now();
        world.node.running().signal(Signal::SIGTERM);
        world.node.running().ended(Duration::from_secs(2));
        stops.push(began.elapsed());
        world.node.process = None;
    }
    println!("start to running (registered): {:?}", median(starts));
    println!("stop, idle: {:?}", median(stops));
    world.node.start();
    let pid = world.node.running().pid();
    let session = world.market.open(&wish());
    let door = world.door(&session);
    println!("RSS idle: {} KiB (anonymous {} KiB)", kib(pid, "VmRSS"), kib(pid, "RssAnon"));

    let calls: Vec<Duration> = (0..300)
        .map(|_| {
            let began = Instant::now();
            world.node.get("/status");
            began.elapsed()
        })
        .collect();
    println!("GET /status: {:?}", median(calls));

    let before = (sleeps(pid), cpu(pid), Instant::now());
    std::thread::sleep(Duration::from_secs(30));
    let seconds = before.2.elapsed().as_secs_f64();
    println!("idle, one session: {:.2} wake-ups/s, {:.3} % CPU", (sleeps(pid) - before.0) as f64 / seconds, (cpu(pid) - before.1) * 100.0 / seconds);

    let rss = kib(pid, "RssAnon");
    let idle: Vec<Wire> = (0..100).map(|_| script::tunnel(&door, RAW, script::ECHO)).collect();
    println!("100 idle tunnels: RSS {} KiB, {:.1} KiB a tunnel", kib(pid, "VmRSS"), (kib(pid, "RssAnon").saturating_sub(rss)) as f64 / 100.0);
    drop(idle);
    let stalled: Vec<Wire> = (0..100).map(|_| script::tunnel(&door, RAW, script::FLOOD)).collect();
    until("the buffers are full", || {
        let before = world.node.metric("echomesh_ingress_bytes_total");
        std::thread::sleep(Duration::from_millis(300));
        (world.node.metric("echomesh_ingress_bytes_total") == before).then_some(())
    });
    let before = cpu(pid);
    std::thread::sleep(Duration::from_secs(5));
    println!("100 stalled readers: RSS {} KiB, {:.2} % CPU", kib(pid, "VmRSS"), (cpu(pid) - before) * 20.0);
    drop(stalled);
    until("quiet", || (world.node.tunnels() == 0).then_some(()));

    for (name, door) in [("plain (splice)", door.clone()), ("TLS (copy)", world.tls_door(&session))] {
        let (before, began) = (cpu(pid), Instant::now());
        flood(&door, 8, 128 << 20);
        let gb = 8.0 * f64::from(128 << 20) / 1e9;
        println!("{name}, 8 tunnels: {:.2} CPU-s/GB, {:.0} MB/s", (cpu(pid) - before) / gb, gb * 1000.0 / began.elapsed().as_secs_f64());
    }
    let (tx, rx) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            flood(&door, 100, 10 << 20);
            tx.send(()).unwrap();
        });
        let mut most = 0;
        while rx.try_recv().is_err() {
            most = most.max(kib(pid, "VmRSS"));
            std::thread::sleep(Duration::from_millis(50));
        }
        println!("100 busy tunnels: RSS at most {most} KiB");
    });
    let tunnels: Vec<Wire> = (0..100).map(|_| script::tunnel(&door, RAW, script::ECHO)).collect();
    let began = Instant::now();
    world.node.running().signal(Signal::SIGTERM);
    assert!(world.node.running().ended(Duration::from_secs(2)).success());
    println!("stop with 100 tunnels: {:?}", began.elapsed());
    drop(tunnels);
}
