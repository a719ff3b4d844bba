//! What travels between node and coordinator (contracts, "Coordinator endpoints"). Times are Unix seconds here and
//! RFC 3339 on the wire; signature members are added and checked on the JSON tree by `codec::envelope`.

#![allow(missing_docs)] // members are named and explained in docs/contracts

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::codec::{Hash, NodeId, json, time};
pub use crate::guard::profile::{COMPLIANT_DEFAULT, Ech, Profile};
pub use crate::meter::bundle::{Bundle, Head};

/// Version of the protocol this speaks.
pub const PROTOCOL: u32 = 1;
/// What node and gateway speak (ALPN).
pub const GATEWAY_ALPN: &[u8] = b"echomesh-gw/1";

/// `POST /nodes/register`, signed by the node.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Register {
    pub node_id: NodeId,
    /// 16 random bytes as base64url, anew at each start; the newest of two claimants of one key wins.
    pub boot_id: String,
    pub protocols: Vec<u32>,
    pub version: String,
    pub regions: Vec<String>,
    pub roles: Vec<String>,
    pub max_mbps: u64,
    pub reach: Reach,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub previous_node_id: Option<NodeId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub previous_sig: Option<String>,
    #[serde(with = "time::text")]
    pub time: u64,
}

/// How buyers reach the node. `mode` is `direct` or `gateway`.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Reach {
    pub mode: String,
    /// `host:port`; where the port alone is known, `:port` means the address the coordinator sees.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<String>,
    /// Hash of the listener's SubjectPublicKeyInfo.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub spki: Option<Hash>,
}

/// Answer to `register`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Registered {
    pub accepted: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    pub protocol: u32,
    pub heartbeat_sec: u32,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gateway: Option<Gateway>,
    pub sessions: Vec<SessionHead>,
}

/// Where the gateway is that the node is to dial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gateway {
    /// IP address and port: nothing is resolved on the way there.
    pub address: String,
    /// Hash of the SubjectPublicKeyInfo it shows.
    pub spki: Hash,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionHead {
    pub session_id: String,
    pub head: Head,
}

/// `POST /nodes/heartbeat`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heartbeat {
    pub state: String,
    /// That of `register`: of two nodes with one key, the older is told so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub boot_id: Option<String>,
    pub active_sessions: u32,
    pub qos: Qos,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub telemetry: Option<serde_json::Value>,
}

#[derive(Clone, Debug, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct Qos {
    pub latency_ms_p50: Option<u64>,
    pub latency_ms_p95: Option<u64>,
    pub error_rate_pct: f64,
}

/// Answer to `heartbeat`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Heard {
    #[serde(with = "time::text")]
    pub time: u64,
    pub geo: Geo,
    pub earnings: Earnings,
    pub reputation: Reputation,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub update: Option<UpdateOffer>,
}

#[derive(Clone, Debug, Serialize, Deserialize, Default)]
pub struct Geo {
    pub country: Option<String>,
    pub region: Option<String>,
    pub confidence: f64,
}

#[derive(Clone, Debug, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct Earnings {
    /// Micro-credits.
    pub credits_today: u64,
    /// Micro-credits.
    pub bonus_forecast: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, Default)]
pub struct Reputation {
    pub score: f64,
    pub tier: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UpdateOffer {
    pub version: String,
}

/// `POST /nodes/leave`, signed by the node: the owner opted out.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Leave {
    pub node_id: NodeId,
    #[serde(with = "time::text")]
    pub time: u64,
}

/// Answer of `GET /sessions/control`; each event verified on its own tree.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Control {
    pub stream: String,
    pub events: Vec<serde_json::Value>,
}

/// One signed event.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionEvent {
    /// Contiguous per node, from 1.
    pub seq: u64,
    pub node_id: NodeId,
    #[serde(flatten)]
    pub kind: EventKind,
    #[serde(with = "time::text")]
    pub issued_at: u64,
}

/// What an event says. A `snapshot` replaces the whole table; its event's `seq` is the stream's position.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum EventKind {
    Open {
        session: Session,
    },
    Close {
        session: SessionRef,
    },
    /// New limits or profile of a session.
    Policy {
        session: Session,
    },
    Snapshot {
        sessions: Vec<Session>,
    },
    /// Successor keys of the coordinator; any verifies.
    Keys {
        keys: Vec<NodeId>,
    },
}

