//! The coordinator's key is changed in two steps: a successor is made and told to every node under the key they know, and
//! once they have it, it signs.
//!
//! A node has the announcement when it asks for what follows it. That is known while this process lives; after a restart
//! every node gets it again with its snapshot.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::engine::{At, Engine, Refused, refused};
use super::keys::Keys;
use super::stream::What;
use crate::codec::NodeId;
use crate::identity::IdentityError;

/// What the operator does with the key.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(tag = "key", rename_all = "kebab-case")]
pub enum KeyCommand {
    /// Which keys there are, and which nodes have not heard of the successor.
    Show,
    /// Makes a successor and announces it.
    Rotate,
    /// The successor signs from now on.
    Switch {
        /// Even though nodes have not heard of it: they will need their owners.
        #[serde(default)]
        force: bool,
    },
}

impl KeyCommand {
    /// Whether it changes something.
    pub const fn changes(self) -> bool {
        !matches!(self, KeyCommand::Show)
    }
}

/// What a node's stream has told of the successor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Number of the event that announces it.
    announced: Option<u64>,
    /// The node has asked for what follows that event.
    heard: bool,
}

/// Carries out `command`.
pub fn perform(engine: &mut Engine, keys: &mut Keys, command: KeyCommand, at: At) -> Result<Value, Refused> {
    match command {
        KeyCommand::Show => {}
        KeyCommand::Rotate => {
            written(keys.rotate())?;
            engine.announce(keys.announced(), at);
        }
        KeyCommand::Switch { force } => {
            if keys.successor().is_none() {
                return refused(409, "no-successor");
            }
            if !force && !engine.untold().is_empty() {
                return refused(409, "nodes-not-told");
            }
            let switched = written(keys.switch());
            // Signed with the new key, and naming no other: the one before no longer counts as a successor.
            engine.announce(vec![keys.id()], at);
            switched?;
        }
    }
    let untold = if keys.successor().is_some() { engine.untold() } else { Vec::new() };
    Ok(json!({ "key": keys.id(), "nextKey": keys.successor(), "notTold": untold }))
}

fn written<T>(result: Result<T, IdentityError>) -> Result<T, Refused> {
    result.map_err(|e| {
        log::error!("the coordinator's key: {e}");
        Refused { status: 503, reason: "key-failed" }
    })
}

impl Engine {
    /// Tells every node `keys`: the key that signs and its successor, or the one that has taken over. None is no news.
    pub fn announce(&mut self, keys: Vec<NodeId>, at: At) {
        if keys.is_empty() || keys == self.announced {
            return;
        }
        for (node, live) in &mut self.live {
            live.told = Told { announced: Some(live.stream.publish(What::Keys, "", at.unix)), heard: false };
            self.woken_nodes.insert(*node);
        }
        self.announced = keys;
    }

    /// Nodes that have not heard of the successor.
    pub fn untold(&self) -> Vec<NodeId> {
        let heard = |node: &NodeId| self.live.get(node).is_some_and(|l| l.told.heard);
        self.state.nodes().values().filter(|n| !n.left && !heard(&n.id)).map(|n| n.id).collect()
    }

    /// `node` asks for what follows `since`: it has all before.
    pub(super) fn has_heard(&mut self, node: NodeId, since: Option<&str>) {
        let Some(live) = self.live.get_mut(&node) else { return };
        let position = since.and_then(|s| live.stream.position(s));
        live.told.heard |= position.zip(live.told.announced).is_some_and(|(seq, announced)| seq >= announced);
    }

    /// A snapshot replaces all events before it, so an announcement follows each. Its number and keys.
    pub(super) fn announce_after_snapshot(&mut self, node: NodeId, unix: u64) -> Option<(u64, Vec<NodeId>)> {
        let keys = self.announced.clone();
        let live = self.live.get_mut(&node).filter(|_| !keys.is_empty())?;
        let seq = live.stream.publish(What::Keys, "", unix);
        live.told.announced = Some(seq);
        Some((seq, keys))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, Folder, at};
    use super::*;
    use crate::coordinator::client::{Keyring, stream::Position};
    use crate::coordinator::wire::{Control, EventKind, SessionEvent};

