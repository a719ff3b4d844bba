//! The chain of one session's bundles: the open window, sealed ones waiting for their acknowledgement, and the head
//! they continue from.
//!
//! A window has no number of its own: the oldest one waiting is `head.seq + 1`, and only that one is ever sent. It is
//! handed out only after the journal holds the chain as it stands (`journaled`). So after a kill, of all that the
//! journal holds at most the oldest window can be the coordinator's already; and after a power cut (an older copy),
//! what was restored is `suspect` as a whole. [`Chain::on_head`] decides from that.

use std::collections::VecDeque;

use ed25519_dalek::SigningKey;

use super::access_log::{Line, Standing};
use super::bucket::{LENGTH, Sums};
use super::bundle::Head;
use super::sealed::{Sealed, Signed};
use super::state::{ChainImage, Lost, MOST_RECEIPT, MOST_SEALED, Receipt, State, Totals};
use super::window::{OpenImage, Window};
use crate::codec::{Hash, NodeId};

/// How much of the chain the journal does not hold yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dirt {
    Clean,
    /// Counters of the open window from this offset on.
    Open(u16),
    /// More than counters: nothing is handed out before it is written.
    Whole,
}

/// One session's metering.
#[derive(Clone, Debug)]
pub struct Chain {
    pub(super) state: State,
    open: Option<Box<Window>>,
    /// How many windows this process has opened for it; names the open one.
    windows: u64,
    /// The next window begins with its first event: the time before is not its to count.
    broken: bool,
    /// Number and hash under which this process handed the oldest one out.
    sent: Option<(u64, Hash)>,
    /// An earlier process may have sent the oldest one.
    perhaps_sent: bool,
    pub(super) dirt: Dirt,
}

/// What the coordinator's head took out of a chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Windows the coordinator has, or may have, already.
    pub windows: usize,
    /// Their sums.
    pub sums: Sums,
}

impl Chain {
    /// A chain that continues from `head`.
    pub fn new(definition: Vec<u8>, head: Head, lost: Option<Lost>) -> Chain {
        let state =
            State { definition, head, spool: VecDeque::new(), totals: Totals::default(), lost, receipt: None, unsure: false, latency: (None, None) };
        Chain::with(state)
    }

    fn with(state: State) -> Chain {
        Chain { state, open: None, windows: 0, broken: true, sent: None, perhaps_sent: false, dirt: Dirt::Whole }
    }

    /// A chain from the journal. Its open window is sealed as it stands. `exact`: the copy is the last one written
    /// before anything was sent; `lost`: what an unclean stop may have cost.
    pub(super) fn restore(state: State, open: Option<&OpenImage>, exact: bool, lost: Option<Lost>) -> Chain {
        let mut chain = Chain::with(state);
        if let Some(sealed) = open.and_then(OpenImage::seal) {
            chain.push(sealed);
        }
        if !exact {
            chain.state.spool.iter_mut().for_each(|s| s.suspect = true);
            chain.state.unsure = true;
        }
        chain.perhaps_sent = !chain.state.spool.is_empty();
        if let (false, Some(lost)) = (chain.is_closed(), lost) {
            // A gap that was not stated yet began earlier.
            let from = chain.state.lost.map_or(lost.from, |l| l.from.min(lost.from));
            chain.state.lost = Some(Lost { from, ..lost });
        }
        chain
    }

    /// The session as it was accepted, in the caller's form.
    pub fn definition(&self) -> &[u8] {
        &self.state.definition
    }

    /// The head it continues from: what the coordinator acknowledged last.
    pub fn head(&self) -> Head {
        self.state.head
    }

    /// Bundles waiting.
    pub fn spooled(&self) -> usize {
        self.state.spool.len()
    }

    /// Bytes of memory the waiting windows take, about.
    pub fn spool_bytes(&self) -> usize {
        self.state.spool.iter().map(Sealed::size).sum()
    }

    /// What the session has carried.
    pub fn totals(&self) -> Totals {
        self.state.totals
    }

    /// Median and 95th percentile in ms: of the open window, else of the last that had a sample.
    pub fn latency(&self) -> (Option<u32>, Option<u32>) {
        let now = self.open.as_ref().map_or((None, None), |w| w.quantiles());
        if now.0.is_some() { now } else { self.state.latency }
    }

