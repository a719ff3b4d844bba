//! `echomesh report`: one file that helps to find out what is wrong, and names nobody.

use std::path::{Path, PathBuf};

use argh::FromArgs;

use super::ask::Daemon;
use super::print;
use crate::codec::json;
use crate::config::{self, Settings};
use crate::control::report::{Report as Diagnostics, System};
use crate::core::Clock;
use crate::core::exit::{self, Failure};
use crate::platform::files::{self, Medium};

#[derive(FromArgs)]
#[argh(subcommand, name = "report")]
/// Print diagnostics to paste into an issue: no host, address, key or identifier in them. Works without a daemon, too.
pub struct Report {
    /// print JSON
    #[argh(switch)]
    json: bool,
    /// file to write, 0600; without it, standard output
    #[argh(option)]
    out: Option<PathBuf>,
    /// settings file to look at where no daemon runs [/etc/config/echomesh]
    #[argh(option, default = "super::CONFIG.into()")]
    config: PathBuf,
}

impl Report {
    /// Prints or writes it.
    pub fn run(self, run_dir: &Path) -> Result<(), Failure> {
        let report: Diagnostics = match Daemon::at(run_dir).get("/report") {
            Ok(answer) => answer.read()?,
            Err(away) if away.code == exit::UNAVAILABLE => without_daemon(&self.config),
            Err(failure) => return Err(failure),
        };
        let bytes = if self.json {
            let mut bytes = json::pretty(&json::text(&report));
            bytes.push(b'\n');
            bytes
        } else {
            report.text().into_bytes()
        };
        match self.out {
            None => print::bytes(&bytes),
            Some(path) => {
                files::replace(&path, 0o600, &bytes, Medium::Flash).map_err(|e| Failure::new(exit::CANT_CREATE, format!("{}: {e}", path.display())))
            }
        }
    }
}

/// What can be told where no daemon runs, with the settings file at `config`.
pub fn without_daemon(config: &Path) -> Diagnostics {
    let (settings, findings) = config::read(config).unwrap_or_else(|_| {
        let unread = config::Finding::section(config::Severity::Error, "file", "the settings file cannot be read; `echomesh config check` says why");
        (Settings::default(), vec![unread])
    });
    Diagnostics::new(Clock::system().unix(), System::here(), &settings, &findings)
}
