//! That the limiter gives what was set, within 3 % over ten seconds of a test clock, and to each session its part:
//! at 0.5 to 200 Mbps, with 1, 8 and 64 tunnels a session, whatever pieces they take and however fast they move them.

use proptest::prelude::*;

use super::queue::{Grant, Queue, ShareId, WaiterId};
use crate::core::Mono;
use crate::net::bucket::TokenBucket;

const RATES_KBPS: [u64; 4] = [500, 5_000, 50_000, 200_000];
const TUNNELS: [usize; 3] = [1, 8, 64];
/// What a tunnel may ask for at once: a small reader, a TLS record, a buffer, a pipe.
const WANTS: [u64; 4] = [4_000, 16 * 1024, 64 * 1024, 255 * 1024];
const SECOND: u64 = 1_000;
/// A rate that never binds, finite so that serving ends.
const FREE: u64 = 1 << 40;

/// Tunnels that always have more to move.
struct Busy {
    queue: Queue,
    now: u64,
    tunnels: Vec<Tunnel>,
    /// Per session, bytes moved.
    moved: Vec<u64>,
    ids: Vec<ShareId>,
    /// Of each grant so many per cent are not used, and given back.
    unused_pct: u64,
}

struct Tunnel {
    session: usize,
    want: u64,
    /// Milliseconds it takes to move what it was granted.
    slow: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    MovingUntil(u64),
    Waiting(WaiterId),
}

impl Busy {
    fn new(kbps: u64, burst: u64) -> Busy {
        let queue = Queue::new(TokenBucket::new(Mono(0), kbps * 125, burst));
        Busy { queue, now: 0, tunnels: Vec::new(), moved: Vec::new(), ids: Vec::new(), unused_pct: 0 }
    }

    fn session(&mut self, rate: u64, burst: u64, tunnels: usize, want: u64, slow: u64) -> usize {
        let session = self.ids.len();
        self.ids.push(self.queue.open(TokenBucket::new(Mono(self.now), rate, burst)));
        self.moved.push(0);
        let tunnel = || Tunnel { session, want, slow, state: State::MovingUntil(0) };
        self.tunnels.extend(std::iter::repeat_with(tunnel).take(tunnels));
        session
    }

    fn run(&mut self, millis: u64) {
        for _ in 0..millis {
            self.step();
            self.now += 1;
        }
    }

    /// One millisecond: until nobody can be granted anything.
    fn step(&mut self) {
        let now = Mono(self.now);
        loop {
            let mut any = false;
            for i in 0..self.tunnels.len() {
                let State::MovingUntil(done) = self.tunnels[i].state else { continue };
                if done > self.now {
                    continue;
                }
                let (id, want) = (self.ids[self.tunnels[i].session], self.tunnels[i].want);
                match self.queue.take_now(id, want, now) {
                    Some(bytes) => self.granted(i, bytes),
                    None => self.tunnels[i].state = self.queue.wait(id, want).map(State::Waiting).unwrap(),
                }
                any = true;
            }
            let mut grants = Vec::new();
            self.queue.serve(now, &mut grants);
            for Grant { waiter, bytes } in grants {
                let i = self.tunnels.iter().position(|t| t.state == State::Waiting(waiter)).unwrap();
                self.granted(i, bytes);
                any = true;
            }
            if !any {
                return;
            }
        }
    }

    fn granted(&mut self, tunnel: usize, bytes: u64) {
        let t = &mut self.tunnels[tunnel];
        let unused = bytes * self.unused_pct / 100;
        self.moved[t.session] += bytes - unused;
        t.state = State::MovingUntil(self.now + t.slow);
        self.queue.give_back(self.ids[t.session], unused);
    }

    /// Bytes of each session in the ten seconds that follow, the bursts being used up.
    fn ten_seconds(&mut self) -> Vec<u64> {
        self.run(2 * SECOND);
        let before = self.moved.clone();
        self.run(10 * SECOND);
        self.moved.iter().zip(before).map(|(after, before)| after - before).collect()
    }
}

fn within_3_pct(got: u64, set: u64) -> bool {
    got.abs_diff(set) * 100 <= set * 3
}

