//! The pure core: tables, streams and what is known of nodes while this process lives. Events come in with a time, changed
//! rows and answers go out; nothing here reads a clock, opens a socket or writes a file.
//!
//! The shell commits [`super::state::State::take_record`] before it signs an answer, and stops for good when that fails: so
//! memory is never ahead of the disk for anyone outside.

use std::collections::{BTreeMap, BTreeSet};

use super::purchase::{AuditTerms, Purchases};
use super::rotation::Told;
use super::row::Agreed;
use super::state::{Session, State};
use super::stream::{Since, Stream, What};
use super::{bounds, probing};
use crate::codec::{NodeId, base64, json};
use crate::coordinator::wire;
use crate::core::Mono;

/// A moment on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// Unix seconds: what is signed and stored.
    pub unix: u64,
    /// Monotonic: how long something takes.
    pub mono: Mono,
}

/// What the operator set.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Seconds between a node's heartbeats.
    pub heartbeat_sec: u32,
    /// Seconds a lease holds after a heartbeat.
    pub lease_sec: u32,
    /// Micro-credits per GB.
    pub price_per_gb: u64,
    /// The trusted endpoint; without one no probes are issued.
    pub probe: Option<ProbeTerms>,
    /// The gateway that nodes behind a carrier's translation are sent to; without one they get no sessions.
    pub gateway: Option<wire::Gateway>,
    /// How unannounced purchases are made; without it none are.
    pub audit: Option<AuditTerms>,
}

/// The trusted probe endpoint and how it is used.
#[derive(Clone, Debug)]
pub struct ProbeTerms {
    /// URL without a query.
    pub endpoint: String,
    /// The key it signs with.
    pub key: NodeId,
    /// Bytes of one probe.
    pub size: u64,
    /// Seconds between two probes of one node, at least 60.
    pub every_sec: u64,
}

/// A call that is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// HTTP status.
    pub status: u16,
    /// Stable id.
    pub reason: &'static str,
}

/// A refusal with `status` for `reason`.
pub fn refused<T>(status: u16, reason: &'static str) -> Result<T, Refused> {
    Err(Refused { status, reason })
}

/// What is known of a node while this process lives.
#[derive(Debug)]
pub struct Live {
    /// Its events.
    pub stream: Stream,
    /// Its last heartbeat.
    pub heard: Option<Mono>,
    /// The state that told.
    pub state: String,
    /// Sessions it said are active.
    pub active_sessions: u32,
    /// Quality it told.
    pub qos: wire::Qos,
    /// What it told beside, where its owner opted in; at most [`bounds::TELEMETRY_BYTES`] as JSON.
    pub telemetry: Option<serde_json::Value>,
    /// The probe under way.
    pub probe: Option<probing::Outstanding>,
    /// When the last probe was issued.
    pub probed: Option<Mono>,
    /// How the check of its address stands.
    pub check: Check,
    /// Where its buyers reach it while it is at the gateway.
    pub at_gateway: Option<String>,
    /// The address it registered from.
    pub caller: Option<std::net::IpAddr>,
    /// Whether it knows the coordinator's next key.
    pub(super) told: Told,
}

/// How the check of a node's address stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Nothing to do: verified, or no direct address.
    Rest,
    /// To be done from then on, after so many failures.
    Due(Mono, u32),
    /// Under way, after so many failures.
    Running(u32),
}

/// The pure core.
#[derive(Debug)]
pub struct Engine {
    /// The durable tables.
    pub state: State,
    /// The operator's terms.
    pub terms: Terms,
    pub(super) live: BTreeMap<NodeId, Live>,
    pub(super) purchases: Purchases,
    pub(super) woken_nodes: BTreeSet<NodeId>,
    pub(super) woken_sessions: BTreeSet<String>,
    /// The coordinator's key and its successor, as nodes are told; the key alone after a switch; empty before the first word of one.
    pub(super) announced: Vec<NodeId>,
    seed: [u8; 32],
    drawn: u64,
}

impl Engine {
    /// The core over `state` as loaded. `seed` is fresh randomness, from which ids, nonces and secrets are drawn.
    pub fn new(state: State, terms: Terms, seed: [u8; 32]) -> Engine {
        Engine {
            state,
            terms,
            live: BTreeMap::new(),
            purchases: Purchases::default(),
            woken_nodes: BTreeSet::new(),
            woken_sessions: BTreeSet::new(),
            announced: Vec::new(),
            seed,
            drawn: 0,
        }
    }

    /// 32 bytes nobody can foretell (BLAKE3 keyed with the seed over a counter).
    pub(super) fn draw(&mut self) -> [u8; 32] {
        self.drawn += 1;
        blake3::keyed_hash(&self.seed, &self.drawn.to_le_bytes()).into()
    }

    /// A version 4 UUID (RFC 9562).
    pub(super) fn draw_uuid(&mut self) -> String {
        let mut b = [0; 16];
        b.copy_from_slice(&self.draw()[..16]);
        b[6] = b[6] & 0x0f | 0x40;
        b[8] = b[8] & 0x3f | 0x80;
        let hex = b.iter().map(|x| format!("{x:02x}")).collect::<String>();
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }

    /// 16 random bytes as base64url.
    pub(super) fn draw_nonce(&mut self) -> String {
        base64::url(&self.draw()[..16])
    }

