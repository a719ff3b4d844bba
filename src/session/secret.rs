//! A session's secret: only its hash is known to the node.

use subtle::ConstantTimeEq as _;

use crate::codec::Hash;

const CONTEXT: &str = "echomesh session secret v1";

/// BLAKE3 derive_key("echomesh session secret v1", sessionId ‖ secret).
pub fn hash(session_id: &str, secret: &str) -> Hash {
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    hasher.update(session_id.as_bytes()).update(secret.as_bytes());
    Hash(hasher.finalize().into())
}

/// Whether `secret` is the session's, in time that does not depend on where it differs.
pub fn matches(session_id: &str, secret: &str, expected: &Hash) -> bool {
    hash(session_id, secret).0.ct_eq(&expected.0).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_session_one_secret() {
        let expected = hash("a", "secret");
        assert!(matches("a", "secret", &expected));
        assert!(!matches("a", "Secret", &expected));
        assert!(!matches("b", "secret", &expected));
        assert!(!matches("as", "ecret", &hash("b", "secret")));
    }
}
