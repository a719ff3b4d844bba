//! Sessions from a buyer's wish to the last bundle: open, offer, accept, close, expiry; and what is due when.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::assign::{self, Candidate, Load};
use super::bounds;
use super::engine::{At, Engine, Refused, name_ok, names_ok, refused, small};
use super::row::{Agreed, Phase, Progress};
use super::state::Session;
use super::stream::What;
use crate::codec::{Hash, NodeId, base64};
use crate::coordinator::wire::{self, Accept, Profile};
use crate::core::Mono;

/// Context of `secretHash` (contracts, "Event kinds").
const SECRET_CONTEXT: &str = "echomesh session secret v1";
/// Categories sessions may be opened for.
pub const CATEGORIES: [&str; 2] = ["ad_verification", "qa_testing"];
/// A node has this long to answer an offer.
const OFFER_SEC: u64 = 60;
/// A closed session whose last bundle never came settles after this long with what is booked: its node lost its journal, or is gone.
const UNSEALED_SEC: u64 = 7 * 86_400;
/// A node that refused a session is not asked again for this long.
const REFUSAL_HOLDS_SEC: u64 = 600;
/// Lifetime of a session where the buyer names none, and the longest one.
const TTL_DEFAULT_SEC: u64 = 3600;
pub(super) const TTL_MOST_SEC: u64 = 30 * 86_400;
/// Largest rate, burst, volume and tunnels a buyer may ask for.
pub(super) const MBPS_MOST: u64 = 100_000;
pub(super) const BURST_MOST_MB: u64 = 10_000;
pub(super) const GB_MOST: u64 = 1_000_000;
pub(super) const TUNNELS_MOST: u32 = 4096;
/// Longest lease, in seconds.
pub const LEASE_MOST_SEC: u32 = 86_400;
/// Nothing is due: look again after this long.
const IDLE: Duration = Duration::from_secs(60);

/// `POST /buyers/sessions`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenRequest {
    /// `CC` or `CC-Name`; empty = any.
    #[serde(default)]
    pub region: String,
    /// One of [`CATEGORIES`].
    pub category: String,
    /// Name of a profile; `COMPLIANT_DEFAULT` where neither is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_profile: Option<String>,
    /// An inline profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// Mbit/s.
    #[serde(default = "default_mbps")]
    pub max_mbps: u64,
    /// MB.
    #[serde(rename = "burstMB", default = "default_burst")]
    pub burst_mb: u64,
    /// GB.
    #[serde(rename = "maxGB", default = "default_gb")]
    pub max_gb: u64,
    /// GB; the same as `maxGB` where it is not given.
    #[serde(rename = "maxGBPerDay", default, skip_serializing_if = "Option::is_none")]
    pub max_gb_per_day: Option<u64>,
    /// Tunnels at once.
    #[serde(default = "default_tunnels")]
    pub max_tunnels: u32,
    /// Seconds.
    #[serde(default = "default_ttl")]
    pub ttl_sec: u64,
    /// Addresses or prefixes plain CONNECT is accepted from.
    #[serde(default)]
    pub buyer_addrs: Vec<String>,
    /// Seconds the node may go on without hearing the coordinator; the coordinator's own where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_sec: Option<u32>,
}

const fn default_mbps() -> u64 {
    10
}

const fn default_burst() -> u64 {
    4
}

const fn default_gb() -> u64 {
    10
}

const fn default_tunnels() -> u32 {
    64
}

const fn default_ttl() -> u64 {
    TTL_DEFAULT_SEC
}

/// Name of an inline profile towards nodes.
const INLINE: &str = "INLINE";

/// `secretHash` of a session.
pub fn secret_hash(session_id: &str, secret: &str) -> Hash {
    let mut hasher = blake3::Hasher::new_derive_key(SECRET_CONTEXT);
    hasher.update(session_id.as_bytes()).update(secret.as_bytes());
    Hash(hasher.finalize().into())
}

impl Engine {
    /// Opens a session for `buyer`. The id, and the secret, which is told once and kept nowhere.
    pub fn open(&mut self, buyer: &str, request: &OpenRequest, at: At) -> Result<(String, String), Refused> {
        self.open_at(None, buyer, request, at)
    }

