//! What vouches for a probe's answer: the endpoint's own signature, else the key its TLS showed.

use ed25519_dalek::Signature;

use crate::codec::envelope::{context, verify_bytes};
use crate::codec::{Hash, NodeId, base64};

/// Header of the endpoint's signature, in lower case.
pub const HEADER: &str = "echomesh-endpoint-signature";
/// Before the hash text of the leaf's SubjectPublicKeyInfo; such a probe counts as unattested.
pub const TLS_SPKI: &str = "tls-spki:";
/// `ed25519:` 8 + 43 + `:` + 88 characters.
const HEADER_LEN: usize = 140;

/// The signed text: `echomesh/probe-endpoint/v1\nNONCE\nN\nHASH-TEXT(body)`.
pub fn text(nonce: &str, size: u64, body: Hash) -> String {
    format!("{}\n{nonce}\n{size}\n{body}", context::PROBE_ENDPOINT)
}

/// The key that signed this body for this nonce; `None` where `header` is not `ed25519:KEY:SIG` or does not verify.
///
/// Whether the key is one to trust is the coordinator's to judge.
pub fn signer(header: &str, nonce: &str, size: u64, body: Hash) -> Option<NodeId> {
    if header.len() != HEADER_LEN {
        return None;
    }
    let (key, signature) = header.rsplit_once(':')?;
    let key: NodeId = key.parse().ok()?;
    let signature = base64::from_padded(signature).filter(|s| s.len() == Signature::BYTE_SIZE)?;
    verify_bytes(text(nonce, size, body).as_bytes(), &signature, [&key.key()?]).ok().map(|()| key)
}

/// `endpointSig` where the endpoint signed nothing that verifies.
pub fn unattested(spki: Hash) -> String {
    format!("{TLS_SPKI}{spki}")
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use proptest::prelude::*;

    use super::*;
    use crate::codec::envelope::sign_text;

    #[test]
    fn a_signature_counts_for_its_nonce_size_and_body_only() {
        let key = SigningKey::from_bytes(&[4; 32]);
        let id = NodeId::from(&key.verifying_key());
        let body = Hash::of(b"body");
        let header = format!("{id}:{}", sign_text(&format!("echomesh/probe-endpoint/v1\nn\n4\n{body}"), &key));
        assert_eq!(header.len(), HEADER_LEN);
        assert_eq!(signer(&header, "n", 4, body), Some(id));
        assert_eq!(signer(&header, "m", 4, body), None);
        assert_eq!(signer(&header, "n", 5, body), None);
        assert_eq!(signer(&header, "n", 4, Hash::of(b"other")), None);
        assert_eq!(signer(&header.replace("ed25519:", "ed448xx:"), "n", 4, body), None);
        assert_eq!(signer(&format!("{header} "), "n", 4, body), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_header_breaks_it(header in "\\PC{0,160}|ed25519:[A-Za-z0-9_-]{43}:[A-Za-z0-9+/]{86}==") {
            prop_assert_eq!(signer(&header, "n", 1, Hash::of(b"x")), None);
        }
    }
}