    /// The last acknowledgement.
    pub fn receipt(&self) -> Option<&Receipt> {
        self.state.receipt.as_ref()
    }

    /// Whether the final window is sealed: nothing counts any more.
    pub fn is_closed(&self) -> bool {
        self.state.spool.back().is_some_and(|s| s.is_final)
    }

    /// Whether an older copy was restored (a power cut) and the coordinator's head not heard since: ask for it.
    pub fn is_unsure(&self) -> bool {
        self.state.unsure
    }

    /// The clock was set, and shows `now` from here on: so much for the volume of the day.
    pub(super) fn clock_set(&mut self, now: u64) {
        self.state.totals.clock_set(now);
        self.dirt = Dirt::Whole;
    }

    /// Bytes moved in `sec`.
    pub fn add(&mut self, sec: u64, ingress: u64, egress: u64) {
        if (ingress > 0 || egress > 0) && !self.is_closed() {
            let (window, sec) = self.window(sec);
            window.add(sec, ingress, egress);
            self.state.totals.add(sec, ingress, egress);
        }
    }

    /// A tunnel's outcome in `sec`: `error` where it failed for a cause beyond policy; its latency where it has one.
    pub fn outcome(&mut self, sec: u64, error: bool, latency_ms: Option<u64>) {
        if self.is_closed() {
            return;
        }
        let (window, sec) = self.window(sec);
        window.outcome(sec, error, latency_ms);
        let t = &mut self.state.totals;
        t.requests = t.requests.saturating_add(1);
        t.errors = t.errors.saturating_add(error.into());
    }

    /// A refusal by policy in `sec`.
    pub fn denied(&mut self, sec: u64) {
        if self.is_closed() {
            return;
        }
        let (window, sec) = self.window(sec);
        window.denied(sec);
        self.state.totals.denied = self.state.totals.denied.saturating_add(1);
    }

    /// A tunnel closed and left this line. Returns the window that took it; `None` once the session is closed.
    pub fn closed(&mut self, line: &Line) -> Option<Standing> {
        if self.is_closed() {
            return None;
        }
        let (window, sec) = self.window(line.t);
        window.closed(sec, line);
        let (start, logged) = (window.from(), window.logged());
        Some(Standing { window: self.windows, start, logged })
    }

    /// When the open window ends; `None` where none is open.
    pub fn due(&self) -> Option<u64> {
        self.open.as_ref().map(|w| w.ends())
    }

    /// Seals the open window if it has ended.
    pub fn seal_due(&mut self, now: u64) {
        if self.due().is_some_and(|at| at <= now) {
            self.seal(now, false);
        }
    }

    /// Seals the open window now, if there is one. `is_final`: the session is over; the last window says so, an empty
    /// one where none is open.
    pub fn seal(&mut self, now: u64, is_final: bool) {
        if self.is_closed() {
            return;
        }
        let mut sealed = match self.open.take() {
            Some(window) => {
                self.broken = now < window.ends();
                window.seal(now)
            }
            None if is_final => {
                let mut window = Window::open(now, false);
                window.state_gap(self.state.lost.take().map(|l| l.until(now)));
                window.seal(now)
            }
            None => return,
        };
        if sealed.p50.is_some() {
            self.state.latency = (sealed.p50, sealed.p95);
        }
        sealed.is_final = is_final;
        self.push(sealed);
    }

    /// The oldest bundle waiting, signed; `None` where there is none, or where the journal does not hold the chain yet.
    /// Asked again before an acknowledgement, it is the same to the byte.
    pub fn next_bundle(&mut self, key: &SigningKey, node_id: NodeId, session_id: &str) -> Option<Signed> {
        if self.dirt == Dirt::Whole {
            return None;
        }
        let signed = self.state.spool.front()?.sign(key, node_id, session_id, &self.state.head);
        self.sent = Some((signed.seq, signed.hash));
        Some(signed)
    }