    /// The same at one node and no other.
    pub(super) fn open_at(&mut self, node: Option<NodeId>, buyer: &str, request: &OpenRequest, at: At) -> Result<(String, String), Refused> {
        let (policy_profile, profile) = check(request)?;
        let of_buyer = self.state.sessions().values().filter(|s| s.agreed.buyer_id == buyer && s.progress.phase.open()).count();
        if of_buyer >= bounds::SESSIONS_PER_BUYER {
            return refused(429, "too-many-sessions");
        }
        if self.state.sessions().len() >= bounds::SESSIONS {
            return refused(503, "overload");
        }
        let session_id = self.draw_uuid();
        let secret = base64::url(&self.draw());
        let agreed = Agreed {
            secret_hash: secret_hash(&session_id, &secret),
            session_id: session_id.clone(),
            buyer_id: buyer.to_owned(),
            buyer_addrs: request.buyer_addrs.clone(),
            policy_profile,
            profile,
            category: request.category.clone(),
            max_mbps: request.max_mbps,
            burst_mb: request.burst_mb,
            max_gb: request.max_gb,
            max_gb_per_day: request.max_gb_per_day.unwrap_or(request.max_gb),
            max_tunnels: request.max_tunnels,
            lease_sec: request.lease_sec,
            region: request.region.clone(),
            opened_at: at.unix,
            expires_at: at.unix + request.ttl_sec,
            effective: None,
        };
        let session = Session { agreed, progress: Progress::new(at.unix) };
        if self.snapshot_bytes(&session) > bounds::DEFINITION_BYTES {
            return refused(422, "profile-too-large");
        }
        if let Some(node) = node {
            self.pin(&session_id, node);
        }
        self.state.put_session(session);
        self.assign_pending(at);
        Ok((session_id, secret))
    }

    /// Offers every pending session to the best node that fits, oldest first.
    pub(super) fn assign_pending(&mut self, at: At) {
        let mut pending: Vec<(u64, String)> = self
            .state
            .sessions()
            .values()
            .filter(|s| s.progress.phase == Phase::Pending)
            .map(|s| (s.agreed.opened_at, s.agreed.session_id.clone()))
            .collect();
        pending.sort_unstable();
        if pending.is_empty() {
            return;
        }
        let mut loads: BTreeMap<NodeId, Load> = BTreeMap::new();
        for session in self.state.sessions().values().filter(|s| s.progress.phase.live()) {
            if let Some(node) = session.progress.node {
                loads.entry(node).or_default().add(session.agreed.max_mbps, self.snapshot_bytes(session));
            }
        }
        for (_, id) in pending {
            let Some(session) = self.state.sessions().get(&id) else { continue };
            let (mbps, bytes) = (session.agreed.max_mbps, self.snapshot_bytes(session));
            if let Some((node, region)) = self.choose(session, bytes, &loads, at) {
                loads.entry(node).or_default().add(mbps, bytes);
                self.state.change_progress(&id, |p| {
                    p.phase = Phase::Offered;
                    p.node = Some(node);
                    p.region = region;
                    p.since = at.unix;
                });
                self.publish(node, What::Open, &id, at.unix);
            }
        }
    }

    fn choose(&self, session: &Session, bytes: usize, loads: &BTreeMap<NodeId, Load>, at: At) -> Option<(NodeId, String)> {
        let asked = |node: NodeId| session.progress.refusals.iter().any(|(n, _, when)| *n == node && at.unix < when + REFUSAL_HOLDS_SEC);
        let candidate = |node| {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0..=1000
            let score_permille = (self.standing(node, at.unix).score * 1000.0).round() as u64;
            let state = self.live(node.id).map_or("", |l| l.state.as_str());
            Candidate { node, fresh: self.fresh(node.id, at.mono), state, load: loads.get(&node.id).copied().unwrap_or_default(), score_permille }
        };
        self.state
            .nodes()
            .values()
            .filter(|n| !asked(n.id) && self.purchases.allows(&session.agreed.session_id, n.id))
            .filter_map(|n| {
                let candidate = candidate(n);
                let region = assign::fits(&candidate, &session.agreed, bytes)?;
                Some((assign::rank(&candidate), n.id, region))
            })
            .max_by_key(|(rank, id, _)| (*rank, std::cmp::Reverse(*id)))
            .map(|(_, node, region)| (node, region))
    }

