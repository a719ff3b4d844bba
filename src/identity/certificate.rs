//! Self-signed certificates under an Ed25519 key: the buyer's listener, and the coordinator's when it is given none.

use ed25519_dalek::SigningKey;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ED25519};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::codec::Hash;

/// PKCS#8 v1 around a 32-byte Ed25519 seed (RFC 8410, section 7).
const PKCS8_HEAD: [u8; 16] = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// SubjectPublicKeyInfo head of an Ed25519 key (RFC 8410, section 4).
const SPKI_HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A certificate with its key, as rustls takes them.
pub struct Certificate {
    /// The leaf, and nothing else: it is self-signed.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
    /// Hash of its SubjectPublicKeyInfo: what the other side pins.
    pub spki: Hash,
    /// PEM of the leaf, for CA files.
    pub pem: String,
}

/// A self-signed certificate for `names` (DNS names or IP addresses) under `key`.
pub fn self_signed(key: &SigningKey, common_name: &str, names: &[String]) -> Result<Certificate, rcgen::Error> {
    let pkcs8: Vec<u8> = PKCS8_HEAD.into_iter().chain(key.to_bytes()).collect();
    let key_der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8));
    let pair = KeyPair::from_der_and_sign_algo(&key_der, &PKCS_ED25519)?;
    let mut params = CertificateParams::new(names.to_vec())?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    let cert = params.self_signed(&pair)?;
    Ok(Certificate { chain: vec![cert.der().clone()], key: key_der, spki: spki_hash(key), pem: cert.pem() })
}

/// Hash of the SubjectPublicKeyInfo of `key`.
pub fn spki_hash(key: &SigningKey) -> Hash {
    let spki: Vec<u8> = SPKI_HEAD.into_iter().chain(key.verifying_key().to_bytes()).collect();
    Hash::of(&spki)
}
