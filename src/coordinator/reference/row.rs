//! What the store keeps: whole rows of four tables. One change of the coordinator's state is one record that holds every
//! row it touched, so that a kill leaves all of the change or nothing of it.

use serde::{Deserialize, Serialize};

use super::places::Observed;
use crate::codec::{Hash, NodeId};
use crate::coordinator::wire::{Head, Profile};

/// Version byte of the records.
pub const VERSION: u8 = 1;

/// One row as it is from now on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Row {
    /// A node.
    Node(Box<Node>),
    /// The node is forgotten.
    NodeGone(NodeId),
    /// A buyer.
    Buyer(Buyer),
    /// The buyer is removed.
    BuyerGone(String),
    /// What was agreed for a session.
    Agreed(Box<Agreed>),
    /// How far a session has come.
    Progress(String, Box<Progress>),
    /// The session is forgotten.
    SessionGone(String),
    /// Where a node is observed; `None` = nothing is known but its own claim.
    Place(NodeId, Option<Observed>),
    /// A node's name was given up for another.
    Successor(NodeId, NodeId),
    /// The key a buyer signs its records with.
    BuyerKey(String, NodeId),
    /// A window as buyer and node count it.
    Window(Box<Window>),
    /// The window of that session and start is forgotten.
    WindowGone(String, u64),
    /// An unannounced purchase.
    Purchase(Box<Purchase>),
    /// The purchase of that session is forgotten.
    PurchaseGone(String),
}

/// A node that registered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Node {
    /// Its key.
    pub id: NodeId,
    /// The boot that holds the identity.
    pub boot_id: String,
    /// Boots that lost it, oldest first.
    pub superseded: Vec<String>,
    /// Its program's version, as it says.
    pub version: String,
    /// Regions it serves, `CC` or `CC-Name`.
    pub regions: Vec<String>,
    /// Its roles.
    pub roles: Vec<String>,
    /// What its owner allows, Mbit/s.
    pub max_mbps: u64,
    /// `direct` or `gateway`.
    pub mode: String,
    /// `host:port` for buyers.
    pub address: Option<String>,
    /// Hash of the listener's SubjectPublicKeyInfo.
    pub spki: Option<Hash>,
    /// The coordinator's own handshake at `address` showed `spki`.
    pub verified: bool,
    /// The owner opted out.
    pub left: bool,
    /// Unix seconds of the last registration.
    pub registered_at: u64,
    /// Micro-credits since ever.
    pub credits: u64,
    /// Figures by UTC day, ascending, at most 31.
    pub days: Vec<Day>,
    /// Nonce of the last probe judged, and whether it passed: a repeated report gets the same answer.
    pub last_probe: Option<(String, bool)>,
}

/// Figures of one UTC day.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct Day {
    /// Days since 1970-01-01.
    pub day: u64,
    /// Probes passed.
    pub passed: u32,
    /// Probes failed or unanswered.
    pub failed: u32,
    /// Tunnels, from bundles.
    pub requests: u64,
    /// Those of them that failed for a cause beyond policy.
    pub errors: u64,
    /// Micro-credits.
    pub credits: u64,
}

/// A buyer.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Buyer {
    /// The name the operator gave; also the `buyerId` nodes see.
    pub id: String,
    /// BLAKE3 derive_key("echomesh buyer token v1", token). The token itself is shown once and kept nowhere.
    pub token_hash: Hash,
    /// Unix seconds.
    pub added_at: u64,
}

/// What was agreed for a session. Only the node's effective profile is added later.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Agreed {
    /// UUID.
    pub session_id: String,
    /// Whose it is.
    pub buyer_id: String,
    /// As the node gets it.
    pub secret_hash: Hash,
    /// Addresses or prefixes plain CONNECT is accepted from.
    pub buyer_addrs: Vec<String>,
    /// Name of the profile.
    pub policy_profile: String,
    /// The profile itself, where it is no named one.
    pub profile: Option<Profile>,
    /// What for.
    pub category: String,
    /// Mbit/s.
    pub max_mbps: u64,
    /// MB.
    pub burst_mb: u64,
    /// GB.
    pub max_gb: u64,
    /// GB.
    pub max_gb_per_day: u64,
    /// Tunnels at once.
    pub max_tunnels: u32,
    /// Seconds of its lease, where the buyer asked for another than the coordinator's.
    pub lease_sec: Option<u32>,
    /// Region the buyer asked for; empty = any.
    pub region: String,
    /// Unix seconds.
    pub opened_at: u64,
    /// Unix seconds.
    pub expires_at: u64,
    /// What the node said it applies.
    pub effective: Option<Profile>,
}

