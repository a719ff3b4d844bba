//! Work that takes longer than a call may: this program once more, beside the plugin, which does not wait for it.
//!
//! What it prints goes to a file in a folder of root's own beside the run folder, on tmpfs: the run folder is the daemon's.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::platform::files;

/// Of what a piece of work printed, this much is told.
const MOST_TOLD: u64 = 4096;

/// The folder that belongs to `run_dir`: 0700.
pub(super) fn folder(run_dir: &Path) -> io::Result<PathBuf> {
    let mut name = run_dir.file_name().unwrap_or_default().to_owned();
    name.push(".rpcd");
    let folder = run_dir.with_file_name(name);
    files::folder(&folder, 0o700)?;
    Ok(folder)
}

/// Starts `program`; what it prints goes to the file `name`.log, in place of what an earlier one printed.
///
/// rpcd waits until nobody holds the plugin's outputs any more, so the program gets none of them.
pub(super) fn start(run_dir: &Path, name: &str, program: &mut Command) -> io::Result<()> {
    let path = folder(run_dir)?.join(format!("{name}.log"));
    files::remove(&path)?;
    let printed = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    program.stdin(Stdio::null()).stdout(printed.try_clone()?).stderr(printed).process_group(0).spawn().map(drop)
}

/// This program.
pub(super) fn echomesh(run_dir: &Path, args: &[&str]) -> io::Result<Command> {
    let mut program = Command::new(std::env::current_exe()?);
    program.args(args).arg("--run-dir").arg(run_dir);
    Ok(program)
}

/// The beginning of what the work of this name printed; none where there was none.
pub(super) fn printed(run_dir: &Path, name: &str) -> Option<String> {
    let mut text = Vec::new();
    fs::File::open(folder(run_dir).ok()?.join(format!("{name}.log"))).ok()?.take(MOST_TOLD).read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).trim_end().to_owned())
}
