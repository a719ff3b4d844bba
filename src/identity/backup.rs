//! Backups: the identity sealed under a passphrase of its own, in the form of [`super::sealed`]. One covers the keys of
//! all roles. Taking one back refuses to overwrite another identity.

use std::io;
use std::os::unix::fs::{MetadataExt as _, lchown};
use std::path::Path;

use super::file::{self, IdentityError, Stored};
use super::rotate;
use super::sealed::Sealed;
use super::seed::Identity;
use crate::codec::NodeId;
use crate::platform::files;

/// What restoring did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Restored {
    /// The folder had none, or a damaged one.
    New,
    /// It had the same identity.
    Same,
    /// It had another one, which is gone.
    Replaced(NodeId),
}

/// Why a backup is not restored. Nothing was changed.
#[derive(Debug)]
pub enum RestoreError {
    /// Another identity is there, and nobody said to replace it.
    Other(NodeId),
    /// The folder cannot be read or written.
    Identity(IdentityError),
}

impl std::fmt::Display for RestoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RestoreError::Other(there) => write!(
                f,
                "the node here is another one, {there}; its reputation and credits go with it. Make a backup of it first, then say --replace to put this one in its place"
            ),
            RestoreError::Identity(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for RestoreError {}

impl From<IdentityError> for RestoreError {
    fn from(e: IdentityError) -> RestoreError {
        RestoreError::Identity(e)
    }
}

/// What restoring `backup` into `state_dir` would do; changes nothing.
///
/// # Errors
/// As [`restore`].
pub fn outcome(state_dir: &Path, backup: &Sealed, replace: bool) -> Result<Restored, RestoreError> {
    let there = match file::load(state_dir) {
        Ok(stored) => stored.as_ref().map(Stored::node_id),
        // What cannot be used any more is what backups are for.
        Err(IdentityError::Damaged(_)) => None,
        Err(e) => return Err(e.into()),
    };
    match there {
        None => Ok(Restored::New),
        Some(id) if id == backup.node_id => Ok(Restored::Same),
        Some(id) if replace => Ok(Restored::Replaced(id)),
        Some(id) => Err(RestoreError::Other(id)),
    }
}

/// Puts an opened backup into `state_dir`: in clear, or as sealed as it is where `keep_sealed`. Blocks for the flash. No
/// daemon may run there.
///
/// # Errors
/// Another identity is there and `replace` is not said; or the folder cannot be used.
pub fn restore(state_dir: &Path, backup: &Sealed, opened: &Identity, keep_sealed: bool, replace: bool) -> Result<Restored, RestoreError> {
    let outcome = outcome(state_dir, backup, replace)?;
    let io = |e| IdentityError::Io(state_dir.to_owned(), e);
    files::folder(state_dir, 0o700).map_err(io)?;
    if let Restored::Replaced(_) = outcome {
        rotate::done(state_dir).map_err(io)?;
    }
    if keep_sealed {
        file::write(state_dir, backup.bytes())?
    } else {
        file::write(state_dir, &opened.to_record())?
    }
    give_to_owner_of(state_dir).map_err(io)?;
    Ok(outcome)
}

/// Root restores for the daemon, whose folder it is. Where it is root's, the file writer has given it to the daemon's user.
fn give_to_owner_of(state_dir: &Path) -> io::Result<()> {
    let path = state_dir.join(file::FILE);
    let (folder, made) = (std::fs::metadata(state_dir)?, std::fs::metadata(&path)?);
    let is_right = folder.uid() == 0 || (folder.uid(), folder.gid()) == (made.uid(), made.gid());
    if is_right { Ok(()) } else { lchown(&path, Some(folder.uid()), Some(folder.gid())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::kdf::Key;
    use crate::identity::sealed;

    #[test]
    fn another_identity_is_overwritten_only_on_demand() {
        let folder = std::env::temp_dir().join(format!("echomesh-restore-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let (mine, other) = (Identity::from_seed([1; 32]), Identity::from_seed([2; 32]));
        let backup = |of: &Identity| Sealed::parse(&sealed::seal(of, |_| Ok(Key::new([9; 32]))).unwrap()).unwrap();
        let there = || file::load(&folder).unwrap().unwrap();
        assert_eq!(restore(&folder, &backup(&mine), &mine, false, false).unwrap(), Restored::New);
        assert_eq!(restore(&folder, &backup(&mine), &mine, true, false).unwrap(), Restored::Same);
        assert!(matches!(there(), Stored::Sealed(_)), "as sealed as it was");
        assert!(matches!(restore(&folder, &backup(&other), &other, false, false), Err(RestoreError::Other(id)) if id == mine.node_id()));
        assert_eq!(there().node_id(), mine.node_id());
        assert_eq!(restore(&folder, &backup(&other), &other, false, true).unwrap(), Restored::Replaced(mine.node_id()));
        assert!(matches!(there(), Stored::Plain(_)) && there().node_id() == other.node_id());
        std::fs::write(folder.join(file::FILE), b"worn out").unwrap();
        std::fs::set_permissions(folder.join(file::FILE), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        assert_eq!(restore(&folder, &backup(&mine), &mine, false, false).unwrap(), Restored::New, "a damaged one is no identity");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
