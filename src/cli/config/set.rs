//! `echomesh config set`: through the daemon, which checks the whole; what it may not write, root writes here.

use std::path::{Path, PathBuf};
use std::process::Command;

use argh::FromArgs;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::cli::ask::Daemon;
use crate::cli::{CONFIG, print};
use crate::codec;
use crate::config::json::{self, JsonFinding};
use crate::config::{Settings, batch};
use crate::control::run_dir;
use crate::core::exit::{self, Failure};

/// What reloads the daemon on OpenWrt: it also copies the configuration into the run folder.
pub const INIT_SCRIPT: &str = "/etc/init.d/echomesh";

#[derive(FromArgs)]
#[argh(subcommand, name = "set")]
/// Change settings: section.option=value …; an empty value goes back to the default, a list option is repeated.
pub struct Set {
    /// section.option=value
    #[argh(positional)]
    words: Vec<String>,
    /// UCI file to write where the daemon may not [/etc/config/echomesh]
    #[argh(option, default = "CONFIG.into()")]
    config: PathBuf,
}

impl Set {
    pub(in crate::cli) fn run(self, run_dir: &Path) -> Result<(), Failure> {
        if self.words.is_empty() {
            return Err(Failure::new(exit::USAGE, "say what to set: section.option=value; `echomesh config show` lists the options"));
        }
        let patch = json::assign(&self.words).map_err(|findings| wrong(&findings))?;
        match Daemon::at(run_dir).send("PUT", "/config", &patch) {
            Err(away) if away.code == exit::UNAVAILABLE => {
                self.write(&patch)?;
                print::text("written; the daemon is not running, so this takes effect when it starts\n")
            }
            Err(failure) => Err(failure),
            Ok(answer) if answer.status == 409 => {
                self.write(&patch)?;
                print::text(reload(&self.config, run_dir)?)
            }
            Ok(answer) if answer.status == 422 => Err(wrong(&findings_of(&answer.body))),
            Ok(answer) => answer.bytes().and_then(|_| print::text("applied\n")),
        }
    }

    /// Into the UCI file, under libuci's lock, checked as a whole once more.
    fn write(&self, patch: &Value) -> Result<(), Failure> {
        let old = super::usable(&self.config)?;
        let new = json::merge(&old, patch).map_err(|findings| wrong(&findings))?;
        commit(&self.config, &old, &new)
    }
}

/// Into the UCI file, under libuci's lock.
///
/// # Errors
/// It cannot be written, or someone else changed the same options: then it is as it was.
pub fn commit(config: &Path, old: &Settings, new: &Settings) -> Result<(), Failure> {
    batch::commit(config, old, new).map_err(|e| {
        let (code, advice) = match e.kind() {
            std::io::ErrorKind::PermissionDenied => (exit::NO_PERM, "; run this as root"),
            std::io::ErrorKind::InvalidData => (exit::CONFIG, ""),
            _ => (exit::CANT_CREATE, ""),
        };
        Failure::new(code, format!("{}: {e}{advice}", config.display()))
    })
}

/// Whether the init script reloads the daemon that has its settings at `config`.
pub fn has_init_script(config: &Path) -> bool {
    config == Path::new(CONFIG) && Path::new(INIT_SCRIPT).exists()
}

/// Makes the daemon of `run_dir` read the file again; says what was done.
///
/// # Errors
/// The file is written, but the daemon could not be told.
pub fn reload(config: &Path, run_dir: &Path) -> Result<&'static str, Failure> {
    match init_script_reloads(config) {
        Some(true) => return Ok("written and reloaded\n"),
        Some(false) => {
            return Err(Failure::new(exit::OS, format!("written, but `{INIT_SCRIPT} reload` failed; the daemon still has the old settings")));
        }
        None => {}
    }
    let pid = run_dir::pid(run_dir).ok_or_else(|| Failure::new(exit::OS, "written; send the daemon SIGHUP to make it read the file"))?;
    match kill(Pid::from_raw(pid), Signal::SIGHUP) {
        Ok(()) => Ok("written; the daemon was told to read the file again\n"),
        Err(e) => Err(Failure::new(exit::OS, format!("written, but process {pid} could not be told: {e}; send it SIGHUP"))),
    }
}

/// Whether the router's init script took the settings over; `None` where `config` is not the router's own, or there is no such script.
pub fn init_script_reloads(config: &Path) -> Option<bool> {
    has_init_script(config).then(|| Command::new(INIT_SCRIPT).arg("reload").status().is_ok_and(|status| status.success()))
}

fn wrong(findings: &[JsonFinding]) -> Failure {
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    Failure::new(exit::CONFIG, format!("nothing was changed:\n  {}", lines.join("\n  ")))
}

fn findings_of(body: &[u8]) -> Vec<JsonFinding> {
    let listed = codec::json::parse(body).ok();
    let text = |v: &Value, name: &str| v.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let findings = listed.as_ref().and_then(Value::as_array).into_iter().flatten();
    findings.map(|v| JsonFinding { path: text(v, "path"), message: text(v, "message") }).collect()
}
