//! Buyers' own records of what they moved, window by window, beside what the node signed: credit is the smaller, and where
//! the two are apart by more than 1 % and 64 KiB the window is disputed.
//!
//! Nobody is believed over the other. A record can only lower a credit, so a buyer may gain by a false one; therefore a
//! dispute costs a node's reputation only where several buyers say so, and a buyer that disputes most of its nodes is not
//! heard any more ([`Engine::doubtful`]). `docs/how-to/check-the-books.md` has the rules for people.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::bounds;
use super::buyers::bearer;
use super::engine::{At, Engine, Refused, refused};
use super::reputation;
use super::row::Window;
use super::service::{Outcome, Service};
use super::state::Session;
use crate::codec::envelope::{self, BUYER_SIG, context};
use crate::codec::{NodeId, json as strict, time};
use crate::coordinator::wire::Bundle;
use crate::meter::bucket::{LENGTH, aligned};
use crate::net::http::{Request, Response};

/// Paths of this part of the buyers' API.
pub const PATHS: [&str; 2] = ["/buyers/key", "/buyers/usage"];
/// A record comes at most this long after its window's end. After that the node's count stands.
pub const LATE_SEC: u64 = 86_400;
/// What two clocks may differ by: a window must be over, and a key's time be now.
const SKEW_SEC: u64 = 120;
/// Two counts agree up to a hundredth of the larger and this.
const SLACK_BYTES: u64 = 64 * 1024;
/// As many buyers must dispute a node before it costs its reputation; and each costs a tenth, down to one half.
const BUYERS_TO_COUNT: usize = 2;
/// As many nodes must a buyer dispute, and more than half of those that served it, before it is not heard any more.
const NODES_TO_DOUBT: usize = 3;

/// `POST /buyers/usage`, signed by the buyer.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Session.
    pub session_id: String,
    /// Start of the window, a multiple of 300 s; Unix seconds here, RFC 3339 on the wire.
    #[serde(with = "time::text")]
    pub window_start: u64,
    /// Bytes the buyer received inside its tunnels.
    pub bytes_ingress: u64,
    /// Bytes the buyer sent inside its tunnels.
    pub bytes_egress: u64,
}

/// `POST /buyers/key`, signed with the key itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyWish {
    /// What the buyer will sign its records with.
    pub key: NodeId,
    /// Now; RFC 3339 on the wire.
    #[serde(with = "time::text")]
    pub time: u64,
}

/// A window as both sides count it: the answer to a record.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Compared {
    /// Session.
    pub session_id: String,
    /// Start of the window.
    #[serde(with = "time::text")]
    pub window_start: u64,
    /// `pending` until the node's bundle is there; then `agreed` or `disputed`.
    pub state: String,
    /// What the node signed.
    pub bytes_ingress: u64,
    /// What the node signed.
    pub bytes_egress: u64,
    /// Micro-credits of the window.
    pub credits: u64,
}

/// Whether two counts of the same bytes are apart by more than 1 % and 64 KiB.
pub fn apart(a: u64, b: u64) -> bool {
    a.abs_diff(b) > a.max(b) / 100 + SLACK_BYTES
}

impl Window {
    /// Where it stands.
    pub fn state(&self) -> &'static str {
        match self.buyer {
            Some((ingress, egress)) if self.bundles > 0 => {
                if apart(self.ingress, ingress) || apart(self.egress, egress) {
                    "disputed"
                } else {
                    "agreed"
                }
            }
            _ => "pending",
        }
    }

    /// Both sides have counted, and are apart.
    pub fn is_disputed(&self) -> bool {
        self.state() == "disputed"
    }

    /// What it earns: of what the node's count earned, the part that the smaller of both counts is.
    fn due(&self) -> u64 {
        let Some((ingress, egress)) = self.buyer else { return self.gross };
        let all = u128::from(self.ingress) + u128::from(self.egress);
        let counted = u128::from(self.ingress.min(ingress)) + u128::from(self.egress.min(egress));
        let due = (u128::from(self.gross) * counted).checked_div(all);
        due.map_or(self.gross, |due| u64::try_from(due).unwrap_or(u64::MAX))
    }

    fn compared(&self) -> Compared {
        let (session_id, window_start) = (self.session_id.clone(), self.start);
        Compared {
            session_id,
            window_start,
            state: self.state().into(),
            bytes_ingress: self.ingress,
            bytes_egress: self.egress,
            credits: self.credited,
        }
    }
}

