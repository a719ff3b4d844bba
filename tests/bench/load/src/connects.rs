//! Opens and closes tunnels: as fast as `--clients` in a closed loop can, or `--rate` a second; optionally under a bulk load.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::args::Args;
use crate::bulk::fail;
use crate::proc::Watched;
use crate::way::Way;

/// Tells connects a second, latency quantiles in ms up to the origin's first byte, and CPU microseconds of the proxy each.
pub fn run(args: &Args) {
    let way = Way::of(args);
    let clients = args.get("clients", 16usize);
    let rate: f64 = args.get("rate", 0.0);
    let watched = Watched::parse(args.text("pids"));
    drop(way.open().unwrap_or_else(|e| fail(&e.to_string())));
    let times = Arc::new(Mutex::new(Vec::new()));
    let failed = Arc::new(AtomicU32::new(0));
    let (began, cpu) = (Instant::now(), watched.cpu());
    let until = began + Duration::from_secs_f64(args.get("seconds", 2.0));
    let threads: Vec<_> = (0..clients)
        .map(|nth| {
            let (way, times, failed) = (way.clone(), times.clone(), failed.clone());
            std::thread::spawn(move || {
                let mut own = Vec::with_capacity(1 << 14);
                let every = Duration::from_secs_f64(if rate > 0.0 { clients as f64 / rate } else { 0.0 });
                let mut due = began + every.mul_f64(nth as f64 / clients as f64);
                while Instant::now() < until {
                    if rate > 0.0 {
                        std::thread::sleep(due.saturating_duration_since(Instant::now()));
                        due += every;
                    }
                    let start = Instant::now();
                    match way.open() {
                        Ok(pipe) => {
                            own.push(start.elapsed());
                            drop(pipe);
                        }
                        Err(_) => {
                            failed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
                times.lock().unwrap().extend(own);
            })
        })
        .collect();
    for thread in threads {
        let _ = thread.join();
    }
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), watched.cpu() - cpu);
    let mut times = std::mem::take(&mut *times.lock().unwrap());
    times.sort_unstable();
    let at = |q: f64| times.get(((times.len() as f64 * q) as usize).min(times.len().saturating_sub(1))).map_or(0.0, |d| d.as_secs_f64() * 1e3);
    println!(
        "{{\"per_second\": {:.1}, \"p50\": {:.3}, \"p95\": {:.3}, \"p99\": {:.3}, \"worst\": {:.3}, \"cpu_us\": {:.1}, \"failed\": {}}}",
        times.len() as f64 / seconds,
        at(0.5),
        at(0.95),
        at(0.99),
        at(1.0),
        cpu * 1e6 / times.len().max(1) as f64,
        failed.load(Ordering::Relaxed)
    );
}
