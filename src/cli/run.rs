//! `echomesh run`: the daemon, in the foreground.

use std::path::{Path, PathBuf};

use argh::FromArgs;

use crate::core::exit::Failure;
use crate::daemon;

#[derive(FromArgs)]
#[argh(subcommand, name = "run")]
/// Run the daemon in the foreground (--run-dir says where it has its sockets; the folder is made).
pub struct Run {
    /// UCI file [/etc/config/echomesh]
    #[argh(option, default = "super::CONFIG.into()")]
    config: PathBuf,
}

impl Run {
    /// Until a signal ends it.
    pub fn run(self, run_dir: &Path) -> Result<(), Failure> {
        daemon::run(daemon::Options { config: self.config, run_dir: run_dir.to_owned() })
    }
}
