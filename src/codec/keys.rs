//! Ed25519 public keys as text: `ed25519:` + base64url without padding of the 32 bytes.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::base64;

/// A public key in its text form: a node's identity, a coordinator's or a probe endpoint's key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub [u8; 32]);

impl NodeId {
    /// The key to verify with; `None` where the bytes are no curve point or of small order.
    pub fn key(&self) -> Option<VerifyingKey> {
        VerifyingKey::from_bytes(&self.0).ok().filter(|k| !k.is_weak())
    }

    /// The first eight characters of the key's text, for logs and tables.
    pub fn short(&self) -> String {
        base64::url(&self.0)[..8].to_owned()
    }
}

impl From<&VerifyingKey> for NodeId {
    fn from(key: &VerifyingKey) -> NodeId {
        NodeId(key.to_bytes())
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ed25519:{}", base64::url(&self.0))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is no `ed25519:` key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadKey;

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key is ed25519: and 43 base64url characters of a valid Ed25519 public key")
    }
}

impl FromStr for NodeId {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<NodeId, BadKey> {
        let bytes = text.strip_prefix("ed25519:").and_then(base64::from_url).ok_or(BadKey)?;
        let id = NodeId(bytes.try_into().map_err(|_| BadKey)?);
        id.key().map(|_| id).ok_or(BadKey)
    }
}

impl Serialize for NodeId {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() { s.collect_str(self) } else { self.0.serialize(s) }
    }
}

impl<'de> Deserialize<'de> for NodeId {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<NodeId, D::Error> {
        if d.is_human_readable() { String::deserialize(d)?.parse().map_err(de::Error::custom) } else { <[u8; 32]>::deserialize(d).map(NodeId) }
    }
}
