//! Work that takes longer than a call may: this program once more, beside the plugin, which does not wait for it.
//!
//! What it prints goes to a file in a folder of root's own beside the run folder, on tmpfs: the run folder is the daemon's.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

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
    spawned(run_dir, name, program.stdin(Stdio::null())).map(drop)
}

/// The same for work whose end [`ended`] tells; `input` is its standard input, and shorter than a pipe holds.
pub(super) fn start_watched(run_dir: &Path, name: &str, program: &Command, input: &[u8]) -> io::Result<()> {
    let code = code_file(run_dir, name)?;
    files::remove(&code)?;
    // Somebody has to wait for it, and this process does not.
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "\"$@\"; echo $? > \"$0\""]).arg(code).arg(program.get_program()).args(program.get_args());
    let mut child = spawned(run_dir, name, shell.stdin(Stdio::piped()))?;
    child.stdin.take().map_or(Ok(()), |mut pipe| pipe.write_all(input))
}

fn spawned(run_dir: &Path, name: &str, program: &mut Command) -> io::Result<Child> {
    let path = folder(run_dir)?.join(format!("{name}.log"));
    files::remove(&path)?;
    let printed = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    program.stdout(printed.try_clone()?).stderr(printed).process_group(0).spawn()
}

fn code_file(run_dir: &Path, name: &str) -> io::Result<PathBuf> {
    Ok(folder(run_dir)?.join(format!("{name}.code")))
}

/// The exit code of the watched work of this name; none while it runs.
pub(super) fn ended(run_dir: &Path, name: &str) -> Option<u8> {
    fs::read_to_string(code_file(run_dir, name).ok()?).ok()?.trim().parse().ok()
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
