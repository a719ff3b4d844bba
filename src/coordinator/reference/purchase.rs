//! Unannounced purchases: the coordinator opens a session at a node as any buyer does, fetches from an endpoint it knows,
//! counts, and compares what the node then signs. This is the pure part: whom, when, and what it means.
//!
//! A node must not be able to tell: the session has limits as others have, is offered by the same event, and its buyer has a
//! name drawn for it. It is paid like any other.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::bounds;
use super::engine::{At, Engine, Refused, refused};
use super::lifecycle::OpenRequest;
use super::row::{Outcome, Phase, Purchase};
use crate::codec::{NodeId, time};
use crate::coordinator::wire::{Ech, Profile};
use crate::core::Mono;

/// What moves beside the bytes the buyer sees: nothing, but for what is on its way when a tunnel ends.
const SLACK_BYTES: u64 = 4 * 1024;
/// Fetches of one purchase, each of a size drawn between these: up to 8 MiB in all.
const FETCHES_MOST: u64 = 4;
const FETCH_LEAST: u64 = 64 * 1024;
const FETCH_MOST: u64 = 2 * 1024 * 1024;
/// The session's life. What is not done by then was not possible.
const TTL_SEC: u64 = 600;
/// A node is not bought from twice within this long, unless the operator says so.
const REST_SEC: u64 = 3600;
/// A mismatch halves the score, for as long as a reputation remembers.
const MISMATCH_PERMILLE: u64 = 500;

/// How purchases are made.
#[derive(Clone, Debug)]
pub struct AuditTerms {
    /// Seconds between two purchases, on average; 0 = only when the operator asks.
    pub every_sec: u64,
    /// `host:port` of the endpoint, as nodes resolve it.
    pub target: String,
    /// Its path; `?size=N&nonce=X` is put behind it.
    pub path: String,
}

/// A purchase to be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// At whom.
    pub node: NodeId,
    /// The session.
    pub session_id: String,
    /// Its secret.
    pub secret: String,
    /// `host:port` to fetch from.
    pub target: String,
    /// Its path.
    pub path: String,
    /// Bytes of each fetch.
    pub sizes: Vec<u64>,
    /// It is over then.
    pub until: Mono,
}

/// What is known of purchases while this process lives.
#[derive(Debug, Default)]
pub struct Purchases {
    /// The node each session under way is meant for.
    pinned: BTreeMap<String, NodeId>,
    /// When the next one is made by itself.
    next: Option<Mono>,
    /// To be carried out.
    orders: Vec<Order>,
}

impl Purchases {
    /// Whether `session` may be offered to `node`: one that is no purchase to any.
    pub fn allows(&self, session: &str, node: NodeId) -> bool {
        self.pinned.get(session).is_none_or(|pinned| *pinned == node)
    }
}

impl Engine {
    /// Buys from `node`, or from one drawn among those that serve. The session's id.
    pub fn purchase(&mut self, node: Option<NodeId>, at: At) -> Result<String, Refused> {
        let Some(terms) = self.terms.audit.clone() else { return refused(409, "no-endpoint") };
        if self.purchases.pinned.len() >= bounds::PURCHASES_AT_ONCE || self.state.sessions().len() >= bounds::SESSIONS {
            return refused(503, "overload");
        }
        let dice = self.draw();
        let node = match node {
            Some(node) if self.state.nodes().contains_key(&node) => node,
            Some(_) => return refused(404, "node-unknown"),
            None => self.drawn_node(&dice, at).ok_or(Refused { status: 409, reason: "no-node" })?,
        };
        let number = |from: usize| u64::from(u16::from_le_bytes([dice[from], dice[from + 1]]));
        let sizes: Vec<u64> = (0..=number(0) % FETCHES_MOST)
            .map(|n| {
                let spread = number(2 + 2 * usize::try_from(n).unwrap_or(0)) << 5;
                FETCH_LEAST + spread % (FETCH_MOST - FETCH_LEAST)
            })
            .collect();
        let port = terms.target.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(443);
        // Port 443 is what the usual profile has; another one must be named.
        let profile = (port != 443).then(|| Profile {
            ports: vec![port],
            categories: vec!["qa_testing".into()],
            allow_domains: Vec::new(),
            block_domains: Vec::new(),
            alpn: vec!["h2".into(), "http/1.1".into()],
            require_sni: true,
            ech: Ech::Allow,
        });
        let wish = OpenRequest { profile, ..wish(number(12)) };
        let name = format!("{}-{:02x}{:02x}", ["shop", "qa", "ads", "web"][usize::from(dice[14] % 4)], dice[15], dice[16]);
        // The name must be nobody's: a buyer's own sessions are bounded and listed.
        let name = if self.state.buyers().contains_key(&name) { format!("{name}-{:02x}", dice[17]) } else { name };
        let (session_id, secret) = self.open_at(Some(node), &name, &wish, at)?;
        self.state.put_purchase(Purchase { session_id: session_id.clone(), node, begun_at: at.unix, moved: None, outcome: None });
        let until = at.mono.plus(Duration::from_secs(TTL_SEC));
        self.purchases.orders.push(Order { node, session_id: session_id.clone(), secret, target: terms.target, path: terms.path, sizes, until });
        self.bound_purchases(at);
        Ok(session_id)
    }

