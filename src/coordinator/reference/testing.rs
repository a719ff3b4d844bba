//! Nodes, bundles and reports as the tests of this room need them.

use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::Value;

use super::engine::{At, Engine, ProbeTerms, Terms};
use super::lifecycle::OpenRequest;
use super::probing::signed_text;
use super::row::{Agreed, Node};
use super::state::State;
use crate::codec::{Hash, NodeId, base64, envelope, json};
use crate::coordinator::wire::{self, Accept, Bundle, Heartbeat, ProbeReport, ProbeRequest, Reach, Register};
use crate::core::Mono;

/// Second zero of the tests; a window's start.
pub const START: u64 = 1_800_000_000;

/// `seconds` after [`START`].
pub fn at(seconds: u64) -> At {
    At { unix: START + seconds, mono: Mono(seconds * 1000) }
}

/// The key of test node `n`.
pub fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

/// Its name.
pub fn id(n: u8) -> NodeId {
    NodeId::from(&key(n).verifying_key())
}

/// The trusted endpoint's key.
pub fn endpoint_key() -> SigningKey {
    key(200)
}

/// A core with nothing in it.
pub fn engine() -> Engine {
    Engine::new(State::default(), terms(), [9; 32])
}

/// Terms of the tests.
pub fn terms() -> Terms {
    let probe =
        ProbeTerms { endpoint: "https://probe.example/probe".into(), key: NodeId::from(&endpoint_key().verifying_key()), size: 1000, every_sec: 60 };
    Terms { heartbeat_sec: 30, lease_sec: 900, price_per_gb: 1_000_000, probe: Some(probe), gateway: None, audit: None }
}

/// A node's row, good for everything.
pub fn node(n: u8) -> Node {
    Node {
        id: id(n),
        boot_id: "boot".into(),
        superseded: Vec::new(),
        version: "0.1.0".into(),
        regions: vec!["PH".into()],
        roles: vec!["proxy".into()],
        max_mbps: 10,
        mode: "direct".into(),
        address: Some("127.0.0.1:8443".into()),
        spki: Some(Hash::of(b"spki")),
        verified: true,
        left: false,
        registered_at: START,
        credits: 0,
        days: Vec::new(),
        last_probe: None,
    }
}

/// What it registers with.
pub fn register(n: u8, boot: &str) -> Register {
    Register {
        node_id: id(n),
        boot_id: boot.into(),
        protocols: vec![1],
        version: "0.1.0".into(),
        regions: vec!["PH".into()],
        roles: vec!["proxy".into()],
        max_mbps: 10,
        reach: Reach { mode: "direct".into(), address: Some("127.0.0.1:8443".into()), spki: Some(Hash::of(b"spki")) },
        previous_node_id: None,
        previous_sig: None,
        time: START,
    }
}

/// A heartbeat of a node that is well.
pub fn heartbeat() -> Heartbeat {
    Heartbeat { state: "running".into(), boot_id: None, active_sessions: 0, qos: wire::Qos::default(), telemetry: None }
}

/// Node `n` is known, verified and heard at second 0.
pub fn join(engine: &mut Engine, n: u8) {
    engine.state.put_node(node(n));
    hear(engine, n, at(0));
}

/// A heartbeat of node `n`.
pub fn hear(engine: &mut Engine, n: u8, at: At) {
    engine.heartbeat(id(n), &heartbeat(), at).unwrap();
}

/// What a buyer asks for.
pub fn open_request() -> OpenRequest {
    serde_json::from_value(serde_json::json!({"region": "PH", "category": "qa_testing", "maxMbps": 5, "maxGB": 1, "ttlSec": 3600})).unwrap()
}

