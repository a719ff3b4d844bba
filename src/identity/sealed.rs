//! A sealed identity: the file at rest and every backup have this one form.
//!
//! ```text
//! "EMSEALED" | u8 version 1 | 32 bytes public key of the nodeId | 16 bytes salt | 24 bytes nonce
//!            | u16 LE length | XChaCha20-Poly1305 of the identity's record, all before it as associated data
//!            | 8 bytes BLAKE3 of all before
//! ```
//!
//! The version fixes the key derivation ([`super::kdf`]): a foreign file cannot ask for more work or memory. The last
//! check tells damage from a wrong passphrase. The nodeId stands in clear, so that a locked node can say who it is.

use chacha20poly1305::aead::AeadInPlace as _;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::kdf::{KdfError, Key, SALT};
use super::seed::Identity;
use crate::codec::NodeId;

const MAGIC: &[u8; 8] = b"EMSEALED";
const VERSION: u8 = 1;
const NONCE: usize = 24;
const AT_NODE_ID: usize = MAGIC.len() + 1;
const AT_SALT: usize = AT_NODE_ID + 32;
const AT_NONCE: usize = AT_SALT + SALT;
const HEAD: usize = AT_NONCE + NONCE + 2;
const CHECK: usize = 8;
/// Most bytes of what is sealed, with its tag: an identity takes 62.
const MOST_SEALED: usize = 256;
/// Longest file of this form.
pub const MOST_BYTES: usize = HEAD + MOST_SEALED + CHECK;

/// A sealed identity, read and checked but not opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sealed {
    /// Whose, as the file says; bound by the seal.
    pub node_id: NodeId,
    /// Goes into the key derivation.
    pub salt: [u8; SALT],
    bytes: Vec<u8>,
}

/// Why a file is none of this form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadFile {
    /// It does not begin as one.
    Foreign,
    /// A later version of the program wrote it.
    Newer(u8),
    /// Bytes are missing or changed.
    Damaged,
}

impl std::fmt::Display for BadFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BadFile::Foreign => f.write_str("this is no backup or sealed identity of EchoMesh"),
            BadFile::Newer(version) => write!(f, "it was written by a later version of the program (form {version}); update this one"),
            BadFile::Damaged => f.write_str("it is damaged: bytes are missing or changed; use another copy"),
        }
    }
}

impl std::error::Error for BadFile {}

/// Why a sealed identity cannot be opened, or one be sealed.
#[derive(Debug)]
pub enum SealError {
    /// Another passphrase sealed it.
    WrongPassphrase,
    /// What was sealed is no identity, or another one than the file says.
    Inconsistent,
    /// No key.
    Kdf(KdfError),
    /// The system gave no random bytes.
    NoEntropy,
}

impl std::fmt::Display for SealError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SealError::WrongPassphrase => f.write_str("the passphrase is wrong"),
            SealError::Inconsistent => f.write_str("what is sealed is not the identity the file names; use another copy"),
            SealError::Kdf(e) => e.fmt(f),
            SealError::NoEntropy => f.write_str("the system gave no random bytes; try again later"),
        }
    }
}

impl std::error::Error for SealError {}

impl From<KdfError> for SealError {
    fn from(e: KdfError) -> SealError {
        SealError::Kdf(e)
    }
}

/// Whether `bytes` claim to be of this form.
pub fn claims(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Seals `identity`: `derive` makes the key of the salt it is given. The file's bytes.
///
/// # Errors
/// No random bytes, or no key.
pub fn seal(identity: &Identity, derive: impl FnOnce(&[u8; SALT]) -> Result<Key, KdfError>) -> Result<Vec<u8>, SealError> {
    let (mut salt, mut nonce) = ([0; SALT], [0; NONCE]);
    getrandom::fill(&mut salt).and_then(|()| getrandom::fill(&mut nonce)).map_err(|_| SealError::NoEntropy)?;
    let key = derive(&salt)?;
    let mut secret = identity.to_record();
    let mut out = Vec::with_capacity(MOST_BYTES);
    out.extend_from_slice(MAGIC);
    out.push(VERSION);
    out.extend_from_slice(&identity.node_id().0);
    out.extend_from_slice(&salt);
    out.extend_from_slice(&nonce);
    let length = u16::try_from(secret.len() + 16).map_err(|_| SealError::Inconsistent)?;
    out.extend_from_slice(&length.to_le_bytes());
    let tag = cipher(&key).encrypt_in_place_detached(XNonce::from_slice(&nonce), &out, &mut secret).map_err(|_| SealError::Inconsistent)?;
    out.extend_from_slice(&secret);
    out.extend_from_slice(&tag);
    let check = check(&out);
    out.extend_from_slice(&check);
    Ok(out)
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.as_slice().into())
}

fn check(bytes: &[u8]) -> [u8; CHECK] {
    let mut out = [0; CHECK];
    blake3::Hasher::new().update(bytes).finalize_xof().fill(&mut out);
    out
}