    /// When the oldest bundle waiting should leave, `offset` seconds after its end (see `ledger::send_offset`). What
    /// ended away from the boundary (a session's end, a step) is not part of the crowd and leaves at once; and so does
    /// all that still waits of a session that is over, and what ended after `now`: the clock has stepped back since, and
    /// the chain must not wait for a time that was none.
    pub fn send_at(&self, offset: u32, now: u64) -> Option<u64> {
        let wait = if self.is_closed() { 0 } else { u64::from(offset) };
        self.state.spool.front().map(|s| match s.end {
            end if end > now => now,
            end if end % LENGTH == 0 => end.saturating_add(wait),
            end => end,
        })
    }

    /// Whether the journal holds it so far that bundles may leave.
    pub fn journaled(&self) -> bool {
        self.dirt != Dirt::Whole
    }

    /// The coordinator's signed acknowledgement came. `false` where it names another than the bundle handed out last.
    pub fn acked(&mut self, seq: u64, hash: Hash, evidence: Vec<u8>) -> bool {
        if self.sent != Some((seq, hash)) {
            return false;
        }
        self.take_front();
        (self.state.head, self.state.unsure) = (Head { seq, hash: Some(hash) }, false);
        let evidence = if evidence.len() > MOST_RECEIPT { Vec::new() } else { evidence };
        self.state.receipt = Some(Receipt { seq, hash, evidence });
        true
    }

    /// The coordinator refuses the oldest bundle for good: it is taken out and returned, with its number. The next
    /// one takes its place in the chain.
    pub fn refused(&mut self, seq: u64) -> Option<Sealed> {
        if self.sent.is_none_or(|(sent, _)| sent != seq) {
            return None;
        }
        self.take_front()
    }

    /// The coordinator says what it has (a 409, or its answer to `register`): the chain continues from there. What it
    /// has already, or may have, is dropped, so that no byte is counted twice; what it cannot have stays and is
    /// numbered anew.
    pub fn on_head(&mut self, head: Head, key: &SigningKey, node_id: NodeId, session_id: &str) -> Dropped {
        let mut dropped = Dropped::default();
        if head == self.state.head {
            self.state.unsure = false; // not worth a write
            return dropped;
        }
        match self.known_prefix(head, key, node_id, session_id) {
            // It accepted exactly the first `n` of those waiting; the acknowledgements were lost.
            Some(n) => (0..n).for_each(|_| self.drop_front(&mut dropped)),
            None => {
                let front_seq = self.state.head.seq.saturating_add(1);
                if self.perhaps_sent && !self.state.unsure && front_seq <= head.seq {
                    self.drop_front(&mut dropped);
                }
                // An older copy met a chain that went on: of what it holds, nothing is known to be new.
                if head.seq > self.state.head.seq {
                    let before = self.state.spool.len();
                    self.state.spool.retain(|s| {
                        if s.suspect {
                            dropped.sums.add(s.sums());
                        }
                        !s.suspect
                    });
                    dropped.windows += before - self.state.spool.len();
                    self.perhaps_sent &= before == self.state.spool.len();
                }
            }
        }
        (self.state.head, self.state.unsure) = (head, false);
        self.sent = None; // what is left will leave under another number
        self.dirt = Dirt::Whole;
        dropped
    }

    /// Loses the oldest window that cannot be on its way; the one after states the gap.
    pub(super) fn shed(&mut self) {
        let at = usize::from(self.sent.is_some() || self.perhaps_sent);
        if at + 1 >= self.state.spool.len() {
            return;
        }
        let Some(gone) = self.state.spool.remove(at) else { return };
        let (from, to) = gone.gap.map_or((gone.start, gone.end), |(f, t)| (f.min(gone.start), t.max(gone.end)));
        if let Some(next) = self.state.spool.get_mut(at) {
            next.gap = Some(next.gap.map_or((from, to), |(f, t)| (f.min(from), t.max(to))));
        }
        self.dirt = Dirt::Whole;
    }

    /// What the journal needs of the open window.
    pub(super) fn open_image(&self, keep: u16) -> Option<OpenImage> {
        self.open.as_ref().map(|w| w.image(keep))
    }

    /// The whole of it for the journal.
    pub(super) fn image(&self) -> ChainImage {
        ChainImage { state: self.state.clone(), open: self.open_image(0) }
    }

