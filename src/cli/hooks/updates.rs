//! Lets the updater look, once a day and when the daemon tells of a new version, and go back where an update no longer comes up.
//! What comes of it is the updater's to decide: it does nothing where the owner did not allow it, and believes nothing the daemon says.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use crate::update::{Place, progress};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Between two looks, however often the daemon tells of something or the service restarts.
const LEAST: Duration = Duration::from_secs(3600);
/// The first look comes so long after the start, and up to an hour more: not every router of a power cut asks at once.
const FIRST: Duration = Duration::from_secs(300);
const SPREAD: u32 = 3600;

/// The updater, for who hears the daemon.
pub struct Updates {
    program: PathBuf,
    run_dir: PathBuf,
    /// How long the daemon may be away before an update is suspected.
    pub patience: Duration,
    bell: SyncSender<()>,
}

impl Updates {
    /// The updater is `program`; what is handed over beside it is for [`serve`].
    pub fn new(program: &Path, run_dir: &Path, patience: Duration) -> (Updates, Receiver<()>) {
        let (bell, rung) = sync_channel(1);
        (Updates { program: program.to_owned(), run_dir: run_dir.to_owned(), patience, bell }, rung)
    }

    /// There is a new version. One ring may wait.
    pub fn ring(&self) {
        let _ = self.bell.try_send(());
    }

    /// The daemon is away: where an update is in force, and does not come up, it is taken back. Waits for it.
    pub fn rescue(&self) {
        run(&self.program, &self.run_dir, "rescue");
    }
}

/// Runs `program` when `bell` rings, or a day has gone by. For ever.
pub fn serve(program: &Path, run_dir: &Path, bell: &Receiver<()>) {
    let spread = getrandom::u32().unwrap_or(SPREAD / 2) % SPREAD;
    let mut wait = FIRST + Duration::from_secs(u64::from(spread));
    loop {
        // Rung, or the time is there: both are a reason to look.
        let _ = bell.recv_timeout(wait);
        std::thread::sleep(too_early(run_dir));
        run(program, run_dir, "auto");
        std::thread::sleep(LEAST);
        wait = DAY - LEAST;
    }
}

/// How long until the updater may be run again. An update restarts the service, and us with it: what the last one left on
/// tmpfs tells of it. One that the owner ended rests for a day.
fn too_early(run_dir: &Path) -> Duration {
    let status = Place::new(Path::new("/"), run_dir).tmp_file(progress::FILE);
    let Ok(written) = fs::metadata(status).and_then(|m| m.modified()) else { return Duration::ZERO };
    let rest = if progress::read(run_dir)["reason"] == "aborted" { DAY } else { LEAST };
    rest.saturating_sub(written.elapsed().unwrap_or_default())
}

/// Beside us, not below: the update ends us in its course, and must not end with us.
fn run(program: &Path, run_dir: &Path, verb: &str) {
    let mut command = Command::new(program);
    command.arg("--run-dir").arg(run_dir).args(["update", verb]).process_group(0).current_dir("/");
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", "/");
    match command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(status) if status.success() => {}
        Ok(status) => log::warn!("the updater ended with {status}; `echomesh update status` says why"),
        Err(e) => log::warn!("{}: {e}", program.display()),
    }
}
