//! Signatures: of JSON objects, of the node's requests, of the coordinator's answers (contracts, "Common rules").
//!
//! A signature member = padded base64 of Ed25519 over `CONTEXT` + `\n` + JCS of the object without that member.
//! What is verified is the received tree, never a re-serialised struct: unknown members count.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde_json::{Map, Value};

use super::{Hash, base64, json};

/// Contexts: a signature for one purpose is worth nothing for another.
pub mod context {
    #![allow(missing_docs)] // names of the contracts
    pub const REGISTER: &str = "echomesh/register/v1";
    pub const ROTATE: &str = "echomesh/rotate/v1";
    pub const LEAVE: &str = "echomesh/leave/v1";
    pub const SESSION_EVENT: &str = "echomesh/session-event/v1";
    pub const SESSION_ACCEPT: &str = "echomesh/session-accept/v1";
    pub const PROBE_REQUEST: &str = "echomesh/probe-request/v1";
    pub const PROBE_REPORT: &str = "echomesh/probe-report/v1";
    pub const PROBE_ENDPOINT: &str = "echomesh/probe-endpoint/v1";
    pub const METERING: &str = "echomesh/metering/v1";
    pub const BOOKED: &str = "echomesh/booked/v1";
    pub const BUYER_KEY: &str = "echomesh/buyer-key/v1";
    pub const BUYER_USAGE: &str = "echomesh/buyer-usage/v1";
    pub const HTTP: &str = "echomesh/http/v1";
    pub const ANSWER: &str = "echomesh/answer/v1";
}

/// Member that holds a node's signature.
pub const NODE_SIG: &str = "nodeSig";
/// Member that holds a buyer's signature.
pub const BUYER_SIG: &str = "buyerSig";
/// Member that holds a coordinator's signature.
pub const COORDINATOR_SIG: &str = "coordinatorSig";

/// Why a signature does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadSignature {
    /// The object has no such member, or it is no padded base64 of 64 bytes.
    Missing,
    /// No configured key made it.
    Mismatch,
}

impl std::fmt::Display for BadSignature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            BadSignature::Missing => "the signature is missing or malformed",
            BadSignature::Mismatch => "the signature does not verify",
        })
    }
}

impl std::error::Error for BadSignature {}

/// Signs `object` in place: `member` is set (a value already there is replaced).
pub fn sign(object: &mut Map<String, Value>, member: &str, context: &str, key: &SigningKey) {
    object.remove(member);
    let text = payload(context, object.clone());
    let signature = key.sign(&text);
    object.insert(member.to_owned(), base64::padded(&signature.to_bytes()).into());
}

/// Verifies `member` of `tree` under any of `keys`.
pub fn verify<'k>(tree: &Value, member: &str, context: &str, keys: impl IntoIterator<Item = &'k VerifyingKey>) -> Result<(), BadSignature> {
    let mut object = tree.as_object().cloned().ok_or(BadSignature::Missing)?;
    let signature = match object.remove(member) {
        Some(Value::String(text)) => base64::from_padded(&text),
        _ => None,
    };
    verify_bytes(&payload(context, object), &signature.ok_or(BadSignature::Missing)?, keys)
}

fn payload(context: &str, object: Map<String, Value>) -> Vec<u8> {
    let mut text = Vec::with_capacity(1024);
    text.extend_from_slice(context.as_bytes());
    text.push(b'\n');
    text.extend_from_slice(&json::canonical(&Value::Object(object)));
    text
}

/// Strict verification (canonical S, no small-order A or R) of `signature` over `text` under any of `keys`.
pub fn verify_bytes<'k>(text: &[u8], signature: &[u8], keys: impl IntoIterator<Item = &'k VerifyingKey>) -> Result<(), BadSignature> {
    let signature = Signature::from_slice(signature).map_err(|_| BadSignature::Missing)?;
    if keys.into_iter().any(|key| key.verify_strict(text, &signature).is_ok()) { Ok(()) } else { Err(BadSignature::Mismatch) }
}

/// What the node signs of a request (header `Echomesh-Signature`, padded base64).
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Host and, where it is not the default, port, as in the Host header.
    pub authority: &'a str,
    /// `GET` or `POST`.
    pub method: &'a str,
    /// Path with the query, as on the request line.
    pub path: &'a str,
    /// The body's bytes.
    pub body: &'a [u8],
    /// Unix seconds, header `Echomesh-Time`.
    pub time: u64,
    /// 16 random bytes as base64url, header `Echomesh-Nonce`.
    pub nonce: &'a str,
}

impl Request<'_> {
    /// The signed text.
    pub fn text(&self) -> String {
        let Request { authority, method, path, body, time, nonce } = self;
        format!("{}\n{authority}\n{method}\n{path}\n{}\n{time}\n{nonce}", context::HTTP, Hash::of(body))
    }
}

/// What the coordinator signs of an answer (header `Echomesh-Signature`, padded base64; time in `Echomesh-Time`).
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// HTTP status.
    pub status: u16,
    /// The request's nonce; empty where the request had none.
    pub nonce: &'a str,
    /// The body's bytes.
    pub body: &'a [u8],
    /// Unix seconds.
    pub time: u64,
}

impl Answer<'_> {
    /// The signed text.
    pub fn text(&self) -> String {
        let Answer { status, nonce, body, time } = self;
        format!("{}\n{status}\n{nonce}\n{}\n{time}", context::ANSWER, Hash::of(body))
    }
}

/// Signature over `text` as the headers carry it.
pub fn sign_text(text: &str, key: &SigningKey) -> String {
    base64::padded(&key.sign(text.as_bytes()).to_bytes())
}

/// Verifies a header's signature over `text`.
pub fn verify_text<'k>(text: &str, signature: &str, keys: impl IntoIterator<Item = &'k VerifyingKey>) -> Result<(), BadSignature> {
    verify_bytes(text.as_bytes(), &base64::from_padded(signature).ok_or(BadSignature::Missing)?, keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    #[test]
    fn a_signed_object_verifies_and_any_change_breaks_it() {
        let key = key();
        let mut object = json::parse(br#"{"b":1,"a":"x","later":{"unknown":true}}"#).unwrap().as_object().unwrap().clone();
        sign(&mut object, NODE_SIG, context::METERING, &key);
        let tree = Value::Object(object.clone());
        let public = key.verifying_key();
        assert_eq!(verify(&tree, NODE_SIG, context::METERING, [&public]), Ok(()));
        assert_eq!(verify(&tree, NODE_SIG, context::REGISTER, [&public]), Err(BadSignature::Mismatch));
        assert_eq!(verify(&tree, COORDINATOR_SIG, context::METERING, [&public]), Err(BadSignature::Missing));
        object.remove("later");
        assert_eq!(verify(&Value::Object(object), NODE_SIG, context::METERING, [&public]), Err(BadSignature::Mismatch));
    }

    #[test]
    fn rfc_8032_test_1() {
        let seed: [u8; 32] = [
            0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69,
            0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
        ];
        let key = SigningKey::from_bytes(&seed);
        let signature = key.sign(b"").to_bytes();
        assert_eq!(signature[..8], [0xe5, 0x56, 0x43, 0x00, 0xc3, 0x60, 0xac, 0x72]);
        assert_eq!(verify_bytes(b"", &signature, [&key.verifying_key()]), Ok(()));
    }
}
