//! `echomesh identity`: who this node is, and how its keys are kept.

use std::path::Path;

use argh::FromArgs;

use crate::core::exit::Failure;

mod backup;
mod restore;
mod rotate;
mod seal;
mod show;

#[derive(FromArgs)]
#[argh(subcommand, name = "identity")]
/// Show who this node is; seal its keys, back them up, rotate them.
pub struct Identity {
    #[argh(subcommand)]
    what: What,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum What {
    Show(show::Show),
    Seal(seal::Seal),
    Unseal(seal::Unseal),
    Unlock(seal::Unlock),
    Backup(backup::Backup),
    Restore(restore::Restore),
    Rotate(rotate::Rotate),
}

impl Identity {
    /// Does it.
    pub fn run(self, run_dir: &Path) -> Result<(), Failure> {
        match self.what {
            What::Show(c) => c.run(run_dir),
            What::Seal(c) => c.run(run_dir),
            What::Unseal(c) => c.run(run_dir),
            What::Unlock(c) => c.run(run_dir),
            What::Backup(c) => c.run(run_dir),
            What::Restore(c) => c.run(run_dir),
            What::Rotate(c) => c.run(run_dir),
        }
    }
}
