//! One node's event stream: an id, contiguous numbers, and a bounded history for a poll that resumes.
//!
//! Streams live in memory: after a restart of the coordinator the id is another, and every node gets one snapshot.
//! The history holds references, not sessions: an event is written out when it is asked for.

use std::collections::VecDeque;

use super::bounds::STREAM_HISTORY;

/// What happened to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Offered to this node.
    Open,
    /// Its limits are others.
    Policy,
    /// Ended.
    Close(String),
    /// Of no session: the coordinator's keys are others.
    Keys,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Number in the stream, from 1.
    pub seq: u64,
    /// What happened.
    pub what: What,
    /// To which session.
    pub session_id: String,
    /// Unix seconds.
    pub at: u64,
}

/// The stream of one node.
#[derive(Clone, Debug)]
pub struct Stream {
    id: String,
    last: u64,
    history: VecDeque<Event>,
}

/// What a poll is answered with.
#[derive(Debug, PartialEq, Eq)]
pub enum Since<'a> {
    /// The events after its position, none where nothing happened.
    Events(Vec<&'a Event>),
    /// Its position is unknown or too old: the whole table, at this number.
    Snapshot(u64),
}

impl Stream {
    /// An empty stream.
    pub fn new(id: String) -> Stream {
        Stream { id, last: 0, history: VecDeque::new() }
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Adds an event; its number.
    pub fn publish(&mut self, what: What, session_id: &str, at: u64) -> u64 {
        self.last += 1;
        if self.history.len() == STREAM_HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(Event { seq: self.last, what, session_id: session_id.to_owned(), at });
        self.last
    }

    /// The number in `since` (`STREAM:SEQ`), where it is a position of this stream.
    pub fn position(&self, since: &str) -> Option<u64> {
        let (_, seq) = since.rsplit_once(':').filter(|(stream, _)| *stream == self.id)?;
        seq.parse().ok().filter(|seq| *seq <= self.last)
    }

    /// What follows `since` (`STREAM:SEQ`; `None` or anything else is a cold start).
    pub fn since(&self, since: Option<&str>) -> Since<'_> {
        let position = since.and_then(|s| self.position(s)).filter(|seq| self.last - seq <= self.history.len() as u64);
        match position {
            Some(seq) => Since::Events(self.history.iter().filter(|e| e.seq > seq).collect()),
            None => Since::Snapshot(self.last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resumes_by_position_and_answers_a_gap_with_a_snapshot() {
        let mut stream = Stream::new("abc".into());
        assert_eq!(stream.since(None), Since::Snapshot(0));
        assert_eq!(stream.since(Some("abc:0")), Since::Events(vec![]));
        for n in 0..STREAM_HISTORY + 2 {
            stream.publish(What::Open, &format!("s{n}"), 7);
        }
        let last = STREAM_HISTORY as u64 + 2;
        let Since::Events(events) = stream.since(Some("abc:2")) else { panic!("within the history") };
        assert_eq!(events.len(), STREAM_HISTORY);
        assert!(events.iter().zip(3..).all(|(e, seq)| e.seq == seq), "contiguous");
        for cold in ["abc:1", "abc:0", "xyz:3", "abc", "abc:", ":", "abc:99999", "abc:-1", ""] {
            assert_eq!(stream.since(Some(cold)), Since::Snapshot(last), "{cold}");
        }
    }
}