    pub(super) fn pin(&mut self, session: &str, node: NodeId) {
        self.purchases.pinned.insert(session.to_owned(), node);
    }

    /// The purchases to be carried out now.
    pub fn take_orders(&mut self) -> Vec<Order> {
        std::mem::take(&mut self.purchases.orders)
    }

    /// What came of `order`: bytes received and sent inside its tunnels, or why it was not possible. The session ends.
    pub fn purchased(&mut self, session: &str, moved: Result<(u64, u64), String>, at: At) {
        let known = self.state.purchases().get(session).is_some_and(|p| p.outcome.is_none());
        self.purchases.pinned.remove(session);
        if known {
            let mut said = moved;
            if let Err(why) = &mut said {
                let end = (0..=bounds::NAME_BYTES.min(why.len())).rev().find(|i| why.is_char_boundary(*i)).unwrap_or(0);
                why.truncate(end);
            }
            self.state.change_purchase(session, |p| match said {
                Ok(moved) => p.moved = Some(moved),
                Err(why) => p.outcome = Some(Outcome::NotPossible(why)),
            });
        }
        self.close(session, "buyer-closed", at);
        self.judge_purchase(session);
    }

    /// Compares, once the node's last bundle is booked. The node may have signed a little less than was bought, but not more.
    pub(super) fn judge_purchase(&mut self, session: &str) {
        let Some(purchase) = self.state.purchases().get(session).filter(|p| p.outcome.is_none()) else { return };
        let (Some((ingress, egress)), Some(s)) = (purchase.moved, self.state.sessions().get(session)) else { return };
        if !s.progress.sealed {
            return;
        }
        let said = (s.progress.ingress, s.progress.egress);
        let apart = |a: u64, b: u64| a.abs_diff(b) > a.max(b) / 100 + SLACK_BYTES;
        let outcome = if apart(said.0, ingress) || apart(said.1, egress) {
            log::warn!("node {} signed {} + {} bytes for a purchase of {ingress} + {egress}", purchase.node.short(), said.0, said.1);
            Outcome::Mismatch(said.0, said.1)
        } else {
            Outcome::Agreed(said.0, said.1)
        };
        self.state.change_purchase(session, |p| p.outcome = Some(outcome));
    }

    /// Makes purchases at random times, and gives up those whose last bundle never came; when to come again.
    pub(super) fn tick_purchases(&mut self, at: At) -> Option<Mono> {
        let lost = |p: &&Purchase| p.outcome.is_none() && p.moved.is_some();
        let settled =
            |p: &&Purchase| self.state.sessions().get(&p.session_id).is_none_or(|s| s.progress.phase == Phase::Settled && !s.progress.sealed);
        let gone: Vec<String> = self.state.purchases().values().filter(lost).filter(settled).map(|p| p.session_id.clone()).collect();
        for session in gone {
            self.state.change_purchase(&session, |p| p.outcome = Some(Outcome::NotPossible("the node's last bundle never came".into())));
        }
        let every = self.terms.audit.as_ref().map(|a| a.every_sec).filter(|s| *s > 0)?;
        let due = self.purchases.next.is_some_and(|next| next <= at.mono);
        if due && let Err(e) = self.purchase(None, at) {
            log::debug!("no unannounced purchase now: {}", e.reason);
        }
        if due || self.purchases.next.is_none() {
            // Memoryless, so that the last one says nothing of the next; within ten times the mean.
            let dice = self.draw();
            let uniform = (f64::from(u32::from_le_bytes([dice[0], dice[1], dice[2], dice[3]])) + 1.0) / 4_294_967_297.0;
            #[allow(clippy::cast_precision_loss)] // seconds far below 2^53
            let pause = (-uniform.ln()).min(10.0) * every as f64;
            self.purchases.next = Some(at.mono.plus(Duration::from_secs_f64(pause.max(1.0))));
        }
        self.purchases.next
    }

    /// After a start: what was under way is over.
    pub(super) fn drop_purchases(&mut self, at: At) {
        let open: Vec<String> =
            self.state.purchases().values().filter(|p| p.outcome.is_none() && p.moved.is_none()).map(|p| p.session_id.clone()).collect();
        for session in open {
            self.purchased(&session, Err("the coordinator was started anew".into()), at);
        }
    }

