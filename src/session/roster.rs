//! Who was served when: the durable answer to a letter that comes weeks later. Names of sessions and buyers, times of
//! opening and closing; nothing of what was done. Pure; the daemon writes it down.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::codec::record::{self, Raw};

/// Sessions remembered: 1024 × about 130 bytes, 130 KiB.
pub const MOST: usize = 1024;
/// For how long: 90 days.
pub const KEEP_SEC: u64 = 90 * 86_400;
/// Clocks of those who write letters are not ours.
pub const TOLERANCE_SEC: u64 = 60;
/// Version byte of the records.
const VERSION: u8 = 1;
/// Longest name kept; a UUID has 36 characters.
const MOST_NAME: usize = 128;

/// One session.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// UUID.
    pub session: Box<str>,
    /// Whose it was, as the coordinator names the buyer.
    pub buyer: Box<str>,
    /// Unix seconds at which it began to serve.
    pub opened: u64,
    /// Unix seconds at which its last tunnel was gone; `None` while it is open.
    pub closed: Option<u64>,
}

/// One change, as it is written down.
#[derive(Serialize, Deserialize)]
enum Note {
    Opened(Entry),
    Closed { session: Box<str>, at: u64 },
}

/// The sessions of the last 90 days, oldest first.
#[derive(Debug, Default)]
pub struct Roster {
    entries: VecDeque<Entry>,
    unwritten: Vec<u8>,
}

impl Roster {
    /// Takes one record back. What is none of ours is passed over.
    pub fn take(&mut self, raw: Raw<'_>) {
        match (raw.version, raw.decode::<Note>()) {
            (VERSION, Some(Note::Opened(entry))) if entry.session.len() <= MOST_NAME && entry.buyer.len() <= MOST_NAME => self.push(entry),
            (VERSION, Some(Note::Closed { session, at })) => self.close(&session, at),
            _ => {}
        }
    }

    /// `session` of `buyer` serves from `now` on; nothing where it does already.
    pub fn opened(&mut self, session: &str, buyer: &str, now: u64) {
        if self.open(session).is_some() {
            return;
        }
        let entry = Entry { session: cut(session), buyer: cut(buyer), opened: now, closed: None };
        self.unwritten.extend(record::encode(VERSION, &Note::Opened(entry.clone())));
        self.push(entry);
        self.prune(now);
    }

    /// The last tunnel of `session` is gone.
    pub fn closed(&mut self, session: &str, now: u64) {
        let session = cut(session);
        if self.open(&session).is_some() {
            self.close(&session, now);
            self.unwritten.extend(record::encode(VERSION, &Note::Closed { session, at: now }));
        }
    }

    /// Sessions that an earlier process left open and that are not among `live` ended at `now` at the latest.
    pub fn reconcile<'a>(&mut self, live: impl Iterator<Item = (&'a str, &'a str)>, now: u64) {
        let live: Vec<(&str, &str)> = live.collect();
        let is_live = |id: &str| live.iter().any(|(session, _)| *session == id);
        let gone: Vec<Box<str>> = self.entries.iter().filter(|e| e.closed.is_none() && !is_live(&e.session)).map(|e| e.session.clone()).collect();
        gone.iter().for_each(|session| self.closed(session, now));
        live.iter().for_each(|(session, buyer)| self.opened(session, buyer, now));
    }

    /// The sessions that served at `unix`, give or take a minute.
    pub fn at(&self, unix: u64) -> impl Iterator<Item = &Entry> {
        let (from, to) = (unix.saturating_sub(TOLERANCE_SEC), unix.saturating_add(TOLERANCE_SEC));
        self.entries.iter().filter(move |e| e.opened <= to && e.closed.is_none_or(|closed| closed >= from))
    }

    /// How far back it reaches; `None` where it is empty.
    pub fn since(&self) -> Option<u64> {
        self.entries.iter().map(|e| e.opened).min()
    }

    /// Whether something is to be written down.
    pub fn is_dirty(&self) -> bool {
        !self.unwritten.is_empty()
    }

    /// What is to be appended.
    pub fn take_unwritten(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.unwritten)
    }

    /// All of it, as records: what stands in place of a file that has grown.
    pub fn snapshot(&self) -> Vec<u8> {
        let notes = self.entries.iter().cloned().map(Note::Opened);
        notes.flat_map(|note| record::encode(VERSION, &note)).collect()
    }

    /// Lets go of what is older than 90 days.
    pub fn prune(&mut self, now: u64) {
        self.entries.retain(|e| e.closed.is_none_or(|closed| closed.saturating_add(KEEP_SEC) >= now));
    }

    fn open(&self, session: &str) -> Option<&Entry> {
        self.entries.iter().find(|e| e.closed.is_none() && *e.session == *session)
    }

    fn push(&mut self, entry: Entry) {
        if self.entries.len() == MOST {
            // The oldest that is over; open ones are far fewer than there is room for.
            let oldest = self.entries.iter().position(|e| e.closed.is_some()).unwrap_or(0);
            self.entries.remove(oldest);
        }
        self.entries.push_back(entry);
    }

    fn close(&mut self, session: &str, at: u64) {
        if let Some(entry) = self.entries.iter_mut().find(|e| e.closed.is_none() && *e.session == *session) {
            entry.closed = Some(at.max(entry.opened));
        }
    }
}

