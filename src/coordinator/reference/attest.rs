//! `POST /attest/metering`: judges a bundle against the session's chain, and books it.
//!
//! Two steps, because the bundle's bytes must be on disk before the booking that names them: [`Engine::judge`] changes
//! nothing, [`Engine::book`] does.

use serde_json::Value;

use super::chain::{self, Fault, Signed};
use super::engine::{At, Engine};
use super::row::Phase;
use super::{credits, reputation};
use crate::codec::NodeId;
use crate::coordinator::wire::{Ack, Head};

const GB: u64 = 1_000_000_000;

/// What becomes of a bundle.
#[derive(Debug)]
pub enum Judged {
    /// It continues the chain: store its bytes, then [`Engine::book`] it.
    Next(Box<Signed>),
    /// It is the last one received: the same answer again.
    Known(Ack),
    /// It does not continue the chain (409).
    Elsewhere(Head),
    /// Refused for good (422).
    Refused(Fault),
    /// No such session (422: a session the coordinator forgot is settled for ever).
    NoSession,
}

impl Engine {
    /// Judges a bundle that `node` sent.
    pub fn judge(&self, node: NodeId, tree: &Value, at: At) -> Judged {
        let signed = match chain::signed(tree, node) {
            Ok(signed) => signed,
            Err(fault) => return Judged::Refused(fault),
        };
        let bundle = &signed.bundle;
        let Some(session) = self.state.sessions().get(&bundle.session_id) else { return Judged::NoSession };
        let progress = &session.progress;
        if progress.node != Some(node) {
            return Judged::Refused(Fault::Addressee);
        }
        if bundle.seq == progress.head.seq && progress.head.hash == Some(signed.hash) {
            return Judged::Known(ack(&signed, progress.acked_at));
        }
        if !chain::continues(bundle, progress.head) {
            return Judged::Elsewhere(progress.head);
        }
        let faults = if progress.sealed { Err(Fault::AfterFinal) } else { chain::consistent(bundle) };
        match faults.and_then(|()| chain::timely(bundle, session.agreed.opened_at, at.unix)) {
            Ok(()) => Judged::Next(Box::new(signed)),
            Err(fault) => Judged::Refused(fault),
        }
    }

    /// Books a bundle that was judged [`Judged::Next`] in the same call, its bytes stored.
    pub fn book(&mut self, signed: &Signed, at: At) -> Ack {
        let bundle = &signed.bundle;
        let bytes = bundle.bytes_ingress.saturating_add(bundle.bytes_egress);
        let earned = credits::earned(bytes, self.terms.price_per_gb, credits::quality_permille(bundle));
        let errors = chain::errors(bundle);
        self.state.change_progress(&bundle.session_id, |p| {
            p.head = Head { seq: bundle.seq, hash: Some(signed.hash) };
            p.acked_at = at.unix;
            p.ingress = p.ingress.saturating_add(bundle.bytes_ingress);
            p.egress = p.egress.saturating_add(bundle.bytes_egress);
            p.requests = p.requests.saturating_add(bundle.requests);
            p.errors = p.errors.saturating_add(errors);
            p.credits = p.credits.saturating_add(earned);
            p.sealed |= bundle.is_final;
        });
        self.state.change_node(bundle.node_id, |n| {
            n.credits = n.credits.saturating_add(earned);
            let day = reputation::today(n, at.unix);
            day.credits = day.credits.saturating_add(earned);
            day.requests = day.requests.saturating_add(bundle.requests);
            day.errors = day.errors.saturating_add(errors);
        });
        self.count_window(bundle, earned, at);
        self.after_booking(&bundle.session_id, at);
        self.judge_purchase(&bundle.session_id);
        ack(signed, at.unix)
    }

    fn after_booking(&mut self, id: &str, at: At) {
        let Some(session) = self.state.sessions().get(id) else { return };
        let (sealed, phase) = (session.progress.sealed, session.progress.phase);
        let budget = session.agreed.max_gb.saturating_mul(GB);
        if sealed && phase != Phase::Settled {
            if phase.open() {
                // The node ended it by itself: expiry by its clock, or its owner.
                self.close(id, "node-closed", at);
            }
            self.state.change_progress(id, |p| {
                p.phase = Phase::Settled;
                p.since = at.unix;
            });
            self.woken_sessions.insert(id.to_owned());
        } else if budget > 0 && session.progress.bytes() >= budget {
            self.close(id, "session-cap", at);
        }
    }

    /// `GET /attest/metering`: the head of a session at `node`.
    pub fn head(&self, node: NodeId, session_id: &str) -> Option<Head> {
        self.state.sessions().get(session_id).filter(|s| s.progress.node == Some(node)).map(|s| s.progress.head)
    }
}