impl Engine {
    /// Sets the key that `buyer` signs its records with. The one before counts no more.
    pub fn set_buyer_key(&mut self, buyer: &str, wish: &KeyWish, at: At) -> Result<(), Refused> {
        if wish.time.abs_diff(at.unix) > SKEW_SEC {
            return refused(401, "clock-skew");
        }
        self.state.put_buyer_key(buyer, wish.key);
        Ok(())
    }

    /// Takes a buyer's record, whose signature was verified. The same record again gets the same answer; another of the same
    /// window does not count.
    pub fn usage(&mut self, buyer: &str, usage: &Usage, at: At) -> Result<Compared, Refused> {
        let session = self.of_buyer(buyer, &usage.session_id)?;
        let (start, end) = (usage.window_start, usage.window_start.saturating_add(LENGTH));
        // A session that is settled counts nothing more: its last window is over with it.
        let over = if session.progress.sealed { start } else { end };
        if aligned(start) != start || end <= session.agreed.opened_at || over > at.unix.saturating_add(SKEW_SEC) {
            return refused(422, "bad-window");
        }
        let said = (usage.bytes_ingress, usage.bytes_egress);
        let known = self.state.window(&usage.session_id, start);
        match known.and_then(|w| w.buyer) {
            Some(before) if before == said => {
                return Ok(known.map(Window::compared).unwrap_or_else(|| Window::new(&usage.session_id, start).compared()));
            }
            Some(_) => return refused(409, "usage-known"),
            None if end.saturating_add(LATE_SEC) < at.unix => return refused(409, "late"),
            None if known.is_none() && self.state.windows().len() >= bounds::WINDOWS => return refused(503, "overload"),
            None => {}
        }
        let mut window = known.cloned().unwrap_or_else(|| Window::new(&usage.session_id, start));
        window.buyer = Some(said);
        Ok(self.settle_window(window, at))
    }

    /// Counts a bundle that was booked with `earned` into its window, where its buyer keeps records.
    pub(super) fn count_window(&mut self, bundle: &Bundle, earned: u64, at: At) {
        let id = &bundle.session_id;
        let keeps = self.state.sessions().get(id).is_some_and(|s| self.state.buyer_key(&s.agreed.buyer_id).is_some());
        let start = aligned(bundle.window_start);
        let known = self.state.window(id, start);
        if !keeps || known.is_none() && self.state.windows().len() >= bounds::WINDOWS {
            return;
        }
        let mut window = known.cloned().unwrap_or_else(|| Window::new(id, start));
        window.ingress = window.ingress.saturating_add(bundle.bytes_ingress);
        window.egress = window.egress.saturating_add(bundle.bytes_egress);
        window.gross = window.gross.saturating_add(earned);
        window.credited = window.credited.saturating_add(earned);
        window.bundles = window.bundles.saturating_add(1);
        self.settle_window(window, at);
    }

    /// Puts a window in its place, and its credit right.
    fn settle_window(&mut self, mut window: Window, at: At) -> Compared {
        let session = self.state.sessions().get(&window.session_id);
        let (node, buyer) = session.map_or((None, String::new()), |s| (s.progress.node, s.agreed.buyer_id.clone()));
        if window.bundles > 0 && !self.doubtful(&buyer) {
            let (before, due) = (window.credited, window.due());
            window.credited = due;
            let put_right = |credits: &mut u64| *credits = credits.saturating_add(due).saturating_sub(before);
            self.state.change_progress(&window.session_id, |p| put_right(&mut p.credits));
            if let Some(node) = node {
                self.state.change_node(node, |n| {
                    put_right(&mut n.credits);
                    put_right(&mut reputation::today(n, at.unix).credits);
                });
            }
        }
        let compared = window.compared();
        self.state.put_window(window);
        compared
    }

