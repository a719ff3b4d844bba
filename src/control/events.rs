//! `GET /events`: what happens, told to a few listeners as it happens, as server-sent events.
//!
//! Publishing never waits: a listener that does not keep up is let go, and sees its stream end. While nothing happens a
//! comment line every [`ALIVE_EVERY`] tells listeners that the daemon lives, and finds those that are gone without a word.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use smol::channel::{Receiver, Sender, bounded};

use super::status::{Alert, At, NodeState};
use crate::codec::json;
use crate::core::Signal;

/// Listeners at once: fewer than the doorman's connections, so that calls always get through.
pub const LISTENERS: usize = 4;
/// Events that wait for one listener: 64 × about 200 bytes, 50 kB over all listeners.
const QUEUE: usize = 64;
/// Between two comment lines. A listener that hears nothing for three times this may take the daemon for gone.
pub const ALIVE_EVERY: Duration = Duration::from_secs(15);
/// Alerts that came or went and are kept to be shown: 16 × about 400 bytes.
const RECENT: usize = 16;
/// The comment line (server-sent events: a line that begins with a colon says nothing).
const ALIVE: &[u8] = b": alive\n\n";

/// Something that happened on the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Event {
    /// The node's state, pause or quarantine changed.
    State {
        /// The state now.
        state: NodeState,
        /// Why.
        reason: Option<String>,
        /// It is paused.
        paused: bool,
        /// It is in quarantine.
        quarantine: bool,
    },
    /// A session was accepted.
    SessionOpen {
        /// UUID.
        session_id: String,
    },
    /// A session changed its limits or profile.
    SessionPolicy {
        /// UUID.
        session_id: String,
    },
    /// A session ended.
    SessionClose {
        /// UUID.
        session_id: String,
        /// Why.
        reason: String,
    },
    /// A relay took up its work.
    RelayUp {
        /// Which role it is.
        role: String,
        /// Its name on this node.
        relay_id: String,
        /// The network device it works on; none where it has none of its own.
        device: Option<String>,
    },
    /// A relay no longer works.
    RelayDown {
        /// Which role it is.
        role: String,
        /// Its name on this node.
        relay_id: String,
        /// Why.
        reason: String,
    },
    /// An alert stands.
    Alert {
        /// The alert.
        alert: Alert,
    },
    /// An alert no longer stands.
    AlertCleared {
        /// Its id.
        id: String,
    },
    /// Settings changed: which parts (`network`, `policy`, …).
    Policy {
        /// Names of the sections.
        changed: Vec<String>,
    },
}

#[derive(Serialize)]
struct Stamped<'a> {
    at: At,
    #[serde(flatten)]
    event: &'a Event,
}

/// Tells listeners; cheap to clone, data-plane thread only.
#[derive(Clone, Default)]
pub struct EventHub(Rc<Hub>);

#[derive(Default)]
struct Hub {
    listeners: RefCell<Vec<Sender<Vec<u8>>>>,
    /// The last alerts that came and went, oldest first, as JSON.
    recent: RefCell<VecDeque<Vec<u8>>>,
    /// Rings when there is a new listener.
    came: Signal,
}

impl EventHub {
    /// A hub without listeners.
    pub fn new() -> EventHub {
        EventHub::default()
    }

    /// Tells every listener that `event` happened at `unix` seconds.
    pub fn publish(&self, unix: u64, event: &Event) {
        let mut listeners = self.0.listeners.borrow_mut();
        let kept = matches!(event, Event::Alert { .. } | Event::AlertCleared { .. });
        if listeners.is_empty() && !kept {
            return;
        }
        let text = json::text(&Stamped { at: At(unix), event });
        let line = [b"data: ", text.as_slice(), b"\n\n"].concat();
        if kept {
            let mut recent = self.0.recent.borrow_mut();
            if recent.len() == RECENT {
                recent.pop_front();
            }
            recent.push_back(text);
        }
        listeners.retain(|listener| listener.try_send(line.clone()).is_ok());
    }

