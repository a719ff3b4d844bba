//! The one status object: CLI, control API, LuCI and Prometheus all read this (contracts, "Local control API").
//!
//! Plain data. The daemon composes it from what its rooms publish; nothing here decides anything.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::codec::{Hash, NodeId, time};
use crate::coordinator::wire::{Earnings, Reputation};
use crate::platform::offload::Members;

/// Unix seconds that travel as RFC 3339 text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct At(#[serde(with = "time::text")] pub u64);

/// Where the node is in its life. `paused` and `quarantine` stand beside it, in [`Status`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    /// Reading its configuration and identity.
    Init,
    /// Bringing its roles up.
    Starting,
    /// The identity is sealed and waits for `unlock`.
    Locked,
    /// Everything configured is up.
    Running,
    /// Up, and something is wrong that does not stop it (see the alerts).
    Degraded,
    /// The coordinator is away.
    Reconnecting,
    /// Draining and sealing.
    Stopping,
    /// Switched off by the owner; stays so over a reboot.
    Stopped,
}

impl NodeState {
    /// Every state, in the order of a life.
    pub const ALL: [NodeState; 8] = [
        NodeState::Init,
        NodeState::Starting,
        NodeState::Locked,
        NodeState::Running,
        NodeState::Degraded,
        NodeState::Reconnecting,
        NodeState::Stopping,
        NodeState::Stopped,
    ];

    /// The name, as in the API and the metrics.
    pub const fn name(self) -> &'static str {
        match self {
            NodeState::Init => "init",
            NodeState::Starting => "starting",
            NodeState::Locked => "locked",
            NodeState::Running => "running",
            NodeState::Degraded => "degraded",
            NodeState::Reconnecting => "reconnecting",
            NodeState::Stopping => "stopping",
            NodeState::Stopped => "stopped",
        }
    }
}

/// `GET /status`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Version of the package.
    pub version: String,
    /// The node's public name.
    pub node_id: NodeId,
    /// Where the node is in its life.
    pub state: NodeState,
    /// Why, in one sentence; null where the state says it all.
    pub state_reason: Option<String>,
    /// Since when.
    pub state_since: At,
    /// The owner paused the node; null otherwise.
    pub paused: Option<Paused>,
    /// The node is in quarantine; null otherwise.
    pub quarantine: Option<Quarantine>,
    /// Seconds since the daemon started.
    pub uptime_sec: u64,
    /// Something vouches for node time; before that nothing is signed.
    pub clock_synced: bool,
    /// The roles of this node by name.
    pub roles: BTreeMap<String, Role>,
    /// Sessions, oldest first.
    pub sessions: Vec<Session>,
    /// Quality over all sessions, last 10 minutes.
    pub qos: Qos,
    /// Where the node is seen.
    pub geo: Geo,
    /// Categories held back because sites had enough of them.
    pub reputation_guard: Vec<HeldBack>,
    /// What the owner allows, and what of it is used.
    pub caps: Caps,
    /// The owner's windows; null where none is set: the node works at all times.
    pub schedule: Option<Schedule>,
    /// As the last heartbeat's answer said; null before the first.
    pub earnings: Option<Earnings>,
    /// As the last heartbeat's answer said; null before the first.
    pub reputation: Option<Reputation>,
    /// The connection to the coordinator.
    pub coordinator: Coordinator,
    /// What confines the daemon.
    pub sandbox: Sandbox,
    /// How bytes are moved.
    pub offload: Offload,
    /// What the daemon holds.
    pub memory: Memory,
    /// How much it wears the flash.
    pub flash: Flash,
    /// What is known of updates.
    pub update: Update,
    /// What the owner should look at, worst first.
    pub alerts: Vec<Alert>,
}

/// The owner's pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// Since when.
    pub since: At,
    /// When it ends by itself; null = when the owner says `start`.
    pub until: Option<At>,
    /// Seconds until then.
    #[serde(rename = "leftSec")]
    pub left_sec: Option<u32>,
}

/// The node took itself out of service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// What happened, in one sentence.
    pub reason: String,
    /// What the owner can do.
    pub remedy: String,
    /// Since when.
    pub since: At,
    /// When it ends by itself; null = when the owner says `clear-quarantine`.
    pub until: Option<At>,
}