    /// What mismatches leave of a node's score, in thousandths.
    pub(super) fn after_purchases(&self, node: NodeId, unix: u64) -> u64 {
        let lately = |p: &&Purchase| self.is_now(p.node, node) && p.begun_at + bounds::REPUTATION_DAYS * 86_400 > unix;
        let mismatches = self.state.purchases().values().filter(lately).filter(|p| matches!(p.outcome, Some(Outcome::Mismatch(..)))).count();
        (0..mismatches.min(4)).fold(1000, |score, _| score * MISMATCH_PERMILLE / 1000)
    }

    /// All purchases, for the operator, newest first.
    pub(super) fn purchases_view(&self) -> Value {
        let mut all: Vec<&Purchase> = self.state.purchases().values().collect();
        all.sort_by_key(|p| std::cmp::Reverse(p.begun_at));
        let row = |p: &&Purchase| {
            let (result, signed, why) = match &p.outcome {
                None => ("under-way", None, None),
                Some(Outcome::Agreed(i, e)) => ("agreed", Some((*i, *e)), None),
                Some(Outcome::Mismatch(i, e)) => ("mismatch", Some((*i, *e)), None),
                Some(Outcome::NotPossible(why)) => ("not-possible", None, Some(why)),
            };
            json!({
                "sessionId": p.session_id, "nodeId": p.node, "begunAt": time::rfc3339(p.begun_at), "result": result, "why": why,
                "boughtIngress": p.moved.map(|m| m.0), "boughtEgress": p.moved.map(|m| m.1),
                "signedIngress": signed.map(|s| s.0), "signedEgress": signed.map(|s| s.1),
            })
        };
        json!({ "purchases": all.iter().map(row).collect::<Vec<_>>() })
    }

    fn drawn_node(&self, dice: &[u8; 32], at: At) -> Option<NodeId> {
        let rested = |id: NodeId| !self.state.purchases().values().any(|p| p.node == id && p.begun_at + REST_SEC > at.unix);
        let fit: Vec<NodeId> = self.state.nodes().values().filter(|n| !n.left && self.fresh(n.id, at.mono) && rested(n.id)).map(|n| n.id).collect();
        let roll = usize::from(u16::from_le_bytes([dice[30], dice[31]]));
        fit.get(roll.checked_rem(fit.len())?).copied()
    }

    /// The oldest that say nothing against their node go first.
    fn bound_purchases(&mut self, at: At) {
        while self.state.purchases().len() > bounds::PURCHASES {
            let harmless = |p: &&Purchase| !matches!(p.outcome, Some(Outcome::Mismatch(..))) && p.begun_at < at.unix;
            let all = self.state.purchases().values();
            let oldest = all.clone().filter(harmless).min_by_key(|p| p.begun_at).or_else(|| all.min_by_key(|p| p.begun_at));
            let Some(id) = oldest.map(|p| p.session_id.clone()) else { return };
            self.state.drop_purchase(&id);
        }
    }
}

