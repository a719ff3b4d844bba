//! Which programs a root process may run that the owner laid down as files: those that nobody but root could have put there.
//!
//! A file's own owner is not enough: whoever owns a folder above it can rename and link what root owns, and many a root-owned
//! program does harm under another name. So the whole way from `/` is looked at (docs/decisions/0031).

use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

/// Others than the owner may write.
const OTHERS_WRITE: u32 = 0o022;
/// In such a folder only its owner, and a file's own, may rename and remove that file.
const STICKY: u32 = 0o1000;
/// The owner may run it.
const RUNS: u32 = 0o100;

/// Why a file or folder is not trusted.
#[derive(Debug)]
pub enum Distrust {
    /// It is not there, or cannot be looked at.
    Io(PathBuf, io::Error),
    /// The path is not absolute and plain.
    Path(PathBuf),
    /// It is neither folder nor regular file, as one of the two is asked for.
    Kind(PathBuf),
    /// It belongs to somebody else.
    Owner(PathBuf, u32),
    /// Others may write it.
    Writable(PathBuf),
}

/// Whether nobody but root and `user` can change what is in the folder `path`, or put another in its place.
///
/// # Errors
/// What is in the way, from `/` on.
pub fn folder(path: &Path, user: u32) -> Result<(), Distrust> {
    if !path.is_absolute() || path.components().any(|part| !matches!(part, Component::RootDir | Component::Normal(_))) {
        return Err(Distrust::Path(path.to_owned()));
    }
    let mut way: Vec<&Path> = path.ancestors().collect();
    way.reverse();
    for folder in way {
        let found = look(folder, user, Metadata::is_dir)?;
        // In the last one nothing may be laid down by others; above it, nothing of ours be renamed.
        if found.mode() & OTHERS_WRITE != 0 && (folder == path || found.mode() & STICKY == 0) {
            return Err(Distrust::Writable(folder.to_owned()));
        }
    }
    Ok(())
}

/// Whether the file at `path`, in a folder that [`folder`] found good, is a program of root or `user`; `Ok(false)` where it is
/// one that may not be run by its owner.
///
/// # Errors
/// Why it is not trusted.
pub fn program(path: &Path, user: u32) -> Result<bool, Distrust> {
    let found = look(path, user, Metadata::is_file)?;
    if found.mode() & OTHERS_WRITE != 0 {
        return Err(Distrust::Writable(path.to_owned()));
    }
    Ok(found.mode() & RUNS != 0)
}

/// Without following a link: what it leads to may be another tomorrow.
fn look(path: &Path, user: u32, is_kind: fn(&Metadata) -> bool) -> Result<Metadata, Distrust> {
    let found = fs::symlink_metadata(path).map_err(|e| Distrust::Io(path.to_owned(), e))?;
    if !is_kind(&found) {
        return Err(Distrust::Kind(path.to_owned()));
    }
    if found.uid() != 0 && found.uid() != user {
        return Err(Distrust::Owner(path.to_owned(), found.uid()));
    }
    Ok(found)
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Distrust::Io(path, e) => write!(f, "{}: {e}", path.display()),
            Distrust::Path(path) => write!(f, "{}: name it from / on, without . and ..", path.display()),
            Distrust::Kind(path) => write!(f, "{} is neither a plain file nor a plain folder; links are not followed", path.display()),
            Distrust::Owner(path, uid) => write!(f, "{} belongs to user {uid}; chown root it", path.display()),
            Distrust::Writable(path) => write!(f, "others than its owner may write {}; chmod go-w it", path.display()),
        }
    }
}

impl std::error::Error for Distrust {}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Place {
            let path = std::env::temp_dir().join(format!("em-trusted-{}-{name}", std::process::id()));
            fs::create_dir_all(path.join("a/b")).unwrap();
            for part in ["", "a", "a/b"] {
                mode(&path.join(part), 0o755);
            }
            Place(path)
        }

        fn join(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn me() -> u32 {
        nix::unistd::geteuid().as_raw()
    }

    #[test]
    fn the_whole_way_counts() {
        let place = Place::new("way");
        let b = place.join("a/b");
        folder(&b, me()).unwrap();
        for (part, bad) in [("a", 0o775), ("a", 0o757), ("", 0o777), ("a/b", 0o775), ("a/b", 0o1777)] {
            mode(&place.join(part), bad);
            assert!(
                matches!(folder(&b, me()), Err(Distrust::Writable(at)) if at == place.join(part).components().collect::<PathBuf>()),
                "{part} {bad:o}"
            );
            mode(&place.join(part), 0o755);
        }
        mode(&place.join("a"), 0o1770);
        folder(&b, me()).unwrap();
        mode(&place.join("a"), 0o755);
        symlink(&b, place.join("link")).unwrap();
        assert!(matches!(folder(&place.join("link"), me()), Err(Distrust::Kind(_))));
        for odd in [Path::new("a/b"), Path::new("/../etc"), Path::new("")] {
            assert!(matches!(folder(odd, me()), Err(Distrust::Path(_))), "{}", odd.display());
        }
        assert!(matches!(folder(&place.join("none"), me()), Err(Distrust::Io(..))));
    }

    #[test]
    fn another_s_folder_and_file_are_not_trusted() {
        let place = Place::new("owner");
        let file = place.join("a/b/file");
        fs::write(&file, "").unwrap();
        if me() != 0 {
            println!("SKIPPED: root alone can give files away");
            return;
        }
        nix::unistd::chown(&file, Some(12345.into()), None).unwrap();
        assert!(matches!(program(&file, 0), Err(Distrust::Owner(_, 12345))));
        program(&file, 12345).unwrap();
        nix::unistd::chown(&place.join("a"), Some(12345.into()), None).unwrap();
        assert!(matches!(folder(&place.join("a/b"), 0), Err(Distrust::Owner(at, 12345)) if at == place.join("a")));
    }

    #[test]
    fn a_program_is_a_plain_file_that_its_owner_alone_writes() {
        let place = Place::new("file");
        let file = place.join("a/b/file");
        fs::write(&file, "").unwrap();
        for (bits, runs) in [(0o644, Some(false)), (0o755, Some(true)), (0o500, Some(true)), (0o775, None), (0o757, None)] {
            mode(&file, bits);
            assert_eq!(program(&file, me()).ok(), runs, "{bits:o}");
        }
        symlink(&file, place.join("a/b/link")).unwrap();
        assert!(matches!(program(&place.join("a/b/link"), me()), Err(Distrust::Kind(_))));
        assert!(matches!(program(&place.join("a/b"), me()), Err(Distrust::Kind(_))));
    }
}
