//! minisign signatures (jedisct1.github.io/minisign, "Signature format"): keys, and the check of a whole text.
//!
//! ```text
//! key        base64 of: `Ed`, 8 bytes key id, 32 bytes Ed25519 key
//! signature  untrusted comment: …
//!            base64 of: `ED` or `Ed`, 8 bytes key id, 64 bytes signature
//!            trusted comment: …
//!            base64 of: 64 bytes, over the signature above and the trusted comment
//! ```
//!
//! `ED` signs the BLAKE2b-512 of the text, the older `Ed` the text itself. Both are small, so both are taken.

use blake2::{Blake2b512, Digest as _};
use ed25519_dalek::{Signature, VerifyingKey};

use crate::codec::base64;

/// Longest signature file read: comments are a line each.
pub const MAX_SIGNATURE: usize = 4 * 1024;
const TRUSTED: &str = "trusted comment: ";

/// A public key, as `minisign -G` prints it.
#[derive(Clone, Debug)]
pub struct Key {
    id: [u8; 8],
    key: VerifyingKey,
}

impl Key {
    /// Reads the 56 characters; `None` on any other text, or on a key that is no point of the curve or a weak one.
    pub fn parse(text: &str) -> Option<Key> {
        let bytes: [u8; 42] = base64::from_padded(text)?.try_into().ok()?;
        let (id, key) = bytes.strip_prefix(b"Ed")?.split_first_chunk::<8>()?;
        let key = VerifyingKey::from_bytes(key.try_into().ok()?).ok().filter(|k| !k.is_weak())?;
        Some(Key { id: *id, key })
    }
}

/// Whether `signature` is one of `text` by one of `keys`, trusted comment included.
pub fn verifies(keys: &[Key], text: &[u8], signature: &[u8]) -> bool {
    check(keys, text, signature).is_some()
}

fn check(keys: &[Key], text: &[u8], signature: &[u8]) -> Option<()> {
    let signature = std::str::from_utf8(signature).ok().filter(|s| s.len() <= MAX_SIGNATURE)?;
    let mut lines = signature.lines();
    lines.next()?;
    let first: [u8; 74] = base64::from_padded(lines.next()?)?.try_into().ok()?;
    let comment = lines.next()?.strip_prefix(TRUSTED)?;
    let global: [u8; 64] = base64::from_padded(lines.next()?)?.try_into().ok()?;
    let (algorithm, rest) = first.split_at(2);
    let (id, signed) = rest.split_first_chunk::<8>()?;
    let signed: &[u8; 64] = signed.try_into().ok()?;
    let digest;
    let message: &[u8] = match algorithm {
        b"ED" => {
            digest = Blake2b512::digest(text);
            &digest
        }
        b"Ed" => text,
        _ => return None,
    };
    let mut with_comment = signed.to_vec();
    with_comment.extend_from_slice(comment.as_bytes());
    // Two keys may share an id; each is tried.
    keys.iter().filter(|k| k.id == *id).find(|k| {
        k.key.verify_strict(message, &Signature::from_bytes(signed)).is_ok()
            && k.key.verify_strict(&with_comment, &Signature::from_bytes(&global)).is_ok()
    })?;
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(name: &str) -> String {
        std::fs::read_to_string(format!("{}/tests/vectors/minisign/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    fn key(name: &str) -> Key {
        Key::parse(file(name).lines().nth(1).unwrap()).unwrap()
    }

    #[test]
    fn both_forms_of_the_tool_verify_by_any_of_the_keys() {
        let (keys, text) = ([key("b.pub"), key("a.pub")], file("text"));
        for form in ["text.prehashed.minisig", "text.legacy.minisig"] {
            let signature = file(form);
            assert!(verifies(&keys, text.as_bytes(), signature.as_bytes()), "{form}");
            assert!(!verifies(&keys[..1], text.as_bytes(), signature.as_bytes()), "{form} by another key");
            assert!(!verifies(&[], text.as_bytes(), signature.as_bytes()), "{form} by none");
            assert!(!verifies(&keys, &text.as_bytes()[1..], signature.as_bytes()), "{form} of another text");
        }
    }

    #[test]
    fn no_changed_letter_of_a_signature_verifies() {
        let (keys, text) = ([key("a.pub")], file("text"));
        let signature = file("text.prehashed.minisig");
        let first = signature.find('\n').unwrap() + 1;
        for at in first..signature.len() - 1 {
            let mut changed = signature.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(!verifies(&keys, text.as_bytes(), &changed), "byte {at}");
        }
    }

    #[test]
    fn a_key_is_a_key() {
        let good = file("a.pub").lines().nth(1).unwrap().to_owned();
        assert!(Key::parse(&good).is_some());
        let weak = base64::padded(&[b"Ed".as_slice(), &[7; 8], &[1], &[0; 31]].concat());
        for bad in ["", "RW", &good[1..], &good.replace("RW", "AW"), &weak] {
            assert!(Key::parse(bad).is_none(), "{bad}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn any_bytes_are_judged(noise in prop::collection::vec(any::<u8>(), 0..200), at in 0usize..300) {
            let mut signature = file("text.prehashed.minisig").into_bytes();
            let at = at.min(signature.len());
            signature.splice(at..at, noise.clone());
            let _ = verifies(&[key("a.pub")], b"x", &signature);
            prop_assert!(!verifies(&[key("a.pub")], file("text").as_bytes(), &noise));
        }
    }
}
