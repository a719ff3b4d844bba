//! The run folder: one daemon holds it, and its sockets have their mode from the first moment.
//!
//! ```text
//! lock           flock'ed by the daemon while it lives
//! pid            its process id, for SIGHUP and SIGTERM
//! failed         why the last one could not start, or went on no longer
//! control.sock   the control API, 0660: owner and group
//! inner.sock     tiny_http behind the doorman, 0600: the daemon itself
//! ```

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket};
use nix::sys::stat::{Mode, fchmod};

use super::ControlError;
use crate::platform::files::{self, Medium};

/// The public socket of the control API.
pub const SOCKET: &str = "control.sock";
/// The private socket behind the doorman.
pub const INNER_SOCKET: &str = "inner.sock";
/// Holds the daemon's process id.
pub const PID: &str = "pid";
const LOCK: &str = "lock";
const FAILED: &str = "failed";
/// Bytes of it that are shown.
const MOST_FAILED: u64 = 1024;
const FOLDER_MODE: u32 = 0o755;
/// Connections the kernel may queue before one is accepted.
const BACKLOG: i32 = 16;

/// The run folder, held by this process until dropped.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    /// The lock lasts as long as this is open.
    _lock: File,
}

impl RunDir {
    /// Makes `path` where it is missing and takes it; refused while another daemon holds it.
    pub fn claim(path: &Path) -> Result<RunDir, ControlError> {
        let failed = |at: &Path| {
            let at = at.to_owned();
            move |e| ControlError::Io(at, e)
        };
        files::folder(path, FOLDER_MODE).map_err(failed(path))?;
        let lock_path = path.join(LOCK);
        // Root takes the folder, too, for its commands, and must follow no link that the daemon's user laid.
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600).custom_flags(OFlag::O_NOFOLLOW.bits());
        let lock = options.open(&lock_path).map_err(failed(&lock_path))?;
        files::hand_over(&lock, &lock_path).map_err(failed(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ControlError::Taken { run_dir: path.to_owned(), pid: pid(path) }),
            Err(TryLockError::Error(e)) => return Err(ControlError::Io(lock_path, e)),
        }
        // It has not failed yet.
        let _ = files::remove(&path.join(FAILED));
        let pid_path = path.join(PID);
        let text = format!("{}\n", std::process::id());
        files::replace(&pid_path, 0o644, text.as_bytes(), Medium::Tmpfs).map_err(failed(&pid_path))?;
        Ok(RunDir { path: path.to_owned(), _lock: lock })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        for name in [SOCKET, INNER_SOCKET, PID] {
            let _ = fs::remove_file(self.path.join(name));
        }
    }
}

/// Keeps why the daemon ended, for who asks while it does not run. Nothing where that cannot be written.
pub fn note_failure(run_dir: &Path, why: &str) {
    let _ = files::replace(&run_dir.join(FAILED), 0o640, why.as_bytes(), Medium::Tmpfs);
}

/// Why the last daemon of `run_dir` ended, on one line; `None` where it ended well, or has not been told.
pub fn last_failure(run_dir: &Path) -> Option<String> {
    // Root asks, too; what lies there is the daemon's.
    let file = OpenOptions::new().read(true).custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits()).open(run_dir.join(FAILED)).ok()?;
    let mut bytes = Vec::new();
    file.take(MOST_FAILED).read_to_end(&mut bytes).ok()?;
    let text: String = String::from_utf8_lossy(&bytes).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = text.trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// The process id of the daemon of `run_dir`, as it wrote it; it may be gone.
pub fn pid(run_dir: &Path) -> Option<i32> {
    fs::read_to_string(run_dir.join(PID)).ok()?.trim().parse().ok().filter(|pid| *pid > 1)
}

/// Listens on a Unix socket at `path`, in place of one that a kill left behind. Only for the holder of the folder.
pub fn listen_at(path: &Path, mode: u32) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let fd: OwnedFd = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    // On Linux the socket's own mode bounds that of the file bind makes, so it is never wider than asked for.
    fchmod(&fd, Mode::from_bits_truncate(mode))?;
    bind(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
    // And the umask may have made it narrower.
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    listen(&fd, Backlog::new(BACKLOG)?)?;
    Ok(UnixListener::from(fd))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn why_it_ended_is_kept_until_the_next_one_starts() {
        let folder = std::env::temp_dir().join(format!("em-failed-{}", std::process::id()));
        note_failure(&folder, "nowhere to write: nothing happens");
        fs::create_dir_all(&folder).unwrap();
        assert_eq!(last_failure(&folder), None);
        note_failure(&folder, "the flash is full\n\u{1b}[31m");
        assert_eq!(last_failure(&folder).as_deref(), Some("the flash is full  [31m"), "nothing a terminal would act on");
        note_failure(&folder, &"x".repeat(5000));
        assert_eq!(last_failure(&folder).unwrap().len(), 1024);
        drop(RunDir::claim(&folder).unwrap());
        assert_eq!(last_failure(&folder), None);
        std::os::unix::fs::symlink("/etc/passwd", folder.join(FAILED)).unwrap();
        assert_eq!(last_failure(&folder), None, "no link is followed");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_second_daemon_is_refused_and_a_killed_ones_sockets_are_replaced() {
        let folder = std::env::temp_dir().join(format!("em-run-dir-{}", std::process::id()));
        let held = RunDir::claim(&folder).unwrap();
        match RunDir::claim(&folder) {
            Err(ControlError::Taken { pid, .. }) => assert_eq!(pid, i32::try_from(std::process::id()).ok()),
            other => panic!("{other:?}"),
        }
        let path = held.join(SOCKET);
        drop(listen_at(&path, 0o660).unwrap());
        assert!(UnixStream::connect(&path).is_err(), "the file of a dead listener stays behind");
        let _listener = listen_at(&path, 0o660).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        UnixStream::connect(&path).unwrap();
        drop(held);
        assert!(!path.exists());
        drop(RunDir::claim(&folder).unwrap());
        fs::remove_dir_all(&folder).unwrap();
    }
}
