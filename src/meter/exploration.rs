//! Every short story of node, journal and coordinator: bytes counted, windows sealed, acknowledgements lost, the node
//! killed, the power cut. After each, no byte is counted twice, and only what a crash may cost is missing.
//!
//! The n-th byte count is 4ⁿ, so that the sum of accepted bundles shows, digit by digit, how often each was counted.

use std::collections::{BTreeSet, HashSet};

use ed25519_dalek::SigningKey;
use proptest::prelude::*;

use super::bundle::{Bundle, Head};
use super::ledger::{Acked, Ledger};
use super::restore::{self, Stamp};
use super::sealed::Signed;
use crate::codec::{Hash, NodeId, json};

const ID: &str = "c2b9f8c8-0000-4000-8000-000000000001";
const START: u64 = 1_766_152_800;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Add,
    Seal,
    Commit,
    Flash,
    SendAcked,
    SendAckLost,
    /// Leaves the node, and arrives only at [`Op::Arrive`], its answer lost.
    SendSlow,
    Arrive,
    Refused,
    HeadSync,
    Kill,
    PowerCut,
    Goodbye,
    /// A goodbye, and a version that writes the same window in other bytes (here by another key).
    Upgrade,
}

const OPS: [Op; 14] = [
    Op::Add,
    Op::Seal,
    Op::Commit,
    Op::Flash,
    Op::SendAcked,
    Op::SendAckLost,
    Op::SendSlow,
    Op::Arrive,
    Op::Refused,
    Op::HeadSync,
    Op::Kill,
    Op::PowerCut,
    Op::Goodbye,
    Op::Upgrade,
];

/// The coordinator's side of one chain.
#[derive(Clone, Debug)]
struct Coordinator {
    head: Head,
    bytes: u64,
    /// What it refused once it refuses for good.
    refused: BTreeSet<Hash>,
}

enum Judged {
    Ack,
    Conflict,
    Refused,
}

impl Coordinator {
    fn judge(&mut self, signed: &Signed) -> Judged {
        let bundle: Bundle = json::from_slice(&signed.body).unwrap();
        assert_eq!((bundle.seq, Hash::of(&signed.body)), (signed.seq, signed.hash));
        let here = Head { seq: signed.seq, hash: Some(signed.hash) };
        if here == self.head {
            return Judged::Ack; // the same again
        }
        if self.refused.contains(&signed.hash) {
            return Judged::Refused;
        }
        if bundle.seq != self.head.seq + 1 || bundle.prev_hash != self.head.hash {
            return Judged::Conflict;
        }
        self.head = here;
        self.bytes += bundle.bytes_ingress;
        Judged::Ack
    }

    fn counted(&self, digit: u32) -> u64 {
        self.bytes >> (2 * digit) & 3
    }
}

#[derive(Clone)]
struct World {
    now: u64,
    ledger: Ledger,
    run: Vec<u8>,
    flash: Vec<u8>,
    generation: u64,
    /// The next write of the run folder's copy is a snapshot.
    anew: bool,
    coordinator: Coordinator,
    slow: Option<Signed>,
    adds: u32,
    /// Of the node's software: which key it signs with.
    version: usize,
    /// It changed once: the coordinator's head may name bytes that no one can make again.
    upgraded: bool,
    /// Digits that only memory holds; that the run folder's copy holds, but not flash; that a crash or a refusal may
    /// have cost.
    fresh: BTreeSet<u32>,
    run_only: BTreeSet<u32>,
    excused: BTreeSet<u32>,
    /// A refusal that flash does not know of.
    refusal_not_on_flash: bool,
    /// Flash was written after a power cut and before the coordinator was heard.
    flash_is_unsure: bool,
}

struct Node {
    keys: [SigningKey; 2],
    id: NodeId,
}

impl Node {
    fn new() -> Node {
        let keys = [5, 6].map(|n| SigningKey::from_bytes(&[n; 32]));
        Node { id: NodeId::from(&keys[0].verifying_key()), keys }
    }
}