#[test]
fn the_whole_is_what_was_set_and_sessions_share_it() {
    for kbps in RATES_KBPS {
        for (n, want) in WANTS.into_iter().enumerate() {
            for slow in [0, 1] {
                let mut busy = Busy::new(kbps, 1_000_000);
                for tunnels in TUNNELS {
                    busy.session(FREE, FREE, tunnels, want, slow);
                }
                // One that takes other pieces than the rest.
                busy.session(FREE, FREE, 1, WANTS[(n + 1) % WANTS.len()], slow);
                let got = busy.ten_seconds();
                let set = kbps * 1250;
                assert!(within_3_pct(got.iter().sum(), set), "{kbps} kbit/s, {want} bytes, {slow} ms: {got:?} of {set}");
                // Who waits is served once a millisecond: a single tunnel of small pieces can have no more than one in each.
                let bound = |want: u64, tunnels: usize| want * tunnels as u64 * 10 * SECOND;
                let bounds = [bound(want, 1), bound(want, 8), bound(want, 64), bound(WANTS[(n + 1) % WANTS.len()], 1)];
                if bounds.iter().all(|b| *b > set) {
                    assert!(got.iter().all(|g| within_3_pct(*g, set / 4)), "{kbps} kbit/s, {want} bytes, {slow} ms: {got:?} of {set} each a quarter");
                }
            }
        }
    }
}

#[test]
fn one_session_gets_all_of_it_with_any_number_of_tunnels() {
    for kbps in RATES_KBPS {
        for tunnels in TUNNELS {
            for unused_pct in [0, 40] {
                let mut busy = Busy::new(kbps, 4_000_000);
                busy.unused_pct = unused_pct;
                busy.session(FREE, FREE, tunnels, 64 * 1024, 0);
                let got = busy.ten_seconds();
                assert!(within_3_pct(got[0], kbps * 1250), "{kbps} kbit/s, {tunnels} tunnels, {unused_pct} % unused: {got:?}");
            }
        }
    }
}

#[test]
fn a_session_keeps_to_its_own_rate_beside_others() {
    let mut busy = Busy::new(200_000, 4_000_000);
    for kbps in [500, 5_000, 50_000] {
        busy.session(kbps * 125, 1_000_000, 8, 64 * 1024, 0);
    }
    busy.session(FREE, FREE, 64, 64 * 1024, 0);
    let got = busy.ten_seconds();
    for (got, kbps) in got.iter().zip([500, 5_000, 50_000, 144_500]) {
        assert!(within_3_pct(*got, kbps * 1250), "{kbps}: {got}");
    }
}

#[test]
fn a_burst_is_what_was_set() {
    for kbps in RATES_KBPS {
        for burst in [1_000_000, 4_000_000] {
            let mut busy = Busy::new(kbps, burst);
            busy.session(FREE, FREE, 8, 64 * 1024, 0);
            busy.run(10 * SECOND);
            assert!(within_3_pct(busy.moved[0], burst + kbps * 1250), "{kbps} kbit/s, {burst}: {}", busy.moved[0]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(6) })]

    #[test]
    fn any_mix_gets_all_of_it(
        kbps in 500u64..200_000, burst in 1_000_000u64..8_000_000, unused_pct in 0u64..60,
        sessions in prop::collection::vec((1usize..12, 1_460u64..300_000, 0u64..3), 1..6),
    ) {
        let mut busy = Busy::new(kbps, burst);
        busy.unused_pct = unused_pct;
        for (tunnels, want, slow) in &sessions {
            busy.session(FREE, FREE, *tunnels, *want, *slow);
        }
        let got: u64 = busy.ten_seconds().iter().sum();
        // What tunnels that take their time can move at most.
        let able: u64 = sessions.iter().map(|(n, want, slow)| if *slow == 0 { u64::MAX / 16 } else { *n as u64 * want * 10_000 / slow }).sum();
        if able / 4 > kbps * 1250 {
            prop_assert!(got * 100 >= kbps * 1250 * 97, "{} of {}", got, kbps * 1250);
        }
        let all: u64 = busy.moved.iter().sum();
        prop_assert!(all <= burst + kbps * 125 * 12, "{} in 12 s at {} kbit/s and a burst of {}", all, kbps, burst);
    }
}
