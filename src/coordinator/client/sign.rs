//! What the node signs: every request, and the objects that carry `nodeSig` (contracts, "Common rules").

use ed25519_dalek::SigningKey;
use serde_json::{Map, Value};

use crate::codec::envelope::{self, NODE_SIG};
use crate::codec::{NodeId, base64, time};

/// Header names, as they stand in the contracts.
pub const NODE: &str = "Echomesh-Node";
/// Unix seconds.
pub const TIME: &str = "Echomesh-Time";
/// 16 random bytes as base64url.
pub const NONCE: &str = "Echomesh-Nonce";
/// Padded base64.
pub const SIGNATURE: &str = "Echomesh-Signature";

/// The headers of one try of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headers {
    /// Who asks.
    pub node: NodeId,
    /// Unix seconds.
    pub time: u64,
    /// Fresh for each try; the answer is signed over it.
    pub nonce: String,
    /// Over all of the request.
    pub signature: String,
}

/// What a request is, before it is signed.
#[derive(Clone, Copy, Debug)]
pub struct Unsigned<'a> {
    /// As in the Host header.
    pub authority: &'a str,
    /// `GET` or `POST`.
    pub method: &'a str,
    /// Path with the query.
    pub path: &'a str,
    /// Empty for none.
    pub body: &'a [u8],
}

impl Unsigned<'_> {
    /// Signs it for `time` (Unix seconds) with a nonce never used before.
    pub fn sign(&self, key: &SigningKey, time: u64, nonce: [u8; 16]) -> Headers {
        let nonce = base64::url(&nonce);
        let Unsigned { authority, method, path, body } = *self;
        let text = envelope::Request { authority, method, path, body, time, nonce: &nonce }.text();
        Headers { node: NodeId::from(&key.verifying_key()), time, signature: envelope::sign_text(&text, key), nonce }
    }
}

/// `object` signed under `context` for `now`: a member `time` is set anew, since a retry may follow a corrected clock.
pub fn object(mut object: Map<String, Value>, context: &str, key: &SigningKey, now: u64) -> Vec<u8> {
    if let Some(member) = object.get_mut("time") {
        *member = time::rfc3339(now).into();
    }
    envelope::sign(&mut object, NODE_SIG, context, key);
    crate::codec::json::canonical(&Value::Object(object))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::envelope::{context, verify, verify_text};
    use crate::codec::json;

    #[test]
    fn a_request_verifies_as_the_contracts_write_it() {
        let key = SigningKey::from_bytes(&[3; 32]);
        let unsigned = Unsigned { authority: "c.example:8440", method: "POST", path: "/nodes/heartbeat", body: b"{}" };
        let headers = unsigned.sign(&key, 1_700_000_000, [0xff; 16]);
        assert_eq!(headers.nonce, "_____________________w");
        let hash = crate::codec::Hash::of(b"{}");
        let text = format!("echomesh/http/v1\nc.example:8440\nPOST\n/nodes/heartbeat\n{hash}\n1700000000\n_____________________w");
        assert_eq!(verify_text(&text, &headers.signature, [&key.verifying_key()]), Ok(()));
        assert_ne!(unsigned.sign(&key, 1_700_000_001, [0xff; 16]).signature, headers.signature);
    }

    #[test]
    fn an_object_is_signed_for_the_time_of_the_try() {
        let key = SigningKey::from_bytes(&[3; 32]);
        let early = json::parse(br#"{"time":"1970-01-01T00:00:00Z","sessionId":"s"}"#).unwrap();
        let signed = object(early.as_object().unwrap().clone(), context::LEAVE, &key, 1_766_152_800);
        let tree = json::parse(&signed).unwrap();
        assert_eq!(tree["time"], "2025-12-19T14:00:00Z");
        assert_eq!(verify(&tree, NODE_SIG, context::LEAVE, [&key.verifying_key()]), Ok(()));
    }
}
