//! Moves bytes as fast as they go, or at a rate, and tells what it cost the proxy.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::args::Args;
use crate::proc::Watched;
use crate::way::{DOWN, PACED, UP, Way, end};

const PIECE: usize = 256 * 1024;

/// `--dir down|up --tunnels N --seconds S --warm S [--mbps R] --pids P,P`: bytes, seconds, CPU seconds of the proxy.
pub fn run(args: &Args) {
    let way = Way::of(args);
    let (tunnels, up) = (args.get("tunnels", 1usize), args.text("dir") == Some("up"));
    let rate: Option<f64> = args.text("mbps").map(|_| args.need("mbps"));
    let watched = Watched::parse(args.text("pids"));
    let moved = Arc::new(AtomicU64::new(0));
    let mut enders = Vec::new();
    let mut threads = Vec::new();
    // All stand before the first one moves: what is refused is refused for being too many, not for coming late.
    let pipes: Vec<_> = (0..tunnels).map(|_| way.open().unwrap_or_else(|e| fail(&e.to_string()))).collect();
    for mut pipe in pipes {
        let command = match rate {
            Some(mbps) => {
                let bytes = (mbps * 1e6 / 8.0 / tunnels as f64) as u64;
                [&[PACED][..], &bytes.to_be_bytes()].concat()
            }
            None => vec![if up { UP } else { DOWN }],
        };
        pipe.command(&command).unwrap_or_else(|e| fail(&e.to_string()));
        enders.push(pipe.ender());
        let moved = moved.clone();
        threads.push(std::thread::spawn(move || {
            let mut piece = vec![0x5a; PIECE];
            loop {
                let n = if up { pipe.write(&piece) } else { pipe.sink(&mut piece) };
                match n {
                    Ok(n) if n > 0 => moved.fetch_add(n as u64, Ordering::Relaxed),
                    _ => return,
                };
            }
        }));
    }
    sleep(Duration::from_secs_f64(args.get("warm", 0.3)));
    let before = (Instant::now(), watched.cpu(), moved.load(Ordering::Relaxed));
    sleep(Duration::from_secs_f64(args.get("seconds", 1.0)));
    let bytes = moved.load(Ordering::Relaxed) - before.2;
    let (seconds, cpu) = (before.0.elapsed().as_secs_f64(), watched.cpu() - before.1);
    let alive = threads.iter().filter(|t| !t.is_finished()).count();
    enders.iter().for_each(end);
    for thread in threads {
        let _ = thread.join();
    }
    if alive < tunnels {
        fail(&format!("{} of {tunnels} tunnels ended early", tunnels - alive));
    }
    println!(
        "{{\"bytes\": {bytes}, \"seconds\": {seconds:.4}, \"cpu\": {cpu:.6}, \"mbs\": {:.1}, \"cpu_per_gb\": {:.4}}}",
        bytes as f64 / 1e6 / seconds,
        cpu / (bytes as f64 / 1e9)
    );
}

pub fn fail(why: &str) -> ! {
    eprintln!("load: {why}");
    std::process::exit(1);
}
