//! Changing the file in place under the lock libuci takes: `flock` on the file itself.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use super::{apply, changed};
use crate::config::finding::any_error;
use crate::config::load::{bytes_of, from_uci};
use crate::config::settings::Settings;
use crate::config::uci::{self, Package};
use crate::platform::files::{self, Medium};

/// Times the file may be replaced under us between opening and locking before we give up.
const TRIES: usize = 8;

/// Writes what differs between `old` and `new` into the file at `path`, in one step; mode and owner stay.
///
/// Options that someone else changed meanwhile stay, unless they are among those that differ: then nothing is written
/// and the error says so. Waits for the lock as long as another holds it, so not for the data-plane thread.
pub fn commit(path: &Path, old: &Settings, new: &Settings) -> io::Result<()> {
    commit_under(path, old, new, File::lock)
}

/// [`commit`] for who cannot wait: an error where another holds the lock.
pub fn try_commit(path: &Path, old: &Settings, new: &Settings) -> io::Result<()> {
    commit_under(path, old, new, |file| {
        file.try_lock().map_err(|e| match e {
            TryLockError::WouldBlock => io::Error::new(ErrorKind::WouldBlock, "another program is changing the settings; try again"),
            TryLockError::Error(e) => e,
        })
    })
}

fn commit_under(path: &Path, old: &Settings, new: &Settings, take: Take) -> io::Result<()> {
    rewrite(path, take, &mut |path, package| {
        let (current, findings) = from_uci(package);
        if let Some(error) = findings.iter().find(|f| f.is_error()) {
            return Err(refused(path, &format!("has errors to be mended first: {error}")));
        }
        if let Some(name) = conflict(old, &current, new) {
            return Err(io::Error::new(ErrorKind::ResourceBusy, format!("{name} was changed meanwhile; look at it and try again")));
        }
        let next = apply(package, old, new);
        let (_, findings) = from_uci(&next);
        if next != *package && any_error(&findings) {
            let all: Vec<String> = findings.iter().filter(|f| f.is_error()).map(ToString::to_string).collect();
            return Err(refused(path, &all.join("; ")));
        }
        Ok(next)
    })
}

/// How the lock is taken: [`File::lock`] waits for it.
pub type Take = fn(&File) -> io::Result<()>;

/// Replaces the file at `path` by what `change` makes of its package, in one step and under the lock; mode and owner stay.
/// Nothing is written where nothing differs.
pub fn rewrite(path: &Path, take: Take, change: &mut dyn FnMut(&Path, &Package) -> io::Result<Package>) -> io::Result<()> {
    let path = fs::canonicalize(path)?; // the rename must not replace a symbolic link
    let file = lock(&path, take)?;
    let package = uci::parse(&bytes_of(&file)?).map_err(|e| refused(&path, &e.to_string()))?;
    let next = change(&path, &package)?;
    if next == package {
        return Ok(());
    }
    let meta = file.metadata()?;
    files::replace(&path, meta.permissions().mode() & 0o7777, uci::write(&next).as_bytes(), Medium::Flash)?;
    let made = fs::metadata(&path)?;
    if (made.uid(), made.gid()) != (meta.uid(), meta.gid()) {
        chown(&path, Some(meta.uid()), Some(meta.gid()))?;
    }
    Ok(())
    // The lock ends with `file`; whoever waited for it finds another file at the path, and takes that one's.
}

/// The file at `path`, locked, and still the one at `path`.
fn lock(path: &PathBuf, take: Take) -> io::Result<File> {
    for _ in 0..TRIES {
        let file = File::options().read(true).write(true).open(path)?;
        take(&file)?;
        let (ours, theirs) = (file.metadata()?, fs::metadata(path)?);
        if (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino()) {
            return Ok(file);
        }
    }
    Err(io::Error::new(ErrorKind::ResourceBusy, format!("{} is being replaced all the time; try again", path.display())))
}

/// What both we and someone else changed, in different ways.
fn conflict(old: &Settings, current: &Settings, new: &Settings) -> Option<String> {
    let differs = changed(old, new).find(|r| {
        let now = (r.get)(current);
        now != (r.get)(old) && now != (r.get)(new)
    });
    let windows = old.windows != new.windows && current.windows != old.windows && current.windows != new.windows;
    differs.map(|r| format!("{}.{}", r.section, r.name)).or_else(|| windows.then(|| "window".to_owned()))
}

