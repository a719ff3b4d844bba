//! Where the node stands in its stream of events, and which events of an answer it takes. Pure.

use super::fault::Fault;
use super::keyring::Keyring;
use super::verify;
use crate::codec::envelope::context;
use crate::codec::{NodeId, json};
use crate::coordinator::wire::{Control, EventKind, SessionEvent};

/// Longest stream id taken.
const MAX_STREAM: usize = 64;
/// What a cold start names: a stream no coordinator has, so that it answers with a snapshot.
const COLD: &str = "none:0";

/// A position in the node's event stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// `None` = cold: a snapshot must come first.
    pub stream: Option<String>,
    /// Seq of the last event taken.
    pub seq: u64,
}

/// What came of one answer.
#[derive(Debug, Default)]
pub struct Taken {
    /// Verified, for this node, contiguous; in order.
    pub events: Vec<SessionEvent>,
    /// What was dropped, and why.
    pub faults: Vec<Fault>,
}

impl Taken {
    /// Whether the position was given up.
    pub fn lost(&self) -> bool {
        self.faults.iter().any(|f| matches!(f, Fault::Gap))
    }
}

impl Position {
    /// `since=` of the next poll.
    pub fn since(&self) -> String {
        match &self.stream {
            Some(stream) if named(stream) => format!("{stream}:{}", self.seq),
            _ => COLD.to_owned(),
        }
    }

    /// Takes what can be believed of `control` and moves on; on a gap the position becomes cold.
    ///
    /// A verified `keys` event counts at once: what follows it in the same answer may be signed by a successor.
    pub fn take(&mut self, control: Control, node_id: NodeId, keys: &Keyring) -> Taken {
        let mut taken = Taken::default();
        let Control { stream, events } = control;
        if !named(&stream) {
            taken.faults.push(Fault::Malformed);
            self.lose(&mut taken);
            return taken;
        }
        for tree in events {
            let event = match read(tree, node_id, keys) {
                Ok(event) => event,
                Err(fault) => {
                    // Its place stays empty: whatever follows it shows the gap.
                    taken.faults.push(fault);
                    continue;
                }
            };
            let known = self.stream.as_deref() == Some(&stream);
            match event.kind {
                EventKind::Snapshot { .. } if !known || event.seq >= self.seq => self.stream = Some(stream.clone()),
                _ if known && event.seq <= self.seq => {
                    taken.faults.push(Fault::Stale);
                    continue;
                }
                _ if known && event.seq == self.seq + 1 => {}
                _ => {
                    self.lose(&mut taken);
                    return taken;
                }
            }
            if let EventKind::Keys { keys: successors } = &event.kind {
                keys.succeed(successors);
            }
            self.seq = event.seq;
            taken.events.push(event);
        }
        // No event led into the stream that answered, or the last ones could not be read: both are a gap.
        let unread = taken.faults.iter().any(|f| !matches!(f, Fault::Stale));
        if unread || self.stream.as_deref() != Some(&stream) {
            self.lose(&mut taken);
        }
        taken
    }

    fn lose(&mut self, taken: &mut Taken) {
        *self = Position::default();
        taken.faults.push(Fault::Gap);
    }
}

fn read(tree: serde_json::Value, node_id: NodeId, keys: &Keyring) -> Result<SessionEvent, Fault> {
    verify::object(&tree, context::SESSION_EVENT, node_id, &keys.all())?;
    json::read(&tree).map_err(|_| Fault::Malformed)
}

