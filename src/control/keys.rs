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
}

/// Body of all of them.
#[derive(Deserialize)]
pub(super) struct Body {
    passphrase: Option<String>,
}

impl Keys {
    /// The call of `path`, which is one of these.
    pub(super) fn of(path: &str, body: Body) -> Result<Keys, BadPassphrase> {
        if path == "/identity/rotate" {
            return body.passphrase.map(Passphrase::known).transpose().map(Keys::Rotate);
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
        }
    }
}