    /// How many of those waiting the coordinator has, where `head` is the hash of exactly one of them.
    fn known_prefix(&self, head: Head, key: &SigningKey, node_id: NodeId, session_id: &str) -> Option<usize> {
        let n = usize::try_from(head.seq.checked_sub(self.state.head.seq)?).ok().filter(|n| (1..=self.state.spool.len()).contains(n))?;
        let reached = self.state.spool.iter().take(n).fold(self.state.head, |at, sealed| {
            let signed = sealed.sign(key, node_id, session_id, &at);
            Head { seq: signed.seq, hash: Some(signed.hash) }
        });
        (reached == head).then_some(n)
    }

    fn drop_front(&mut self, dropped: &mut Dropped) {
        if let Some(gone) = self.take_front() {
            dropped.windows += 1;
            dropped.sums.add(gone.sums());
        }
    }

    fn take_front(&mut self) -> Option<Sealed> {
        self.sent = None;
        self.perhaps_sent = false;
        self.dirt = Dirt::Whole;
        self.state.spool.pop_front()
    }

    fn push(&mut self, sealed: Sealed) {
        self.state.spool.push_back(sealed);
        while self.state.spool.len() > MOST_SEALED {
            self.shed();
        }
        self.dirt = Dirt::Whole;
    }

    /// The window of `sec`, and the second under which the event counts there. An open window that is not `sec`'s is
    /// sealed: it ended, or the clock stepped.
    fn window(&mut self, sec: u64) -> (&mut Window, u64) {
        if self.open.as_ref().is_some_and(|w| w.place(sec).is_none()) {
            self.seal(sec, false);
        }
        let (broken, lost) = (self.broken, &mut self.state.lost);
        let (windows, dirt) = (&mut self.windows, &mut self.dirt);
        let window = self.open.get_or_insert_with(|| {
            *windows += 1;
            let mut window = Window::open(sec, !broken);
            if let Some(lost) = lost.take() {
                window.state_gap(Some(lost.until(sec)));
                *dirt = Dirt::Whole;
            } else if *dirt == Dirt::Clean {
                *dirt = Dirt::Open(0);
            }
            Box::new(window)
        });
        let sec = window.place(sec).unwrap_or(sec);
        let offset = window.offset(sec);
        match &mut self.dirt {
            Dirt::Clean => self.dirt = Dirt::Open(offset),
            Dirt::Open(at) => *at = offset.min(*at),
            Dirt::Whole => {}
        }
        (window, sec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::json;
    use crate::meter::bundle::Bundle;

    const W: u64 = 1_766_152_800;
    const ID: &str = "s";

    struct Signer(SigningKey, NodeId);

    fn signer() -> Signer {
        let key = SigningKey::from_bytes(&[9; 32]);
        let id = NodeId::from(&key.verifying_key());
        Signer(key, id)
    }

    impl Signer {
        fn next(&self, chain: &mut Chain) -> Option<(Signed, Bundle)> {
            chain.dirt = Dirt::Clean; // as the journal does once it has written
            let signed = chain.next_bundle(&self.0, self.1, ID)?;
            let bundle = json::from_slice(&signed.body).unwrap();
            Some((signed, bundle))
        }

        fn all(&self, chain: &mut Chain) -> Vec<Bundle> {
            std::iter::from_fn(|| {
                let (signed, bundle) = self.next(chain)?;
                assert!(chain.acked(signed.seq, signed.hash, Vec::new()));
                Some(bundle)
            })
            .collect()
        }
    }

    fn fresh() -> Chain {
        Chain::new(Vec::new(), Head::NONE, None)
    }

    fn spans(bundles: &[Bundle]) -> Vec<(u64, u64, u64)> {
        bundles.iter().map(|b| (b.window_start - W, b.window_end - W, b.bytes_ingress)).collect()
    }

    #[test]
    fn windows_are_aligned_idle_ones_skipped_and_the_ends_shorter() {
        let mut c = fresh();
        c.add(W + 10, 1, 0);
        c.seal_due(W + 299);
        assert_eq!(c.spooled(), 0);
        c.seal_due(W + 300);
        c.add(W + 950, 2, 0);
        c.add(W + 1210, 3, 0); // the window before was not sealed by a timer: the next event does
        c.seal(W + 1220, true);
        c.add(W + 1221, 99, 0);
        let bundles = signer().all(&mut c);
        assert_eq!(spans(&bundles), [(10, 300, 1), (900, 1200, 2), (1200, 1221, 3)]);
        assert_eq!(bundles.iter().map(|b| (b.seq, b.is_final)).collect::<Vec<_>>(), [(1, false), (2, false), (3, true)]);
        assert_eq!(bundles[0].prev_hash, None);
        assert!(bundles[1].prev_hash.is_some() && bundles[1].gap.is_none());
        assert_eq!(c.totals().ingress, 6);
    }

    #[test]
    fn a_session_without_traffic_ends_in_an_empty_final_bundle() {
        let mut c = fresh();
        c.seal(W + 40, true);
        let bundles = signer().all(&mut c);
        assert_eq!(spans(&bundles), [(40, 41, 0)]);
        assert!(bundles[0].is_final && bundles[0].buckets.is_empty());
        assert_eq!((bundles[0].latency_ms_p50, bundles[0].error_rate_pct), (None, 0.0));
        assert_eq!(bundles[0].access_log_hash, Hash::of(b""));
    }

    #[test]
    fn a_step_of_the_clock_closes_the_window() {
        let mut c = fresh();
        c.add(W + 100, 1, 0);
        c.add(W - 1000, 2, 0); // back
        c.add(W - 998, 2, 0);
        c.seal(0, false); // forward within the window: told by the clock
        c.add(W - 950, 4, 0);
        c.seal_due(W);
        assert_eq!(spans_signed(&signer().all(&mut c)), [(100, 101, 1), (-1000, -997, 4), (-950, -900, 4)]);
    }

    fn spans_signed(bundles: &[Bundle]) -> Vec<(i64, i64, u64)> {
        let rel = |t: u64| t as i64 - W as i64;
        bundles.iter().map(|b| (rel(b.window_start), rel(b.window_end), b.bytes_ingress)).collect()
    }

    #[test]
    fn nothing_leaves_before_the_journal_holds_it() {
        let s = signer();
        let mut c = fresh();
        c.add(W, 1, 0);
        c.dirt = Dirt::Clean;
        c.seal_due(W + 300);
        assert_eq!(c.next_bundle(&s.0, s.1, ID), None);
        let (signed, _) = s.next(&mut c).unwrap();
        assert!(!c.acked(signed.seq, Hash::of(b"another"), Vec::new()));
        assert!(!c.acked(signed.seq + 1, signed.hash, Vec::new()));
        assert_eq!(s.next(&mut c).unwrap().0, signed, "the same to the byte");
        assert!(c.acked(signed.seq, signed.hash, b"answer".to_vec()));
        assert!(!c.acked(signed.seq, signed.hash, Vec::new()), "once");
        assert_eq!(c.head(), Head { seq: 1, hash: Some(signed.hash) });
        assert_eq!(c.receipt().map(|r| (r.seq, r.hash, r.evidence.as_slice())), Some((1, signed.hash, &b"answer"[..])));
    }

    #[test]
    fn a_head_further_on_drops_what_the_coordinator_has_and_numbers_the_rest_anew() {
        let s = signer();
        let mut c = fresh();
        for n in 0..3 {
            c.add(W + 300 * n, 1 << n, 0);
        }
        c.seal_due(W + 900);
        // It accepted two, the acknowledgements were lost.
        let mut two = c.clone();
        for _ in 0..2 {
            let (signed, _) = s.next(&mut two).unwrap();
            assert!(two.acked(signed.seq, signed.hash, Vec::new()));
        }
        let dropped = c.on_head(two.head(), &s.0, s.1, ID);
        assert_eq!((dropped.windows, dropped.sums.ingress), (2, 3));
        let rest = s.all(&mut c);
        assert_eq!(rest.iter().map(|b| (b.seq, b.prev_hash, b.bytes_ingress)).collect::<Vec<_>>(), [(3, two.head().hash, 4)]);
    }

    #[test]
    fn a_session_the_journal_did_not_know_continues_and_states_the_gap() {
        let s = signer();
        let there = Head { seq: 6, hash: Some(Hash::of(b"h")) };
        let mut c = Chain::new(Vec::new(), there, Some(Lost { from: W - 100, restart: W + 5 }));
        c.add(W + 20, 1, 0);
        c.add(W + 310, 1, 0);
        c.seal_due(W + 600);
        let bundles = s.all(&mut c);
        assert_eq!((bundles[0].seq, bundles[0].prev_hash), (7, there.hash));
        assert_eq!(bundles[0].gap, Some(("2025-12-19T13:58:20Z".into(), "2025-12-19T14:00:05Z".into())));
        assert_eq!(bundles[1].gap, None);
    }

    #[test]
    fn a_clock_that_was_behind_at_boot_ends_the_gap_where_counting_began() {
        assert_eq!(Lost { from: W, restart: 1000 }.until(W + 50), (W, W + 50));
    }

    #[test]
    fn what_is_sent_under_an_outdated_head_is_sent_again_under_the_right_one() {
        let s = signer();
        let mut c = fresh();
        c.add(W, 7, 0);
        c.seal_due(W + 300);
        assert_eq!(s.next(&mut c).unwrap().1.seq, 1);
        let there = Head { seq: 6, hash: Some(Hash::of(b"h")) };
        assert_eq!(c.on_head(there, &s.0, s.1, ID), Dropped::default());
        let (_, bundle) = s.next(&mut c).unwrap();
        assert_eq!((bundle.seq, bundle.prev_hash, bundle.bytes_ingress), (7, there.hash, 7));
    }

    #[test]
    fn what_an_earlier_version_may_have_sent_in_other_bytes_is_not_sent_again() {
        let s = signer();
        let mut c = fresh();
        for n in 0..2 {
            c.add(W + 300 * n, 1 << n, 0);
        }
        c.seal_due(W + 600);
        let mut c = Chain::restore(c.image().state, None, true, None);
        let dropped = c.on_head(Head { seq: 1, hash: Some(Hash::of(b"other bytes")) }, &s.0, s.1, ID);
        assert_eq!((dropped.windows, dropped.sums.ingress), (1, 1), "only the oldest can have left before the restart");
        assert_eq!(s.all(&mut c).iter().map(|b| (b.seq, b.bytes_ingress)).collect::<Vec<_>>(), [(2, 2)]);
    }

    #[test]
    fn a_refused_bundle_leaves_and_the_next_takes_its_number() {
        let s = signer();
        let mut c = fresh();
        c.add(W, 1, 0);
        c.add(W + 300, 2, 0);
        c.seal_due(W + 600);
        assert_eq!(c.refused(1), None, "nothing was handed out");
        s.next(&mut c).unwrap();
        assert_eq!(c.refused(2), None);
        assert_eq!(c.refused(1).map(|gone| gone.sums().ingress), Some(1));
        assert_eq!(s.all(&mut c).iter().map(|b| (b.seq, b.bytes_ingress)).collect::<Vec<_>>(), [(1, 2)]);
    }

    #[test]
    fn past_its_bound_the_oldest_that_is_not_on_its_way_is_lost_and_stated() {
        let s = signer();
        let mut c = fresh();
        c.add(W, 1, 0);
        c.seal_due(W + 300);
        s.next(&mut c).unwrap();
        for n in 1..=MOST_SEALED as u64 + 1 {
            c.add(W + 300 * n, 1, 0);
        }
        c.seal_due(u64::MAX);
        assert_eq!(c.spooled(), MOST_SEALED);
        let bundles = s.all(&mut c);
        assert_eq!(spans(&bundles)[..2], [(0, 300, 1), (900, 1200, 1)]);
        assert_eq!(bundles[1].gap, Some(("2025-12-19T14:05:00Z".into(), "2025-12-19T14:15:00Z".into())));
    }

    #[test]
    fn bundles_of_whole_windows_are_spread_and_others_leave_at_once() {
        let mut c = fresh();
        c.add(W, 1, 0);
        assert_eq!(c.send_at(30, W + 1000), None);
        c.seal_due(W + 300);
        assert_eq!(c.send_at(30, W + 1000), Some(W + 330));
        assert_eq!(c.send_at(30, W + 299), Some(W + 299), "the clock was set back: it does not wait for its end to come again");
        let mut c = fresh();
        c.add(W, 1, 0);
        c.seal(W + 70, true);
        assert_eq!(c.send_at(30, W + 1000), Some(W + 71));
    }
}
