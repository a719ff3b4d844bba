//! The coordinator's own Ed25519 keys, each in a file of its folder, 0600 from the first byte.

use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

use crate::codec::{NodeId, record};
use crate::identity::file::{IdentityError, read_private};
use crate::platform::files::{self, Medium};

/// Signs answers and objects.
pub const COORDINATOR: &str = "coordinator.key";
/// Will take its place; there only between `key rotate` and `key switch`.
pub const SUCCESSOR: &str = "coordinator.next.key";
/// Signs bodies of the trusted probe endpoint.
pub const PROBE: &str = "probe.key";
const VERSION: u8 = 1;

/// The key that signs, and the one that will, once every node knows it.
pub struct Keys {
    folder: PathBuf,
    current: SigningKey,
    next: Option<SigningKey>,
}

impl Keys {
    /// `current` alone; a successor's file would be made in `folder`.
    pub fn new(folder: PathBuf, current: SigningKey) -> Keys {
        Keys { folder, current, next: None }
    }

    /// The keys of `folder`; the one that signs is made where it is missing.
    pub fn load_or_create(folder: &Path) -> Result<Keys, IdentityError> {
        let current = load_or_create(folder, COORDINATOR)?;
        Ok(Keys { folder: folder.to_owned(), current, next: load(folder, SUCCESSOR)? })
    }

    /// The key that signs.
    pub const fn current(&self) -> &SigningKey {
        &self.current
    }

    /// Its public half.
    pub fn id(&self) -> NodeId {
        NodeId::from(&self.current.verifying_key())
    }

    /// The public half of the successor.
    pub fn successor(&self) -> Option<NodeId> {
        self.next.as_ref().map(|key| NodeId::from(&key.verifying_key()))
    }

    /// What nodes must be told: the key that signs and its successor; empty without one.
    pub fn announced(&self) -> Vec<NodeId> {
        self.successor().map(|next| vec![self.id(), next]).unwrap_or_default()
    }

    /// Makes a successor, where there is none yet.
    pub fn rotate(&mut self) -> Result<(), IdentityError> {
        if self.next.is_none() {
            self.next = Some(load_or_create(&self.folder, SUCCESSOR)?);
        }
        Ok(())
    }

    /// Signs with the successor from now on; the key before is gone. Without a successor nothing changes.
    pub fn switch(&mut self) -> Result<(), IdentityError> {
        let Some(next) = self.next.take() else { return Ok(()) };
        let path = self.folder.join(COORDINATOR);
        // One rename: whenever the power goes, there is one key that signs, and nodes know both.
        if let Err(e) = std::fs::rename(self.folder.join(SUCCESSOR), &path) {
            self.next = Some(next);
            return Err(IdentityError::Io(path, e));
        }
        self.current = next;
        files::sync_folder_of(&path).map_err(|e| IdentityError::Io(path, e))
    }
}

/// The key `name` of `folder`; `None` where there is none. Refused where others than the owner may read it.
pub fn load(folder: &Path, name: &str) -> Result<Option<SigningKey>, IdentityError> {
    let path = folder.join(name);
    let Some(bytes) = read_private(&path)? else { return Ok(None) };
    let seed: Zeroizing<[u8; 32]> = record::decode_one(VERSION, &bytes).map(Zeroizing::new).ok_or(IdentityError::Damaged(path))?;
    Ok(Some(SigningKey::from_bytes(&seed)))
}

/// Loads the key `name` of `folder`, or makes one. Refused where others than the owner may read it.
pub fn load_or_create(folder: &Path, name: &str) -> Result<SigningKey, IdentityError> {
    if let Some(key) = load(folder, name)? {
        return Ok(key);
    }
    let path = folder.join(name);
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut()).map_err(|_| IdentityError::NoEntropy)?;
    let bytes = Zeroizing::new(record::encode(VERSION, &*seed));
    files::replace(&path, 0o600, &bytes, Medium::Flash).map_err(|e| IdentityError::Io(path, e))?;
    Ok(SigningKey::from_bytes(&seed))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::testing::Folder;
    use super::*;

    #[test]
    fn a_key_stays_the_same_and_private() {
        let folder = Folder::new("keys");
        let key = load_or_create(&folder.0, PROBE).unwrap();
        assert_eq!(load_or_create(&folder.0, PROBE).unwrap().to_bytes(), key.to_bytes());
        assert_ne!(load_or_create(&folder.0, COORDINATOR).unwrap().to_bytes(), key.to_bytes());
        let path = folder.0.join(PROBE);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(load_or_create(&folder.0, PROBE), Err(IdentityError::Permissions(..))));
    }

    #[test]
    fn a_successor_waits_in_its_own_file_until_it_takes_over() {
        let folder = Folder::new("successor");
        let mut keys = Keys::load_or_create(&folder.0).unwrap();
        let first = keys.id();
        keys.switch().unwrap();
        assert_eq!((keys.id(), keys.announced()), (first, vec![]), "nothing to switch to");
        keys.rotate().unwrap();
        let next = keys.successor().unwrap();
        keys.rotate().unwrap();
        assert_eq!(keys.announced(), [first, next], "made once");
        let mode = std::fs::metadata(folder.0.join(SUCCESSOR)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mut again = Keys::load_or_create(&folder.0).unwrap();
        assert_eq!(again.announced(), [first, next], "it outlives a restart");
        again.switch().unwrap();
        assert_eq!((again.id(), again.successor()), (next, None));
        assert_eq!(Keys::load_or_create(&folder.0).unwrap().id(), next);
        assert!(!folder.0.join(SUCCESSOR).exists());
    }
}
