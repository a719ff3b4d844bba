//! Short programs run for somebody: in a process group of their own, with nothing of our environment, and an end.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Read as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

/// Where programs are looked for by those that are run.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// Most bytes kept of what one says.
const MOST_SAID: u64 = 64 * 1024;
/// First and longest time between two looks at one that runs.
const LOOK: Duration = Duration::from_millis(1);
const LOOK_MOST: Duration = Duration::from_millis(20);

/// How it ended.
#[derive(Debug)]
pub enum Outcome {
    /// With success.
    Done,
    /// Otherwise.
    Failed(ExitStatus),
    /// Not within its time: it and its process group were killed.
    Late,
    /// It could not be started, or not be waited for.
    Broken(io::Error),
    /// Nothing is started any more.
    Over,
}

/// Runs one at a time, and ends it when the process ends.
#[derive(Debug, Default)]
pub struct Errands(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The one that runs; it is not reaped before it is taken out here, so the number is not another's.
    running: Option<Pid>,
    over: bool,
}

impl Errands {
    /// None is running.
    pub const fn new() -> Errands {
        Errands(Mutex::new(State { running: None, over: false }))
    }

    /// Runs `program` with `args` and no environment but `PATH`, `HOME` and `env`, in `/`, without input and output, for at
    /// most `limit`. What it leaves running in its process group is ended with it.
    pub fn run<S: AsRef<OsStr>>(&self, program: &Path, args: &[S], env: &[(&str, String)], limit: Duration) -> Outcome {
        let mut command = self.prepared(program, args);
        for (name, value) in env {
            command.env(name, value);
        }
        self.carry_out(command, limit)
    }

