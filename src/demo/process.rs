//! A process of the demonstration: the same executable under another subcommand, with files for what it says.
//!
//! Each runs on a leash (`demo leashed`): it dies with the process that started it, however that ends.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::wait::{fail, until};
use crate::core::exit::{self, Failure};

/// How long a process may take until it says that it is ready.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// How much of a log is shown when something fails.
const TAIL: u64 = 3000;
/// First word of the line a process says when it serves.
const READY: &str = "ready";

/// A child process. Dropping it kills it.
pub struct Process {
    /// What it is.
    pub name: String,
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Process {
    /// Starts this executable with `args`; `NAME.out` and `NAME.log` in `folder` take what it says.
    ///
    /// # Errors
    /// The files or the process cannot be made.
    pub fn start(folder: &Path, name: &str, args: &[&str]) -> Result<Process, Failure> {
        let (out, err) = (folder.join(format!("{name}.out")), folder.join(format!("{name}.log")));
        let cannot = |e: std::io::Error| Failure::new(exit::OS, format!("cannot start {name}: {e}"));
        let log = OpenOptions::new().create(true).append(true).open(&err).map_err(cannot)?;
        let child = executable()?
            .args(["demo", "leashed", "--"])
            .args(args)
            .stdin(Stdio::null())
            .stdout(File::create(&out).map_err(cannot)?)
            .stderr(log)
            // Ctrl-C goes to the demonstration alone, which then ends them in order.
            .process_group(0)
            .spawn()
            .map_err(cannot)?;
        Ok(Process { name: name.to_owned(), child, out, err })
    }

    /// Waits until it says that it serves; what it said till then, a line each.
    ///
    /// # Errors
    /// It ended, or said nothing in time.
    pub async fn ready(&mut self) -> Result<Vec<String>, Failure> {
        until(&format!("{} says that it is ready", self.name), READY_WITHIN, async || {
            self.alive()?;
            let said = std::fs::read_to_string(&self.out).unwrap_or_default();
            let lines: Vec<String> = said.lines().map(str::to_owned).collect();
            Ok(lines.iter().any(|line| line.split_whitespace().next() == Some(READY)).then_some(lines))
        })
        .await
    }

    /// # Errors
    /// It has ended.
    pub fn alive(&mut self) -> Result<(), Failure> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(fail(format!("{} ended ({status})", self.name))),
            Err(e) => Err(fail(format!("{}: {e}", self.name))),
        }
    }

    /// Asks it to end (SIGTERM), and waits until it has.
    ///
    /// # Errors
    /// It does not end within `limit`.
    pub async fn end(&mut self, limit: Duration) -> Result<ExitStatus, Failure> {
        self.signal(Signal::SIGTERM);
        self.ended(limit).await
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// It does not end within `limit`.
    pub async fn ended(&mut self, limit: Duration) -> Result<ExitStatus, Failure> {
        let what = format!("{} ends", self.name);
        until(&what, limit, async || self.child.try_wait().map_err(|e| fail(format!("{what}: {e}")))).await
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // Not reaped before `wait`, so the number is still its own.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Ends it as a power cut would (SIGKILL).
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// All that it wrote to its log.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.err).unwrap_or_default()).into_owned()
    }

    /// The end of its log.
    pub fn tail(&self) -> String {
        let read = || -> std::io::Result<String> {
            let mut file = File::open(&self.err)?;
            let length = file.seek(SeekFrom::End(0))?;
            file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
            let mut bytes = Vec::new();
            file.take(TAIL).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        read().unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs this executable with `args` to its end.
///
/// # Errors
/// It cannot be started. That it fails is in the output's status.
pub async fn once(args: &[&str]) -> Result<Output, Failure> {
    let mut command = executable()?;
    command.args(args).stdin(Stdio::null());
    smol::unblock(move || command.output()).await.map_err(|e| Failure::new(exit::OS, format!("cannot start a process: {e}")))
}

/// The same; what it printed.
///
/// # Errors
/// It fails: with what it said.
pub async fn said(args: &[&str]) -> Result<String, Failure> {
    let output = once(args).await?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(fail(format!("`{}` failed: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim())))
}

fn executable() -> Result<Command, Failure> {
    std::env::current_exe().map(Command::new).map_err(|e| Failure::new(exit::OS, format!("cannot find this executable: {e}")))
}