/// Where a session stands at the coordinator.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// No node yet.
    Pending,
    /// Offered to a node that has not answered.
    Offered,
    /// The node accepted.
    Active,
    /// Ended; the node's last bundle is outstanding.
    Closing,
    /// Ended; nothing more is expected.
    Settled,
}

impl Phase {
    /// A node may hold it: it is in snapshots and counts as load.
    pub fn live(self) -> bool {
        matches!(self, Phase::Offered | Phase::Active)
    }

    /// Not ended yet.
    pub fn open(self) -> bool {
        matches!(self, Phase::Pending | Phase::Offered | Phase::Active)
    }
}

/// How far a session has come.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Progress {
    /// Where it stands.
    pub phase: Phase,
    /// The node it is at.
    pub node: Option<NodeId>,
    /// The region that node was chosen for.
    pub region: String,
    /// Unix seconds of the last change of phase.
    pub since: u64,
    /// Nodes that refused it, why, and when.
    pub refusals: Vec<(NodeId, String, u64)>,
    /// Why it ended.
    pub reason: Option<String>,
    /// The last bundle.
    pub head: Head,
    /// Unix seconds of its acknowledgement: a repeated bundle gets the same answer.
    pub acked_at: u64,
    /// Bytes accepted from destinations.
    pub ingress: u64,
    /// Bytes sent to destinations.
    pub egress: u64,
    /// Tunnels.
    pub requests: u64,
    /// Failed ones.
    pub errors: u64,
    /// Micro-credits.
    pub credits: u64,
    /// The last bundle was marked `final`.
    pub sealed: bool,
}

impl Progress {
    /// A session that was just asked for.
    pub fn new(now: u64) -> Progress {
        Progress {
            phase: Phase::Pending,
            node: None,
            region: String::new(),
            since: now,
            refusals: Vec::new(),
            reason: None,
            head: Head::NONE,
            acked_at: 0,
            ingress: 0,
            egress: 0,
            requests: 0,
            errors: 0,
            credits: 0,
            sealed: false,
        }
    }

    /// Relayed bytes of both directions.
    pub fn bytes(&self) -> u64 {
        self.ingress.saturating_add(self.egress)
    }
}

/// A window of a session as buyer and node count it.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Window {
    /// Session.
    pub session_id: String,
    /// Start, a multiple of 300 s; Unix seconds.
    pub start: u64,
    /// Bundles booked of it.
    pub bundles: u32,
    /// Their bytes, in.
    pub ingress: u64,
    /// Their bytes, out.
    pub egress: u64,
    /// Micro-credits by the node's count.
    pub gross: u64,
    /// Micro-credits that it earned.
    pub credited: u64,
    /// In and out as the buyer counts, once its record came.
    pub buyer: Option<(u64, u64)>,
}

impl Window {
    /// Of which nothing is known yet.
    pub fn new(session_id: &str, start: u64) -> Window {
        Window { session_id: session_id.to_owned(), start, bundles: 0, ingress: 0, egress: 0, gross: 0, credited: 0, buyer: None }
    }
}

/// A session in which the coordinator itself bought.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Purchase {
    /// Session.
    pub session_id: String,
    /// At whom.
    pub node: NodeId,
    /// Unix seconds.
    pub begun_at: u64,
    /// Bytes received and sent inside its tunnels, once it is carried out.
    pub moved: Option<(u64, u64)>,
    /// What came of it.
    pub outcome: Option<Outcome>,
}

/// What came of a purchase; bytes in and out as the node signed them.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub enum Outcome {
    /// Both counts agree.
    Agreed(u64, u64),
    /// They do not.
    Mismatch(u64, u64),
    /// It says nothing of the node: why.
    NotPossible(String),
}
