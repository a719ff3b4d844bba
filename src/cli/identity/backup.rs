//! `echomesh identity backup`: the identity in a file, sealed under a passphrase of its own.

use std::path::{Path, PathBuf};

use argh::FromArgs;
use serde_json::json;

use crate::cli::ask::Daemon;
use crate::cli::{passphrase, print, work};
use crate::codec::base64;
use crate::core::exit::{self, Failure};
use crate::identity::sealed::Sealed;
use crate::platform::files::{self, Medium};

#[derive(FromArgs)]
#[argh(subcommand, name = "backup")]
/// Write a backup of the identity, sealed under a passphrase (asked for, or the first line of standard input).
pub(super) struct Backup {
    /// file to make, 0600
    #[argh(positional)]
    file: PathBuf,
}

impl Backup {
    pub(super) fn run(self, run_dir: &Path) -> Result<(), Failure> {
        let name = self.file.display();
        if self.file.exists() {
            return Err(Failure::new(exit::CANT_CREATE, format!("{name} is there already; name another file")));
        }
        let passphrase = passphrase::new("the backup")?;
        let done = work::done(&Daemon::at(run_dir), "/identity/backup", &json!({ "passphrase": passphrase.expose() }))?;
        let unknown = || Failure::new(exit::SOFTWARE, "the daemon's answer is not what this version knows; are both the same version?");
        let bytes = done["backup"].as_str().and_then(base64::from_padded).ok_or_else(unknown)?;
        let backup = Sealed::parse(&bytes).map_err(|_| unknown())?;
        files::replace(&self.file, 0o600, &bytes, Medium::Flash).map_err(|e| Failure::new(exit::CANT_CREATE, format!("{name}: {e}")))?;
        print::text(&format!(
            "{name} holds {}, sealed. Keep it away from this router, and the passphrase away from it.\nA rotation makes it old: make another one then.\n",
            backup.node_id
        ))
    }
}