    /// Windows that no record can reach any more are forgotten, disputed ones with the month of a reputation.
    pub(super) fn forget_windows(&mut self, at: At) {
        let over = |w: &Window| {
            let keep = if w.is_disputed() { bounds::REPUTATION_DAYS * 86_400 } else { LATE_SEC + SKEW_SEC };
            w.start + LENGTH + keep < at.unix || !self.state.sessions().contains_key(&w.session_id)
        };
        let gone: Vec<(String, u64)> = self.state.windows().iter().filter(|(_, w)| over(w)).map(|(key, _)| key.clone()).collect();
        for (session, start) in gone {
            self.state.drop_window(&session, start);
        }
    }

    /// Sessions with a disputed window whose counts are apart over all windows that both sides counted: what one clock puts
    /// into the next window is no dispute of the session.
    fn disputed_sessions(&self) -> impl Iterator<Item = &Session> {
        let ids: BTreeSet<&String> = self.state.disputed().iter().map(|(id, _)| id).collect();
        ids.into_iter().filter(|id| self.state.is_apart(id)).filter_map(|id| self.state.sessions().get(id))
    }

    /// Whether `buyer` disputes so many of its nodes that its records count for nothing.
    pub fn doubtful(&self, buyer: &str) -> bool {
        let disputed: BTreeSet<NodeId> = self.disputed_sessions().filter(|s| s.agreed.buyer_id == buyer).filter_map(|s| s.progress.node).collect();
        if disputed.len() < NODES_TO_DOUBT {
            return false;
        }
        let own = self.state.sessions().values().filter(|s| s.agreed.buyer_id == buyer && s.progress.bytes() > 0);
        let served: BTreeSet<NodeId> = own.filter_map(|s| s.progress.node).collect();
        disputed.len() * 2 > served.len()
    }

    /// What disputes leave of a node's score, in thousandths.
    pub(super) fn after_disputes(&self, node: NodeId) -> u64 {
        let of_node = self.disputed_sessions().filter(|s| s.progress.node.is_some_and(|was| self.is_now(was, node)));
        let buyers: BTreeSet<&str> = of_node.map(|s| s.agreed.buyer_id.as_str()).collect();
        let counting = buyers.into_iter().filter(|b| !self.doubtful(b)).count();
        if counting < BUYERS_TO_COUNT { 1000 } else { 1000u64.saturating_sub(100 * counting as u64).max(500) }
    }

    /// The disputed windows, for the operator.
    pub(super) fn disputes_view(&self) -> Value {
        let row = |(id, start): &(String, u64)| {
            let window = self.state.window(id, *start)?;
            let session = self.state.sessions().get(id)?;
            let (ingress, egress) = window.buyer?;
            Some(json!({
                "sessionId": id, "windowStart": time::rfc3339(*start), "nodeId": session.progress.node, "buyerId": session.agreed.buyer_id,
                "nodeIngress": window.ingress, "nodeEgress": window.egress, "buyerIngress": ingress, "buyerEgress": egress,
                "credits": window.credited, "withheld": window.gross.saturating_sub(window.credited), "doubtful": self.doubtful(&session.agreed.buyer_id),
            }))
        };
        json!({ "disputes": self.state.disputed().iter().filter_map(row).collect::<Vec<_>>() })
    }
}

