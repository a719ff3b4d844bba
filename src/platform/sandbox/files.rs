//! Which files the process sees, by Landlock (landlock(7)): it keeps files in its own folders, reads what it needs, starts
//! itself alone, and nothing else. The network is left to nftables: ports change with the settings, and a Landlock rule never.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::Needs;
use crate::platform::sys::{self, LandlockAttr};

// Rights of `linux/landlock.h`.
const EXECUTE: u64 = 1;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const REMOVE_DIR: u64 = 1 << 4;
const REMOVE_FILE: u64 = 1 << 5;
const MAKE_DIR: u64 = 1 << 7;
const MAKE_REG: u64 = 1 << 8;
const MAKE_SOCK: u64 = 1 << 9;
const REFER: u64 = 1 << 13;
const TRUNCATE: u64 = 1 << 14;

/// Rights of version 1; version 2 adds moving between folders, 3 truncating, 5 the ioctls of devices.
const OF_VERSION_1: u64 = (1 << 13) - 1;
const IOCTL_DEV: u64 = 1 << 15;
/// Since version 6: no abstract socket and no process of others.
const SCOPES: u64 = 0b11;

const KEEP: u64 = READ | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SOCK | REFER | TRUNCATE;
const READ: u64 = READ_FILE | READ_DIR;

/// What the C library, the certificates, the zone and the figures of the system are read from.
const FOLDERS: [&str; 8] = ["/etc/ssl", "/usr/share/ca-certificates", "/usr/share/zoneinfo", "/lib", "/lib64", "/usr/lib", "/proc", "/sys"];
const FILES: [&str; 10] = [
    "/dev/urandom",
    "/etc/TZ",
    "/etc/config/system",
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/services",
];
/// A child's standard error.
const NULL: &str = "/dev/null";
/// This says where the resolvers are; whoever changes it puts another file in its place.
const RESOLVERS: &str = "/etc/resolv.conf";
const SELF: &str = "/proc/self/exe";
/// Folders in which much lies that is nobody's business: of what is in them, only the files themselves.
const SHARED: [&str; 6] = ["/", "/tmp", "/var", "/run", "/var/run", "/etc/config"];

/// Puts this thread under the rules; the version of Landlock, or why there is none.
pub(super) fn confine(needs: &Needs) -> Result<u32, String> {
    let version = sys::landlock_version().map_err(|e| absent(&e))?;
    restrict(needs, version).map_err(|e| format!("off: the kernel refuses: {e}"))?;
    Ok(version)
}

fn absent(e: &io::Error) -> String {
    match e.raw_os_error() {
        Some(code) if code == Errno::EOPNOTSUPP as i32 => "absent: built into this kernel, but off at boot (kernel parameter lsm=)".into(),
        _ => "absent: this kernel was built without it".into(),
    }
}

fn restrict(needs: &Needs, version: u32) -> io::Result<()> {
    let rights =
        [(2, REFER), (3, TRUNCATE), (5, IOCTL_DEV)].iter().filter(|(since, _)| version >= *since).fold(OF_VERSION_1, |all, (_, more)| all | more);
    let attr = LandlockAttr { fs: rights, net: 0, scoped: if version >= 6 { SCOPES } else { 0 } };
    let rules = sys::landlock_ruleset(&attr, if version >= 6 { 3 } else { 1 })?;
    let allow = |path: &Path, access: u64| -> io::Result<()> {
        // What is not there needs no rule; what may not even be looked at cannot be read either.
        let Ok(place) = at(path) else { return Ok(()) };
        // Of a file, only what can be done to files.
        let access = access & rights & if path.is_dir() { u64::MAX } else { EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV };
        sys::landlock_allow(&rules, place, access)
    };
    needs.keeps.iter().try_for_each(|folder| allow(folder, KEEP))?;
    FOLDERS.iter().map(Path::new).chain(needs.reads.iter().map(PathBuf::as_path)).try_for_each(|folder| allow(folder, READ))?;
    FILES.iter().try_for_each(|file| allow(Path::new(file), READ_FILE))?;
    allow(Path::new(NULL), READ_FILE | WRITE_FILE | TRUNCATE)?;
    for file in needs.files.iter().map(PathBuf::as_path).chain([Path::new(RESOLVERS)]) {
        allow(file, READ_FILE)?;
        // A link's target is what is replaced.
        let real = fs::canonicalize(file).ok();
        for folder in [Some(file), real.as_deref()].into_iter().flatten().filter_map(Path::parent) {
            if !SHARED.iter().any(|shared| folder == Path::new(shared)) {
                allow(folder, READ_FILE)?;
            }
        }
    }
    allow(Path::new(SELF), READ_FILE | EXECUTE)?;
    if let Some(loader) = loader(&fs::read_to_string("/proc/self/maps").unwrap_or_default()) {
        allow(Path::new(loader), READ_FILE | EXECUTE)?;
    }
    sys::landlock_restrict(&rules)
}

fn at(path: &Path) -> nix::Result<OwnedFd> {
    open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())
}

/// The program that starts programs that are not static, where this one is not.
fn loader(maps: &str) -> Option<&str> {
    let paths = maps.lines().filter_map(|line| line.find('/').and_then(|at| line.get(at..)));
    paths.into_iter().find(|path| path.rsplit('/').next().is_some_and(|name| name.starts_with("ld-") || name == "libc.so"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loader_is_told_from_libraries() {
        let glibc =
            "55d0 r-xp 00 08:01 12 /usr/bin/echomesh\n7f00 r-xp 00 08:01 7 /usr/lib/libc.so.6\n7f01 r-xp 00 08:01 9 /usr/lib/ld-linux-x86-64.so.2\n";
        assert_eq!(loader(glibc), Some("/usr/lib/ld-linux-x86-64.so.2"));
        assert_eq!(loader("77 r-xp 00 1f:04 3 /lib/libc.so\n"), Some("/lib/libc.so"));
        assert_eq!(loader("77 r-xp 00 1f:04 3 /usr/bin/echomesh\n7ff rw-p 0 0 0 [stack]\n"), None);
    }
}
