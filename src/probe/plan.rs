//! Whether a probe request is one the owner's settings allow. Pure.

use std::fmt;
use std::time::Duration;

use super::endpoint::Endpoint;
use crate::codec::NodeId;
use crate::config::settings::Policy;
use crate::coordinator::wire::ProbeRequest;

/// Largest body of one probe: 8 MiB.
pub const MAX_SIZE: u64 = 8 * 1024 * 1024;
/// A request lives at most this long, whatever its `ttl` says.
pub const MAX_TTL: u32 = 3600;
/// A probe that takes longer is given up: 8 MiB in it is about 1 Mbps.
pub const LONGEST: Duration = Duration::from_secs(60);
/// How far the request's time may lie in the future: the contracts' skew.
const AHEAD: u64 = 120;
/// Longest nonce taken.
const MAX_NONCE: usize = 128;

/// A probe that may be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// For the report.
    pub session_id: String,
    /// As the coordinator wrote it, for the report.
    pub endpoint: String,
    /// Where to go.
    pub target: Endpoint,
    /// Bytes to ask for.
    pub size: u64,
    /// Unreserved characters only, so it stands in a query as it is.
    pub nonce: String,
    /// All of it, from the look-up to the last byte: what is left of the request's life, at most [`LONGEST`].
    pub within: Duration,
    /// Days since the epoch when it was made.
    pub(super) day: u64,
}

/// Why a probe is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeRefusal {
    /// Meant for another node.
    Addressee,
    /// Its time is over, or lies in the future.
    Expired,
    /// More than 8 MiB, or nothing.
    Size,
    /// The nonce is empty, too long, or does not stand in a URL.
    Nonce,
    /// The endpoint is no `https://host[:port]/path`.
    Endpoint,
    /// Plain HTTP without the owner's leave.
    Plain,
    /// The host is not in the owner's `probe_host`.
    NotListed,
    /// Another probe is under way.
    Busy,
    /// The last one began less than a minute ago.
    TooSoon,
    /// This nonce was used before.
    NonceUsed,
    /// The day's 64 MiB are used up.
    DailyVolume,
}

impl ProbeRefusal {
    /// The stable id, for logs and metrics.
    pub const fn id(self) -> &'static str {
        self.row().0
    }

    const fn row(self) -> (&'static str, &'static str) {
        match self {
            ProbeRefusal::Addressee => ("probe-addressee", "the probe is meant for another node"),
            ProbeRefusal::Expired => ("probe-expired", "the probe's time is over; check the node's clock if this repeats"),
            ProbeRefusal::Size => ("probe-size", "a probe is 1 byte to 8 MiB"),
            ProbeRefusal::Nonce => ("probe-nonce", "the probe's nonce is malformed"),
            ProbeRefusal::Endpoint => ("probe-endpoint", "the probe's endpoint is not https://host[:port]/path without query and user"),
            ProbeRefusal::Plain => ("probe-plain", "plain HTTP probes are off; set allow_plain_http_probes to allow them to listed hosts"),
            ProbeRefusal::NotListed => ("probe-not-listed", "the probe's host is not in probe_host; add it there to allow it"),
            ProbeRefusal::Busy => ("probe-busy", "another probe is under way"),
            ProbeRefusal::TooSoon => ("probe-too-soon", "probes are made at most once a minute"),
            ProbeRefusal::NonceUsed => ("probe-nonce-used", "the probe was made already"),
            ProbeRefusal::DailyVolume => ("probe-daily-volume", "the 64 MiB for probes of today are used up"),
        }
    }
}

impl fmt::Display for ProbeRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().1)
    }
}

impl std::error::Error for ProbeRefusal {}

