//! What the coordinator's events do to the table of sessions.

use std::rc::Rc;

use super::node::Node;
use super::state::Turn;
use crate::control;
use crate::coordinator::client::{Batch, Event, Events, Keyring, Link, Successors};
use crate::coordinator::wire::EventKind;
use crate::net::work;
use crate::session::End;

/// Takes reports until the client's thread ends.
pub async fn keep(node: Rc<Node>, keys: Keyring, successors: Successors, events: Events) {
    while let Some(event) = events.next().await {
        match event {
            Event::Batch(batch) => apply(&node, &keys, &successors, batch).await,
            Event::Link(Link::Up) => node.post.ring(),
            Event::Link(Link::Down { error, retry_in }) => {
                log::info!("coordinator events: {error}; next try in {} s", retry_in.as_secs());
                let now = node.clock.now();
                node.link(|link| {
                    link.reachable = false;
                    link.away_since.get_or_insert(now);
                });
                node.turn(Turn::Lost, Some(error.message));
            }
        }
    }
}

async fn apply(node: &Node, keys: &Keyring, successors: &Successors, batch: Batch) {
    for event in batch.events {
        match event.kind {
            EventKind::Open { session } => {
                let id = session.session_id.clone();
                if node.registry.assign(session, false).is_err() {
                    log::warn!("session {id} has no place: the table is full");
                }
            }
            EventKind::Policy { session } => {
                let id = session.session_id.clone();
                if node.registry.get(&id).is_some() && node.registry.assign(session, true).is_ok() {
                    node.tell(&control::Event::SessionPolicy { session_id: id });
                }
            }
            EventKind::Close { session } => node.registry.end(&session.session_id, End::Closed),
            EventKind::Snapshot { sessions } => node.registry.replace(sessions),
            EventKind::Keys { keys: named } => {
                keys.succeed(&named);
                // On flash before the position is: past it the coordinator does not name them again.
                let kept = successors.clone();
                if let Err(e) = work::aside(move || kept.keep(&named)).await {
                    node.finding(format!(
                        "the coordinator's new keys cannot be kept ({e}): free some space in the state folder, and restart before its operator switches keys"
                    ));
                }
            }
        }
    }
    node.set_position(batch.stream, batch.seq);
    node.registry.changed.ring();
    node.post.ring();
}