impl Sealed {
    /// Reads a file.
    ///
    /// # Errors
    /// It is none of this form, or damaged.
    pub fn parse(bytes: &[u8]) -> Result<Sealed, BadFile> {
        if !claims(bytes) {
            // A file cut off within its first bytes is more likely ours than not.
            let cut = !bytes.is_empty() && MAGIC.starts_with(bytes);
            return Err(if cut { BadFile::Damaged } else { BadFile::Foreign });
        }
        match bytes.get(MAGIC.len()) {
            Some(&VERSION) => {}
            // Every later form ends with the same check, or this is damage.
            Some(&version) if version > VERSION && ends_in_check(bytes) => return Err(BadFile::Newer(version)),
            _ => return Err(BadFile::Damaged),
        }
        let head = bytes.get(..HEAD).ok_or(BadFile::Damaged)?;
        let sealed = usize::from(u16::from_le_bytes([head[HEAD - 2], head[HEAD - 1]]));
        if bytes.len() != HEAD + sealed + CHECK || !(17..=MOST_SEALED).contains(&sealed) || !ends_in_check(bytes) {
            return Err(BadFile::Damaged);
        }
        let (mut node_id, mut salt) = ([0; 32], [0; SALT]);
        node_id.copy_from_slice(&head[AT_NODE_ID..AT_SALT]);
        salt.copy_from_slice(&head[AT_SALT..AT_NONCE]);
        let node_id = Some(NodeId(node_id)).filter(|id| id.key().is_some()).ok_or(BadFile::Damaged)?;
        Ok(Sealed { node_id, salt, bytes: bytes.to_vec() })
    }

    /// The file's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Opens it with the key that belongs to its salt.
    ///
    /// # Errors
    /// The key is not the one it was sealed with, or it holds something else than its head says.
    pub fn open(&self, key: &Key) -> Result<Identity, SealError> {
        let (head, rest) = self.bytes.split_at(HEAD);
        let (sealed, tag) = rest[..rest.len() - CHECK].split_at(rest.len() - CHECK - 16);
        let mut secret = Zeroizing::new(sealed.to_vec());
        let nonce = &head[AT_NONCE..AT_NONCE + NONCE];
        cipher(key).decrypt_in_place_detached(XNonce::from_slice(nonce), head, &mut secret, tag.into()).map_err(|_| SealError::WrongPassphrase)?;
        let identity = Identity::from_record(&secret).ok_or(SealError::Inconsistent)?;
        if identity.node_id() == self.node_id { Ok(identity) } else { Err(SealError::Inconsistent) }
    }
}

fn ends_in_check(bytes: &[u8]) -> bool {
    bytes.split_last_chunk::<CHECK>().is_some_and(|(before, last)| check(before) == *last)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(n: u8) -> Key {
        Key::new([n; 32])
    }

    fn sealed(n: u8) -> Vec<u8> {
        seal(&Identity::from_seed([n; 32]), |_| Ok(key(n))).unwrap()
    }

    #[test]
    fn opens_with_its_key_alone_and_shows_who_it_is() {
        let bytes = sealed(7);
        let file = Sealed::parse(&bytes).unwrap();
        let identity = Identity::from_seed([7; 32]);
        assert_eq!((file.node_id, file.bytes()), (identity.node_id(), bytes.as_slice()));
        assert_eq!(file.open(&key(7)).unwrap().node_id(), identity.node_id());
        assert!(matches!(file.open(&key(8)), Err(SealError::WrongPassphrase)));
        assert_ne!(bytes, sealed(7), "another salt and nonce each time");
        assert!(!bytes.windows(32).any(|w| w == [7; 32]), "no seed in it");
    }

    #[test]
    fn every_flip_and_cut_is_named_as_damage() {
        let bytes = sealed(7);
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            let want = if at < MAGIC.len() { BadFile::Foreign } else { BadFile::Damaged };
            assert_eq!(Sealed::parse(&flipped), Err(want), "{at}");
            assert_eq!(Sealed::parse(&bytes[..at]), Err(if at == 0 { BadFile::Foreign } else { BadFile::Damaged }), "{at}");
        }
        assert_eq!(Sealed::parse(&[&bytes[..], b"x"].concat()), Err(BadFile::Damaged));
    }

    /// The check at the end is no secret: who changes the head can mend it. The seal still tells.
    fn mended(mut bytes: Vec<u8>) -> Vec<u8> {
        let end = bytes.len() - CHECK;
        let check = check(&bytes[..end]);
        bytes[end..].copy_from_slice(&check);
        bytes
    }

    #[test]
    fn the_head_is_bound_by_the_seal() {
        let (mut bytes, other) = (sealed(7), sealed(8));
        bytes[9..41].copy_from_slice(&other[9..41]);
        let file = Sealed::parse(&mended(bytes)).unwrap();
        assert_eq!(file.node_id, Identity::from_seed([8; 32]).node_id());
        assert!(matches!(file.open(&key(7)), Err(SealError::WrongPassphrase)));
        let mut later = sealed(7);
        later[8] = 2;
        assert_eq!(Sealed::parse(&mended(later)), Err(BadFile::Newer(2)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_bytes_are_a_file_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400), ours in any::<bool>()) {
            let bytes = if ours { mended([MAGIC.as_slice(), &[VERSION], &bytes, &[0; CHECK]].concat()) } else { bytes };
            if let Ok(file) = Sealed::parse(&bytes) {
                prop_assert_eq!(file.bytes(), bytes.as_slice());
                prop_assert!(file.open(&key(1)).is_err());
            }
        }

        #[test]
        fn what_is_sealed_opens_as_it_was(seed in any::<[u8; 32]>(), epoch in any::<u32>()) {
            let identity = Identity::at_epoch(seed, epoch);
            let file = Sealed::parse(&seal(&identity, |_| Ok(key(3))).unwrap()).unwrap();
            let opened = file.open(&key(3)).unwrap();
            prop_assert_eq!((opened.node_id(), opened.epoch()), (identity.node_id(), epoch));
        }
    }
}
