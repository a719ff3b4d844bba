//! Who gets the next bytes, pure: a fair queue over sessions, in front of one global bucket.
//!
//! A tunnel waits first for its session's bucket, then for the global one. Sessions with waiting tunnels stand in a ring
//! and each turn is worth one quantum of bytes; inside a session tunnels are served in the order they came. A turn is in
//! bytes, not in grants, so many small readers get no less than one large reader, and no more.

use std::collections::VecDeque;

use crate::core::Mono;
use crate::core::sorted::Sorted;
use crate::net::bucket::TokenBucket;

/// A turn at high rates: one pipe's or buffer's worth of work.
const QUANTUM_MOST: u64 = 64 * 1024;
/// A turn at low rates: a full TCP segment, less is all overhead.
const QUANTUM_LEAST: u64 = 1460;
/// One round over all sessions should take about a hundredth of a second. All, not those in the ring: a session of one
/// tunnel leaves the ring with each grant, and its neighbour's turn must not grow by that.
const ROUNDS_PER_SECOND: u64 = 100;

/// Names a session in the queue.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct ShareId(u64);

/// Names a waiting tunnel.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct WaiterId(u64);

/// Bytes granted to one who waited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Grant {
    pub(super) waiter: WaiterId,
    pub(super) bytes: u64,
}

#[derive(Debug)]
struct Share {
    bucket: TokenBucket,
    /// In the order they came. As many as the session has tunnels waiting, twice at most: 16 bytes each.
    waiting: VecDeque<(WaiterId, u64)>,
    /// Bytes left of its turn; kept while it is out of the ring, a turn at most.
    turn: u64,
}

/// The global bucket and the sessions before it.
#[derive(Debug)]
pub(super) struct Queue {
    global: TokenBucket,
    shares: Sorted<ShareId, Share>,
    /// Sessions with waiting tunnels; the front one has the turn.
    ring: VecDeque<ShareId>,
    next_id: u64,
}

impl Queue {
    pub(super) fn new(global: TokenBucket) -> Queue {
        Queue { global, shares: Sorted::new(), ring: VecDeque::new(), next_id: 0 }
    }

    pub(super) fn open(&mut self, bucket: TokenBucket) -> ShareId {
        let id = ShareId(self.id());
        self.shares.insert(id, Share { bucket, waiting: VecDeque::new(), turn: 0 });
        id
    }

    pub(super) fn close(&mut self, id: ShareId) {
        self.shares.remove(&id);
        self.ring.retain(|s| *s != id);
    }

    /// Grants at once where nobody waits and both buckets have something.
    pub(super) fn take_now(&mut self, id: ShareId, want: u64, now: Mono) -> Option<u64> {
        let share = self.shares.get_mut(&id)?;
        if !self.ring.is_empty() {
            return None;
        }
        let there = want.min(share.bucket.available(now)).min(self.global.available(now));
        // A crumb is worth no system call, unless it is all that is wanted.
        if there < want.min(QUANTUM_LEAST).min(share.bucket.burst()).min(self.global.burst()) {
            return None;
        }
        share.bucket.take(now, there);
        self.global.take(now, there);
        Some(there)
    }

    /// Stands in line for up to `want` bytes; `None` where the session is gone.
    pub(super) fn wait(&mut self, id: ShareId, want: u64) -> Option<WaiterId> {
        let waiter = WaiterId(self.id());
        let turn = self.turn();
        let share = self.shares.get_mut(&id)?;
        if share.waiting.is_empty() {
            // A session of one tunnel leaves the ring with each grant, to move what it got. Where that was less than its
            // turn it goes on with the turn: else one that takes its bytes in small pieces would get a piece a round.
            if share.turn >= QUANTUM_LEAST {
                self.ring.push_front(id);
            } else {
                self.ring.push_back(id);
                share.turn += turn;
            }
        }
        share.waiting.push_back((waiter, want.max(1)));
        Some(waiter)
    }

    /// Leaves the line.
    pub(super) fn leave(&mut self, id: ShareId, waiter: WaiterId) {
        let Some(share) = self.shares.get_mut(&id) else { return };
        share.waiting.retain(|(w, _)| *w != waiter);
        if share.waiting.is_empty() {
            self.ring.retain(|s| *s != id);
        }
    }

    /// Returns what was granted and not used.
    pub(super) fn give_back(&mut self, id: ShareId, bytes: u64) {
        self.global.give_back(bytes);
        if let Some(share) = self.shares.get_mut(&id) {
            share.bucket.give_back(bytes);
        }
    }

    pub(super) fn set_global(&mut self, now: Mono, rate: u64, burst: u64) {
        self.global.set_rate(now, rate, burst);
    }

