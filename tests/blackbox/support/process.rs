//! A process of the real binary, ended by its own pid when dropped.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::wait::{SOON, within};

/// The program under test: the one built with the tests, or what `ECHOMESH_BINARY` names.
pub fn binary() -> OsString {
    std::env::var_os("ECHOMESH_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_echomesh").into())
}

/// A running process; its standard error goes to a file.
pub struct Process {
    child: Child,
    name: String,
    log: PathBuf,
    lines: Receiver<String>,
}

impl Process {
    /// Starts the binary with `args`; standard error is appended to `folder`/NAME.log.
    pub fn start<S: AsRef<OsStr>>(name: &str, folder: &Path, args: impl IntoIterator<Item = S>) -> Process {
        Process::start_with(&[], name, folder, args)
    }

    /// The same, with variables of its environment.
    pub fn start_with<S: AsRef<OsStr>>(env: &[(String, String)], name: &str, folder: &Path, args: impl IntoIterator<Item = S>) -> Process {
        let log = folder.join(format!("{name}.log"));
        let stderr = OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let mut child =
            Command::new(binary()).args(args).envs(env.iter().cloned()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    break;
                }
            }
        });
        Process { child, name: name.to_owned(), log, lines }
    }

    /// Waits for the line on standard output that tells it listens; gives it with those before.
    #[track_caller]
    pub fn ready(&mut self) -> Vec<String> {
        self.lines_to("ready")
    }

    /// Waits for a line on standard output that starts with `word`; gives it with those before.
    #[track_caller]
    pub fn lines_to(&mut self, word: &str) -> Vec<String> {
        let end = Instant::now() + SOON;
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    let ready = line.starts_with(word);
                    seen.push(line);
                    if ready {
                        return seen;
                    }
                }
                Err(e) => panic!("{} was not ready ({e}); it said {seen:?}\n{}", self.name, self.log()),
            }
        }
    }

    /// What it wrote to standard error, this process and those of the same name before it.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.pid()).unwrap()), signal).unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub fn ended(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("{} ends", self.name);
        within(limit, &what, || self.child.try_wait().unwrap())
    }

    /// How it ended, if it has.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// `kill -9`, and the end.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            eprintln!("---- {} said last", self.name);
            for line in tail.into_iter().rev() {
                eprintln!("{line}");
            }
        }
    }
}

/// Runs the binary to its end.
pub fn run<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Output {
    Command::new(binary()).args(args).stdin(Stdio::null()).output().unwrap()
}

/// Runs the binary to its end with `input` on standard input.
pub fn fed<S: AsRef<OsStr>>(input: &str, args: impl IntoIterator<Item = S>) -> Output {
    use std::io::Write as _;
    let mut command = Command::new(binary());
    let mut child = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may have ended without reading: what it said tells.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// Runs it, and gives standard output; panics where it fails.
#[track_caller]
pub fn said<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> String {
    let output = run(args);
    assert!(output.status.success(), "{}: {}", output.status, text(&output.stderr));
    text(&output.stdout)
}

/// Bytes of a program's output as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Writes a file of a test.
pub fn write(path: &Path, text: &str) {
    use std::io::Write as _;
    File::create(path).unwrap().write_all(text.as_bytes()).unwrap();
}