fn ack(signed: &Signed, time: u64) -> Ack {
    Ack { ack: signed.hash, node_id: signed.bundle.node_id, session_id: signed.bundle.session_id.clone(), seq: signed.bundle.seq, time }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, at};
    use super::*;
    use crate::codec::Hash;
    use crate::coordinator::wire::Bundle;

    const T: u64 = testing::START;

    fn send(e: &mut Engine, bundle: &Bundle, seconds: u64) -> Judged {
        let judged = e.judge(bundle.node_id, &testing::signed_bundle(1, bundle), at(seconds));
        if let Judged::Next(signed) = &judged {
            let _ = e.book(signed, at(seconds));
        }
        judged
    }

    fn active(e: &mut Engine) -> String {
        testing::join(e, 1);
        let (id, _) = e.open("buyer", &testing::open_request(), at(0)).unwrap();
        e.accept(testing::id(1), &testing::accept(1, &id, true), at(0)).unwrap();
        id
    }

    #[test]
    fn a_chain_is_booked_once_and_repeats_get_the_same_answer() {
        let mut e = testing::engine();
        let id = active(&mut e);
        let first = testing::bundle(1, &id, 1, None, T);
        let Judged::Next(signed) = send(&mut e, &first, 300) else { panic!("continues") };
        let Judged::Known(ack) = send(&mut e, &first, 900) else { panic!("known") };
        assert_eq!((ack.ack, ack.seq, ack.time), (signed.hash, 1, T + 300));
        let p = &e.state.sessions()[&id].progress;
        assert_eq!((p.ingress, p.egress, p.requests, p.errors), (3_000_000, 1_000, 2, 1));
        let second = testing::bundle(1, &id, 2, Some(signed.hash), T + 300);
        assert!(matches!(send(&mut e, &second, 600), Judged::Next(_)));
        assert!(matches!(send(&mut e, &first, 600), Judged::Elsewhere(head) if head.seq == 2));
        let node = &e.state.nodes()[&testing::id(1)];
        // 2 × 3,001,000 bytes at 1,000,000 per GB, quality 0.8 (half of the tunnels failed).
        assert_eq!((node.credits, node.credits), (2 * 2400, e.state.sessions()[&id].progress.credits));
    }

    #[test]
    fn gaps_forks_and_strangers_change_nothing() {
        let mut e = testing::engine();
        let id = active(&mut e);
        for bad in [testing::bundle(1, &id, 2, None, T), testing::bundle(1, &id, 1, Some(Hash::of(b"x")), T), testing::bundle(1, &id, 0, None, T)] {
            assert!(matches!(send(&mut e, &bad, 300), Judged::Elsewhere(Head::NONE)));
        }
        assert!(matches!(send(&mut e, &testing::bundle(1, "other", 1, None, T), 300), Judged::NoSession));
        testing::join(&mut e, 2);
        let stranger = testing::signed_bundle(2, &testing::bundle(2, &id, 1, None, T));
        assert!(matches!(e.judge(testing::id(2), &stranger, at(300)), Judged::Refused(Fault::Addressee)));
        assert!(matches!(send(&mut e, &testing::bundle(1, &id, 1, None, T), 0), Judged::Refused(Fault::Time)));
        let mut bad = testing::bundle(1, &id, 1, None, T);
        bad.bytes_ingress += 1;
        assert!(matches!(send(&mut e, &bad, 300), Judged::Refused(Fault::Totals)));
        assert_eq!(e.state.sessions()[&id].progress.head, Head::NONE);
    }

    #[test]
    fn the_final_bundle_settles_and_nothing_follows() {
        let mut e = testing::engine();
        let id = active(&mut e);
        e.close(&id, "buyer-closed", at(10));
        let mut last = testing::bundle(1, &id, 1, None, T);
        last.is_final = true;
        let Judged::Next(signed) = send(&mut e, &last, 300) else { panic!("continues") };
        assert_eq!(e.state.sessions()[&id].progress.phase, Phase::Settled);
        assert_eq!(e.state.sessions()[&id].progress.reason.as_deref(), Some("buyer-closed"));
        let more = testing::bundle(1, &id, 2, Some(signed.hash), T);
        assert!(matches!(send(&mut e, &more, 301), Judged::Refused(Fault::AfterFinal)));
    }

    #[test]
    fn a_used_up_budget_closes_the_session() {
        let mut e = testing::engine();
        let id = active(&mut e);
        let mut bundle = testing::bundle(1, &id, 1, None, T);
        bundle.buckets[0].1 += GB;
        bundle.bytes_ingress += GB;
        assert!(matches!(send(&mut e, &bundle, 300), Judged::Next(_)));
        let p = &e.state.sessions()[&id].progress;
        assert_eq!((p.phase, p.reason.as_deref()), (Phase::Closing, Some("session-cap")));
    }
}