/// One role of the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// `off`, `starting`, `running`, `restarting`, `stopped`.
    pub state: String,
    /// How often the supervisor had to restart it.
    pub restarts: u32,
    /// Addresses it listens on.
    pub listen: Vec<String>,
    /// What it ended with last; null where it never failed.
    pub error: Option<String>,
    /// The connection to the coordinator's gateway; null where buyers connect to the listener.
    #[serde(default)]
    pub gateway: Option<Gateway>,
}

/// The connection to the coordinator's gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gateway {
    /// Where the coordinator says it is; null before it said so.
    pub address: Option<String>,
    /// Buyers can come through it.
    pub connected: bool,
    /// Since when; null while not connected.
    pub since: Option<At>,
    /// Buyers' connections in it now.
    pub streams: u32,
    /// Connections that ended since the daemon started.
    pub losses: u32,
    /// Why the last try failed or the last connection ended; null while connected.
    pub error: Option<String>,
}

/// One session.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// UUID.
    pub session_id: String,
    /// State of its life cycle, lower case; `halted` where the owner stopped it.
    pub state: String,
    /// When the node accepted it.
    pub opened_at: At,
    /// When it ends at the latest.
    pub expires_at: At,
    /// Past this no new tunnel, unless a heartbeat renews the lease.
    pub lease_until: At,
    /// Tunnels open now.
    pub tunnels: u32,
    /// Bytes from destinations, since it was opened.
    pub bytes_ingress: u64,
    /// Bytes to destinations, since it was opened.
    pub bytes_egress: u64,
    /// Milliseconds; null without a sample.
    pub latency_ms_p50: Option<u64>,
    /// Milliseconds; null without a sample.
    pub latency_ms_p95: Option<u64>,
    /// 0..=100, at most 3 decimals.
    pub error_rate_pct: f64,
    /// The last TLS handshake between a buyer's client and a destination; null before the first.
    pub tls: Option<Tls>,
}

/// Facts of a TLS handshake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// `TLSv1.3`, `TLSv1.2`, or `unknown`.
    pub version: String,
    /// First protocol the client offered; null where it offered none.
    pub alpn: Option<String>,
    /// ClientHello forwarded to first byte back, milliseconds.
    pub handshake_ms: u64,
}

/// Quality of service.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Qos {
    /// Milliseconds; null without a sample.
    pub latency_ms_p50: Option<u64>,
    /// Milliseconds; null without a sample.
    pub latency_ms_p95: Option<u64>,
    /// 0..=100, at most 3 decimals.
    pub error_rate_pct: f64,
    /// Relayed from destinations in the last second.
    pub bits_in_per_sec: u64,
    /// Relayed to destinations in the last second.
    pub bits_out_per_sec: u64,
    /// Share of the last 20 probes that passed; null before the first.
    pub probe_pass_rate_pct: Option<f64>,
    /// How sure the node is of being where it is offered, 0..=1 (docs/reference/geo.md); null before the first heartbeat.
    pub geo_confidence: Option<f64>,
}

/// Where the node is seen.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Geo {
    /// As the coordinator observes it, `CC` or `CC-Name`; null where it does not know.
    pub observed: Option<String>,
    /// How sure it is, 0..=1; null before the first heartbeat.
    pub observed_confidence: Option<f64>,
    /// What speaks against the owner's regions, in one clause; null where nothing does.
    pub mismatch: Option<String>,
}

/// A category that is held back to keep the owner's address from being burnt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBack {
    /// The sessions' category.
    pub category: String,
    /// `slowed` or `stopped`.
    pub step: String,
    /// What was seen.
    pub reason: String,
    /// Until then; the step before follows, or none.
    pub until: At,
    /// Keyed hashes of the sites, as in the access log of their day; at most 8.
    pub sites: Vec<Hash>,
}

/// The owner's caps.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Caps {
    /// Configured rate, 10^6 bit/s.
    pub max_mbps: f64,
    /// Rate in force now (windows, yielding), 10^6 bit/s.
    pub effective_mbps: f64,
    /// The node gives way to the household: its rate is lowered now.
    pub yielding: bool,
    /// By what means it gives way at all.
    pub give_way: GiveWay,
    /// 10^9 bytes on the uplink; 0 = none.
    #[serde(rename = "maxGBPerDay")]
    pub max_gb_per_day: u32,
    /// Bytes on the uplink today.
    pub used_today_bytes: u64,
    /// 10^9 bytes on the uplink; 0 = none.
    #[serde(rename = "maxGBPerMonth")]
    pub max_gb_per_month: u32,
    /// Bytes on the uplink this month.
    pub used_month_bytes: u64,
    /// When the day's count starts anew.
    pub resets_at: At,
}

