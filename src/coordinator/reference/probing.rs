//! Probes: who is asked when, and what a report is worth.

use std::time::Duration;

use super::engine::{At, Engine, ProbeTerms};
use super::reputation;
use super::row::Phase;
use crate::codec::{NodeId, base64, envelope};
use crate::coordinator::wire::{ProbeAck, ProbeReport, ProbeRequest};
use crate::core::Mono;

/// A node has this long to fetch.
const TTL_SEC: u32 = 60;
/// And this long more to report.
const REPORT_SEC: u64 = 30;
/// What a report that failed asks for.
const FOLLOW_UP_SEC: u64 = 60;

/// A probe under way.
#[derive(Clone, Debug)]
pub struct Outstanding {
    /// As it was issued.
    pub request: ProbeRequest,
    /// Unreported by then it has failed.
    pub until: Mono,
}

impl Engine {
    /// `GET /probes/request`: at most one under way, only with an active session, at the terms' pace. A repeated question
    /// while one is under way gets the same probe again.
    pub fn probe_request(&mut self, node: NodeId, at: At) -> Option<ProbeRequest> {
        self.expire_probes(at);
        let terms = self.terms.probe.clone()?;
        let dice = usize::from(self.draw()[0]);
        let active: Vec<&str> =
            self.state.sessions_of(node).filter(|s| s.progress.phase == Phase::Active).map(|s| s.agreed.session_id.as_str()).collect();
        let session_id = (*active.get(dice.checked_rem(active.len())?)?).to_owned();
        let nonce = self.draw_nonce();
        let live = self.live_mut(node);
        if let Some(outstanding) = &live.probe {
            return Some(outstanding.request.clone());
        }
        if live.probed.is_some_and(|last| at.mono.since(last) < Duration::from_secs(terms.every_sec)) {
            return None;
        }
        let request = ProbeRequest { node_id: node, session_id, endpoint: terms.endpoint, size: terms.size, nonce, ttl: TTL_SEC, issued_at: at.unix };
        live.probed = Some(at.mono);
        live.probe = Some(Outstanding { request: request.clone(), until: at.mono.plus(Duration::from_secs(u64::from(TTL_SEC) + REPORT_SEC)) });
        Some(request)
    }

    /// `POST /probes/report`. Idempotent by nonce; a nonce nobody issued is not acknowledged and counts for nothing.
    pub fn probe_report(&mut self, node: NodeId, report: &ProbeReport, at: At) -> ProbeAck {
        self.expire_probes(at);
        let follow_up = |passed: bool, why: &str| ProbeAck {
            ack: true,
            follow_up: (!passed).then(|| serde_json::json!({ "afterSec": FOLLOW_UP_SEC, "reason": why })),
        };
        if let Some((_, passed)) = self.state.nodes().get(&node).and_then(|n| n.last_probe.as_ref()).filter(|(nonce, _)| *nonce == report.nonce) {
            return follow_up(*passed, "failed");
        }
        let terms = self.terms.probe.clone();
        let live = self.live_mut(node);
        let Some(outstanding) = live.probe.take_if(|o| o.request.nonce == report.nonce) else {
            return ProbeAck { ack: false, follow_up: None };
        };
        let verdict = terms.map_or(Err("no-endpoint"), |terms| judge(&outstanding.request, report, &terms));
        self.count_probe(node, report.nonce.clone(), verdict.is_ok(), at);
        follow_up(verdict.is_ok(), verdict.err().unwrap_or_default())
    }

    /// Probes that nobody reported have failed.
    pub(super) fn expire_probes(&mut self, at: At) {
        let late: Vec<(NodeId, String)> =
            self.live.iter().filter_map(|(id, l)| l.probe.as_ref().filter(|p| p.until <= at.mono).map(|p| (*id, p.request.nonce.clone()))).collect();
        for (node, nonce) in late {
            self.live_mut(node).probe = None;
            self.count_probe(node, nonce, false, at);
        }
    }

    fn count_probe(&mut self, node: NodeId, nonce: String, passed: bool, at: At) {
        self.state.change_node(node, |n| {
            let day = reputation::today(n, at.unix);
            let count = if passed { &mut day.passed } else { &mut day.failed };
            *count = count.saturating_add(1);
            n.last_probe = Some((nonce, passed));
        });
    }
}

