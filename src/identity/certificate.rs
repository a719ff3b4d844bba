//! Self-signed certificates: the buyer listener's under a key of its own, a node's under its Ed25519 key.
//!
//! The listener's is ECDSA P-256, because Chromium takes no Ed25519 certificates. Buyers pin the hash of its
//! SubjectPublicKeyInfo, so the key is kept on flash and the certificate is made anew at each start.

use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::ParsedCertificate;

use crate::codec::{Hash, base64};

mod der;
mod listener_key;

pub use listener_key::ListenerKey;

/// PKCS#8 v1 around a 32-byte Ed25519 seed (RFC 8410, section 7).
const PKCS8_HEAD: [u8; 16] = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// SubjectPublicKeyInfo head of an Ed25519 key (RFC 8410, section 4).
const SPKI_HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// AlgorithmIdentifier of ECDSA with SHA-256 (RFC 5758, 3.2) and of Ed25519 (RFC 8410, section 3).
const ECDSA_SHA256: [u8; 12] = [0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const ED25519: [u8; 7] = [0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];

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

/// Why there is no certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CertificateError {
    /// Neither an IP address nor a name that DNS could know.
    Name(String),
    /// The system gave no random bytes.
    NoEntropy,
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CertificateError::Name(name) => write!(f, "no certificate can be for {name}: write the name in ASCII (xn--…)"),
            CertificateError::NoEntropy => f.write_str("the system gave no random bytes; try again later"),
        }
    }
}

impl std::error::Error for CertificateError {}

/// Whose certificate it is.
struct Leaf<'a> {
    /// SubjectPublicKeyInfo.
    spki: &'a [u8],
    /// AlgorithmIdentifier of the signature.
    algorithm: &'a [u8],
    /// Good for a TLS server alone.
    server_only: bool,
}

/// A self-signed server certificate for `names` (DNS names or IP addresses) under `key`.
pub fn self_signed(key: &ListenerKey, common_name: &str, names: &[String]) -> Result<Certificate, CertificateError> {
    let leaf = Leaf { spki: &key.spki_der(), algorithm: &ECDSA_SHA256, server_only: true };
    let to_be_signed = der::to_be_signed(&leaf, common_name, names)?;
    let signature = key.sign(&to_be_signed).ok_or(CertificateError::NoEntropy)?;
    Ok(certificate(der::signed(&leaf, &to_be_signed, &signature), key.private_der(), key.spki()))
}

/// A self-signed certificate under a node's own key, for either end of a connection between own programs.
pub fn self_signed_node(key: &SigningKey, common_name: &str, names: &[String]) -> Result<Certificate, CertificateError> {
    let leaf = Leaf { spki: &spki_der(key), algorithm: &ED25519, server_only: false };
    let to_be_signed = der::to_be_signed(&leaf, common_name, names)?;
    let signature = key.sign(&to_be_signed).to_bytes();
    let pkcs8: Vec<u8> = PKCS8_HEAD.into_iter().chain(key.to_bytes()).collect();
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8));
    Ok(certificate(der::signed(&leaf, &to_be_signed, &signature), private, spki_hash(key)))
}

fn certificate(der: Vec<u8>, key: PrivateKeyDer<'static>, spki: Hash) -> Certificate {
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    // 48 bytes are the 64 characters of a line (RFC 7468).
    for line in der.chunks(48) {
        pem.push_str(&base64::padded(line));
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    Certificate { chain: vec![CertificateDer::from(der)], key, spki, pem }
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
    Hash::of(&spki_der(key))
}

fn spki_der(key: &SigningKey) -> Vec<u8> {
    SPKI_HEAD.into_iter().chain(key.verifying_key().to_bytes()).collect()
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

    /// The same certificates as another library makes them, but for serial number and signature.
    #[test]
    fn the_form_is_that_of_rcgen() {
        let names: Vec<String> =
            ["127.0.0.1", "2001:db8::1", "a-rather-long-name-of-a-node-so-that-a-length-takes-two-bytes.node.example"].map(str::to_owned).to_vec();
        let listener = ListenerKey::generate().unwrap();
        let node = SigningKey::from_bytes(&[7; 32]);
        let ours = [
            self_signed(&listener, "ein Knöten", &names).unwrap(),
            self_signed_node(&node, "x", &names).unwrap(),
            self_signed_node(&node, "x", &[]).unwrap(),
        ];
        let theirs = |made: &Certificate, common_name: &str, names: &[String], server_only: bool| {
            let mut params = rcgen::CertificateParams::new(names.to_vec()).unwrap();
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.distinguished_name.push(rcgen::DnType::CommonName, common_name);
            (params.not_before, params.not_after) = (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2049, 12, 31));
            params.serial_number = Some(blake3::hash(&spki_bytes(&made.chain[0])).as_bytes()[..16].to_vec().into());
            if server_only {
                params.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
                params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
            }
            params.self_signed(&rcgen::KeyPair::try_from(&made.key).unwrap()).unwrap()
        };
        for (made, (name, names, server)) in ours.iter().zip([("ein Knöten", &names[..], true), ("x", &names, false), ("x", &[], false)]) {
            let theirs = theirs(made, name, names, server);
            let (ours, theirs) = (without_what_is_random(&made.chain[0]), without_what_is_random(theirs.der()));
            assert_eq!(ours, theirs, "{name}");
        }
    }

    fn spki_bytes(certificate: &CertificateDer<'_>) -> Vec<u8> {
        ParsedCertificate::try_from(certificate).unwrap().subject_public_key_info().to_vec()
    }

    /// From behind the serial number, up to the signature.
    fn without_what_is_random(certificate: &[u8]) -> Vec<u8> {
        let tbs = inside(inside(certificate).0).0;
        let (_version, rest) = inside(tbs);
        let (_serial, rest) = inside(rest);
        rest.to_vec()
    }

    /// What the first DER value holds, and what follows it.
    fn inside(der: &[u8]) -> (&[u8], &[u8]) {
        let (head, length) = match der[1] {
            0x81 => (3, usize::from(der[2])),
            0x82 => (4, usize::from(der[2]) << 8 | usize::from(der[3])),
            short => (2, usize::from(short)),
        };
        der[head..].split_at(length)
    }
}
