//! The key of the buyer listener's certificate: ECDSA P-256, on flash, so that its pin outlives a restart.

use std::path::Path;

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING as P256, EcdsaKeyPair, KeyPair as _};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use crate::codec::Hash;
use crate::identity::file::{IdentityError, read_private};
use crate::platform::files::{self, Medium};

/// SubjectPublicKeyInfo head of a P-256 key (RFC 5480); the point follows, uncompressed.
const SPKI_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03,
    0x42, 0x00,
];

/// An ECDSA P-256 key.
pub struct ListenerKey {
    pair: EcdsaKeyPair,
    /// PKCS#8.
    der: Zeroizing<Vec<u8>>,
}

impl ListenerKey {
    /// Loads the key at `path` (PKCS#8 DER), or makes one, 0600 from the first byte. The folder must exist.
    pub fn load_or_create(path: &Path) -> Result<ListenerKey, IdentityError> {
        if let Some(bytes) = read_private(path)? {
            return ListenerKey::of(&bytes).ok_or_else(|| IdentityError::Damaged(path.to_owned()));
        }
        let key = ListenerKey::generate()?;
        files::replace(path, 0o600, &key.der, Medium::Flash).map_err(|e| IdentityError::Io(path.to_owned(), e))?;
        Ok(key)
    }

    /// A key that lives only in memory.
    pub fn generate() -> Result<ListenerKey, IdentityError> {
        let der = EcdsaKeyPair::generate_pkcs8(&P256, &SystemRandom::new()).ok();
        der.and_then(|der| ListenerKey::of(der.as_ref())).ok_or(IdentityError::NoEntropy)
    }

    fn of(der: &[u8]) -> Option<ListenerKey> {
        let pair = EcdsaKeyPair::from_pkcs8(&P256, der, &SystemRandom::new()).ok()?;
        Some(ListenerKey { pair, der: Zeroizing::new(der.to_vec()) })
    }

    /// Hash of its SubjectPublicKeyInfo: what buyers and the coordinator pin.
    pub fn spki(&self) -> Hash {
        Hash::of(&self.spki_der())
    }

    pub(super) fn spki_der(&self) -> Vec<u8> {
        [&SPKI_HEAD[..], self.pair.public_key().as_ref()].concat()
    }

    /// A signature as X.509 has it; none where the system gives no random bytes.
    pub(super) fn sign(&self, text: &[u8]) -> Option<Vec<u8>> {
        self.pair.sign(&SystemRandom::new(), text).ok().map(|signature| signature.as_ref().to_vec())
    }

    pub(super) fn private_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.der.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn keeps_its_pin_over_a_restart_and_refuses_what_others_can_read() {
        let folder = std::env::temp_dir().join(format!("echomesh-listener-key-{}", std::process::id()));
        files::folder(&folder, 0o700).unwrap();
        let path = folder.join("listener.key");
        let first = ListenerKey::load_or_create(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(ListenerKey::load_or_create(&path).unwrap().spki(), first.spki());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(ListenerKey::load_or_create(&path), Err(IdentityError::Permissions(_, 0o644))));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, b"no key").unwrap();
        assert!(matches!(ListenerKey::load_or_create(&path), Err(IdentityError::Damaged(_))));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