    /// What a node at `position` is told next.
    fn poll(e: &mut Engine, n: u8, position: &mut Option<String>) -> Vec<SessionEvent> {
        let (stream, events) = e.events_since(testing::id(n), position.as_deref(), at(1));
        if let Some(last) = events.last() {
            *position = Some(format!("{stream}:{}", last.seq));
        }
        events
    }

    fn announced(events: &[SessionEvent]) -> Vec<Vec<NodeId>> {
        events.iter().filter_map(|e| if let EventKind::Keys { keys } = &e.kind { Some(keys.clone()) } else { None }).collect()
    }

    #[test]
    fn every_node_is_told_before_the_successor_signs() {
        let folder = Folder::new("rotation");
        let mut keys = Keys::new(folder.0.clone(), testing::key(100));
        let mut e = testing::engine();
        testing::join(&mut e, 1);
        testing::join(&mut e, 2);
        let (mut first, mut second) = (None, None);
        poll(&mut e, 1, &mut first);
        let switch = |force| KeyCommand::Switch { force };
        assert_eq!(perform(&mut e, &mut keys, switch(true), at(1)).unwrap_err().reason, "no-successor");

        let said = perform(&mut e, &mut keys, KeyCommand::Rotate, at(1)).unwrap();
        let pair = keys.announced();
        assert_eq!(said["notTold"].as_array().unwrap().len(), 2);
        assert!(e.take_woken().0.contains(&testing::id(1)));
        assert_eq!(announced(&poll(&mut e, 1, &mut first)), std::slice::from_ref(&pair), "in the stream");
        assert_eq!(announced(&poll(&mut e, 2, &mut second)), std::slice::from_ref(&pair), "after the snapshot");
        assert_eq!(e.untold().len(), 2, "sent is not heard");
        perform(&mut e, &mut keys, KeyCommand::Rotate, at(1)).unwrap();
        assert!(poll(&mut e, 1, &mut first).is_empty(), "announced once");
        assert_eq!(e.untold(), [testing::id(2)]);
        assert_eq!(perform(&mut e, &mut keys, switch(false), at(1)).unwrap_err().reason, "nodes-not-told");
        assert_eq!(keys.id(), pair[0]);
        poll(&mut e, 2, &mut second);
        let mut before =
            second.as_ref().map(|p| p.rsplit_once(':').unwrap()).map(|(stream, seq)| format!("{stream}:{}", seq.parse::<u64>().unwrap() - 1));
        let said = perform(&mut e, &mut keys, switch(false), at(1)).unwrap();
        assert_eq!((keys.id(), said["nextKey"].as_str()), (pair[1], None));
        let taken_over = vec![pair[1]];
        assert_eq!(announced(&poll(&mut e, 1, &mut first)), std::slice::from_ref(&taken_over), "the one before is given up");
        assert_eq!(announced(&poll(&mut e, 2, &mut before)), [taken_over.clone(), taken_over], "also for who reads the old announcement again");

        // The next successor, and one who insists.
        perform(&mut e, &mut keys, KeyCommand::Rotate, at(1)).unwrap();
        assert_eq!(announced(&poll(&mut e, 1, &mut first)), [keys.announced()]);
        perform(&mut e, &mut keys, switch(true), at(1)).unwrap();
        assert_ne!(keys.id(), pair[1]);
    }

    #[test]
    fn a_node_that_comes_after_a_restart_takes_snapshot_and_keys_in_one_answer() {
        let mut e = testing::engine();
        e.announce(vec![testing::id(100), testing::id(101)], at(0));
        testing::join(&mut e, 1);
        let ring = Keyring::new(&[testing::id(100)], &[]);
        let mut position = Position::default();
        let (stream, events) = e.events_since(testing::id(1), Some(&position.since()), at(1));
        let signed = |event: &SessionEvent| {
            let mut object = crate::codec::json::object(event);
            crate::codec::envelope::sign(&mut object, "coordinatorSig", crate::codec::envelope::context::SESSION_EVENT, &testing::key(100));
            Value::Object(object)
        };
        let control = Control { stream, events: events.iter().map(signed).collect() };
        let taken = position.take(control, testing::id(1), &ring);
        assert_eq!((taken.events.len(), taken.faults.len()), (2, 0));
        assert_eq!(ring.all().len(), 3, "the owner's key, and both that were named");
        let (_, events) = e.events_since(testing::id(1), Some(&position.since()), at(2));
        assert!(events.is_empty());
        assert!(e.untold().is_empty());
    }
}
