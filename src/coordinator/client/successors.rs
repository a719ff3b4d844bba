//! The coordinator's successor keys over a restart: one small file in the state folder.
//!
//! They count only beside the very keys of the settings they were told under. Who changes option `key` decides anew.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::keyring::MAX_KEYS;
use crate::codec::{NodeId, record};
use crate::platform::files::{self, Medium};

const FILE: &str = "coordinator-keys";
const VERSION: u8 = 1;
/// Largest file read: twice 16 keys take 1.1 KiB.
const MAX_FILE: u64 = 4096;

#[derive(Serialize, Deserialize, PartialEq, Eq)]
struct Kept {
    /// The owner's keys at the time.
    configured: Vec<[u8; 32]>,
    successors: Vec<[u8; 32]>,
}

/// Where successors are kept, for one setting of the owner's keys.
#[derive(Clone, Debug)]
pub struct Successors {
    path: PathBuf,
    configured: Vec<NodeId>,
}

/// What was kept.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// The successors; empty where there are none.
    pub keys: Vec<NodeId>,
    /// What is wrong with the file, for the owner. It is ignored then.
    pub finding: Option<String>,
}

impl Successors {
    /// Those of the owner's `configured` keys, in `state_dir`.
    pub fn new(state_dir: &Path, configured: &[NodeId]) -> Successors {
        let mut configured: Vec<NodeId> = configured.iter().copied().take(MAX_KEYS).collect();
        configured.sort_unstable();
        Successors { path: state_dir.join(FILE), configured }
    }

    /// What was kept under these keys. A file kept under others is removed.
    pub fn remember(&self) -> Remembered {
        let bytes = match self.read() {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Remembered::default(),
            Err(e) => return self.ignored(&e.to_string()),
        };
        let Some(kept) = record::decode_one::<Kept>(VERSION, &bytes) else { return self.ignored("it is damaged") };
        if kept.configured != raw(&self.configured) {
            log::info!("the coordinator's keys were changed in the settings: successors told before no longer count");
            let _ = std::fs::remove_file(&self.path);
            return Remembered::default();
        }
        Remembered { keys: kept.successors.into_iter().map(NodeId).collect(), finding: None }
    }

    /// Keeps those of `keys` that are not in the settings anyway, 0600 and durable; writes only where they are others.
    /// Blocks for the flash.
    ///
    /// # Errors
    /// The file cannot be written; what was kept before stays.
    pub fn keep(&self, keys: &[NodeId]) -> io::Result<()> {
        let successors: Vec<NodeId> = keys.iter().copied().filter(|key| !self.configured.contains(key)).take(MAX_KEYS).collect();
        if successors.is_empty() {
            return match std::fs::remove_file(&self.path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
                _ => Ok(()),
            };
        }
        let bytes = record::encode(VERSION, &Kept { configured: raw(&self.configured), successors: raw(&successors) });
        if matches!(self.read(), Ok(Some(before)) if before == bytes) {
            return Ok(());
        }
        files::replace(&self.path, 0o600, &bytes, Medium::Flash)
    }

    fn read(&self) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        let mut bytes = Vec::new();
        file.take(MAX_FILE).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    fn ignored(&self, why: &str) -> Remembered {
        let path = self.path.display();
        let finding = format!(
            "{path} is ignored: {why}; if the coordinator is no longer believed, ask its operator for its key and set option key, then remove the file"
        );
        Remembered { keys: Vec::new(), finding: Some(finding) }
    }
}

fn raw(ids: &[NodeId]) -> Vec<[u8; 32]> {
    ids.iter().map(|id| id.0).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use ed25519_dalek::SigningKey;
    use proptest::prelude::*;

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("echomesh-successors-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&path);
            std::fs::create_dir_all(&path).unwrap();
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn id(n: u8) -> NodeId {
        NodeId::from(&SigningKey::from_bytes(&[n; 32]).verifying_key())
    }

    fn kept(keys: &[NodeId]) -> Remembered {
        Remembered { keys: keys.to_vec(), finding: None }
    }

    #[test]
    fn they_outlive_a_restart_and_are_written_only_when_changed() {
        let folder = Folder::new("keep");
        let successors = Successors::new(&folder.0, &[id(1), id(2)]);
        assert_eq!(successors.remember(), kept(&[]));
        successors.keep(&[id(2), id(3)]).unwrap();
        let meta = || std::fs::metadata(&successors.path).unwrap();
        let first = meta().ino();
        assert_eq!(meta().permissions().mode() & 0o777, 0o600);
        successors.keep(&[id(2), id(3)]).unwrap();
        assert_eq!(meta().ino(), first, "not written again");
        assert_eq!(Successors::new(&folder.0, &[id(2), id(1)]).remember(), kept(&[id(3)]), "the order of the settings is nothing");
        successors.keep(&[id(3), id(4)]).unwrap();
        assert_eq!(successors.remember(), kept(&[id(3), id(4)]));
        successors.keep(&[id(9); 1000]).unwrap();
        assert_eq!(successors.remember().keys.len(), MAX_KEYS);
        successors.keep(&[id(1)]).unwrap();
        assert!(!successors.path.exists(), "nothing beyond the settings");
        successors.keep(&[]).unwrap();
    }

    #[test]
    fn the_owners_new_keys_drop_them() {
        let folder = Folder::new("drop");
        let successors = Successors::new(&folder.0, &[id(1)]);
        successors.keep(&[id(2)]).unwrap();
        assert_eq!(Successors::new(&folder.0, &[id(5)]).remember(), kept(&[]));
        assert!(!successors.path.exists());
        assert_eq!(successors.remember(), kept(&[]), "nor do they come back with the old setting");
    }

    #[test]
    fn a_damaged_file_is_told_and_ignored() {
        let folder = Folder::new("damaged");
        let successors = Successors::new(&folder.0, &[id(1)]);
        successors.keep(&[id(2)]).unwrap();
        let mut bytes = std::fs::read(&successors.path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&successors.path, &bytes).unwrap();
        let remembered = successors.remember();
        assert!(remembered.keys.is_empty());
        assert!(remembered.finding.unwrap().contains("coordinator-keys"));
        successors.keep(&[id(2)]).unwrap();
        assert_eq!(successors.remember(), kept(&[id(2)]), "mended by the next announcement");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_file_names_a_key_that_was_not_kept(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let folder = Folder::new("any");
            let successors = Successors::new(&folder.0, &[id(1)]);
            std::fs::write(&successors.path, &bytes).unwrap();
            prop_assert!(successors.remember().keys.is_empty());
        }
    }
}