impl World {
    fn new() -> World {
        let mut ledger = Ledger::new();
        ledger.open(ID, b"definition".to_vec(), START).unwrap();
        let mut world = World {
            now: START + 10,
            ledger,
            run: Vec::new(),
            flash: Vec::new(),
            generation: 0,
            anew: true,
            coordinator: Coordinator { head: Head::NONE, bytes: 0, refused: BTreeSet::new() },
            slow: None,
            adds: 0,
            version: 0,
            upgraded: false,
            fresh: BTreeSet::new(),
            run_only: BTreeSet::new(),
            excused: BTreeSet::new(),
            refusal_not_on_flash: false,
            flash_is_unsure: false,
        };
        world.flash(false);
        world
    }

    fn stamp(&self, clean: bool) -> Stamp {
        Stamp { generation: self.generation, unix: self.now, clean }
    }

    fn commit(&mut self) {
        self.generation += 1;
        if std::mem::take(&mut self.anew) {
            self.run = restore::encode(self.stamp(false), true, self.ledger.snapshot());
        } else {
            self.run.extend(restore::encode(self.stamp(false), false, self.ledger.delta()));
        }
        self.ledger.journaled();
        self.run_only.append(&mut self.fresh);
    }

    fn flash(&mut self, clean: bool) {
        self.commit();
        self.flash = restore::encode(self.stamp(clean), true, self.ledger.snapshot());
        if clean {
            self.run = self.flash.clone();
        }
        self.run_only.clear();
        self.refusal_not_on_flash = false;
        self.flash_is_unsure = self.ledger.session(ID).unwrap().is_unsure();
    }

    fn restart(&mut self) {
        self.now += 1;
        let (ledger, restored) = restore::choose(restore::read(&self.run), restore::read(&self.flash), self.now);
        assert!(restored.source != restore::Source::Fresh);
        self.ledger = ledger;
        // The files stay as they are until the next write: a second crash finds the same.
        self.anew = true;
        if restored.clean {
            self.flash(false); // as `Journal::open` does
        }
    }

    fn sync(&mut self, node: &Node) {
        self.ledger.on_head(ID, self.coordinator.head, &node.keys[self.version], node.id);
    }

    fn send(&mut self, node: &Node) -> Option<Signed> {
        self.ledger.next_bundle(ID, &node.keys[self.version], node.id)
    }

    /// The coordinator judges `signed`, and the node hears it.
    fn answer(&mut self, signed: &Signed, node: &Node) {
        match self.coordinator.judge(signed) {
            Judged::Ack => assert_ne!(self.ledger.acked(ID, signed.seq, signed.hash, Vec::new()), Acked::Unknown),
            Judged::Conflict => self.sync(node),
            Judged::Refused => {
                self.excused.extend(World::digits_of(signed));
                self.ledger.refused(ID, signed.seq, "no").unwrap();
                self.refusal_not_on_flash = true;
            }
        }
    }

    fn digits_of(signed: &Signed) -> impl Iterator<Item = u32> {
        let bundle: Bundle = json::from_slice(&signed.body).unwrap();
        (0..32).filter(move |d| bundle.bytes_ingress >> (2 * d) & 3 > 0)
    }

