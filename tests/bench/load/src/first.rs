//! Starts a proxy and tells when the first tunnel through it stands; then stops it and tells how long that took.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, setsid};

use crate::args::Args;
use crate::bulk::fail;
use crate::way::Way;

/// `--core N [--signal quit] -- COMMAND...`
pub fn run(args: &Args) {
    let way = Way::of(args);
    let core = args.get("core", 1usize);
    let (program, words) = args.rest.split_first().unwrap_or_else(|| fail("a command is missing"));
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut cores = CpuSet::new();
    cores.set(core).unwrap();
    let prepare = move || {
        setsid()?;
        sched_setaffinity(Pid::from_raw(0), &cores)?;
        Ok(())
    };
    // SAFETY: both are bare system calls.
    unsafe { command.pre_exec(prepare) };
    let began = Instant::now();
    let mut child = command.spawn().unwrap_or_else(|e| fail(&e.to_string()));
    let first = loop {
        if way.open().is_ok() {
            break began.elapsed();
        }
        if began.elapsed() > Duration::from_secs(20) || child.try_wait().is_ok_and(|s| s.is_some()) {
            let _ = child.kill();
            fail("it does not start");
        }
        std::thread::sleep(Duration::from_micros(200));
    };
    std::thread::sleep(Duration::from_millis(300));
    let signal = if args.text("signal") == Some("quit") { Signal::SIGQUIT } else { Signal::SIGTERM };
    let stopping = Instant::now();
    let _ = kill(Pid::from_raw(i32::try_from(child.id()).unwrap_or(0)), signal);
    let _ = child.wait();
    println!("{{\"first_ms\": {:.2}, \"stop_ms\": {:.2}}}", first.as_secs_f64() * 1e3, stopping.elapsed().as_secs_f64() * 1e3);
}