/// Whether a report shows that its node fetched what was asked, in time, from the endpoint that was named.
fn judge(asked: &ProbeRequest, report: &ProbeReport, terms: &ProbeTerms) -> Result<(), &'static str> {
    let until = asked.issued_at + u64::from(asked.ttl);
    if report.node_id != asked.node_id || report.session_id != asked.session_id || report.endpoint != asked.endpoint {
        return Err("other-probe");
    }
    if report.bytes != asked.size {
        return Err("size");
    }
    if report.completed_at > until || report.completed_at + 2 < asked.issued_at {
        return Err("late");
    }
    let (key, signature) = report.endpoint_sig.strip_prefix("ed25519:").and_then(|s| s.split_once(':')).ok_or("unattested")?;
    if base64::from_url(key).as_deref() != Some(&terms.key.0) {
        return Err("other-endpoint");
    }
    let text = signed_text(&asked.nonce, asked.size, &report.body_hash);
    let key = terms.key.key().ok_or("other-endpoint")?;
    envelope::verify_text(&text, signature, [&key]).map_err(|_| "endpoint-signature")
}

/// What the endpoint signs.
pub fn signed_text(nonce: &str, size: u64, body_hash: &crate::codec::Hash) -> String {
    format!("{}\n{nonce}\n{size}\n{body_hash}", envelope::context::PROBE_ENDPOINT)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, at};
    use super::*;
    use crate::codec::Hash;

    fn probing() -> (Engine, ProbeRequest) {
        let mut e = testing::engine();
        testing::join(&mut e, 1);
        assert!(e.probe_request(testing::id(1), at(0)).is_none(), "no active session");
        let (id, _) = e.open("buyer", &testing::open_request(), at(0)).unwrap();
        e.accept(testing::id(1), &testing::accept(1, &id, true), at(0)).unwrap();
        let request = e.probe_request(testing::id(1), at(0)).unwrap();
        (e, request)
    }

    fn day(e: &Engine) -> (u32, u32) {
        e.state.nodes()[&testing::id(1)].days.last().map_or((0, 0), |d| (d.passed, d.failed))
    }

    #[test]
    fn a_true_report_passes_once() {
        let (mut e, request) = probing();
        assert_eq!(e.probe_request(testing::id(1), at(1)).unwrap().nonce, request.nonce, "one at a time");
        let report = testing::report(&request);
        let ack = e.probe_report(testing::id(1), &report, at(2));
        assert!(ack.ack && ack.follow_up.is_none());
        assert_eq!(day(&e), (1, 0));
        assert!(e.probe_report(testing::id(1), &report, at(3)).ack, "a repeated report");
        assert_eq!(day(&e), (1, 0));
        assert!(e.probe_request(testing::id(1), at(59)).is_none());
        assert!(e.probe_request(testing::id(1), at(60)).is_some());
    }

    #[test]
    fn what_is_not_as_asked_fails() {
        let lies: [&dyn Fn(&mut ProbeReport); 7] = [
            &|r| r.bytes -= 1,
            &|r| r.body_hash = Hash::of(b"other"),
            &|r| r.endpoint_sig = "tls-spki:b3:00".into(),
            &|r| r.endpoint_sig = String::new(),
            &|r| r.completed_at += 61,
            &|r| r.session_id = "other".into(),
            &|r| r.endpoint.push('x'),
        ];
        for (n, lie) in lies.iter().enumerate() {
            let (mut e, request) = probing();
            let mut report = testing::report(&request);
            lie(&mut report);
            let ack = e.probe_report(testing::id(1), &report, at(2));
            assert!(ack.ack && ack.follow_up.is_some(), "{n}");
            assert_eq!(day(&e), (0, 1), "{n}");
        }
    }

    #[test]
    fn strangers_nonces_count_for_nothing_and_silence_fails() {
        let (mut e, request) = probing();
        let mut report = testing::report(&request);
        report.nonce = "other".into();
        assert!(!e.probe_report(testing::id(1), &report, at(1)).ack);
        assert_eq!(day(&e), (0, 0));
        e.tick(at(91));
        assert_eq!(day(&e), (0, 1));
        assert!(e.probe_report(testing::id(1), &testing::report(&request), at(92)).follow_up.is_some());
        assert_eq!(day(&e), (0, 1), "judged once");
    }
}