    /// The last alerts that came and went, oldest first: a JSON array of their events.
    pub fn recent_alerts(&self) -> Vec<u8> {
        let recent = self.0.recent.borrow();
        let events: Vec<&[u8]> = recent.iter().map(Vec::as_slice).collect();
        [b"[", events.join(&b',').as_slice(), b"]"].concat()
    }

    /// A new listener's lines; none while all places are taken.
    pub fn subscribe(&self) -> Option<Receiver<Vec<u8>>> {
        let mut listeners = self.0.listeners.borrow_mut();
        listeners.retain(|listener| !listener.is_closed());
        if listeners.len() >= LISTENERS {
            return None;
        }
        let (sender, receiver) = bounded(QUEUE);
        // A comment line, so that the listener sees at once that it is heard.
        let _ = sender.try_send(b": listening\n\n".to_vec());
        listeners.push(sender);
        self.0.came.ring();
        Some(receiver)
    }

    /// Tells the listeners every `every` that the daemon lives. Runs for ever; sleeps while nobody listens.
    pub async fn keep_alive(self, every: Duration) {
        loop {
            while self.listeners() == 0 {
                self.0.came.wait().await;
            }
            smol::Timer::after(every).await;
            self.0.listeners.borrow_mut().retain(|listener| listener.try_send(ALIVE.to_vec()).is_ok());
        }
    }

    /// Listeners now.
    pub fn listeners(&self) -> usize {
        self.0.listeners.borrow().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(id: usize) -> Event {
        Event::SessionOpen { session_id: id.to_string() }
    }

    #[test]
    fn a_slow_listener_is_let_go_and_the_others_hear_everything() {
        let hub = EventHub::new();
        let (slow, fast) = (hub.subscribe().unwrap(), hub.subscribe().unwrap());
        assert_eq!(fast.try_recv().unwrap(), b": listening\n\n");
        for n in 0..200 {
            hub.publish(1_766_152_800, &opened(n));
            let want = format!("data: {{\"at\":\"2025-12-19T14:00:00Z\",\"kind\":\"session-open\",\"sessionId\":\"{n}\"}}\n\n");
            assert_eq!(String::from_utf8(fast.try_recv().unwrap()).unwrap(), want);
        }
        assert_eq!(hub.listeners(), 1);
        assert_eq!(std::iter::from_fn(|| slow.try_recv().ok()).count(), QUEUE, "what was queued is still there");
        assert!(slow.is_closed());
    }

    #[test]
    fn a_listener_hears_that_the_daemon_lives_and_one_that_is_gone_is_forgotten() {
        let hub = EventHub::new();
        let (stays, gone) = (hub.subscribe().unwrap(), hub.subscribe().unwrap());
        drop(gone);
        let heard = async {
            let mut heard = Vec::new();
            while heard.len() < 3 {
                heard.push(stays.recv().await.unwrap());
            }
            heard
        };
        let forever = async {
            hub.clone().keep_alive(Duration::from_millis(1)).await;
            Vec::new()
        };
        let heard = smol::block_on(smol::future::or(heard, forever));
        assert_eq!(heard[1..], [ALIVE, ALIVE]);
        assert_eq!(hub.listeners(), 1);
    }

    #[test]
    fn the_last_alerts_are_kept_for_who_comes_later() {
        let hub = EventHub::new();
        assert_eq!(hub.recent_alerts(), b"[]");
        hub.publish(1, &opened(1));
        for n in 0..RECENT + 2 {
            hub.publish(1, &Event::AlertCleared { id: n.to_string() });
        }
        let kept: serde_json::Value = serde_json::from_slice(&hub.recent_alerts()).unwrap();
        assert_eq!((kept.as_array().unwrap().len(), &kept[0]["id"], &kept[RECENT - 1]["kind"]), (RECENT, &"2".into(), &"alert-cleared".into()));
    }

    #[test]
    fn places_are_bounded_and_freed() {
        let hub = EventHub::new();
        let mut held: Vec<_> = (0..LISTENERS).map(|_| hub.subscribe().unwrap()).collect();
        assert!(hub.subscribe().is_none());
        held.pop();
        assert!(hub.subscribe().is_some());
    }
}
