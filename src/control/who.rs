//! `GET /logs/who`: which sessions of which buyers were served at a time; for the owner alone.

use serde::{Deserialize, Serialize};

use super::status::At;

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Who {
    /// The time that was asked for; sessions and tunnels within a minute of it count.
    pub at: At,
    /// Who was served then.
    pub sessions: Vec<Served>,
    /// How far back the roster of sessions reaches; null while it is empty.
    pub roster_since: Option<At>,
    /// How far back the lines of the access log reach that are still held; null where none is.
    pub lines_since: Option<At>,
    /// What this answers, and what it cannot, in a sentence or two.
    pub message: String,
}

/// One session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Served {
    /// UUID.
    pub session_id: String,
    /// Whose it was, as the coordinator names the buyer: its operator knows who that is.
    pub buyer_id: String,
    /// When it began to serve.
    pub opened: At,
    /// When its last tunnel was gone; null while it is open.
    pub closed: Option<At>,
    /// Its tunnels at that time, to the host where one was named; null where no line of that time is held.
    pub tunnels: Option<u32>,
}

/// `POST /logs/open-day`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenedDay {
    /// UTC date.
    pub date: String,
    /// 64 hex digits: with them the hashed hosts of this one day can be checked, and of no other.
    pub key: String,
}
