//! The end of the wizard: the identity, the settings in one step, and the daemon told of them.

// Of the name itself: the folder may be the daemon's already, and what lies there a link.
use std::os::unix::fs::lchown as chown;
use std::path::Path;
use std::process::Command;

use nix::unistd::{User, geteuid};
use serde_json::Value;

use crate::cli::ask::Daemon;
use crate::cli::config::set;
use crate::config::Settings;
use crate::core::exit::{self, Failure};
use crate::identity::file;

/// The user the daemon runs as on OpenWrt.
const DAEMON_USER: &str = "echomesh";
/// File of the identity in the state folder.
const IDENTITY: &str = "identity";

/// Makes the identity where there is none, writes what differs, and makes a daemon that runs read it. Gives what was done, a line each.
///
/// # Errors
/// The identity or the file cannot be written: then the settings are as they were.
pub fn write(config: &Path, run_dir: &Path, old: &Settings, new: &Settings) -> Result<Vec<String>, Failure> {
    let mut done = Vec::new();
    if new.proxy.enabled {
        done.extend(identity(&new.node.state_dir)?);
    }
    set::commit(config, old, new)?;
    done.push(format!("The settings are in {}.", config.display()));
    done.push(match runs(run_dir) {
        true => format!("Settings {}.", set::reload(config, run_dir)?.trim_end()),
        false => "The daemon is not running. To start it now and at each boot:\n  service echomesh enable; service echomesh start".to_owned(),
    });
    Ok(done)
}

/// Whether a daemon runs there.
pub fn runs(run_dir: &Path) -> bool {
    Daemon::at(run_dir).get("/status").is_ok()
}

/// The addresses a daemon that runs there listens on.
pub fn listens(run_dir: &Path) -> Vec<String> {
    let status = Daemon::at(run_dir).get("/status").and_then(|answer| answer.read::<Value>()).ok();
    status.and_then(|status| serde_json::from_value(status["roles"]["proxy"]["listen"].clone()).ok()).unwrap_or_default()
}

/// `echomesh identity backup FILE`, which asks for the passphrase on this very terminal.
///
/// # Errors
/// It was not made; why stands on the terminal.
pub fn backup(run_dir: &Path, file: &str) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::new(exit::OS, format!("the program cannot start itself: {e}"));
    let program = std::env::current_exe().map_err(failed)?;
    let status = Command::new(program).args(["identity", "backup", file, "--run-dir"]).arg(run_dir).status().map_err(failed)?;
    if status.success() { Ok(()) } else { Err(Failure::new(exit::CANT_CREATE, "see above")) }
}

/// The identity of `state_dir`; an existing one, sealed or not, is left alone.
fn identity(state_dir: &Path) -> Result<Option<String>, Failure> {
    let path = state_dir.join(IDENTITY);
    if path.exists() {
        return Ok(None);
    }
    let made_folder = !state_dir.exists();
    let identity = file::load_or_create(state_dir).map_err(|e| Failure::new(exit::CANT_CREATE, format!("{e}; nothing else was changed")))?;
    // Made by root, used by the daemon.
    if let (true, Ok(Some(user))) = (geteuid().is_root(), User::from_name(DAEMON_USER)) {
        let (uid, gid) = (Some(user.uid.as_raw()), Some(user.gid.as_raw()));
        let folder = if made_folder { chown(state_dir, uid, gid) } else { Ok(()) };
        folder.and_then(|()| chown(&path, uid, gid)).map_err(|e| Failure::new(exit::CANT_CREATE, format!("{}: {e}", path.display())))?;
    }
    Ok(Some(format!("The node's identity is made:\n  {}", identity.node_id())))
}
