//! The trusted probe endpoint: `GET /probe?size=N&nonce=X` gives N bytes and signs what they hash to.
//!
//! The bytes follow from nonce and size under a key only the endpoint has, so they can be hashed before the header goes out
//! and made again as they are sent, in fixed memory; and nobody can know their hash without fetching them.

use std::cell::Cell;
use std::rc::Rc;

use ed25519_dalek::SigningKey;
use smol::LocalExecutor;

use super::bounds::PROBE_STREAMS;
use super::probing::signed_text;
use crate::codec::{Hash, NodeId, envelope};
use crate::net::http::{Body, Handler, Request, Response};

/// Largest body.
pub const MAX_SIZE: u64 = 8 * 1024 * 1024;
/// Bytes made and sent at once.
const PIECE: usize = 32 * 1024;
const CONTEXT: &str = "echomesh probe body v1";

/// Serves the endpoint.
pub struct Endpoint {
    key: SigningKey,
    body_key: [u8; 32],
    ex: Rc<LocalExecutor<'static>>,
    streams: Rc<Cell<usize>>,
}

impl Endpoint {
    /// The endpoint of `key`; bodies are streamed by tasks on `ex`.
    pub fn new(key: SigningKey, ex: Rc<LocalExecutor<'static>>) -> Endpoint {
        let body_key = blake3::derive_key(CONTEXT, key.as_bytes());
        Endpoint { key, body_key, ex, streams: Rc::default() }
    }

    /// The public half of the key it signs with.
    pub fn id(&self) -> NodeId {
        NodeId::from(&self.key.verifying_key())
    }

    fn body(&self, nonce: &str, size: u64) -> blake3::OutputReader {
        let mut hasher = blake3::Hasher::new_keyed(&self.body_key);
        hasher.update(&size.to_le_bytes()).update(nonce.as_bytes());
        hasher.finalize_xof()
    }

    async fn hash(&self, nonce: &str, size: u64) -> Hash {
        let mut body = self.body(nonce, size);
        let mut hasher = blake3::Hasher::new();
        let mut piece = vec![0; PIECE];
        for length in pieces(size) {
            body.fill(&mut piece[..length]);
            hasher.update(&piece[..length]);
            smol::future::yield_now().await; // 8 MiB take some 10 ms: others go on meanwhile
        }
        Hash(hasher.finalize().into())
    }
}

fn pieces(size: u64) -> impl Iterator<Item = usize> {
    let piece = PIECE as u64;
    (0..size.div_ceil(piece)).map(move |n| usize::try_from((size - n * piece).min(piece)).unwrap_or(PIECE))
}

/// One of the streams at work; counted until it is dropped.
struct Slot(Rc<Cell<usize>>);

impl Slot {
    fn take(streams: &Rc<Cell<usize>>) -> Option<Slot> {
        (streams.get() < PROBE_STREAMS).then(|| {
            streams.set(streams.get() + 1);
            Slot(streams.clone())
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

impl Handler for Endpoint {
    async fn handle(&self, request: Request) -> Response {
        let refuse = |status, reason: &str| Response::json(status, &serde_json::json!({ "reason": reason }));
        if request.path() != "/probe" {
            return refuse(404, "not-found");
        }
        if request.method != "GET" {
            return refuse(405, "method").with("Allow", "GET");
        }
        let plain = |n: &String| (1..=64).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        let size = request.query("size").and_then(|s| s.parse::<u64>().ok()).filter(|s| (1..=MAX_SIZE).contains(s));
        let (Some(size), Some(nonce)) = (size, request.query("nonce").filter(plain)) else {
            return refuse(400, "size must be 1 to 8388608 and nonce 1 to 64 base64url characters");
        };
        let Some(slot) = Slot::take(&self.streams) else { return refuse(503, "overload").with("Retry-After", "5") };
        let hash = self.hash(&nonce, size).await;
        let signature = format!("{}:{}", self.id(), envelope::sign_text(&signed_text(&nonce, size, &hash), &self.key));
        let mut body = self.body(&nonce, size);
        let (sender, receiver) = smol::channel::bounded(2);
        self.ex
            .spawn(async move {
                let _slot = slot;
                for length in pieces(size) {
                    let mut piece = vec![0; length];
                    body.fill(&mut piece);
                    if sender.send(piece).await.is_err() {
                        return; // the client went away
                    }
                }
            })
            .detach();
        Response {
            status: 200,
            headers: vec![
                ("Content-Type", "application/octet-stream".to_owned()),
                ("Cache-Control", "no-store".to_owned()),
                ("Echomesh-Endpoint-Signature", signature),
            ],
            body: Body::Stream(receiver),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use crate::codec::base64;

    fn ask(target: &str) -> (u16, Option<String>, Vec<u8>) {
        let ex = Rc::new(LocalExecutor::new());
        let endpoint = Endpoint::new(testing::endpoint_key(), ex.clone());
        let request = Request { method: "GET".into(), target: target.into(), ..Request::default() };
        smol::block_on(ex.run(async {
            let response = endpoint.handle(request).await;
            let signature = response.headers.iter().find(|(n, _)| *n == "Echomesh-Endpoint-Signature").map(|(_, v)| v.clone());
            let mut body = Vec::new();
            match response.body {
                Body::Whole(bytes) => body = bytes,
                Body::Stream(pieces) => {
                    while let Ok(piece) = pieces.recv().await {
                        body.extend(piece);
                    }
                }
            }
            assert_eq!(endpoint.streams.get(), 0, "the slot is free again");
            (response.status, signature, body)
        }))
    }

    #[test]
    fn signs_what_it_sends() {
        for size in [1, PIECE as u64, PIECE as u64 * 2 + 17] {
            let (status, signature, body) = ask(&format!("/probe?size={size}&nonce=abc_-1"));
            assert_eq!((status, body.len() as u64), (200, size));
            let signature = signature.unwrap();
            let (key, sig) = signature.strip_prefix("ed25519:").unwrap().split_once(':').unwrap();
            assert_eq!(base64::from_url(key).unwrap(), testing::endpoint_key().verifying_key().to_bytes());
            let text = signed_text("abc_-1", size, &Hash::of(&body));
            envelope::verify_text(&text, sig, [&testing::endpoint_key().verifying_key()]).unwrap();
        }
        assert_ne!(ask("/probe?size=64&nonce=a").2, ask("/probe?size=64&nonce=b").2);
    }

    #[test]
    fn odd_questions_are_refused() {
        for target in [
            "/probe",
            "/probe?size=0&nonce=a",
            "/probe?size=8388609&nonce=a",
            "/probe?size=1&nonce=",
            "/probe?size=1&nonce=a%0Ab",
            "/probe?size=-1&nonce=a",
        ] {
            assert_eq!(ask(target).0, 400, "{target}");
        }
        assert_eq!(ask("/other").0, 404);
    }
}