/// At most [`MOST_NAME`] bytes of a name.
fn cut(name: &str) -> Box<str> {
    let end = (0..=name.len().min(MOST_NAME)).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
    name[..end].into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Roster {
        let (mut roster, mut at) = (Roster::default(), 0);
        while let record::Next::Record(raw, used) = record::next(&bytes[at..]) {
            roster.take(raw);
            at += used;
        }
        roster
    }

    fn names(roster: &Roster, unix: u64) -> Vec<&str> {
        roster.at(unix).map(|e| &*e.buyer).collect()
    }

    #[test]
    fn tells_who_was_served_and_forgets_after_90_days() {
        let mut roster = Roster::default();
        let mut written = Vec::new();
        roster.opened("a", "shop", 1000);
        roster.opened("a", "shop", 1500);
        roster.opened("b", "bank", 2000);
        written.extend(roster.take_unwritten());
        roster.closed("a", 3000);
        roster.closed("a", 9000);
        written.extend(roster.take_unwritten());
        assert!(!roster.is_dirty());
        for roster in [&roster, &read(&written), &read(&roster.snapshot())] {
            assert_eq!(names(roster, 939), Vec::<&str>::new());
            assert_eq!(names(roster, 941), ["shop"], "give or take a minute");
            assert_eq!(names(roster, 2500), ["shop", "bank"]);
            assert_eq!(names(roster, 3061), ["bank"]);
            assert_eq!(roster.since(), Some(1000));
        }
        roster.opened("c", "late", 3001 + KEEP_SEC);
        assert_eq!((roster.since(), names(&roster, 2500)), (Some(2000), vec!["bank"]));
    }

    #[test]
    fn what_another_process_left_open_is_set_right() {
        let mut roster = Roster::default();
        roster.opened("a", "shop", 1000);
        roster.opened("b", "bank", 1000);
        roster.reconcile([("b", "bank"), ("c", "club")].into_iter(), 5000);
        assert_eq!(names(&roster, 4000), ["shop", "bank"]);
        assert_eq!(names(&roster, 6000), ["bank", "club"]);
        let before = roster.take_unwritten();
        roster.reconcile([("b", "bank"), ("c", "club")].into_iter(), 6000);
        assert!(!before.is_empty() && !roster.is_dirty(), "once");
    }

    #[test]
    fn it_is_bounded() {
        let mut roster = Roster::default();
        roster.opened("first", "kept", 0);
        for n in 0..MOST + 10 {
            roster.opened(&n.to_string(), &"x".repeat(1000), 10);
            roster.closed(&n.to_string(), 10);
        }
        assert_eq!((roster.entries.len(), names(&roster, 5)[0]), (MOST, "kept"), "an open one is not let go");
        assert!(roster.snapshot().len() < MOST * 256);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_record_is_taken_or_passed_over(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..20)) {
            let mut roster = Roster::default();
            for payload in &payloads {
                roster.take(Raw { version: VERSION, payload });
            }
            prop_assert!(roster.entries.len() <= payloads.len());
            prop_assert_eq!(read(&roster.snapshot()).entries, roster.entries);
        }
    }
}