/// Answers one request to [`PATHS`].
pub fn answer(service: &Service, request: &Request) -> Outcome {
    let buyer = bearer(service, request)?;
    if request.method != "POST" {
        return refused(405, "method");
    }
    let malformed = Refused { status: 400, reason: "malformed" };
    let tree = strict::parse(&request.body).map_err(|_| malformed.clone())?;
    let signed = |context, key: Option<NodeId>| {
        let key = key.and_then(|k| k.key()).ok_or(Refused { status: 401, reason: "bad-signature" })?;
        envelope::verify(&tree, BUYER_SIG, context, [&key]).map_err(|_| Refused { status: 401, reason: "bad-signature" })
    };
    if request.path() == "/buyers/key" {
        let wish: KeyWish = serde_json::from_value(tree.clone()).map_err(|_| malformed)?;
        signed(context::BUYER_KEY, Some(wish.key))?;
        service.change(|engine, _, at| engine.set_buyer_key(&buyer, &wish, at))?;
        return Ok(Response::json(200, &json!({ "buyerId": buyer, "key": wish.key })));
    }
    let usage: Usage = serde_json::from_value(tree.clone()).map_err(|_| malformed)?;
    let Some(key) = service.look(|e| e.state.buyer_key(&buyer)) else { return refused(409, "no-key") };
    signed(context::BUYER_USAGE, Some(key))?;
    let compared = service.change(|engine, _, at| engine.usage(&buyer, &usage, at))?;
    Ok(Response::json(200, &compared))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, START, at};
    use super::*;
    use crate::coordinator::reference::attest::Judged;

    fn keeps(e: &mut Engine, buyer: &str) {
        e.set_buyer_key(buyer, &KeyWish { key: testing::id(90), time: START }, at(0)).unwrap();
    }

    /// A session of `buyer` at node `n`, whose bundle of the first window says 3,000,000 in and 1,000 out.
    fn carried(e: &mut Engine, buyer: &str, n: u8) -> String {
        for other in 1..10 {
            if e.state.nodes().contains_key(&testing::id(other)) {
                e.state.change_node(testing::id(other), |row| row.verified = other == n);
            }
        }
        testing::join(e, n);
        let (id, _) = e.open(buyer, &testing::open_request(), at(0)).unwrap();
        assert_eq!(e.state.sessions()[&id].progress.node, Some(testing::id(n)));
        e.accept(testing::id(n), &testing::accept(n, &id, true), at(0)).unwrap();
        bundle(e, n, &id);
        id
    }

    fn bundle(e: &mut Engine, n: u8, id: &str) {
        let bundle = testing::bundle(n, id, 1, None, START);
        let Judged::Next(signed) = e.judge(testing::id(n), &testing::signed_bundle(n, &bundle), at(300)) else { panic!("continues") };
        e.book(&signed, at(300));
    }

    fn record(id: &str, ingress: u64) -> Usage {
        Usage { session_id: id.into(), window_start: START, bytes_ingress: ingress, bytes_egress: 1_000 }
    }

    #[test]
    fn the_smaller_count_is_paid_and_what_is_apart_is_disputed() {
        let mut e = testing::engine();
        keeps(&mut e, "shop");
        let id = carried(&mut e, "shop", 1);
        let credits = |e: &Engine| (e.state.sessions()[&id].progress.credits, e.state.nodes()[&testing::id(1)].credits);
        assert_eq!(credits(&e), (2400, 2400), "without a record the node's count is paid");
        let said = e.usage("shop", &record(&id, 1_500_000), at(400)).unwrap();
        assert_eq!((said.state.as_str(), said.credits, said.bytes_ingress), ("disputed", 1200, 3_000_000));
        assert_eq!(credits(&e), (1200, 1200));
        assert_eq!(e.usage("shop", &record(&id, 1_500_000), at(500)).unwrap(), said, "the same again");
        assert_eq!(e.usage("shop", &record(&id, 2_000_000), at(500)).unwrap_err().reason, "usage-known");
        assert_eq!(credits(&e), (1200, 1200));
        let seen = e.disputes_view();
        assert_eq!((&seen["disputes"][0]["withheld"], &seen["disputes"][0]["buyerIngress"]), (&1200.into(), &1_500_000.into()));
        assert_eq!(e.after_disputes(testing::id(1)), 1000, "one buyer's word costs no reputation");
    }

    #[test]
    fn a_record_may_come_before_the_bundle_and_more_than_the_node_counted_changes_nothing() {
        let mut e = testing::engine();
        keeps(&mut e, "shop");
        testing::join(&mut e, 1);
        let (id, _) = e.open("shop", &testing::open_request(), at(0)).unwrap();
        e.accept(testing::id(1), &testing::accept(1, &id, true), at(0)).unwrap();
        assert_eq!(e.usage("shop", &record(&id, 3_090_000), at(301)).unwrap().state, "pending");
        bundle(&mut e, 1, &id);
        let window = e.state.window(&id, START).unwrap();
        assert_eq!((window.state(), window.credited, e.state.sessions()[&id].progress.credits), ("agreed", 2400, 2400), "within 1 % and 64 KiB");
        assert!(e.state.disputed().is_empty());
    }

    #[test]
    fn windows_that_are_odd_late_or_anothers_are_refused_and_old_ones_forgotten() {
        let mut e = testing::engine();
        keeps(&mut e, "shop");
        let id = carried(&mut e, "shop", 1);
        let mut reason = |buyer: &str, start: u64, now: u64| {
            e.usage(buyer, &Usage { window_start: start, ..record(&id, 1) }, at(now)).map(|c| c.state).map_err(|r| r.reason)
        };
        assert_eq!(reason("shop", START + 1, 400), Err("bad-window"));
        assert_eq!(reason("shop", START - 600, 400), Err("bad-window"));
        assert_eq!(reason("shop", START + 600, 400), Err("bad-window"), "not over yet");
        assert_eq!(reason("other", START, 400), Err("session-unknown"));
        assert_eq!(reason("shop", START, 301 + LATE_SEC), Err("late"));
        assert_eq!(reason("shop", u64::MAX - 15, 400), Err("bad-window"));
        assert_eq!(reason("shop", START, 300 + LATE_SEC), Ok("disputed".into()));
        e.forget_windows(at(500 + LATE_SEC));
        assert_eq!(e.state.windows().len(), 1, "disputed ones stay");
        e.forget_windows(at(400 + 31 * 86_400));
        assert!(e.state.windows().is_empty());
    }

    #[test]
    fn several_buyers_cost_a_node_and_many_nodes_cost_a_buyer() {
        let mut e = testing::engine();
        for buyer in ["a", "b", "liar"] {
            keeps(&mut e, buyer);
        }
        let honest = carried(&mut e, "a", 1);
        e.usage("a", &record(&honest, 1_000_000), at(400)).unwrap();
        assert_eq!(e.after_disputes(testing::id(1)), 1000);
        let second = carried(&mut e, "b", 1);
        e.usage("b", &record(&second, 1_000_000), at(400)).unwrap();
        assert_eq!(e.after_disputes(testing::id(1)), 800, "two buyers");
        for n in 2..=4 {
            let id = carried(&mut e, "liar", n);
            assert!(!e.doubtful("liar"));
            let said = e.usage("liar", &record(&id, 0), at(400)).unwrap();
            assert_eq!(said.state, "disputed");
        }
        assert!(e.doubtful("liar"));
        let id = carried(&mut e, "liar", 5);
        assert_eq!(e.usage("liar", &record(&id, 0), at(400)).unwrap().credits, 2400, "not heard any more");
        assert!(!e.doubtful("a"));
    }

    #[test]
    fn one_clocks_second_in_the_next_window_is_no_dispute_of_the_session() {
        let mut e = testing::engine();
        keeps(&mut e, "shop");
        let id = carried(&mut e, "shop", 1);
        let second = testing::bundle(1, &id, 2, e.state.sessions()[&id].progress.head.hash, START + 300);
        let Judged::Next(signed) = e.judge(testing::id(1), &testing::signed_bundle(1, &second), at(600)) else { panic!("continues") };
        e.book(&signed, at(600));
        assert_eq!(e.usage("shop", &record(&id, 2_500_000), at(700)).unwrap().state, "disputed");
        let next = Usage { window_start: START + 300, ..record(&id, 3_500_000) };
        assert_eq!(e.usage("shop", &next, at(700)).unwrap().state, "disputed");
        assert_eq!(e.disputed_sessions().count(), 0, "together they agree");
    }

    #[test]
    fn windows_and_keys_are_in_the_store() {
        let mut e = testing::engine();
        keeps(&mut e, "shop");
        let id = carried(&mut e, "shop", 1);
        e.usage("shop", &record(&id, 7), at(400)).unwrap();
        let mut again = crate::coordinator::reference::state::State::default();
        let bytes = e.state.all_records();
        let mut rest = bytes.as_slice();
        while let crate::codec::record::Next::Record(raw, used) = crate::codec::record::next(rest) {
            again.replay(raw.decode().unwrap());
            rest = &rest[used..];
        }
        assert_eq!((again.windows(), again.disputed(), again.buyer_key("shop")), (e.state.windows(), e.state.disputed(), Some(testing::id(90))));
    }
}