    /// `POST /sessions/accept`: the node's answer to an offer. A repeated answer changes nothing.
    pub fn accept(&mut self, node: NodeId, accept: &Accept, at: At) -> Result<(), Refused> {
        let reason = accept.reason.as_deref().unwrap_or("refused");
        if !name_ok(reason) || accept.effective_profile.as_ref().is_some_and(|p| !small(p, bounds::DEFINITION_BYTES)) {
            return refused(400, "malformed");
        }
        let Some(session) = self.state.sessions().get(&accept.session_id).filter(|s| s.progress.node == Some(node)) else {
            return refused(404, "session-unknown");
        };
        let id = accept.session_id.as_str();
        match (session.progress.phase, accept.accepted) {
            (Phase::Offered, true) => {
                if accept.effective_profile.is_some() {
                    self.state.change_agreed(id, |a| a.effective.clone_from(&accept.effective_profile));
                }
                self.state.change_progress(id, |p| {
                    p.phase = Phase::Active;
                    p.since = at.unix;
                });
                self.woken_sessions.insert(id.to_owned());
            }
            (Phase::Offered, false) => self.take_back(id, node, reason, at),
            // It was given to the buyer: there may have been traffic, so no other node can continue it. A node that holds
            // its counters still does not answer anew: this one has nothing to hand in.
            (Phase::Active, false) => {
                self.close(id, reason, at);
                self.settle_unsealed(id, at);
            }
            (Phase::Active, true) => {}
            (Phase::Pending | Phase::Closing | Phase::Settled, _) => return refused(409, "session-closed"),
        }
        Ok(())
    }

    /// The node does not take it: back to pending, and to another node.
    fn take_back(&mut self, id: &str, node: NodeId, reason: &str, at: At) {
        self.state.change_progress(id, |p| {
            p.phase = Phase::Pending;
            p.node = None;
            p.since = at.unix;
            p.refusals.retain(|(n, _, _)| *n != node);
            if p.refusals.len() == bounds::REFUSALS_PER_SESSION {
                p.refusals.remove(0);
            }
            p.refusals.push((node, reason.to_owned(), at.unix));
        });
        self.publish(node, What::Close(reason.to_owned()), id, at.unix);
        self.assign_pending(at);
    }

    /// Ends a session, where it has not ended yet.
    pub fn close(&mut self, id: &str, reason: &str, at: At) {
        let Some(session) = self.state.sessions().get(id).filter(|s| s.progress.phase.open()) else { return };
        let node = session.progress.node;
        // A node that never accepted has nothing to settle.
        let phase = if session.progress.phase == Phase::Active && !session.progress.sealed { Phase::Closing } else { Phase::Settled };
        self.state.change_progress(id, |p| {
            p.phase = phase;
            p.since = at.unix;
            p.reason = Some(reason.to_owned());
        });
        if let Some(node) = node {
            self.publish(node, What::Close(reason.to_owned()), id, at.unix);
        }
        self.woken_sessions.insert(id.to_owned());
    }

    /// No last bundle will come.
    fn settle_unsealed(&mut self, id: &str, at: At) {
        self.state.change_progress(id, |p| {
            p.phase = Phase::Settled;
            p.since = at.unix;
        });
    }

    /// Ends or takes back all live sessions of `node`.
    pub(super) fn release(&mut self, node: NodeId, reason: &str, at: At) {
        let live: Vec<(String, Phase)> =
            self.state.sessions_of(node).filter(|s| s.progress.phase.live()).map(|s| (s.agreed.session_id.clone(), s.progress.phase)).collect();
        for (id, phase) in live {
            if phase == Phase::Offered { self.take_back(&id, node, reason, at) } else { self.close(&id, reason, at) }
        }
    }