/// What such a session asks for: limits as buyers ask for them, drawn.
fn wish(dice: u64) -> OpenRequest {
    let of = |list: [u64; 4], shift: u32| list[usize::try_from(dice >> shift).unwrap_or(0) % 4];
    OpenRequest {
        region: String::new(),
        category: "qa_testing".into(),
        policy_profile: None,
        profile: None,
        max_mbps: of([5, 10, 20, 50], 0),
        burst_mb: of([2, 4, 4, 8], 2),
        max_gb: of([1, 2, 5, 10], 4),
        max_gb_per_day: None,
        max_tunnels: [8, 16, 32, 64][usize::try_from(dice >> 6).unwrap_or(0) % 4],
        ttl_sec: TTL_SEC,
        buyer_addrs: Vec::new(),
        lease_sec: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::attest::Judged;
    use super::super::testing::{self, START, at};
    use super::*;

    fn auditing(every_sec: u64) -> Engine {
        let mut e = testing::engine();
        e.terms.audit = Some(AuditTerms { every_sec, target: "cdn.example:443".into(), path: "/file".into() });
        testing::join(&mut e, 1);
        testing::join(&mut e, 2);
        e
    }

    /// A purchase at node 1 that moved what `testing::bundle` says, and of which the node then signs `more` bytes more.
    fn bought(e: &mut Engine, more: u64) -> String {
        let id = e.purchase(Some(testing::id(1)), at(0)).unwrap();
        let order = e.take_orders().remove(0);
        assert_eq!((&order.session_id, order.node), (&id, testing::id(1)));
        e.accept(testing::id(1), &testing::accept(1, &id, true), at(1)).unwrap();
        assert!(e.seat(&id).is_some());
        e.purchased(&id, Ok((3_000_000, 1_000)), at(5));
        assert!(e.state.purchases()[&id].outcome.is_none(), "the node has not said anything yet");
        let mut last = testing::bundle(1, &id, 1, None, START);
        last.is_final = true;
        last.bytes_ingress += more;
        last.buckets[0].1 += more;
        let Judged::Next(signed) = e.judge(testing::id(1), &testing::signed_bundle(1, &last), at(300)) else { panic!("continues") };
        e.book(&signed, at(300));
        id
    }

    #[test]
    fn who_signs_what_was_bought_stands_as_before_and_who_signs_more_falls_by_half() {
        let mut e = auditing(0);
        let row = e.state.nodes()[&testing::id(1)].clone();
        let before = e.standing(&row, START).score;
        let honest = bought(&mut e, 0);
        assert_eq!(e.state.purchases()[&honest].outcome, Some(Outcome::Agreed(3_000_000, 1_000)));
        assert_eq!(e.after_purchases(testing::id(1), START), 1000);
        assert_eq!(e.state.sessions()[&honest].progress.reason.as_deref(), Some("buyer-closed"), "as any buyer's");
        let lied = bought(&mut e, 40_000);
        assert_eq!(e.state.purchases()[&lied].outcome, Some(Outcome::Mismatch(3_040_000, 1_000)));
        assert_eq!((e.after_purchases(testing::id(1), START), e.after_purchases(testing::id(2), START)), (500, 1000));
        assert!((e.standing(&row, START + 300).score - before / 2.0).abs() < 0.2);
        assert_eq!(e.after_purchases(testing::id(1), START + 31 * 86_400), 1000, "a month later it is forgotten");
        e.state.put_successor(testing::id(1), testing::id(3));
        assert_eq!(e.after_purchases(testing::id(3), START), 500, "a new key does not shake it off");
        let view = e.purchases_view();
        assert_eq!(view["purchases"].as_array().unwrap().iter().filter(|p| p["result"] == "mismatch").count(), 1);
    }

    #[test]
    fn it_is_offered_to_its_node_alone_and_looks_like_a_buyers() {
        let mut e = auditing(0);
        let id = e.purchase(Some(testing::id(2)), at(0)).unwrap();
        assert_eq!(e.state.sessions()[&id].progress.node, Some(testing::id(2)));
        let offered = e.session_for_wire(&e.state.sessions()[&id]);
        assert!(!offered.buyer_id.contains("audit") && offered.profile.is_none() && offered.max_mbps >= 5, "{offered:?}");
        e.accept(testing::id(2), &testing::accept(2, &id, false), at(1)).unwrap();
        assert_eq!((e.state.sessions()[&id].progress.phase, e.state.sessions()[&id].progress.node), (Phase::Pending, None), "to no other");
        e.purchased(&id, Err("the node did not take the session".into()), at(600));
        assert!(matches!(&e.state.purchases()[&id].outcome, Some(Outcome::NotPossible(why)) if why.contains("did not take")));
        assert_eq!(e.after_purchases(testing::id(2), START), 1000, "which says nothing of it");
        assert_eq!(e.purchase(Some(testing::id(9)), at(0)).unwrap_err().reason, "node-unknown");
        e.terms.audit = None;
        assert_eq!(e.purchase(None, at(0)).unwrap_err().reason, "no-endpoint");
    }

    #[test]
    fn they_come_by_themselves_at_random_times_bounded_and_never_when_they_are_off() {
        let mut e = auditing(600);
        let mut made = Vec::new();
        for second in (0..40_000).step_by(20) {
            for n in [1, 2] {
                testing::hear(&mut e, n, at(second));
            }
            e.tick(at(second));
            for order in e.take_orders() {
                made.push((second, order.node));
                e.purchased(&order.session_id, Err("not now".into()), at(second));
            }
        }
        // Each node rests for an hour: 40,000 s have room for at most 24.
        assert!((6..=24).contains(&made.len()), "{made:?}");
        assert!(made.iter().any(|m| m.1 == testing::id(1)) && made.iter().any(|m| m.1 == testing::id(2)), "{made:?}");
        let pauses: std::collections::BTreeSet<u64> = made.windows(2).map(|w| w[1].0 - w[0].0).collect();
        assert!(pauses.len() > made.len() / 3, "{pauses:?}");
        let mut off = auditing(0);
        off.tick(at(100_000));
        assert!(off.take_orders().is_empty());
    }

    #[test]
    fn what_was_under_way_is_over_after_a_start() {
        let mut e = auditing(0);
        let id = e.purchase(None, at(0)).unwrap();
        let mut again = auditing(0);
        again.state.put_session(e.state.sessions()[&id].clone());
        again.state.put_purchase(e.state.purchases()[&id].clone());
        again.resume(at(10));
        assert!(matches!(again.state.purchases()[&id].outcome, Some(Outcome::NotPossible(_))));
        assert!(!again.state.sessions()[&id].progress.phase.open());
    }
}