/// Stream ids stand in a URL and in a journal: a plain name, or it is none.
fn named(stream: &str) -> bool {
    (1..=MAX_STREAM).contains(&stream.len()) && stream.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::codec::envelope::{COORDINATOR_SIG, sign};

    fn key(n: u8) -> SigningKey {
        SigningKey::from_bytes(&[n; 32])
    }

    fn id(n: u8) -> NodeId {
        NodeId::from(&key(n).verifying_key())
    }

    /// Node 1, coordinator 2.
    fn ring() -> Keyring {
        Keyring::new(&[id(2)], &[])
    }

    fn event(signer: u8, node: u8, seq: u64, kind: &str, rest: Value) -> Value {
        let mut tree = json!({"seq": seq, "nodeId": id(node).to_string(), "kind": kind, "issuedAt": "2025-12-19T14:00:00Z"});
        let map = tree.as_object_mut().unwrap();
        map.extend(rest.as_object().unwrap().clone());
        sign(map, COORDINATOR_SIG, context::SESSION_EVENT, &key(signer));
        tree
    }

    fn snapshot(seq: u64) -> Value {
        event(2, 1, seq, "snapshot", json!({"sessions": []}))
    }

    fn close(seq: u64) -> Value {
        event(2, 1, seq, "close", json!({"session": {"sessionId": "a"}}))
    }

    fn at(stream: &str, seq: u64) -> Position {
        Position { stream: Some(stream.into()), seq }
    }

    fn take(position: &mut Position, stream: &str, events: Vec<Value>) -> (Vec<u64>, Vec<Fault>) {
        let taken = position.take(Control { stream: stream.into(), events }, id(1), &ring());
        (taken.events.iter().map(|e| e.seq).collect(), taken.faults)
    }

    #[test]
    fn a_cold_start_begins_with_a_snapshot_and_goes_on_without_a_gap() {
        let mut position = Position::default();
        assert_eq!(position.since(), "none:0");
        assert_eq!(take(&mut position, "s1", vec![snapshot(7), close(8)]), (vec![7, 8], vec![]));
        assert_eq!(position.since(), "s1:8");
        assert_eq!(take(&mut position, "s1", vec![]), (vec![], vec![]));
        assert_eq!(take(&mut position, "s1", vec![close(9), close(9), close(10)]), (vec![9, 10], vec![Fault::Stale]));
        assert_eq!(position, at("s1", 10));
    }

    #[test]
    fn a_gap_or_another_stream_without_snapshot_means_cold() {
        for (stream, events) in
            [("s1", vec![close(7)]), ("s1", vec![close(6), close(8)]), ("s2", vec![close(6)]), ("s2", vec![]), ("s1", vec![snapshot(4), close(9)])]
        {
            let mut position = at("s1", 5);
            let (_, faults) = take(&mut position, stream, events);
            assert_eq!(faults.last(), Some(&Fault::Gap));
            assert_eq!(position, Position::default());
        }
        let mut cold = Position::default();
        assert_eq!(take(&mut cold, "s1", vec![close(1)]), (vec![], vec![Fault::Gap]));
        assert_eq!(take(&mut cold, "no:good", vec![snapshot(1)]), (vec![], vec![Fault::Malformed, Fault::Gap]));
        let mut other = at("s1", 5);
        assert_eq!(take(&mut other, "s2", vec![snapshot(1), close(2)]), (vec![1, 2], vec![]));
        assert_eq!(other, at("s2", 2));
    }

    #[test]
    fn what_is_forged_or_for_another_node_is_dropped_and_its_place_missed() {
        let forged = event(3, 1, 6, "close", json!({"session": {"sessionId": "a"}}));
        let elsewhere = event(2, 4, 6, "close", json!({"session": {"sessionId": "a"}}));
        let odd = event(2, 1, 6, "dance", json!({}));
        for (bad, fault) in [(forged, Fault::BadObject), (elsewhere, Fault::Addressee), (odd, Fault::Malformed)] {
            let mut position = at("s1", 5);
            assert_eq!(take(&mut position, "s1", vec![bad.clone(), close(7)]), (vec![], vec![fault, Fault::Gap]));
            assert_eq!(position, Position::default());
            position = at("s1", 5);
            assert_eq!(take(&mut position, "s1", vec![bad]), (vec![], vec![fault, Fault::Gap]));
        }
    }

    #[test]
    fn successor_keys_count_from_their_event_on() {
        let ring = ring();
        let mut position = at("s1", 5);
        let new = event(3, 1, 7, "close", json!({"session": {"sessionId": "a"}}));
        let named = event(2, 1, 6, "keys", json!({"keys": [id(3).to_string()]}));
        let taken = position.take(Control { stream: "s1".into(), events: vec![named, new] }, id(1), &ring);
        assert_eq!(taken.events.len(), 2);
        assert!(taken.faults.is_empty());
        assert_eq!(ring.all().len(), 2);
    }

    #[test]
    fn the_last_seq_there_is_does_not_overflow() {
        let mut position = at("s1", u64::MAX);
        let (events, faults) = take(&mut position, "s1", vec![close(1)]);
        assert_eq!((events, faults), (vec![], vec![Fault::Stale]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Whatever comes in whatever order: what is taken is contiguous, but for snapshots.
        #[test]
        fn what_is_taken_is_contiguous(seqs in prop::collection::vec((1u64..12, 0u8..4), 0..12), start in 0u64..10) {
            let mut position = at("s1", start);
            let events = seqs.into_iter().map(|(seq, kind)| match kind {
                0 => snapshot(seq),
                1 => event(3, 1, seq, "close", json!({"session": {"sessionId": "a"}})),
                _ => close(seq),
            }).collect();
            let taken = position.take(Control { stream: "s1".into(), events }, id(1), &ring());
            let mut last = start;
            for e in &taken.events {
                if matches!(e.kind, EventKind::Snapshot { .. }) { prop_assert!(e.seq >= last) } else { prop_assert_eq!(e.seq, last + 1) }
                last = e.seq;
            }
            prop_assert_eq!(position, if taken.lost() { Position::default() } else { at("s1", last) });
        }
    }
}
