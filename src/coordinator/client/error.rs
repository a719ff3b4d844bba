//! What a call to the coordinator can end in beside its answer.

use std::fmt;

/// A call did not bring an answer to act upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    /// What to do about it is decided by this.
    pub kind: CallKind,
    /// For the owner: what happened and what helps. Holds no secret.
    pub message: String,
}

/// Kinds of [`CallError`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallKind {
    /// No connection, no TLS, or no answer in time. Try again later.
    Unreachable,
    /// Something answered, but nothing of it can be believed: signature, addressee, size or form are wrong.
    BadAnswer,
    /// The coordinator refused, and signed that it did.
    Refused {
        /// HTTP status.
        status: u16,
        /// Its reason id; empty where it gave none.
        reason: String,
    },
    /// Node time is not known, or coordinator and NTP disagree about it. `register` again: its answer brings the time.
    Clock,
}

impl CallError {
    pub(super) fn new(kind: CallKind, message: impl Into<String>) -> CallError {
        CallError { kind, message: message.into() }
    }

    pub(super) fn unreachable(message: impl Into<String>) -> CallError {
        CallError::new(CallKind::Unreachable, message)
    }

    pub(super) fn bad(message: impl Into<String>) -> CallError {
        CallError::new(CallKind::BadAnswer, message)
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CallError {}
