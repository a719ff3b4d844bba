//! The key of the buyer listener's certificate: ECDSA P-256, on flash, so that its pin outlives a restart.

use std::path::Path;

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use crate::codec::Hash;
use crate::identity::file::{IdentityError, read_private};
use crate::platform::files::{self, Medium};

/// An ECDSA P-256 key.
pub struct ListenerKey(KeyPair);

impl ListenerKey {
    /// Loads the key at `path` (PKCS#8 DER), or makes one, 0600 from the first byte. The folder must exist.
    pub fn load_or_create(path: &Path) -> Result<ListenerKey, IdentityError> {
        if let Some(bytes) = read_private(path)? {
            let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(bytes.as_slice()));
            let pair = KeyPair::from_der_and_sign_algo(&der, &PKCS_ECDSA_P256_SHA256).map_err(|_| IdentityError::Damaged(path.to_owned()))?;
            return Ok(ListenerKey(pair));
        }
        let key = ListenerKey::generate()?;
        let der = Zeroizing::new(key.0.serialize_der());
        files::replace(path, 0o600, &der, Medium::Flash).map_err(|e| IdentityError::Io(path.to_owned(), e))?;
        Ok(key)
    }

    /// A key that lives only in memory.
    pub fn generate() -> Result<ListenerKey, IdentityError> {
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map(ListenerKey).map_err(|_| IdentityError::NoEntropy)
    }

    /// Hash of its SubjectPublicKeyInfo: what buyers and the coordinator pin.
    pub fn spki(&self) -> Hash {
        Hash::of(&self.0.subject_public_key_info())
    }

    pub(super) fn pair(&self) -> &KeyPair {
        &self.0
    }

    pub(super) fn private_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.0.serialize_der()))
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
