//! One node seed; each role has its own Ed25519 seed, so that roles cannot be linked and are rotated apart.

use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::codec::{NodeId, record};
use crate::platform::files::{self, Medium};

const FILE: &str = "identity";
const VERSION: u8 = 1;
const ROLE_CONTEXT: &str = "echomesh role key v1";
const LOG_CONTEXT: &str = "echomesh access log v1";

/// Whose key is derived. Part of the derivation: the names never change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// The EchoMesh node; its key is the nodeId.
    Proxy,
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Role::Proxy => "proxy",
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    seed: [u8; 32],
    /// Epoch of the proxy role's key, one up with each rotation.
    proxy_epoch: u32,
}

/// The node's secret identity. Lives in memory only while the process does; zeroised on drop.
pub struct Identity {
    seed: Zeroizing<[u8; 32]>,
    proxy_epoch: u32,
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
            IdentityError::NoEntropy => f.write_str("the system gave no random bytes; try again later"),
        }
    }
}

impl std::error::Error for IdentityError {}

impl Identity {
    /// Loads the identity of `state_dir`, or makes one, 0600 from the first byte.
    pub fn load_or_create(state_dir: &Path) -> Result<Identity, IdentityError> {
        let path = state_dir.join(FILE);
        if let Some(identity) = Identity::load(state_dir)? {
            return Ok(identity);
        }
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut()).map_err(|_| IdentityError::NoEntropy)?;
        files::folder(state_dir, 0o700).map_err(|e| IdentityError::Io(state_dir.to_owned(), e))?;
        let bytes = Zeroizing::new(record::encode(VERSION, &Stored { seed: *seed, proxy_epoch: 0 }));
        files::replace(&path, 0o600, &bytes, Medium::Flash).map_err(|e| IdentityError::Io(path, e))?;
        Ok(Identity { seed, proxy_epoch: 0 })
    }

    /// Its file in `state_dir`.
    pub fn file(state_dir: &Path) -> PathBuf {
        state_dir.join(FILE)
    }

    /// Loads the identity of `state_dir`; `None` where there is none yet.
    pub fn load(state_dir: &Path) -> Result<Option<Identity>, IdentityError> {
        let path = state_dir.join(FILE);
        let Some(bytes) = read_private(&path)? else { return Ok(None) };
        let stored: Stored = record::decode_one(VERSION, &bytes).ok_or(IdentityError::Damaged(path))?;
        Ok(Some(Identity { seed: Zeroizing::new(stored.seed), proxy_epoch: stored.proxy_epoch }))
    }

    /// An identity that lives only in memory, from a given seed.
    pub fn from_seed(seed: [u8; 32]) -> Identity {
        Identity { seed: Zeroizing::new(seed), proxy_epoch: 0 }
    }

    /// The key of `role`: BLAKE3 derive_key("echomesh role key v1", node seed ‖ role name ‖ epoch as u32 LE).
    pub fn role_key(&self, role: Role) -> SigningKey {
        let epoch = match role {
            Role::Proxy => self.proxy_epoch,
        };
        let mut hasher = blake3::Hasher::new_derive_key(ROLE_CONTEXT);
        hasher.update(self.seed.as_ref()).update(role.name().as_bytes()).update(&epoch.to_le_bytes());
        let derived = Zeroizing::new(<[u8; 32]>::from(hasher.finalize()));
        SigningKey::from_bytes(&derived)
    }

    /// The public name of the EchoMesh node.
    pub fn node_id(&self) -> NodeId {
        NodeId::from(&self.role_key(Role::Proxy).verifying_key())
    }

    /// The access log's key of one UTC date (`2026-01-31`): a day can be opened to an auditor without the others.
    pub fn log_key(&self, utc_date: &str) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key(LOG_CONTEXT);
        hasher.update(self.seed.as_ref()).update(utc_date.as_bytes());
        hasher.finalize().into()
    }
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

    #[test]
    fn is_private_from_the_first_byte_and_refuses_what_others_can_read() {
        let folder = std::env::temp_dir().join(format!("echomesh-identity-{}", std::process::id()));
        let first = Identity::load_or_create(&folder).unwrap();
        let path = folder.join(FILE);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Identity::load_or_create(&folder).unwrap().node_id(), first.node_id());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Identity::load(&folder), Err(IdentityError::Permissions(_, 0o640))));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[20] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(Identity::load(&folder), Err(IdentityError::Damaged(_))));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