fn refused(path: &Path, why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("{}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::Rate;
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicU32, Ordering};

    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Folder {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let dir = std::env::temp_dir().join(format!("echomesh-commit-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
            fs::create_dir_all(&dir).unwrap();
            Folder(dir)
        }

        fn file(&self, text: &str) -> PathBuf {
            let path = self.0.join("echomesh");
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn faster(old: &Settings, mbps: u64) -> Settings {
        let mut new = old.clone();
        new.network.max_mbps = Rate::mbps(mbps);
        new
    }

    fn mbps(path: &Path) -> Rate {
        crate::config::read(path).unwrap().0.network.max_mbps
    }

    #[test]
    fn mode_link_and_the_rest_stay() {
        let folder = Folder::new();
        let path = folder.file("config network 'network'\n\toption burst_mb '7'\n");
        let link = folder.0.join("link");
        symlink(&path, &link).unwrap();
        let old = Settings::default(); // the file has another burst_mb by now; that stays
        commit(&link, &old, &faster(&old, 5)).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
        assert_eq!(fs::read_to_string(&path).unwrap(), "\nconfig network 'network'\n\toption burst_mb '7'\n\toption max_mbps '5'\n\n");
    }

    #[test]
    fn what_another_changed_is_not_overwritten() {
        let folder = Folder::new();
        let path = folder.file("config network 'network'\n\toption max_mbps '3'\n");
        let old = Settings::default();
        let error = commit(&path, &old, &faster(&old, 5)).unwrap_err();
        assert!(error.kind() == ErrorKind::ResourceBusy && error.to_string().contains("network.max_mbps"), "{error}");
        assert_eq!(mbps(&path), Rate::mbps(3));
        commit(&path, &old, &faster(&old, 3)).unwrap(); // both wanted the same
    }

    #[test]
    fn errors_are_never_written_nor_overwritten() {
        let folder = Folder::new();
        let old = Settings::default();
        for text in ["config network\n\toption port 'x'\n", "config network\n\toption 'port\n"] {
            let path = folder.file(text);
            assert_eq!(commit(&path, &old, &faster(&old, 5)).unwrap_err().kind(), ErrorKind::InvalidData);
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        let path = folder.file("config node 'node'\n");
        let mut bad = old.clone();
        bad.proxy.enabled = true; // without a coordinator
        assert!(commit(&path, &old, &bad).unwrap_err().to_string().contains("coordinator"));
    }

    #[test]
    fn waits_for_the_lock_and_takes_the_file_that_is_there_then() {
        let folder = Folder::new();
        let path = folder.file("config network 'network'\n\toption max_gb_per_day '1'\n");
        let held = File::open(&path).unwrap();
        held.lock().unwrap();
        let (started, wait) = std::sync::mpsc::channel();
        let old = Settings::default();
        assert_eq!(try_commit(&path, &old, &faster(&old, 7)).unwrap_err().kind(), ErrorKind::WouldBlock);
        let late = std::thread::spawn({
            let path = path.clone();
            move || {
                started.send(()).unwrap();
                let old = Settings::default();
                commit(&path, &old, &faster(&old, 5))
            }
        });
        wait.recv().unwrap();
        // Another writer replaces the file, as libuci does, and only then lets go of the old one.
        files::replace(&path, 0o640, b"config network 'network'\n\toption max_gb_per_day '2'\n", Medium::Tmpfs).unwrap();
        drop(held);
        late.join().unwrap().unwrap();
        let (settings, _) = crate::config::read(&path).unwrap();
        assert_eq!((settings.network.max_gb_per_day, settings.network.max_mbps), (2, Rate::mbps(5)));
    }

    #[test]
    fn many_writers_lose_nothing() {
        let folder = Folder::new();
        let path = folder.file("");
        let writers: Vec<_> = (0..4u32)
            .map(|i| {
                let path = path.clone();
                std::thread::spawn(move || {
                    let old = Settings::default();
                    let mut new = old.clone();
                    match i {
                        0 => new.network.burst_mb = 9,
                        1 => new.network.max_tunnels = 9,
                        2 => new.network.max_gb_per_day = 9,
                        _ => new.policy.quarantine_cooldown = 9,
                    }
                    commit(&path, &old, &new).unwrap();
                })
            })
            .collect();
        writers.into_iter().for_each(|w| w.join().unwrap());
        let (s, _) = crate::config::read(&path).unwrap();
        assert_eq!([s.network.burst_mb, s.network.max_tunnels, s.network.max_gb_per_day, s.policy.quarantine_cooldown], [9; 4]);
    }
}
