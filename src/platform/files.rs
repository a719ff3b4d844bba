//! The one file writer: temp, fsync, rename, fsync folder; counted, because flash wears out.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::unistd::{User, geteuid};

use super::given;

/// Writes since start to files that outlive a reboot.
static FLASH_WRITES: AtomicU32 = AtomicU32::new(0);
/// KiB of them, rounded up per write.
static FLASH_KIB: AtomicU32 = AtomicU32::new(0);

/// Where a file lives: only durable writes are synced and counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Medium {
    /// Flash: synced, counted.
    Flash,
    /// tmpfs: renamed into place, not synced.
    Tmpfs,
}

/// Replaces `path` by `bytes` in one step, `mode` from the first byte. A reader sees the old or the new file, whole.
///
/// A temporary file left by a kill is overwritten by the next write of the same path.
pub fn replace(path: &Path, mode: u32, bytes: &[u8], medium: Medium) -> io::Result<()> {
    replace_with(path, mode, medium, &mut |file| file.write_all(bytes).map(|()| bytes.len() as u64))
}

/// [`replace`] on flash by whatever `write` writes; it gives how many bytes: for files too large to be held in RAM.
pub fn write(path: &Path, mode: u32, write: &mut dyn FnMut(&mut File) -> io::Result<u64>) -> io::Result<()> {
    replace_with(path, mode, Medium::Flash, write)
}

fn replace_with(path: &Path, mode: u32, medium: Medium, write: &mut dyn FnMut(&mut File) -> io::Result<u64>) -> io::Result<()> {
    let temp = temp_of(path);
    // A left-over may have other permissions; the new one must have `mode` before it holds a byte.
    match fs::remove_file(&temp) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temp)?;
    let written = (|| {
        file.set_permissions(fs::Permissions::from_mode(mode))?; // not narrowed by the umask
        hand_over(&file, path)?;
        let bytes = write(&mut file)?;
        if medium == Medium::Flash {
            file.sync_all()?;
        }
        fs::rename(&temp, path)?;
        Ok(bytes)
    })();
    let bytes = match written {
        Ok(bytes) => bytes,
        Err(e) => {
            let _ = fs::remove_file(&temp);
            return Err(e);
        }
    };
    if medium == Medium::Flash {
        count(usize::try_from(bytes).unwrap_or(usize::MAX));
        sync_folder_of(path)?;
    }
    Ok(())
}

/// Makes a rename, creation or removal in `path`'s folder durable.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

/// Gives `file`, newly made at `path` by root, to the daemon's user where the folder is for it (its own, or its group may
/// write there): root's commands write the daemon's key and journal, which the daemon must be able to read.
pub fn hand_over(file: &File, path: &Path) -> io::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let Some(user) = User::from_name(given::USER)? else { return Ok(()) };
    let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
    let folder = fs::metadata(folder_of(path))?;
    let is_for_it = folder.uid() == uid || (folder.gid() == gid && folder.mode() & 0o020 != 0);
    if is_for_it { fchown(file, Some(uid), Some(gid)) } else { Ok(()) }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Counts one durable write of `bytes`.
pub fn count(bytes: usize) {
    FLASH_WRITES.fetch_add(1, Ordering::Relaxed);
    FLASH_KIB.fetch_add(u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX), Ordering::Relaxed);
}

/// Durable writes since start, and their KiB.
pub fn flash_writes() -> (u32, u32) {
    (FLASH_WRITES.load(Ordering::Relaxed), FLASH_KIB.load(Ordering::Relaxed))
}

/// Whether this process may replace `path`: the file, if it is there, and its folder are writable.
pub fn writable(path: &Path) -> bool {
    use nix::unistd::{AccessFlags, access};
    access(folder_of(path), AccessFlags::W_OK).is_ok() && (!path.exists() || access(path, AccessFlags::W_OK).is_ok())
}

/// Removes `path` and what a kill left of its last write; nothing where it is not there. Not synced.
pub fn remove(path: &Path) -> io::Result<()> {
    for path in [temp_of(path), path.to_owned()] {
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

fn temp_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

/// Makes `path` and its parents, the last one with `mode`.
pub fn folder(path: &Path, mode: u32) -> io::Result<()> {
    if !path.is_dir() {
        fs::create_dir_all(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}