    pub(super) fn set_share(&mut self, id: ShareId, now: Mono, rate: u64, burst: u64) {
        if let Some(share) = self.shares.get_mut(&id) {
            share.bucket.set_rate(now, rate, burst);
        }
    }

    /// The first in line, who keeps the timer when nobody else does.
    pub(super) fn head(&self) -> Option<WaiterId> {
        let share = self.shares.get(self.ring.front()?)?;
        share.waiting.front().map(|(w, _)| *w)
    }

    /// Serves whom the buckets can serve at `now`, into `grants`, and tells when to come back: `None` where nobody waits, or
    /// nothing will come at these rates.
    pub(super) fn serve(&mut self, now: Mono, grants: &mut Vec<Grant>) -> Option<Mono> {
        let mut next: Option<Mono> = None;
        let mut earlier = |at: Option<Mono>| next = [next, at].into_iter().flatten().min();
        // Sessions passed over since the last grant: after a whole round of them there is nothing to do.
        let mut passed = 0;
        let turn = self.turn();
        while passed < self.ring.len() {
            let Some(id) = self.ring.front().copied() else { break };
            let Some(share) = self.shares.get_mut(&id) else { break };
            let Some(&(waiter, want)) = share.waiting.front() else { break };
            // A low rate of its own makes smaller portions. Half a burst at most: while one waits for a whole one, the bucket
            // is full and loses what it earns.
            let burst = share.bucket.burst().min(self.global.burst()).div_ceil(2);
            let portion = want.min(share.turn).min(quantum(share.bucket.rate(), 1)).min(burst);
            if share.bucket.available(now) < portion {
                earlier(share.bucket.next_at(now, portion));
                share.turn = turn;
                self.ring.rotate_left(1);
                passed += 1;
                continue;
            }
            if self.global.available(now) < portion {
                // The turn stays: who is first now is first when the bytes are there.
                earlier(self.global.next_at(now, portion));
                break;
            }
            share.bucket.take(now, portion);
            self.global.take(now, portion);
            grants.push(Grant { waiter, bytes: portion });
            passed = 0;
            share.waiting.pop_front();
            share.turn -= portion;
            match share.waiting.front() {
                None => {
                    self.ring.pop_front();
                }
                // What is left is too small to be worth a system call: it is carried on to the next turn.
                Some((_, want)) if share.turn < QUANTUM_LEAST.min(*want) => {
                    share.turn += turn;
                    self.ring.rotate_left(1);
                }
                Some(_) => {}
            }
        }
        next
    }