    /// Does what is due, and says when to come again at the latest.
    pub fn tick(&mut self, at: At) -> Mono {
        enum Due {
            Expired,
            Unanswered(NodeId),
            Unsealed,
            Forget,
        }
        let mut due = Vec::new();
        let mut next = at.mono.plus(IDLE);
        let mut wait_for =
            |unix: u64| next = next.min(at.mono.plus(Duration::from_secs(unix.saturating_sub(at.unix)).max(Duration::from_millis(200))));
        for (id, s) in self.state.sessions() {
            match (s.progress.phase, s.progress.node) {
                (phase, _) if phase.open() && s.agreed.expires_at <= at.unix => due.push((id.clone(), Due::Expired)),
                (Phase::Offered, Some(node)) if s.progress.since + OFFER_SEC <= at.unix || self.gone(node, at) => {
                    due.push((id.clone(), Due::Unanswered(node)));
                }
                (Phase::Closing, _) if s.progress.since + UNSEALED_SEC <= at.unix => due.push((id.clone(), Due::Unsealed)),
                (Phase::Closing, _) => wait_for(s.progress.since + UNSEALED_SEC),
                (Phase::Settled, _) if s.progress.since + bounds::KEEP_SETTLED_SEC <= at.unix => due.push((id.clone(), Due::Forget)),
                (Phase::Offered, _) => wait_for(s.agreed.expires_at.min(s.progress.since + OFFER_SEC)),
                (Phase::Active, _) => wait_for(s.agreed.expires_at),
                (Phase::Pending, _) => {
                    let asked_again = s.progress.refusals.iter().map(|(_, _, when)| when + REFUSAL_HOLDS_SEC).filter(|t| *t > at.unix).min();
                    wait_for(s.agreed.expires_at.min(asked_again.unwrap_or(u64::MAX)));
                }
                _ => {}
            }
        }
        for (id, what) in due {
            match what {
                Due::Expired => self.close(&id, "session-expired", at),
                Due::Unanswered(node) => self.take_back(&id, node, "no-answer", at),
                Due::Unsealed => self.settle_unsealed(&id, at),
                Due::Forget => self.state.drop_session(&id),
            }
        }
        self.assign_pending(at);
        self.expire_probes(at);
        self.forget_windows(at);
        if let Some(when) = self.tick_purchases(at) {
            next = next.min(when);
        }
        for live in self.live.values() {
            match live.check {
                super::engine::Check::Due(when, _) => next = next.min(when),
                super::engine::Check::Rest | super::engine::Check::Running(_) => {}
            }
            if let Some(probe) = &live.probe {
                next = next.min(probe.until);
            }
        }
        next
    }

    /// This process has heard it, and then no more.
    fn gone(&self, node: NodeId, at: At) -> bool {
        self.live(node).is_some_and(|l| l.heard.is_some()) && !self.fresh(node, at.mono)
    }
}

