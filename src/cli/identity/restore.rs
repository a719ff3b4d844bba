//! `echomesh identity restore`: a backup into the state folder, while no daemon runs there.

use std::path::{Path, PathBuf};

use argh::FromArgs;

use crate::cli::{CONFIG, passphrase, print};
use crate::config;
use crate::control::RunDir;
use crate::core::exit::{self, Failure};
use crate::identity::backup::{self, RestoreError, Restored};
use crate::identity::kdf;
use crate::identity::sealed::{MOST_BYTES, SealError, Sealed};
use crate::meter::journal;

#[derive(FromArgs)]
#[argh(subcommand, name = "restore")]
/// Take the identity of a backup (its passphrase is asked for, or the first line of standard input). The daemon must be stopped.
pub(super) struct Restore {
    /// the backup
    #[argh(positional)]
    file: PathBuf,
    /// put it in the place of another identity, which is lost unless it has a backup
    #[argh(switch)]
    replace: bool,
    /// keep it sealed at rest, under the passphrase of the backup
    #[argh(switch)]
    sealed: bool,
    /// state folder [as the configuration says]
    #[argh(option)]
    state_dir: Option<PathBuf>,
    /// UCI file [/etc/config/echomesh]
    #[argh(option, default = "CONFIG.into()")]
    config: PathBuf,
}

impl Restore {
    pub(super) fn run(self, run_dir: &Path) -> Result<(), Failure> {
        let name = self.file.display();
        // Read, checked and opened before anything is touched.
        let backup = self.read()?;
        let state_dir = match &self.state_dir {
            Some(folder) => folder.clone(),
            None => config::read(&self.config).map_err(|e| Failure::new(e.exit_code(), e.to_string()))?.0.node.state_dir,
        };
        let held = RunDir::claim(run_dir)?;
        let passphrase = passphrase::known("the backup")?;
        // This process ends soon: it may derive the key itself.
        let key = kdf::derive(&passphrase, &backup.salt).map_err(|e| Failure::new(exit::OS, e.to_string()))?;
        let opened = backup.open(&key).map_err(|e| {
            let code = if matches!(e, SealError::WrongPassphrase) { exit::NO_PERM } else { exit::DATA };
            Failure::new(code, format!("{name}: {e}; nothing was changed"))
        })?;
        let restored = backup::restore(&state_dir, &backup, &opened, self.sealed, self.replace).map_err(|e| {
            let code = if matches!(e, RestoreError::Other(_)) { exit::DATA } else { exit::CANT_CREATE };
            Failure::new(code, e.to_string())
        })?;
        let said = match restored {
            Restored::New => format!("{} is restored", backup.node_id),
            Restored::Same => format!("{} was here already and is as the backup has it", backup.node_id),
            Restored::Replaced(old) => {
                // Counters of another node: this one could not sign them.
                journal::discard(run_dir, &state_dir)
                    .map_err(|e| Failure::new(exit::CANT_CREATE, format!("the counters of {old}: {e}; remove the file `journal`")))?;
                format!("{} is restored in the place of {old}, whose counters are gone, too", backup.node_id)
            }
        };
        drop(held);
        print::text(&format!(
            "{said}.\nStart the daemon: `service echomesh start`. Where another router still runs with this identity, stop that one first.\n"
        ))
    }

    fn read(&self) -> Result<Sealed, Failure> {
        use std::io::Read as _;
        let name = self.file.display();
        let mut bytes = Vec::new();
        std::fs::File::open(&self.file)
            .and_then(|file| file.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes))
            .map_err(|e| Failure::new(exit::NO_INPUT, format!("{name}: {e}")))?;
        Sealed::parse(&bytes).map_err(|e| Failure::new(exit::DATA, format!("{name}: {e}")))
    }
}
