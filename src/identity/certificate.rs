//! Self-signed certificates: the buyer listener's under a key of its own, a node's under its Ed25519 key.
//!
//! The listener's is ECDSA P-256, because Chromium takes no Ed25519 certificates. Buyers pin the hash of its
//! SubjectPublicKeyInfo, so the key is kept on flash and the certificate is made anew at each start.

use ed25519_dalek::SigningKey;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, PKCS_ED25519, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::ParsedCertificate;

use crate::codec::Hash;

mod listener_key;

pub use listener_key::ListenerKey;

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

/// A self-signed server certificate for `names` (DNS names or IP addresses) under `key`.
pub fn self_signed(key: &ListenerKey, common_name: &str, names: &[String]) -> Result<Certificate, rcgen::Error> {
    let mut params = params(common_name, names)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let cert = params.self_signed(key.pair())?;
    Ok(Certificate { chain: vec![cert.der().clone()], key: key.private_der(), spki: key.spki(), pem: cert.pem() })
}

/// A self-signed certificate under a node's own key, for either end of a connection between own programs.
pub fn self_signed_node(key: &SigningKey, common_name: &str, names: &[String]) -> Result<Certificate, rcgen::Error> {
    let pkcs8: Vec<u8> = PKCS8_HEAD.into_iter().chain(key.to_bytes()).collect();
    let key_der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8));
    let pair = KeyPair::from_der_and_sign_algo(&key_der, &PKCS_ED25519)?;
    let cert = params(common_name, names)?.self_signed(&pair)?;
    Ok(Certificate { chain: vec![cert.der().clone()], key: key_der, spki: spki_hash(key), pem: cert.pem() })
}

/// Hash of the SubjectPublicKeyInfo of a leaf certificate; `None` where the bytes are no certificate.
pub fn spki_of(certificate: &CertificateDer<'_>) -> Option<Hash> {
    ParsedCertificate::try_from(certificate).ok().map(|parsed| Hash::of(&parsed.subject_public_key_info()))
}

/// The public key of a leaf certificate where it is of Ed25519: 32 bytes, not yet checked to be a point.
pub fn ed25519_of(certificate: &CertificateDer<'_>) -> Option<[u8; 32]> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    parsed.subject_public_key_info().strip_prefix(&SPKI_HEAD)?.try_into().ok()
}

/// Hash of the SubjectPublicKeyInfo of an Ed25519 `key`.
pub fn spki_hash(key: &SigningKey) -> Hash {
    let spki: Vec<u8> = SPKI_HEAD.into_iter().chain(key.verifying_key().to_bytes()).collect();
    Hash::of(&spki)
}

/// Valid from 2020 to 2049, because routers' clocks lie; 2049 is the last year every date form agrees on (RFC 5280, 4.1.2.5).
fn params(common_name: &str, names: &[String]) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names.to_vec())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2049, 12, 31);
    Ok(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pinned_hash_is_that_of_the_leaf() {
        let listener = self_signed(&ListenerKey::generate().unwrap(), "node", &["127.0.0.1".into(), "node.example".into()]).unwrap();
        assert_eq!(spki_of(&listener.chain[0]), Some(listener.spki));
        let node = self_signed_node(&SigningKey::from_bytes(&[7; 32]), "node", &["node.example".into()]).unwrap();
        assert_eq!(spki_of(&node.chain[0]), Some(node.spki));
        assert_ne!(listener.spki, node.spki);
        assert_eq!(ed25519_of(&node.chain[0]), Some(SigningKey::from_bytes(&[7; 32]).verifying_key().to_bytes()));
        assert_eq!(ed25519_of(&listener.chain[0]), None);
    }

    #[test]
    fn a_name_that_is_none_is_an_error() {
        assert!(self_signed(&ListenerKey::generate().unwrap(), "node", &["nöde".into()]).is_err());
    }
}
