//! The calls about the node's keys. Their passphrases travel in bodies of the control socket alone: never on a command
//! line, in a log or in the settings.

use serde::Deserialize;

use crate::identity::Passphrase;
use crate::identity::passphrase::BadPassphrase;

/// `POST /identity/…`: each starts a job.
#[derive(Clone, Debug, PartialEq)]
pub enum Keys {
    /// Seal the identity at rest under a new passphrase; what runs goes on.
    Seal(Passphrase),
    /// Keep it in clear from now on.
    Unseal(Passphrase),
    /// Open a sealed identity and start.
    Unlock(Passphrase),
    /// A backup, sealed under a new passphrase.
    Backup(Passphrase),
    /// A new key; the passphrase where the identity is sealed at rest.
    Rotate(Option<Passphrase>),
    /// Leave: tell the coordinator, delete keys, counters and settings.
    OptOut {
        /// Without a word to the coordinator.
        offline: bool,
    },
}

/// What the body of `POST /identity/opt-out` says in `confirm`.
const CONFIRM: &str = "opt-out";

/// Body of all of them.
#[derive(Deserialize)]
pub(super) struct Body {
    passphrase: Option<String>,
    confirm: Option<String>,
    #[serde(default)]
    offline: bool,
}

/// Why a body is none of its call's.
pub(super) enum BadBody {
    Passphrase(BadPassphrase),
    Unconfirmed,
}

impl std::fmt::Display for BadBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BadBody::Passphrase(e) => e.fmt(f),
            BadBody::Unconfirmed => write!(f, "to delete everything that makes this node, say \"confirm\": \"{CONFIRM}\""),
        }
    }
}

impl From<BadPassphrase> for BadBody {
    fn from(e: BadPassphrase) -> BadBody {
        BadBody::Passphrase(e)
    }
}

impl Keys {
    /// The call of `path`, which is one of these.
    pub(super) fn of(path: &str, body: Body) -> Result<Keys, BadBody> {
        if path == "/identity/opt-out" {
            let confirmed = body.confirm.as_deref() == Some(CONFIRM);
            return if confirmed { Ok(Keys::OptOut { offline: body.offline }) } else { Err(BadBody::Unconfirmed) };
        }
        if path == "/identity/rotate" {
            return Ok(Keys::Rotate(body.passphrase.map(Passphrase::known).transpose()?));
        }
        let given = body.passphrase.unwrap_or_default();
        Ok(match path {
            "/identity/seal" => Keys::Seal(Passphrase::new(given)?),
            "/identity/backup" => Keys::Backup(Passphrase::new(given)?),
            "/identity/unseal" => Keys::Unseal(Passphrase::known(given)?),
            _ => Keys::Unlock(Passphrase::known(given)?),
        })
    }

    /// The name of its job.
    pub const fn kind(&self) -> &'static str {
        match self {
            Keys::Seal(_) => "identity/seal",
            Keys::Unseal(_) => "identity/unseal",
            Keys::Unlock(_) => "identity/unlock",
            Keys::Backup(_) => "identity/backup",
            Keys::Rotate(_) => "identity/rotate",
            Keys::OptOut { .. } => "identity/opt-out",
        }
    }
}