    fn turn(&self) -> u64 {
        quantum(self.global.rate(), self.shares.len())
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}

/// Bytes of one turn, so that a round over `sessions` takes about 10 ms.
fn quantum(rate: u64, sessions: usize) -> u64 {
    (rate / ROUNDS_PER_SECOND / (sessions.max(1) as u64)).clamp(QUANTUM_LEAST, QUANTUM_MOST)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Tunnels that always want more, over `millis` of a test clock: bytes granted per tunnel.
    struct Load {
        queue: Queue,
        /// Session, what it wants each time, what it got.
        tunnels: Vec<(ShareId, u64, u64)>,
        waiting: BTreeMap<WaiterId, usize>,
        now: Mono,
    }

    impl Load {
        fn new(rate: u64, burst: u64) -> Load {
            let queue = Queue::new(TokenBucket::new(Mono(0), rate, burst));
            Load { queue, tunnels: Vec::new(), waiting: BTreeMap::new(), now: Mono(0) }
        }

        fn session(&mut self, rate: u64, burst: u64, wants: &[u64]) -> ShareId {
            let id = self.queue.open(TokenBucket::new(self.now, rate, burst));
            for want in wants {
                let waiter = self.queue.wait(id, *want).unwrap();
                self.waiting.insert(waiter, self.tunnels.len());
                self.tunnels.push((id, *want, 0));
            }
            id
        }

        fn run(&mut self, millis: u64) {
            let end = self.now.0 + millis;
            let mut grants = Vec::new();
            while self.now.0 < end {
                let next = self.queue.serve(self.now, &mut grants);
                if grants.is_empty() {
                    let Some(next) = next else { break };
                    assert!(next > self.now, "a time that has come must bring something");
                    self.now = next;
                }
                for Grant { waiter, bytes } in grants.drain(..) {
                    let tunnel = self.waiting.remove(&waiter).unwrap();
                    let (id, want, got) = &mut self.tunnels[tunnel];
                    assert!(bytes >= 1 && bytes <= *want);
                    *got += bytes;
                    let again = self.queue.wait(*id, *want).unwrap();
                    self.waiting.insert(again, tunnel);
                }
            }
            self.now = Mono(end);
        }

        fn got(&self, id: ShareId) -> u64 {
            self.tunnels.iter().filter(|(s, ..)| *s == id).map(|(.., got)| got).sum()
        }
    }

    /// Fast enough that it never binds, finite so that serving ends.
    const FREE: u64 = 1 << 40;

    #[test]
    fn sessions_share_one_to_one_whatever_they_ask_for() {
        // While a burst lasts there is enough for everyone; the shares begin where it ends.
        let mut load = Load::new(1_250_000, 100_000);
        let few = load.session(FREE, FREE, &[256 * 1024]);
        let many = load.session(FREE, FREE, &[1000; 100]);
        load.run(60_000);
        let (few, many) = (load.got(few), load.got(many));
        assert!(few.abs_diff(many) <= few / 100, "{few} and {many}");
        let earned = 100_000 + 60 * 1_250_000;
        assert!(few + many <= earned && few + many >= earned - QUANTUM_MOST, "{few} + {many} of {earned}");
    }

    #[test]
    fn tunnels_of_a_session_share_and_none_starves() {
        let mut load = Load::new(1_250_000, 100_000);
        load.session(FREE, FREE, &[64 * 1024; 20]);
        load.run(20_000);
        let got: Vec<u64> = load.tunnels.iter().map(|t| t.2).collect();
        let (least, most) = (got.iter().min().unwrap(), got.iter().max().unwrap());
        assert!(*least > 0 && most - least <= 2 * QUANTUM_MOST, "{got:?}");
    }

    #[test]
    fn a_session_at_its_own_limit_leaves_the_rest_to_others() {
        let mut load = Load::new(1_250_000, 10_000);
        let slow = load.session(12_500, 2_000, &[64 * 1024; 4]);
        let fast = load.session(FREE, FREE, &[64 * 1024]);
        load.run(100_000);
        let (slow, fast) = (load.got(slow), load.got(fast));
        assert!((1_240_000..=1_252_000).contains(&slow), "{slow}");
        assert!(fast >= 123_600_000, "{fast}");
    }

    #[test]
    fn a_lower_rate_binds_those_who_already_wait() {
        let mut load = Load::new(1_250_000, 10_000);
        let id = load.session(FREE, FREE, &[64 * 1024; 3]);
        load.run(1_000);
        let before = load.got(id);
        load.queue.set_global(load.now, 1_000, 10_000);
        load.run(10_000);
        let after = load.got(id) - before;
        assert!((8_000..=20_000).contains(&after), "{after}");
        load.queue.set_global(load.now, 0, 10_000);
        let mut grants = Vec::new();
        load.queue.serve(load.now, &mut grants);
        grants.clear();
        assert_eq!((load.queue.serve(Mono(load.now.0 + 60_000), &mut grants), grants.len()), (None, 0));
    }

    #[test]
    fn who_leaves_is_not_served_and_blocks_nobody() {
        let mut queue = Queue::new(TokenBucket::new(Mono(0), 1000, 1000));
        let (a, b) = (queue.open(TokenBucket::new(Mono(0), FREE, FREE)), queue.open(TokenBucket::new(Mono(0), FREE, FREE)));
        let first = queue.wait(a, 500).unwrap();
        let second = queue.wait(b, 500).unwrap();
        assert_eq!(queue.head(), Some(first));
        queue.leave(a, first);
        assert_eq!(queue.head(), Some(second));
        let mut grants = Vec::new();
        assert_eq!(queue.serve(Mono(0), &mut grants), None);
        assert_eq!(grants, [Grant { waiter: second, bytes: 500 }]);
        queue.close(b);
        assert_eq!(queue.wait(b, 1), None);
        assert_eq!(queue.take_now(a, 500, Mono(0)), Some(500));
        queue.give_back(a, 500);
        assert_eq!(queue.take_now(a, 500, Mono(0)), Some(500));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn all_together_get_what_the_rate_gives_and_each_its_part(
            rate in 2_000u64..50_000_000, burst in 1u64..500_000,
            sessions in proptest::collection::vec(proptest::collection::vec(1u64..300_000, 1..8), 1..6),
        ) {
            let mut load = Load::new(rate, burst);
            let ids: Vec<ShareId> = sessions.iter().map(|wants| load.session(FREE, FREE, wants)).collect();
            load.run(2_000);
            let got: Vec<u64> = ids.iter().map(|id| load.got(*id)).collect();
            let all: u64 = got.iter().sum();
            prop_assert!(all <= burst + rate * 2);
            // A burst smaller than what a millisecond earns is itself the limit.
            if burst >= rate / 250 {
                prop_assert!(all + QUANTUM_MOST >= rate * 2, "{} of {}", all, rate * 2);
            }
        }
    }
}
