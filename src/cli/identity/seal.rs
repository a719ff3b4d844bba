//! `echomesh identity seal`, `unseal` and `unlock`: keys at rest under a passphrase.

use std::path::Path;

use argh::FromArgs;
use serde_json::{Value, json};

use crate::cli::ask::Daemon;
use crate::cli::{passphrase, print, work};
use crate::core::exit::Failure;
use crate::identity::Passphrase;

#[derive(FromArgs)]
#[argh(subcommand, name = "seal")]
/// Seal the identity at rest under a passphrase (asked for, or the first line of standard input). Every start then waits for `unlock`.
pub(super) struct Seal {}

#[derive(FromArgs)]
#[argh(subcommand, name = "unseal")]
/// Keep the identity in clear again, so that a start waits for nobody.
pub(super) struct Unseal {}

#[derive(FromArgs)]
#[argh(subcommand, name = "unlock")]
/// Open the sealed identity of a node that waits for it.
pub(super) struct Unlock {}

fn told(run_dir: &Path, call: &str, passphrase: &Passphrase) -> Result<Value, Failure> {
    work::done(&Daemon::at(run_dir), &format!("/identity/{call}"), &json!({ "passphrase": passphrase.expose() }))
}

impl Seal {
    pub(super) fn run(self, run_dir: &Path) -> Result<(), Failure> {
        let passphrase = passphrase::new("the identity of this node")?;
        told(run_dir, "seal", &passphrase)?;
        print::text(
            "sealed at rest; this node goes on, and after the next start it waits for `echomesh identity unlock`.\n\
             Without the passphrase nobody can open it: keep it, and a backup (`echomesh identity backup FILE`), elsewhere.\n",
        )
    }
}

impl Unseal {
    pub(super) fn run(self, run_dir: &Path) -> Result<(), Failure> {
        let passphrase = passphrase::known("the identity")?;
        told(run_dir, "unseal", &passphrase)?;
        print::text("kept in clear; a start waits for nobody\n")
    }
}

impl Unlock {
    pub(super) fn run(self, run_dir: &Path) -> Result<(), Failure> {
        let passphrase = passphrase::known("the identity")?;
        let done = told(run_dir, "unlock", &passphrase)?;
        print::text(&format!("unlocked; {} starts\n", done["nodeId"].as_str().unwrap_or_default()))
    }
}
