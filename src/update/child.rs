//! Programs the updater runs: with a deadline, and no more output than is read.

use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::core::Clock;

/// Bytes of output read; the rest is left.
const MAX_OUTPUT: u64 = 64 * 1024;
/// Between two looks at a program that runs.
pub const LOOK: Duration = Duration::from_millis(50);

/// Runs a program to its end, or kills it and what it started after `limit`.
/// Gives whether it ended well, and what it wrote to standard output.
///
/// # Errors
/// It cannot be run, or took too long.
pub fn run(program: &Path, args: &[&str], limit: Duration, clock: &Clock) -> io::Result<(bool, String)> {
    let mut command = Command::new(program);
    // What it starts in the background must not hold our pipe, nor die with it: a service restarts a daemon this way.
    command.args(args.iter().map(OsStr::new)).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
    let mut child = command.spawn()?;
    let group = i32::try_from(child.id()).map(Pid::from_raw);
    let out = child.stdout.take();
    let (tell, told) = std::sync::mpsc::channel();
    let reader = std::thread::Builder::new().name("update output".into()).stack_size(64 * 1024);
    reader.spawn(move || {
        let mut text = Vec::new();
        if let Some(mut out) = out {
            let _ = out.by_ref().take(MAX_OUTPUT).read_to_end(&mut text);
            let _ = tell.send(String::from_utf8_lossy(&text).into_owned());
            // So that a chatty program comes to its end.
            let _ = io::copy(&mut out, &mut io::sink());
        }
    })?;
    let end = clock.now().plus(limit);
    loop {
        if let Some(status) = child.try_wait()? {
            // Something it left running may hold the pipe open: what it said by now is what it said.
            return Ok((status.success(), told.recv_timeout(Duration::from_secs(1)).unwrap_or_default()));
        }
        if clock.now() >= end {
            if let Ok(group) = group {
                let _ = killpg(group, Signal::SIGKILL);
            }
            let _ = child.wait();
            return Err(io::Error::new(io::ErrorKind::TimedOut, format!("not done within {} s", limit.as_secs())));
        }
        std::thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, limit: Duration) -> io::Result<(bool, String)> {
        run(Path::new("/bin/sh"), &["-c", script], limit, &Clock::system())
    }

    #[test]
    fn output_and_outcome_are_told() {
        let long = Duration::from_secs(30);
        assert_eq!(sh("echo said; echo not >&2", long).unwrap(), (true, "said\n".into()));
        assert!(!sh("exit 3", long).unwrap().0);
        assert_eq!(sh("head -c 300000 /dev/zero; exit 0", long).unwrap().1.len() as u64, MAX_OUTPUT);
        assert!(run(Path::new("/nonexistent"), &[], long, &Clock::system()).is_err());
    }

    #[test]
    fn a_program_that_hangs_is_ended_with_what_it_started() {
        let error = sh("sleep 1000 & wait", Duration::from_millis(200)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