/// What was agreed for a session.
pub fn agreed(session: &str, region: &str) -> Agreed {
    Agreed {
        session_id: session.into(),
        buyer_id: "buyer".into(),
        secret_hash: Hash::of(b"secret"),
        buyer_addrs: Vec::new(),
        policy_profile: wire::COMPLIANT_DEFAULT.into(),
        profile: None,
        category: "qa_testing".into(),
        max_mbps: 5,
        burst_mb: 4,
        max_gb: 1,
        max_gb_per_day: 1,
        max_tunnels: 8,
        lease_sec: None,
        region: region.into(),
        opened_at: START,
        expires_at: START + 3600,
        effective: None,
    }
}

/// A node's answer to an offer.
pub fn accept(n: u8, session: &str, accepted: bool) -> Accept {
    let effective_profile = accepted.then(wire::Profile::compliant_default);
    Accept { node_id: id(n), session_id: session.into(), accepted, reason: (!accepted).then(|| "category".into()), effective_profile, time: START }
}

/// A consistent bundle: 3,000,000 bytes in, 1,000 out, two tunnels of which one failed.
pub fn bundle(n: u8, session: &str, seq: u64, prev_hash: Option<Hash>, start: u64) -> Bundle {
    Bundle {
        node_id: id(n),
        session_id: session.into(),
        seq,
        prev_hash,
        window_start: start,
        window_end: start + 300,
        bytes_ingress: 3_000_000,
        bytes_egress: 1_000,
        requests: 2,
        denied: 1,
        latency_ms_p50: Some(20),
        latency_ms_p95: Some(30),
        error_rate_pct: 50.0,
        buckets: vec![(start, 1_000_000, 400, 1, 0), (start + 7, 2_000_000, 600, 1, 1)],
        access_log_hash: Hash::of(b""),
        is_final: false,
        gap: None,
    }
}

/// `value` with the signature of node `n`.
pub fn signed<T: serde::Serialize>(n: u8, context: &str, value: &T) -> Value {
    let mut object = json::object(value);
    envelope::sign(&mut object, envelope::NODE_SIG, context, &key(n));
    Value::Object(object)
}

/// A signed bundle.
pub fn signed_bundle(n: u8, bundle: &Bundle) -> Value {
    signed(n, envelope::context::METERING, bundle)
}

/// A true report.
pub fn report(request: &ProbeRequest) -> ProbeReport {
    let body_hash = Hash::of(b"body");
    let signature = endpoint_key().sign(signed_text(&request.nonce, request.size, &body_hash).as_bytes());
    let endpoint_sig = format!("{}:{}", NodeId::from(&endpoint_key().verifying_key()), base64::padded(&signature.to_bytes()));
    ProbeReport {
        node_id: request.node_id,
        session_id: request.session_id.clone(),
        endpoint: request.endpoint.clone(),
        bytes: request.size,
        duration_ms: 10,
        connect_ms: 1,
        rtt_ms: 1,
        endpoint_sig,
        body_hash,
        tls_version: "TLSv1.3".into(),
        nonce: request.nonce.clone(),
        completed_at: request.issued_at + 1,
    }
}

/// A folder of this test alone, removed when dropped.
pub struct Folder(pub std::path::PathBuf);

impl Folder {
    /// A fresh one.
    pub fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("echomesh-reference-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A request of node `n`, signed.
pub fn request(n: u8, method: &str, target: &str, body: Vec<u8>, time: u64, nonce: [u8; 16]) -> crate::net::http::Request {
    let nonce = base64::url(&nonce);
    let authority = "coordinator.example:8440";
    let text = envelope::Request { authority, method, path: target, body: &body, time, nonce: &nonce }.text();
    let headers = [
        ("host", authority.to_owned()),
        ("echomesh-node", id(n).to_string()),
        ("echomesh-time", time.to_string()),
        ("echomesh-nonce", nonce.clone()),
        ("echomesh-signature", envelope::sign_text(&text, &key(n))),
    ];
    crate::net::http::Request {
        method: method.into(),
        target: target.into(),
        headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        body,
        peer: Some(([127, 0, 0, 1], 40_000).into()),
    }
}
