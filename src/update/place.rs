//! Where updates live, and whose the files must be.
//!
//! ```text
//! ROOT/usr/bin/echomesh              the packaged program ("blue"): never touched
//! ROOT/usr/lib/echomesh/green/       record, echomesh-HASH: the update in force, on flash
//! RUN-update/                        tmpfs, root's: lock, status, trial, echomesh-HASH, HASH.part, abort
//! ROOT/etc/init.d/echomesh           the service
//! ```

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Trouble, trouble::Id};
use crate::platform::files;

/// Nobody but the owner writes.
const OTHERS_WRITE: u32 = 0o022;
/// Who only asks for the lock ([`Place::is_held`]) has it for an instant: so it is asked for more than once.
const ASKED: u32 = 5;
const BETWEEN: Duration = Duration::from_millis(50);

/// The folders of one system.
#[derive(Clone, Debug)]
pub struct Place {
    root: PathBuf,
    tmp: PathBuf,
}

/// Held by the one updater that works; ends with it, however it ends.
#[derive(Debug)]
pub struct Held(#[allow(dead_code)] File);

impl Place {
    /// The system below `root` whose daemon has its run folder at `run_dir`.
    pub fn new(root: &Path, run_dir: &Path) -> Place {
        Place { root: root.to_owned(), tmp: tmp_of(run_dir) }
    }

    /// A path of the system: `/usr/bin/echomesh` below the root.
    pub fn system(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The packaged program.
    pub fn blue(&self) -> PathBuf {
        self.system("/usr/bin/echomesh")
    }

    /// Folder of the update in force.
    pub fn green(&self) -> PathBuf {
        self.system("/usr/lib/echomesh/green")
    }

    /// A file of that folder.
    pub fn green_file(&self, name: &str) -> PathBuf {
        self.green().join(name)
    }

    /// The working folder on tmpfs.
    pub fn tmp(&self) -> &Path {
        &self.tmp
    }

    /// A file of that folder.
    pub fn tmp_file(&self, name: &str) -> PathBuf {
        self.tmp.join(name)
    }

    /// Makes the working folder and takes it.
    ///
    /// # Errors
    /// Another updater has it, or it is somebody else's.
    pub fn claim(&self) -> Result<Held, Trouble> {
        let failed = |e: io::Error| Trouble::new(Id::System, format!("{}: {e}", self.tmp.display()));
        files::folder(&self.tmp, 0o755).map_err(|e| match e.kind() {
            io::ErrorKind::PermissionDenied => Trouble::new(Id::NotAllowed, "updates are root's: run this as root"),
            _ => failed(e),
        })?;
        if !is_ours(&self.tmp) {
            let message = format!("{} is not root's alone: remove it, or run this as root", self.tmp.display());
            return Err(Trouble::new(Id::NotAllowed, message));
        }
        let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(self.lock()).map_err(failed)?;
        for _ in 0..ASKED {
            match lock.try_lock() {
                Ok(()) => return Ok(Held(lock)),
                Err(TryLockError::WouldBlock) => std::thread::sleep(BETWEEN),
                Err(TryLockError::Error(e)) => return Err(failed(e)),
            }
        }
        Err(Trouble::new(Id::Busy, "another update is under way; `echomesh update status` shows it, `echomesh update rollback` ends it"))
    }

    /// Whether an updater works now. Asks without holding: for those who may read the lock.
    pub fn is_held(&self) -> bool {
        File::open(self.lock()).is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
    }

    fn lock(&self) -> PathBuf {
        self.tmp.join("lock")
    }
}

/// The working folder beside a run folder: the daemon's user cannot write there.
pub fn tmp_of(run_dir: &Path) -> PathBuf {
    let mut name = run_dir.file_name().unwrap_or_default().to_owned();
    name.push("-update");
    run_dir.with_file_name(name)
}

/// A file or folder that is no link, root's or our own, and that nobody else can write.
pub fn is_ours(path: &Path) -> bool {
    let own = nix::unistd::geteuid().as_raw();
    fs::symlink_metadata(path).is_ok_and(|m| !m.is_symlink() && (m.uid() == 0 || m.uid() == own) && m.mode() & OTHERS_WRITE == 0)
}

/// A program of ours, in a folder of ours, that can be run.
pub fn is_our_program(path: &Path) -> bool {
    let runs = fs::symlink_metadata(path).is_ok_and(|m| m.is_file() && m.mode() & 0o100 != 0);
    runs && is_ours(path) && path.parent().is_some_and(is_ours)
}
