//! Why an update does not go on.

use std::fmt;

use crate::core::exit::{self, Failure};

/// A stable id for programs, and a sentence for the owner.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trouble {
    /// What went wrong; the ids are listed in `docs/how-to/update.md`.
    pub id: Id,
    /// The same with its particulars, and what to do next.
    pub message: String,
}

/// What kinds of trouble there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Id {
    /// Nothing says where updates come from, or whose signature counts.
    NotSetUp,
    /// Another updater works.
    Busy,
    /// Not run as root, or by a program that is not the packaged one.
    NotAllowed,
    /// The daemon does not run, so that nothing could be compared with it.
    NotRunning,
    /// The identity is sealed: a restart would wait for its passphrase.
    Sealed,
    /// The server does not answer as it should.
    Server,
    /// No key of the owner's signed the manifest.
    Signature,
    /// The manifest is signed and says nothing this version understands.
    Manifest,
    /// The manifest is older than one seen before, or past its date.
    Stale,
    /// It has no file for this router.
    Target,
    /// It is not newer than what is installed.
    NotNewer,
    /// This version cannot be updated to it in one step.
    Minimum,
    /// The rollout has not reached this node.
    Rollout,
    /// It was tried here and failed.
    Refused,
    /// The package feed has it.
    Feed,
    /// Flash, tmpfs or RAM is too small.
    Space,
    /// What was downloaded is not what was signed.
    Hash,
    /// It does not start, or does not take this configuration.
    Unfit,
    /// It ran, and was not healthy.
    Unhealthy,
    /// A file or program of the system's failed.
    System,
    /// The owner ended it.
    Aborted,
}

impl Id {
    /// Every one, in the order of an update.
    pub const ALL: [Id; 21] = [
        Id::NotSetUp,
        Id::Busy,
        Id::NotAllowed,
        Id::NotRunning,
        Id::Sealed,
        Id::Server,
        Id::Signature,
        Id::Manifest,
        Id::Stale,
        Id::Target,
        Id::NotNewer,
        Id::Minimum,
        Id::Rollout,
        Id::Refused,
        Id::Feed,
        Id::Space,
        Id::Hash,
        Id::Unfit,
        Id::Unhealthy,
        Id::System,
        Id::Aborted,
    ];

    /// The stable id.
    pub const fn name(self) -> &'static str {
        match self {
            Id::NotSetUp => "not-set-up",
            Id::Busy => "busy",
            Id::NotAllowed => "not-allowed",
            Id::NotRunning => "not-running",
            Id::Sealed => "sealed",
            Id::Server => "server",
            Id::Signature => "signature",
            Id::Manifest => "manifest",
            Id::Stale => "stale",
            Id::Target => "target",
            Id::NotNewer => "not-newer",
            Id::Minimum => "minimum",
            Id::Rollout => "rollout",
            Id::Refused => "refused",
            Id::Feed => "feed",
            Id::Space => "space",
            Id::Hash => "hash",
            Id::Unfit => "unfit",
            Id::Unhealthy => "unhealthy",
            Id::System => "system",
            Id::Aborted => "aborted",
        }
    }

    /// Exit code (sysexits) of the command that ends with it.
    pub const fn exit_code(self) -> i32 {
        match self {
            Id::NotSetUp => exit::CONFIG,
            Id::Busy | Id::NotRunning | Id::Server => exit::UNAVAILABLE,
            Id::NotAllowed => exit::NO_PERM,
            Id::Space => exit::CANT_CREATE,
            Id::System => exit::OS,
            Id::Unfit | Id::Unhealthy => exit::SOFTWARE,
            _ => exit::DATA,
        }
    }

    /// Whether trying again tomorrow is all there is to do: no fault that an owner should look at.
    pub const fn is_patience(self) -> bool {
        matches!(self, Id::NotNewer | Id::Rollout | Id::Refused | Id::Feed | Id::Busy)
    }
}

impl Trouble {
    /// One of a kind.
    pub fn new(id: Id, message: impl Into<String>) -> Trouble {
        Trouble { id, message: message.into() }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Trouble {}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Failure {
        Failure::new(trouble.id.exit_code(), trouble.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_how_to_lists_every_id() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/how-to/update.md")).unwrap();
        let listed: Vec<&str> =
            page.lines().filter_map(|l| l.strip_prefix("| `")?.split_once("` |")).map(|(id, _)| id).filter(|id| !id.contains(' ')).collect();
        assert_eq!(listed, Id::ALL.map(Id::name));
    }
}