/// Not derived: for a flattened, tagged enum that makes a second reader of each type in it, 30 kB.
impl<'de> Deserialize<'de> for SessionEvent {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<SessionEvent, D::Error> {
        SessionEvent::of(&serde_json::Value::deserialize(d)?).map_err(de::Error::custom)
    }
}

impl SessionEvent {
    fn of(tree: &serde_json::Value) -> Result<SessionEvent, json::BadJson> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Stamp {
            seq: u64,
            node_id: NodeId,
            kind: String,
            #[serde(with = "time::text")]
            issued_at: u64,
        }
        let Stamp { seq, node_id, kind, issued_at } = json::read(tree)?;
        // A member that is not there reads as null, which none of these is.
        let kind = match kind.as_str() {
            "open" => EventKind::Open { session: json::read(&tree["session"])? },
            "close" => EventKind::Close { session: json::read(&tree["session"])? },
            "policy" => EventKind::Policy { session: json::read(&tree["session"])? },
            "snapshot" => EventKind::Snapshot { sessions: json::read(&tree["sessions"])? },
            "keys" => EventKind::Keys { keys: json::read(&tree["keys"])? },
            other => return Err(de::Error::unknown_variant(other, &["open", "close", "policy", "snapshot", "keys"])),
        };
        Ok(SessionEvent { seq, node_id, kind, issued_at })
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionRef {
    pub session_id: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// A session as the coordinator assigns it.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// UUID.
    pub session_id: String,
    pub buyer_id: String,
    /// Hash text of BLAKE3 derive_key("echomesh session secret v1", sessionId ‖ secret).
    pub secret_hash: Hash,
    /// Addresses or prefixes plain CONNECT is accepted from.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub buyer_addrs: Vec<String>,
    /// Name of a profile.
    pub policy_profile: String,
    /// The profile itself, where it is no named one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub profile: Option<Profile>,
    pub category: String,
    pub max_mbps: u64,
    #[serde(rename = "burstMB")]
    pub burst_mb: u64,
    #[serde(rename = "maxGB")]
    pub max_gb: u64,
    #[serde(rename = "maxGBPerDay")]
    pub max_gb_per_day: u64,
    pub max_tunnels: u32,
    pub region: String,
    #[serde(default = "lease_default")]
    pub lease_sec: u32,
    #[serde(with = "time::text")]
    pub expires_at: u64,
}

const fn lease_default() -> u32 {
    900
}

/// `POST /sessions/accept`, signed by the node.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Accept {
    pub node_id: NodeId,
    pub session_id: String,
    pub accepted: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    pub effective_profile: Option<Profile>,
    #[serde(with = "time::text")]
    pub time: u64,
}

/// Answer 200 of `GET /probes/request`, signed by the coordinator.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbeRequest {
    pub node_id: NodeId,
    pub session_id: String,
    /// `https://host[:port]/path`, no query, no userinfo.
    pub endpoint: String,
    /// Bytes, at most 8 MiB.
    pub size: u64,
    pub nonce: String,
    /// Seconds after `issued_at`.
    pub ttl: u32,
    #[serde(with = "time::text")]
    pub issued_at: u64,
}

/// `POST /probes/report`, signed by the node.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbeReport {
    pub node_id: NodeId,
    pub session_id: String,
    pub endpoint: String,
    pub bytes: u64,
    pub duration_ms: u64,
    pub connect_ms: u64,
    pub rtt_ms: u64,
    /// The endpoint's header value, else `tls-spki:` + hash text of the leaf's SubjectPublicKeyInfo.
    pub endpoint_sig: String,
    pub body_hash: Hash,
    pub tls_version: String,
    pub nonce: String,
    #[serde(with = "time::text")]
    pub completed_at: u64,
}

/// Answer to `probes/report`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbeAck {
    pub ack: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub follow_up: Option<serde_json::Value>,
}

/// Answer 200 of `attest`. `ack` is the hash of the bundle's JCS.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ack {
    pub ack: Hash,
    pub node_id: NodeId,
    pub session_id: String,
    pub seq: u64,
    #[serde(with = "time::text")]
    pub time: u64,
}

/// Answer 409 of `attest` and 200 of `GET /attest/metering`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeadAnswer {
    pub head: Head,
}

/// Answer 422 of `attest` and body of other refusals.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Refusal {
    pub reason: String,
}
