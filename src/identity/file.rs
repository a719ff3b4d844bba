//! The identity's file in the state folder: in clear or sealed, 0600 from the first byte, replaced in one step.

use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::sealed::{self, Sealed};
use super::seed::Identity;
use crate::codec::NodeId;
use crate::platform::files::{self, Medium};

/// Its name in the state folder.
pub const FILE: &str = "identity";

/// What a state folder holds.
pub enum Stored {
    /// The identity, in clear.
    Plain(Identity),
    /// The identity, sealed.
    Sealed(Sealed),
}

impl Stored {
    /// Whose it is.
    pub fn node_id(&self) -> NodeId {
        match self {
            Stored::Plain(identity) => identity.node_id(),
            Stored::Sealed(sealed) => sealed.node_id,
        }
    }
}

/// Why the identity cannot be used.
#[derive(Debug)]
pub enum IdentityError {
    /// The file cannot be read or written.
    Io(PathBuf, io::Error),
    /// Others than the owner may read the file.
    Permissions(PathBuf, u32),
    /// The file's check fails: it is damaged.
    Damaged(PathBuf),
    /// The file is of a form this version does not know.
    Unusable(PathBuf, sealed::BadFile),
    /// The identity is sealed, and this needs it open.
    Sealed(PathBuf),
    /// The system gave no random bytes.
    NoEntropy,
}

impl std::fmt::Display for IdentityError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            IdentityError::Io(path, e) => write!(f, "identity {}: {e}; check that the folder exists and is writable", path.display()),
            IdentityError::Permissions(path, mode) => {
                write!(
                    f,
                    "identity {} has mode {mode:04o}; others could read the key: run chmod 600 on it, and rotate if others had access",
                    path.display()
                )
            }
            IdentityError::Damaged(path) => {
                write!(f, "identity {} is damaged; restore it from a backup, or move it away to start anew", path.display())
            }
            IdentityError::Unusable(path, why) => write!(f, "identity {}: {why}", path.display()),
            IdentityError::Sealed(path) => write!(f, "identity {} is sealed; unlock it in the running daemon", path.display()),
            IdentityError::NoEntropy => f.write_str("the system gave no random bytes; try again later"),
        }
    }
}

impl std::error::Error for IdentityError {}

/// What `state_dir` holds; `None` where there is no identity yet.
///
/// # Errors
/// The file cannot be read, is damaged, or others may read it.
pub fn load(state_dir: &Path) -> Result<Option<Stored>, IdentityError> {
    let path = state_dir.join(FILE);
    let Some(bytes) = read_private(&path)? else { return Ok(None) };
    if sealed::claims(&bytes) {
        return match Sealed::parse(&bytes) {
            Ok(sealed) => Ok(Some(Stored::Sealed(sealed))),
            Err(sealed::BadFile::Damaged) => Err(IdentityError::Damaged(path)),
            Err(why) => Err(IdentityError::Unusable(path, why)),
        };
    }
    Identity::from_record(&bytes).map(|identity| Some(Stored::Plain(identity))).ok_or(IdentityError::Damaged(path))
}

/// The same, and a new identity where there is none.
///
/// # Errors
/// As [`load`]; or the file cannot be written.
pub fn load_or_create(state_dir: &Path) -> Result<Stored, IdentityError> {
    if let Some(stored) = load(state_dir)? {
        return Ok(stored);
    }
    let identity = Identity::generate().map_err(|_| IdentityError::NoEntropy)?;
    files::folder(state_dir, 0o700).map_err(|e| IdentityError::Io(state_dir.to_owned(), e))?;
    write(state_dir, &identity.to_record())?;
    Ok(Stored::Plain(identity))
}

/// Replaces the identity's file by `bytes` (a record, or a sealed identity) in one durable step.
///
/// # Errors
/// It cannot be written; the file before stands.
pub fn write(state_dir: &Path, bytes: &[u8]) -> Result<(), IdentityError> {
    let path = state_dir.join(FILE);
    files::replace(&path, 0o600, bytes, Medium::Flash).map_err(|e| IdentityError::Io(path, e))
}

/// The bytes of a secret file; `None` where there is none, an error where others than the owner may read it.
pub fn read_private(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, IdentityError> {
    let meta = match std::fs::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(IdentityError::Io(path.to_owned(), e)),
        Ok(meta) => meta,
    };
    let mode = meta.permissions().mode() & 0o7777;
    let own = meta.uid() == nix::unistd::geteuid().as_raw() || nix::unistd::geteuid().is_root();
    if mode & 0o077 != 0 || !own {
        return Err(IdentityError::Permissions(path.to_owned(), mode));
    }
    std::fs::read(path).map(|bytes| Some(Zeroizing::new(bytes))).map_err(|e| IdentityError::Io(path.to_owned(), e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::kdf::Key;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("echomesh-identity-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn is_private_from_the_first_byte_and_refuses_what_others_can_read() {
        let folder = folder("private");
        let first = load_or_create(&folder).unwrap();
        let path = folder.join(FILE);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(load_or_create(&folder).unwrap().node_id(), first.node_id());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(load(&folder), Err(IdentityError::Permissions(_, 0o640))));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[20] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(load(&folder), Err(IdentityError::Damaged(_))));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_sealed_file_says_who_it_is_and_its_damage_is_told() {
        let folder = folder("sealed");
        let Stored::Plain(identity) = load_or_create(&folder).unwrap() else { panic!("a new one is in clear") };
        write(&folder, &sealed::seal(&identity, |_| Ok(Key::new([1; 32]))).unwrap()).unwrap();
        let stored = load_or_create(&folder).unwrap();
        assert_eq!((matches!(stored, Stored::Sealed(_)), stored.node_id()), (true, identity.node_id()));
        let path = folder.join(FILE);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(matches!(load(&folder), Err(IdentityError::Damaged(_))));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