fn check(r: &OpenRequest) -> Result<(String, Option<Profile>), Refused> {
    let region = r.region.is_empty() || {
        let (country, name) = r.region.split_once('-').map_or((r.region.as_str(), None), |(c, n)| (c, Some(n)));
        country.len() == 2 && country.bytes().all(|b| b.is_ascii_uppercase()) && name != Some("") && name_ok(&r.region)
    };
    if !region {
        return refused(422, "region");
    }
    if !CATEGORIES.contains(&r.category.as_str()) {
        return refused(422, "category");
    }
    let in_range = (1..=MBPS_MOST).contains(&r.max_mbps)
        && (1..=BURST_MOST_MB).contains(&r.burst_mb)
        && r.max_gb <= GB_MOST
        && r.max_gb_per_day.is_none_or(|gb| gb <= GB_MOST)
        && (1..=TUNNELS_MOST).contains(&r.max_tunnels)
        && (1..=TTL_MOST_SEC).contains(&r.ttl_sec)
        && r.lease_sec.is_none_or(|sec| (1..=LEASE_MOST_SEC).contains(&sec));
    if !in_range {
        return refused(422, "limits");
    }
    let prefix = |t: &String| t.parse::<std::net::IpAddr>().is_ok() || t.parse::<ipnet::IpNet>().is_ok();
    if !names_ok(&r.buyer_addrs) || !r.buyer_addrs.iter().all(prefix) {
        return refused(422, "buyer-addrs");
    }
    match (&r.policy_profile, &r.profile) {
        (name, None) if name.as_deref().is_none_or(|n| n == wire::COMPLIANT_DEFAULT) => Ok((wire::COMPLIANT_DEFAULT.into(), None)),
        (name, Some(profile)) if name.as_deref().is_none_or(name_ok) && name.as_deref() != Some(wire::COMPLIANT_DEFAULT) => {
            Ok((name.clone().unwrap_or_else(|| INLINE.into()), Some(profile.clone())))
        }
        _ => refused(422, "policy-profile"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, at};
    use super::*;

    fn phase(e: &Engine, id: &str) -> Phase {
        e.state.sessions()[id].progress.phase
    }

    #[test]
    fn a_session_is_offered_accepted_and_closed() {
        let mut e = testing::engine();
        testing::join(&mut e, 1);
        let (id, secret) = e.open("buyer", &testing::open_request(), at(0)).unwrap();
        assert_eq!(phase(&e, &id), Phase::Offered);
        assert_eq!(e.state.sessions()[&id].agreed.secret_hash, secret_hash(&id, &secret));
        assert_eq!(base64::from_url(&secret).unwrap().len(), 32);
        let (stream, events) = e.events_since(testing::id(1), None, at(0));
        assert!(matches!(&events[0].kind, wire::EventKind::Snapshot { sessions } if sessions[0].session_id == id));
        let position = format!("{stream}:{}", events[0].seq);
        assert_eq!(e.accept(testing::id(2), &testing::accept(2, &id, true), at(1)).unwrap_err().reason, "session-unknown");
        e.accept(testing::id(1), &testing::accept(1, &id, true), at(1)).unwrap();
        e.accept(testing::id(1), &testing::accept(1, &id, true), at(1)).unwrap();
        assert_eq!(phase(&e, &id), Phase::Active);
        e.close(&id, "buyer-closed", at(2));
        assert_eq!(phase(&e, &id), Phase::Closing);
        let (_, events) = e.events_since(testing::id(1), Some(&position), at(2));
        assert_eq!(events.len(), 1);
        assert!(matches!(&events[0].kind, wire::EventKind::Close { session } if session.reason.as_deref() == Some("buyer-closed")));
        assert_eq!(e.accept(testing::id(1), &testing::accept(1, &id, true), at(3)).unwrap_err().reason, "session-closed");
    }

    #[test]
    fn a_refusal_or_silence_passes_it_on_before_traffic_only() {
        let mut e = testing::engine();
        testing::join(&mut e, 1);
        let (id, _) = e.open("buyer", &testing::open_request(), at(0)).unwrap();
        e.accept(testing::id(1), &testing::accept(1, &id, false), at(1)).unwrap();
        assert_eq!(phase(&e, &id), Phase::Pending, "the only node refused");
        testing::join(&mut e, 2);
        e.tick(at(2));
        assert_eq!(e.state.sessions()[&id].progress.node, Some(testing::id(2)));
        e.tick(at(2 + OFFER_SEC));
        assert_eq!(phase(&e, &id), Phase::Pending, "no answer");
        testing::hear(&mut e, 1, at(700));
        assert_eq!(e.state.sessions()[&id].progress.node, Some(testing::id(1)), "asked again after a while");
        e.accept(testing::id(1), &testing::accept(1, &id, true), at(701)).unwrap();
        e.tick(at(1500));
        assert_eq!(phase(&e, &id), Phase::Active, "a silent node keeps what it accepted");
        e.tick(at(3600));
        assert_eq!((phase(&e, &id), e.state.sessions()[&id].progress.reason.as_deref()), (Phase::Closing, Some("session-expired")));
        e.tick(at(3600 + UNSEALED_SEC - 1));
        assert_eq!(phase(&e, &id), Phase::Closing, "its last bundle may still come");
        e.tick(at(3600 + UNSEALED_SEC));
        assert_eq!(phase(&e, &id), Phase::Settled, "what is booked stands");
    }

    #[test]
    fn a_node_that_leaves_gives_back_its_sessions() {
        let mut e = testing::engine();
        testing::join(&mut e, 1);
        let (taken, _) = e.open("buyer", &testing::open_request(), at(0)).unwrap();
        e.accept(testing::id(1), &testing::accept(1, &taken, true), at(0)).unwrap();
        let (offered, _) = e.open("buyer", &testing::open_request(), at(0)).unwrap();
        e.leave(testing::id(1), at(1)).unwrap();
        assert_eq!((phase(&e, &taken), phase(&e, &offered)), (Phase::Closing, Phase::Pending));
        assert_eq!(e.heartbeat(testing::id(1), &testing::heartbeat(), at(2)).unwrap_err().reason, "left");
    }

    #[test]
    fn load_spreads_over_nodes_and_tables_are_bounded() {
        let mut e = testing::engine();
        testing::join(&mut e, 1);
        testing::join(&mut e, 2);
        let (a, _) = e.open("buyer", &testing::open_request(), at(0)).unwrap();
        let (b, _) = e.open("buyer", &testing::open_request(), at(0)).unwrap();
        assert_ne!(e.state.sessions()[&a].progress.node, e.state.sessions()[&b].progress.node);
        for _ in 2..bounds::SESSIONS_PER_BUYER {
            e.open("buyer", &testing::open_request(), at(0)).unwrap();
        }
        assert_eq!(e.open("buyer", &testing::open_request(), at(0)).unwrap_err().status, 429);
        assert!(e.open("other", &testing::open_request(), at(0)).is_ok());
        let of = |n| e.state.sessions_of(testing::id(n)).count();
        assert_eq!((of(1), of(2)), (bounds::SESSIONS_PER_NODE, bounds::SESSIONS_PER_NODE));
    }

    #[test]
    fn what_a_buyer_asks_for_is_checked() {
        let bad = |change: &dyn Fn(&mut OpenRequest)| {
            let mut request = testing::open_request();
            change(&mut request);
            check(&request).map(|_| ()).map_err(|r| r.reason)
        };
        assert_eq!(bad(&|_| ()), Ok(()));
        assert_eq!(bad(&|r| r.region = "Philippines".into()), Err("region"));
        assert_eq!(bad(&|r| r.region = "PH-".into()), Err("region"));
        assert_eq!(bad(&|r| r.category = "spam".into()), Err("category"));
        assert_eq!(bad(&|r| r.max_mbps = 0), Err("limits"));
        assert_eq!(bad(&|r| r.ttl_sec = u64::MAX), Err("limits"));
        assert_eq!(bad(&|r| r.lease_sec = Some(0)), Err("limits"));
        assert_eq!(bad(&|r| r.buyer_addrs = vec!["home".into()]), Err("buyer-addrs"));
        assert_eq!(bad(&|r| r.policy_profile = Some("OTHER".into())), Err("policy-profile"));
        assert_eq!(bad(&|r| r.profile = Some(Profile::compliant_default())), Ok(()));
        let mut e = testing::engine();
        let mut request = testing::open_request();
        let mut profile = Profile::compliant_default();
        profile.allow_domains = vec!["x".repeat(60); 200];
        request.profile = Some(profile);
        assert_eq!(e.open("buyer", &request, at(0)).unwrap_err().reason, "profile-too-large");
    }

    #[test]
    fn settled_sessions_are_forgotten_after_a_while() {
        let mut e = testing::engine();
        let (id, _) = e.open("buyer", &testing::open_request(), at(0)).unwrap();
        e.close(&id, "buyer-closed", at(1));
        assert_eq!(phase(&e, &id), Phase::Settled, "no node ever had it");
        e.tick(at(bounds::KEEP_SETTLED_SEC));
        assert!(e.state.sessions().contains_key(&id));
        e.tick(at(bounds::KEEP_SETTLED_SEC + 1));
        assert!(e.state.sessions().is_empty());
    }
}
