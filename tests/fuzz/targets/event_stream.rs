//! The stream of events, signed as a coordinator would: any order of numbers, kinds, addressees and streams.
#![no_main]

use echomesh::codec::NodeId;
use echomesh::codec::envelope::{COORDINATOR_SIG, context, sign};
use echomesh::coordinator::client::Keyring;
use echomesh::coordinator::client::stream::Position;
use echomesh::coordinator::wire::{Control, EventKind};
use ed25519_dalek::SigningKey;
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|bytes: &[u8]| {
    let (ours, other) = (SigningKey::from_bytes(&[2; 32]), SigningKey::from_bytes(&[3; 32]));
    let node = NodeId::from(&SigningKey::from_bytes(&[1; 32]).verifying_key());
    let keys = Keyring::new(&[NodeId::from(&ours.verifying_key())], &[]);
    let mut position = Position::default();
    for answer in bytes.chunks(8) {
        let stream = if answer[0] & 1 == 0 { "a" } else { "b" };
        let events = answer[1..].iter().map(|&byte| {
            let seq = u64::from(byte >> 4);
            let mut event = match byte & 3 {
                0 => json!({"kind": "snapshot", "sessions": []}),
                1 => json!({"kind": "close", "session": {"sessionId": "x"}}),
                2 => json!({"kind": "keys", "keys": [NodeId::from(&other.verifying_key())]}),
                _ => json!({"kind": "dance"}),
            };
            event["seq"] = seq.into();
            event["nodeId"] = json!(if byte & 4 == 0 { node } else { NodeId::from(&other.verifying_key()) });
            event["issuedAt"] = "2026-01-01T00:00:00Z".into();
            let key = if byte & 8 == 0 { &ours } else { &other };
            if let Some(object) = event.as_object_mut() {
                sign(object, COORDINATOR_SIG, context::SESSION_EVENT, key);
            }
            event
        });
        let before = position.clone();
        let taken = position.take(Control { stream: stream.into(), events: events.collect() }, node, &keys);
        let mut last = (before.stream.as_deref() == Some(stream)).then_some(before.seq);
        for event in &taken.events {
            assert_eq!(event.node_id, node);
            // In order and without a gap, but for snapshots, which begin anew.
            match (&event.kind, last) {
                (EventKind::Snapshot { .. }, last) => assert!(last.is_none_or(|last| event.seq >= last)),
                (_, last) => assert_eq!(last.map(|last| last + 1), Some(event.seq)),
            }
            last = Some(event.seq);
        }
        assert!(!taken.lost() || position == Position::default());
    }
});