    /// What is known of `node`, made anew where this process has not met it.
    pub(super) fn live_mut(&mut self, node: NodeId) -> &mut Live {
        let stream = if self.live.contains_key(&node) { String::new() } else { self.draw_nonce() };
        // The table of nodes bounds this one: only known nodes come here.
        self.live.entry(node).or_insert_with(|| Live {
            stream: Stream::new(stream),
            heard: None,
            state: String::new(),
            active_sessions: 0,
            qos: wire::Qos::default(),
            telemetry: None,
            probe: None,
            probed: None,
            check: Check::Rest,
            at_gateway: None,
            caller: None,
            told: Told::default(),
        })
    }

    /// What is known of `node`, where this process has met it.
    pub fn live(&self, node: NodeId) -> Option<&Live> {
        self.live.get(&node)
    }

    /// Whether a heartbeat of `node` came within three intervals.
    pub fn fresh(&self, node: NodeId, now: Mono) -> bool {
        let within = u64::from(self.terms.heartbeat_sec) * 3_000 + 5_000;
        self.live.get(&node).and_then(|l| l.heard).is_some_and(|heard| now.0.saturating_sub(heard.0) <= within)
    }

    pub(super) fn publish(&mut self, node: NodeId, what: What, session: &str, unix: u64) {
        self.live_mut(node).stream.publish(what, session, unix);
        self.woken_nodes.insert(node);
    }

    /// The nodes and sessions something happened to since the last call: whose waiting answers are to be woken.
    pub fn take_woken(&mut self) -> (BTreeSet<NodeId>, BTreeSet<String>) {
        (std::mem::take(&mut self.woken_nodes), std::mem::take(&mut self.woken_sessions))
    }

    /// The session as the node gets it.
    pub fn session_for_wire(&self, session: &Session) -> wire::Session {
        let Agreed { session_id, buyer_id, secret_hash, buyer_addrs, policy_profile, profile, category, .. } = session.agreed.clone();
        let a = &session.agreed;
        wire::Session {
            session_id,
            buyer_id,
            secret_hash,
            buyer_addrs,
            policy_profile,
            profile,
            category,
            max_mbps: a.max_mbps,
            burst_mb: a.burst_mb,
            max_gb: a.max_gb,
            max_gb_per_day: a.max_gb_per_day,
            max_tunnels: a.max_tunnels,
            region: session.progress.region.clone(),
            lease_sec: a.lease_sec.unwrap_or(self.terms.lease_sec),
            expires_at: a.expires_at,
        }
    }

    /// Bytes of a session in a snapshot.
    pub(super) fn snapshot_bytes(&self, session: &Session) -> usize {
        serde_json::to_vec(&self.session_for_wire(session)).map_or(usize::MAX / 2, |b| b.len())
    }

    /// What `node` has not seen after `since`: the stream's id and the events, unsigned. Empty where nothing happened.
    pub fn events_since(&mut self, node: NodeId, since: Option<&str>, at: At) -> (String, Vec<wire::SessionEvent>) {
        self.live_mut(node);
        self.has_heard(node, since);
        let Some(live) = self.live.get(&node) else { return (String::new(), Vec::new()) };
        let stream = live.stream.id().to_owned();
        let event = |seq, kind, unix| wire::SessionEvent { seq, node_id: node, kind, issued_at: unix };
        let seq = match live.stream.since(since) {
            Since::Snapshot(seq) => seq,
            Since::Events(events) => {
                let mut out = Vec::new();
                let mut bytes = 0;
                for e in events {
                    let kind = match (&e.what, self.state.sessions().get(&e.session_id)) {
                        // As they are now: an old announcement must not bring back a key that was given up.
                        (What::Keys, _) => wire::EventKind::Keys { keys: self.announced.clone() },
                        (What::Close(reason), _) => {
                            wire::EventKind::Close { session: wire::SessionRef { session_id: e.session_id.clone(), reason: Some(reason.clone()) } }
                        }
                        (What::Open, Some(s)) => wire::EventKind::Open { session: self.session_for_wire(s) },
                        (What::Policy, Some(s)) => wire::EventKind::Policy { session: self.session_for_wire(s) },
                        // Forgotten meanwhile: to the node it is over.
                        (_, None) => wire::EventKind::Close { session: wire::SessionRef { session_id: e.session_id.clone(), reason: None } },
                    };
                    let event = event(e.seq, kind, e.at);
                    // 160 bytes beside the session: kind, node, time, signature.
                    bytes += serde_json::to_vec(&event).map_or(0, |b| b.len()) + 160;
                    if bytes > bounds::SNAPSHOT_BYTES + 8 * 1024 && !out.is_empty() {
                        break; // the rest with the next poll
                    }
                    out.push(event);
                }
                return (stream, out);
            }
        };
        let sessions = self.state.sessions_of(node).filter(|s| s.progress.phase.live()).map(|s| self.session_for_wire(s)).collect();
        let mut out = vec![event(seq, wire::EventKind::Snapshot { sessions }, at.unix)];
        if let Some((seq, keys)) = self.announce_after_snapshot(node, at.unix) {
            out.push(event(seq, wire::EventKind::Keys { keys }, at.unix));
        }
        (stream, out)
    }
}

/// A text a caller names something by: printable, bounded.
pub(super) fn name_ok(text: &str) -> bool {
    text.len() <= bounds::NAME_BYTES && !text.chars().any(char::is_control)
}

/// A list of such texts.
pub(super) fn names_ok(list: &[String]) -> bool {
    list.len() <= bounds::LIST_ITEMS && list.iter().all(|t| name_ok(t))
}

/// Whether `value` as JSON takes at most `most` bytes.
pub(super) fn small<T: serde::Serialize>(value: &T, most: usize) -> bool {
    serde_json::to_value(value).is_ok_and(|v| json::canonical(&v).len() <= most)
}