    /// What `program` says with success within `limit`: at most [`MOST_SAID`] bytes.
    pub fn ask<S: AsRef<OsStr>>(&self, program: &Path, args: &[S], limit: Duration) -> Option<String> {
        let (mut said, tell) = std::io::pipe().ok()?;
        let mut command = self.prepared(program, args);
        command.stdout(tell);
        let reader = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            // Read beside it, so that it is never held up by a full pipe; to the end, so that it is not ended by a closed one.
            let _ = said.by_ref().take(MOST_SAID).read_to_end(&mut bytes);
            let _ = io::copy(&mut said, &mut io::sink());
            bytes
        });
        let outcome = self.carry_out(command, limit);
        let bytes = reader.join().ok()?;
        matches!(outcome, Outcome::Done).then(|| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn prepared<S: AsRef<OsStr>>(&self, program: &Path, args: &[S]) -> Command {
        let mut command = Command::new(program);
        command.args(args).env_clear().env("PATH", PATH).env("HOME", "/").current_dir("/").process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn carry_out(&self, mut command: Command, limit: Duration) -> Outcome {
        let mut child = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if state.over {
                return Outcome::Over;
            }
            match command.spawn() {
                Ok(child) => {
                    // Our own copy of what it writes to is closed: its end is the reader's.
                    drop(command);
                    state.running = i32::try_from(child.id()).ok().map(Pid::from_raw);
                    child
                }
                Err(e) => return Outcome::Broken(e),
            }
        };
        let in_time = wait(&child, limit);
        self.end(&mut child, in_time)
    }

    fn end(&self, child: &mut Child, in_time: io::Result<bool>) -> Outcome {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(group) = state.running.take() {
            // Nobody is left in it, mostly.
            let _ = killpg(group, Signal::SIGKILL);
        }
        drop(state);
        match (child.wait(), in_time) {
            (Err(e), _) | (Ok(_), Err(e)) => Outcome::Broken(e),
            (Ok(_), Ok(false)) => Outcome::Late,
            (Ok(status), Ok(true)) if status.success() => Outcome::Done,
            (Ok(status), Ok(true)) => Outcome::Failed(status),
        }
    }

    /// Ends the one that runs, with its process group; no other is started from here on.
    pub fn over(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.over = true;
        if let Some(group) = state.running.take() {
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

/// Whether it ended within `limit`. It stays to be reaped.
fn wait(child: &Child, limit: Duration) -> io::Result<bool> {
    let pid = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    let (mut waited, mut look) = (Duration::ZERO, LOOK);
    loop {
        match waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT)? {
            WaitStatus::StillAlive if waited >= limit => return Ok(false),
            WaitStatus::StillAlive => {}
            _ => return Ok(true),
        }
        std::thread::sleep(look);
        waited += look;
        look = (look * 2).min(LOOK_MOST);
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Done => f.write_str("it did its work"),
            Outcome::Failed(status) => match (status.code(), status.signal()) {
                (Some(code), _) => write!(f, "it ended with {code}"),
                (_, signal) => write!(f, "it was ended by signal {}", signal.unwrap_or_default()),
            },
            Outcome::Late => f.write_str("it was killed because it was not done in time"),
            Outcome::Broken(e) => write!(f, "it cannot be run: {e}"),
            Outcome::Over => f.write_str("it was not started: we end"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn shell(errands: &Errands, script: &str, limit: Duration) -> Outcome {
        errands.run(Path::new("/bin/sh"), &["-c", script], &[("GIVEN", "a b".into())], limit)
    }

    fn gone(file: &Path) -> bool {
        let pid: i32 = std::fs::read_to_string(file).unwrap().trim().parse().unwrap();
        (0..500).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            // A zombie that init has not reaped yet is as gone.
            std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
                || !Path::new(&format!("/proc/{pid}")).exists()
        })
    }

    #[test]
    fn the_ending_is_told() {
        let errands = Errands::new();
        assert!(matches!(shell(&errands, "true", LONG), Outcome::Done));
        assert_eq!(shell(&errands, "exit 7", LONG).to_string(), "it ended with 7");
        assert_eq!(shell(&errands, "kill -9 $$", LONG).to_string(), "it was ended by signal 9");
        assert!(matches!(errands.run(Path::new("/nonexistent"), &[""; 0], &[], LONG), Outcome::Broken(_)));
        assert_eq!(errands.ask(Path::new("/bin/sh"), &["-c", "echo a; echo b >&2"], LONG).as_deref(), Some("a\n"));
        assert_eq!(errands.ask(Path::new("/bin/sh"), &["-c", "echo a; exit 1"], LONG), None);
        let much = errands.ask(Path::new("/bin/sh"), &["-c", "head -c 300000 /dev/zero"], LONG).unwrap();
        assert_eq!(much.len() as u64, MOST_SAID);
        assert!(matches!(shell(&errands, "test \"$GIVEN\" = 'a b' && test -z \"$CARGO_MANIFEST_DIR\" && test \"$(pwd)\" = /", LONG), Outcome::Done));
    }

    #[test]
    fn one_that_hangs_is_killed_with_what_it_started_and_so_is_what_one_leaves_behind() {
        let errands = Errands::new();
        let file = std::env::temp_dir().join(format!("em-errand-{}", std::process::id()));
        let hangs = format!("sleep 600 & echo $! > {}; wait", file.display());
        assert!(matches!(shell(&errands, &hangs, Duration::from_secs(4)), Outcome::Late));
        assert!(gone(&file));
        let leaves = format!("sleep 600 & echo $! > {}", file.display());
        assert!(matches!(shell(&errands, &leaves, LONG), Outcome::Done));
        assert!(gone(&file));
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn at_the_end_nothing_runs_on_and_nothing_is_started() {
        let errands = std::sync::Arc::new(Errands::new());
        let runs = errands.clone();
        let thread = std::thread::spawn(move || shell(&runs, "sleep 600", LONG));
        while errands.0.lock().unwrap().running.is_none() {
            std::thread::yield_now();
        }
        errands.over();
        assert_eq!(thread.join().unwrap().to_string(), "it was ended by signal 9");
        assert!(matches!(shell(&errands, "true", LONG), Outcome::Over));
    }
}
