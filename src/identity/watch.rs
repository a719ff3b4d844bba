//! Looks whether the identity's file still is what this process loaded: a key that changes under a running node is
//! not the owner's doing, or the owner must be told what it means.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::codec::Hash;

/// Looks in a row that find something else: a file that is being copied back is not there for a moment.
const LASTING: u32 = 2;
/// Bytes of the file that are looked at; a sound one has a few hundred at most.
const MOST: u64 = 64 * 1024;

/// What the file held when it was loaded, and how often in a row it was found otherwise.
#[derive(Debug)]
pub struct KeyWatch {
    path: PathBuf,
    expected: Option<Hash>,
    odd: u32,
}

impl KeyWatch {
    /// Begins with the file as it is. Where it cannot be read now, there is nothing to compare with until
    /// [`KeyWatch::rewritten`].
    pub fn new(path: PathBuf) -> KeyWatch {
        let expected = look(&path).ok().flatten();
        KeyWatch { path, expected, odd: 0 }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// We have written the file ourselves: what stands there now is right.
    pub fn rewritten(&mut self) {
        *self = KeyWatch::new(std::mem::take(&mut self.path));
    }

    /// Takes what [`look`] found. `Some` = it has lasted: what is wrong, once; counting begins anew.
    pub fn judge(&mut self, found: io::Result<Option<Hash>>) -> Option<String> {
        let what = match (found, self.expected) {
            // A folder that cannot be read at this moment says nothing about the file.
            (Err(_), _) | (_, None) => return None,
            (Ok(found), Some(expected)) if found == Some(expected) => {
                self.odd = 0;
                return None;
            }
            (Ok(None), _) => "is gone",
            (Ok(Some(_)), _) => "is not the one this process loaded",
        };
        self.odd += 1;
        if self.odd < LASTING {
            return None;
        }
        self.odd = 0;
        Some(format!("the identity's file {} {what}", self.path.display()))
    }
}

/// Hash of the file's bytes; `None` = there is no such file. Blocks.
///
/// # Errors
/// It cannot be read.
pub fn look(path: &Path) -> io::Result<Option<Hash>> {
    let file = match std::fs::File::open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok(Some(Hash::of(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_or_missing_file_is_told_once_it_lasts_and_our_own_writing_is_not() {
        let path = std::env::temp_dir().join(format!("echomesh-watch-{}", std::process::id()));
        std::fs::write(&path, "one").unwrap();
        let mut watch = KeyWatch::new(path.clone());
        let see = |watch: &mut KeyWatch| watch.judge(look(&path));
        assert_eq!(see(&mut watch), None);
        std::fs::write(&path, "two").unwrap();
        assert_eq!(see(&mut watch), None);
        std::fs::write(&path, "one").unwrap();
        assert_eq!(see(&mut watch), None, "back in time");
        std::fs::write(&path, "two").unwrap();
        assert_eq!(see(&mut watch), None);
        assert!(see(&mut watch).unwrap().contains("not the one"));
        assert_eq!(see(&mut watch), None, "it has to last again");
        watch.rewritten();
        assert!(!(0..5).any(|_| see(&mut watch).is_some()));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(see(&mut watch), None);
        assert!(see(&mut watch).unwrap().contains("gone"));
        assert_eq!(watch.judge(Err(io::ErrorKind::PermissionDenied.into())), None);
    }
}