    /// Does `op`; `false` where there is nothing to do.
    fn step(&mut self, op: Op, node: &Node) -> bool {
        match op {
            Op::Add => {
                self.ledger.add(ID, self.now, 1 << (2 * self.adds), 0);
                self.fresh.insert(self.adds);
                self.adds += 1;
            }
            Op::Seal => {
                if self.ledger.next_seal().is_none() {
                    return false;
                }
                self.now += 300;
                self.ledger.seal_due(self.now);
            }
            Op::Commit => {
                if !self.ledger.is_dirty() {
                    return false;
                }
                self.commit();
            }
            Op::Flash => {
                if self.run_only.is_empty() && !self.ledger.is_dirty() {
                    return false;
                }
                self.flash(false);
            }
            Op::SendAcked => {
                let Some(signed) = self.send(node) else { return false };
                self.answer(&signed, node);
            }
            Op::SendAckLost => {
                let Some(signed) = self.send(node) else { return false };
                return matches!(self.coordinator.judge(&signed), Judged::Ack);
            }
            Op::SendSlow => {
                if self.slow.is_some() {
                    return false;
                }
                self.slow = self.send(node);
                return self.slow.is_some();
            }
            Op::Arrive => {
                let Some(signed) = self.slow.take() else { return false };
                return matches!(self.coordinator.judge(&signed), Judged::Ack);
            }
            Op::Refused => {
                let Some(signed) = self.send(node) else { return false };
                if signed.seq != self.coordinator.head.seq + 1 {
                    return false; // it would be a conflict
                }
                self.coordinator.refused.insert(signed.hash);
                self.slow = None; // whatever is on its way says the same, perhaps in other bytes
                self.answer(&signed, node);
            }
            Op::HeadSync => {
                if self.ledger.session(ID).unwrap().head() == self.coordinator.head {
                    return false;
                }
                self.sync(node);
            }
            Op::Kill => {
                self.excused.append(&mut self.fresh);
                self.restart();
            }
            Op::PowerCut => {
                self.run.clear();
                self.excused.append(&mut self.fresh);
                self.excused.append(&mut self.run_only);
                if self.refusal_not_on_flash || self.upgraded || self.flash_is_unsure {
                    self.excused.extend(0..self.adds);
                }
                self.restart();
            }
            Op::Goodbye | Op::Upgrade => {
                // Not while an older copy was restored and nothing was heard of the coordinator yet, which ends with
                // its first answer.
                let unsure = self.ledger.session(ID).unwrap().is_unsure();
                if op == Op::Upgrade {
                    if unsure {
                        return false;
                    }
                    (self.version, self.upgraded) = (1 - self.version, true);
                }
                self.ledger.seal_all(self.now);
                self.flash(true);
                self.restart();
            }
        }
        true
    }

    /// The session ends and everything that can be delivered is.
    fn settle(mut self, node: &Node, story: &[Op]) {
        self.ledger.finish(ID, self.now);
        if let Some(late) = self.slow.take() {
            self.coordinator.judge(&late);
        }
        for _ in 0..12 {
            self.commit();
            let Some(signed) = self.send(node) else { break };
            self.answer(&signed, node);
        }
        assert!(self.ledger.session(ID).is_none(), "not settled: {story:?}");
        for digit in 0..self.adds {
            let times = self.coordinator.counted(digit);
            assert!(times <= 1, "add {digit} counted {times} times: {story:?}");
            assert!(times == 1 || self.excused.contains(&digit), "add {digit} lost: {story:?}");
        }
    }

    /// All that can make a difference to what follows.
    fn fingerprint(&self) -> Hash {
        let World {
            now,
            run,
            flash,
            anew,
            coordinator,
            slow,
            version,
            upgraded,
            fresh,
            run_only,
            excused,
            refusal_not_on_flash,
            flash_is_unsure,
            ..
        } = self;
        let chain = self.ledger.session(ID);
        let marks = (fresh, run_only, excused, refusal_not_on_flash, flash_is_unsure, anew, version, upgraded);
        Hash::of(format!("{:?}", (now, Hash::of(run), Hash::of(flash), coordinator, slow.as_ref().map(|s| s.hash), marks, chain)).as_bytes())
    }
}

/// Follows every story from `world` up to `depth` more steps; those that reach the same state are told once.
fn explore(world: &World, node: &Node, depth: usize, story: &mut Vec<Op>, seen: &mut HashSet<(usize, Hash)>, told: &mut usize) {
    *told += 1;
    world.clone().settle(node, story);
    if depth == 0 {
        return;
    }
    for op in OPS {
        let mut next = world.clone();
        if next.step(op, node) && seen.insert((depth, next.fingerprint())) {
            story.push(op);
            explore(&next, node, depth - 1, story, seen, told);
            story.pop();
        }
    }
}

fn stories(depth: usize) -> usize {
    let node = Node::new();
    let mut told = 0;
    explore(&World::new(), &node, depth, &mut Vec::new(), &mut HashSet::new(), &mut told);
    told
}

#[test]
fn no_byte_is_counted_twice_in_any_short_story() {
    assert!(stories(4) > 500);
}

#[test]
#[ignore = "takes two minutes"]
fn nor_in_a_longer_one() {
    assert!(stories(7) > 50_000);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]
    #[test]
    fn nor_in_a_long_one(ops in prop::collection::vec(prop::sample::select(&OPS[..]), 1..30)) {
        let node = Node::new();
        let mut world = World::new();
        for &op in &ops {
            if op != Op::Add || world.adds < 31 {
                world.step(op, &node);
            }
        }
        world.settle(&node, &ops);
    }
}