/// By what means the node gives way to the household.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GiveWay {
    /// By none: the owner turned it off.
    #[default]
    Off,
    /// Its packets are marked as lower effort. How busy the line is, is not measured: `line_mbps` is not set, or the
    /// uplink's counters cannot be read.
    Marks,
    /// The same, and the rate falls to a quarter while the household uses the line.
    Rate,
}

/// The owner's windows, by the router's wall clocks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// A window is open now. None is before node time is vouched for.
    pub open: bool,
    /// When the node next stops working; null where it does not, or node time is not known.
    pub closes_at: Option<At>,
    /// When it next starts working, after the present or the next rest; null where it does not, or node time is not known.
    pub opens_at: Option<At>,
    /// The open window's own rate, 10^6 bit/s; null where it has none.
    pub max_mbps: Option<f64>,
    /// The time zone as a POSIX TZ string.
    pub zone: String,
}

/// The connection to the coordinator.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Coordinator {
    /// The last call was answered.
    pub reachable: bool,
    /// When an answer last verified; null before the first.
    pub last_contact: Option<At>,
    /// Until the next try; null while reachable.
    pub retry_in_sec: Option<u32>,
    /// Sealed bundles that wait for their ack.
    pub spooled_bundles: u32,
}

/// What confines the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sandbox {
    /// `none`, `standard`, `strict`.
    pub level: String,
    /// Each part: `on`, `off`, or why it is missing.
    pub parts: BTreeMap<String, String>,
}

/// How bytes are moved, and what the machine brings for it: the members that docs/reference/offload.md lists.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Offload(pub Members);

impl Offload {
    /// Of a daemon that moves nothing yet.
    pub fn copying() -> Offload {
        Offload(Members::from_iter([("relay".to_owned(), "copy".into())]))
    }

    /// `splice`, or `copy` where the kernel does not splice.
    pub fn relay(&self) -> &str {
        self.0.get("relay").and_then(|v| v.as_str()).unwrap_or_default()
    }

    /// What is so or not so; of what is unknown, nothing.
    pub fn known(&self) -> impl Iterator<Item = (&str, bool)> {
        self.0.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_bool()?)))
    }
}

/// What the daemon holds.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// Resident bytes of the process; null where the system does not say.
    pub rss_bytes: Option<u64>,
    /// Bytes of the system.
    pub ram_bytes: Option<u64>,
    /// Bytes in pipes, copy buffers and socket buffers.
    pub pool_bytes: u64,
    /// Their limit: 1/16 of RAM.
    pub pool_budget_bytes: u64,
    /// Pipes made.
    pub pipes: u32,
    /// Copy buffers made.
    pub buffers: u32,
}

/// How much the daemon wears the flash.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Flash {
    /// Durable writes today.
    pub writes_today: u32,
    /// Their bytes, rounded up to KiB per write.
    pub bytes_today: u64,
}

/// What is known of updates.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Update {
    /// A newer version that the coordinator or the update server named; null where there is none.
    pub available: Option<String>,
    /// Which program runs: `package`, `update` (from flash), `trial` (from tmpfs).
    pub runs: String,
    /// How far the last update since boot is or came (docs/reference/update-manifest.md); null where there was none.
    pub phase: Option<String>,
    /// The version it is about.
    pub version: Option<String>,
    /// Stable id of what stopped it; null otherwise.
    pub reason: Option<String>,
    /// How it ended, in a sentence; null before.
    pub message: Option<String>,
    /// Since when that phase, RFC 3339.
    pub at: Option<String>,
}

/// How bad an alert is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// The owner should look.
    Warning,
    /// The node does not do its work, or what it signed is in doubt.
    Critical,
}

/// Something the owner should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Stable id: `error-rate`, `latency`, ….
    pub id: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is the matter.
    pub message: String,
    /// What to do.
    pub remedy: String,
    /// Since when.
    pub since: At,
}
