//! From a passphrase to a key: Argon2id with 7 MiB. The daemon has it done by a child process that exits, so that its own
//! memory never grows by what a derivation needs.
//!
//! ```text
//! parent → stdin: 16 bytes salt, passphrase to the end     child: our own binary, sub-command `derive-key`
//! parent ← stdout: 32 bytes key
//! ```

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use super::passphrase::{MOST_BYTES, Passphrase};

/// The hidden sub-command of the child.
pub const CHILD: &str = "derive-key";
/// Bytes of a salt.
pub const SALT: usize = 16;
/// Our own binary, also after an update has replaced it on disk.
const SELF: &str = "/proc/self/exe";
/// Memory in KiB and passes: OWASP's weakest-hardware set, 7 MiB × 5. Two to four seconds on a 580 MHz MIPS.
const MEMORY_KIB: u32 = 7 * 1024;
const PASSES: u32 = 5;

/// A derived key.
pub type Key = Zeroizing<[u8; 32]>;

/// Why there is no key.
#[derive(Debug)]
pub enum KdfError {
    /// The child cannot be started or spoken to.
    Child(io::Error),
    /// The child ended without a key: most likely the system had no 7 MiB for it.
    Died,
}

impl std::fmt::Display for KdfError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            KdfError::Child(e) => write!(f, "the key cannot be derived: {e}"),
            KdfError::Died => f.write_str("the key could not be derived; it takes 7 MiB of free memory: stop something else and try again"),
        }
    }
}

impl std::error::Error for KdfError {}

/// Derives in this process: takes seconds and 7 MiB.
///
/// # Errors
/// There is no memory.
pub fn derive(passphrase: &Passphrase, salt: &[u8; SALT]) -> Result<Key, KdfError> {
    raw(passphrase.expose().as_bytes(), salt)
}

fn raw(passphrase: &[u8], salt: &[u8; SALT]) -> Result<Key, KdfError> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, Some(32)).map_err(|_| KdfError::Died)?;
    let mut key = Key::default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(passphrase, salt, key.as_mut()).map_err(|_| KdfError::Died)?;
    Ok(key)
}

/// Derives in a child process; blocks until it has ended.
///
/// # Errors
/// The child cannot be started, or died.
pub fn derive_in_child(passphrase: &Passphrase, salt: &[u8; SALT]) -> Result<Key, KdfError> {
    derive_by(Path::new(SELF), passphrase, salt)
}

fn derive_by(program: &Path, passphrase: &Passphrase, salt: &[u8; SALT]) -> Result<Key, KdfError> {
    let mut child = Command::new(program)
        .arg(CHILD)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(KdfError::Child)?;
    let told = child.stdin.take().map_or(Ok(()), |mut stdin| {
        stdin.write_all(salt)?;
        stdin.write_all(passphrase.expose().as_bytes())
        // Dropped here: the child reads to the end.
    });
    let mut key = Key::default();
    let said = child.stdout.take().map_or(Err(io::ErrorKind::BrokenPipe.into()), |mut stdout| stdout.read_exact(key.as_mut()));
    let ended = child.wait().map_err(KdfError::Child)?;
    if told.is_ok() && said.is_ok() && ended.success() { Ok(key) } else { Err(KdfError::Died) }
}

/// The child's whole life: reads salt and passphrase, writes the key.
///
/// # Errors
/// It was not asked as [`derive_in_child`] asks, or there is no memory.
pub fn child(stdin: &mut impl Read, stdout: &mut impl Write) -> Result<(), KdfError> {
    let mut salt = [0; SALT];
    stdin.read_exact(&mut salt).map_err(KdfError::Child)?;
    // The room is there at once: growing would leave copies behind.
    let mut passphrase = Zeroizing::new(Vec::with_capacity(MOST_BYTES + 1));
    stdin.take(MOST_BYTES as u64 + 1).read_to_end(&mut passphrase).map_err(KdfError::Child)?;
    if passphrase.is_empty() || passphrase.len() > MOST_BYTES {
        return Err(KdfError::Died);
    }
    let key = raw(&passphrase, &salt)?;
    stdout.write_all(key.as_ref()).and_then(|()| stdout.flush()).map_err(KdfError::Child)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passphrase() -> Passphrase {
        Passphrase::known("correct horse battery".into()).unwrap()
    }

    #[test]
    fn the_child_derives_what_we_would() {
        let (salt, mut said) = ([7; SALT], Vec::new());
        let asked = [&salt[..], passphrase().expose().as_bytes()].concat();
        child(&mut asked.as_slice(), &mut said).unwrap();
        assert_eq!(said, derive(&passphrase(), &salt).unwrap().as_ref());
        assert_ne!(said, derive(&passphrase(), &[8; SALT]).unwrap().as_ref());
        for wrong in [&asked[..10], &asked[..SALT], &[1; SALT + MOST_BYTES + 1]] {
            assert!(child(&mut &*wrong, &mut Vec::new()).is_err());
        }
    }

    #[test]
    fn a_child_that_dies_is_an_error() {
        assert!(matches!(derive_by(Path::new("/bin/false"), &passphrase(), &[0; SALT]), Err(KdfError::Died)));
        assert!(matches!(derive_by(Path::new("/nonexistent"), &passphrase(), &[0; SALT]), Err(KdfError::Child(_))));
    }
}
