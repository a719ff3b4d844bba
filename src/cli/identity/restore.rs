//! `echomesh identity restore`: a backup into the state folder, while no daemon runs there.

use std::io::{IsTerminal as _, Read};
use std::path::{Path, PathBuf};

use argh::FromArgs;

use crate::cli::service::Service;
use crate::cli::{CONFIG, passphrase, print};
use crate::config;
use crate::control::RunDir;
use crate::core::exit::{self, Failure};
use crate::identity::backup::{self, RestoreError, Restored};
use crate::identity::sealed::{MOST_BYTES, SealError, Sealed};
use crate::identity::{Identity, Passphrase, kdf};
use crate::meter::journal;

#[derive(FromArgs)]
#[argh(subcommand, name = "restore")]
/// Take the identity of a backup (its passphrase is asked for, or the first line of standard input). The daemon must be stopped.
pub(super) struct Restore {
    /// the backup; without it, what follows the passphrase on standard input
    #[argh(positional)]
    file: Option<PathBuf>,
    /// put it in the place of another identity, which is lost unless it has a backup
    #[argh(switch)]
    replace: bool,
    /// keep it sealed at rest, under the passphrase of the backup
    #[argh(switch)]
    sealed: bool,
    /// stop the service for it, and start it again
    #[argh(switch)]
    restart: bool,
    /// program that stops and starts the daemon [/etc/init.d/echomesh]
    #[argh(option)]
    service: Option<PathBuf>,
    /// state folder [as the configuration says]
    #[argh(option)]
    state_dir: Option<PathBuf>,
    /// UCI file [/etc/config/echomesh]
    #[argh(option, default = "CONFIG.into()")]
    config: PathBuf,
}

impl Restore {
    pub(super) fn run(self, run_dir: &Path) -> Result<(), Failure> {
        // Read, checked and opened before anything is touched.
        let backup = self.file.as_ref().map(|file| self.read(file)).transpose()?;
        if backup.is_none() && std::io::stdin().is_terminal() {
            return Err(Failure::new(exit::USAGE, "which backup? name its file"));
        }
        let (state_dir, enabled) = match &self.state_dir {
            Some(folder) if !self.restart => (folder.clone(), false),
            named => {
                let settings = config::read(&self.config).map_err(|e| Failure::new(e.exit_code(), e.to_string()))?.0;
                (named.clone().unwrap_or(settings.node.state_dir), settings.node.enabled)
            }
        };
        let held = if self.restart { None } else { Some(RunDir::claim(run_dir)?) };
        let passphrase = passphrase::known("the backup")?;
        let backup = backup.map_or_else(|| self.parsed(std::io::stdin().lock()), Ok)?;
        let opened = self.opened(&backup, &passphrase)?;
        backup::outcome(&state_dir, &backup, self.replace).map_err(refused)?;
        let Some(held) = held else {
            let stopped = Service::new(self.service.clone(), &self.config).stop(run_dir, enabled)?;
            let put = self.put(run_dir, &state_dir, &backup, &opened);
            let how_it_stands = stopped.start();
            let said = put.map_err(|failure| Failure::new(failure.code, format!("{}\n{how_it_stands}", failure.message)))?;
            return print::text(&format!("{said}.\n{how_it_stands} Where another router still runs with this identity, stop that one.\n"));
        };
        let said = self.put(run_dir, &state_dir, &backup, &opened)?;
        drop(held);
        print::text(&format!(
            "{said}.\nStart the daemon: `service echomesh start`. Where another router still runs with this identity, stop that one first.\n"
        ))
    }

    /// Into the state folder; says what that came to.
    fn put(&self, run_dir: &Path, state_dir: &Path, backup: &Sealed, opened: &Identity) -> Result<String, Failure> {
        let restored = backup::restore(state_dir, backup, opened, self.sealed, self.replace).map_err(refused)?;
        Ok(match restored {
            Restored::New => format!("{} is restored", backup.node_id),
            Restored::Same => format!("{} was here already and is as the backup has it", backup.node_id),
            Restored::Replaced(old) => {
                // Counters of another node: this one could not sign them.
                journal::discard(run_dir, state_dir)
                    .map_err(|e| Failure::new(exit::CANT_CREATE, format!("the counters of {old}: {e}; remove the file `journal`")))?;
                format!("{} is restored in the place of {old}, whose counters are gone, too", backup.node_id)
            }
        })
    }

    /// What the backup holds.
    fn opened(&self, backup: &Sealed, passphrase: &Passphrase) -> Result<Identity, Failure> {
        // This process ends soon: it may derive the key itself.
        let key = kdf::derive(passphrase, &backup.salt).map_err(|e| Failure::new(exit::OS, e.to_string()))?;
        backup.open(&key).map_err(|e| {
            let code = if matches!(e, SealError::WrongPassphrase) { exit::NO_PERM } else { exit::DATA };
            Failure::new(code, format!("{}: {e}; nothing was changed", self.name()))
        })
    }

    fn read(&self, file: &Path) -> Result<Sealed, Failure> {
        let file = std::fs::File::open(file).map_err(|e| Failure::new(exit::NO_INPUT, format!("{}: {e}", self.name())))?;
        self.parsed(file)
    }

    fn parsed(&self, from: impl Read) -> Result<Sealed, Failure> {
        let mut bytes = Vec::new();
        let read = from.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|e| Failure::new(exit::NO_INPUT, format!("{}: {e}", self.name())))?;
        Sealed::parse(&bytes).map_err(|e| Failure::new(exit::DATA, format!("{}: {e}", self.name())))
    }

    fn name(&self) -> String {
        self.file.as_ref().map_or_else(|| "the backup".to_owned(), |file| file.display().to_string())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn refused(e: RestoreError) -> Failure {
    let code = if matches!(e, RestoreError::Other(_)) { exit::DATA } else { exit::CANT_CREATE };
    Failure::new(code, e.to_string())
}