/// Checks a verified `request` against the owner's `policy` at node time `unix`. What is left to ask is the allowance.
pub fn check(request: &ProbeRequest, policy: &Policy, node_id: NodeId, unix: u64) -> Result<Plan, ProbeRefusal> {
    if request.node_id != node_id {
        return Err(ProbeRefusal::Addressee);
    }
    let until = request.issued_at.saturating_add(u64::from(request.ttl.min(MAX_TTL)));
    if unix >= until || request.issued_at > unix.saturating_add(AHEAD) {
        return Err(ProbeRefusal::Expired);
    }
    if !(1..=MAX_SIZE).contains(&request.size) {
        return Err(ProbeRefusal::Size);
    }
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    if !(1..=MAX_NONCE).contains(&request.nonce.len()) || !request.nonce.bytes().all(unreserved) {
        return Err(ProbeRefusal::Nonce);
    }
    let target = Endpoint::parse(&request.endpoint).ok_or(ProbeRefusal::Endpoint)?;
    if !target.https && !policy.allow_plain_http_probes {
        return Err(ProbeRefusal::Plain);
    }
    if !target.listed(&policy.probe_host) {
        return Err(ProbeRefusal::NotListed);
    }
    Ok(Plan {
        session_id: request.session_id.clone(),
        endpoint: request.endpoint.clone(),
        target,
        size: request.size,
        nonce: request.nonce.clone(),
        within: Duration::from_secs(until - unix).min(LONGEST),
        day: unix / (24 * 3600),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const NOW: u64 = 1_766_152_800;

    /// The node the requests below are for.
    pub(in crate::probe) fn node() -> NodeId {
        NodeId::from(&ed25519_dalek::SigningKey::from_bytes(&[1; 32]).verifying_key())
    }

    pub(in crate::probe) fn request(endpoint: &str, nonce: &str, size: u64, issued_at: u64) -> ProbeRequest {
        ProbeRequest { node_id: node(), session_id: "s".into(), endpoint: endpoint.into(), size, nonce: nonce.into(), ttl: 30, issued_at }
    }

    pub(in crate::probe) fn plan(nonce: &str, size: u64, unix: u64) -> Plan {
        let policy = Policy { probe_host: vec!["probe.example".into()], ..Policy::default() };
        check(&request("https://probe.example/p", nonce, size, unix), &policy, node(), unix).unwrap()
    }

    fn listed() -> Policy {
        Policy { probe_host: vec!["probe.example".into()], ..Policy::default() }
    }

    fn good() -> ProbeRequest {
        request("https://probe.example/p", "Zm9v-_", 1_000_000, NOW - 10)
    }

    fn refusal(request: &ProbeRequest) -> ProbeRefusal {
        check(request, &listed(), node(), NOW).unwrap_err()
    }

    #[test]
    fn a_good_request_becomes_a_plan_that_ends_with_it() {
        let plan = check(&good(), &listed(), node(), NOW).unwrap();
        assert_eq!(plan.within, Duration::from_secs(20));
        assert_eq!((plan.size, plan.target.host.as_str()), (1_000_000, "probe.example"));
        let patient = ProbeRequest { ttl: 900, ..good() };
        assert_eq!(check(&patient, &listed(), node(), NOW).unwrap().within, LONGEST);
    }

    #[test]
    fn each_rule_refuses_by_its_name() {
        let other = NodeId::from(&ed25519_dalek::SigningKey::from_bytes(&[2; 32]).verifying_key());
        assert_eq!(refusal(&ProbeRequest { node_id: other, ..good() }), ProbeRefusal::Addressee);
        assert_eq!(refusal(&ProbeRequest { issued_at: NOW - 30, ..good() }), ProbeRefusal::Expired);
        assert_eq!(refusal(&ProbeRequest { issued_at: NOW + AHEAD + 1, ..good() }), ProbeRefusal::Expired);
        assert_eq!(refusal(&ProbeRequest { issued_at: NOW - 3600, ttl: u32::MAX, ..good() }), ProbeRefusal::Expired);
        assert_eq!(refusal(&ProbeRequest { issued_at: u64::MAX, ..good() }), ProbeRefusal::Expired);
        for size in [0, MAX_SIZE + 1, u64::MAX] {
            assert_eq!(refusal(&ProbeRequest { size, ..good() }), ProbeRefusal::Size);
        }
        for nonce in ["", "a&size=1", "a b", "a\r\n", &"x".repeat(MAX_NONCE + 1)] {
            assert_eq!(refusal(&ProbeRequest { nonce: nonce.into(), ..good() }), ProbeRefusal::Nonce);
        }
        let to = |endpoint: &str| refusal(&ProbeRequest { endpoint: endpoint.into(), ..good() });
        assert_eq!(to("https://probe.example/p?x"), ProbeRefusal::Endpoint);
        assert_eq!(to("https://user@probe.example/p"), ProbeRefusal::Endpoint);
        assert_eq!(to("http://probe.example/p"), ProbeRefusal::Plain);
        assert_eq!(to("https://other.example/p"), ProbeRefusal::NotListed);
        assert_eq!(to("https://probe.example:8443/p"), ProbeRefusal::NotListed);
    }

    #[test]
    fn plain_http_needs_the_owners_leave_and_a_listed_host() {
        let leave = Policy { allow_plain_http_probes: true, ..listed() };
        let plain = ProbeRequest { endpoint: "http://probe.example/p".into(), ..good() };
        assert!(!check(&plain, &leave, node(), NOW).unwrap().target.https);
        let elsewhere = ProbeRequest { endpoint: "http://other.example/p".into(), ..good() };
        assert_eq!(check(&elsewhere, &leave, node(), NOW), Err(ProbeRefusal::NotListed));
    }
}
