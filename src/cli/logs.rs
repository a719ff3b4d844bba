//! `echomesh logs`: recent lines of the daemon, and the access log for an auditor.

use std::path::{Path, PathBuf};

use argh::FromArgs;
use serde::Deserialize;

use super::ask::Daemon;
use super::print;
use crate::core::exit::{self, Failure};
use crate::platform::files::{self, Medium};

mod open_day;
mod who;

#[derive(FromArgs)]
#[argh(subcommand, name = "logs")]
/// Show recent lines of the daemon, export the node's books, say who was served when.
pub struct Logs {
    #[argh(subcommand)]
    what: What,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum What {
    Show(Show),
    Export(Export),
    Who(who::Who),
    OpenDay(open_day::OpenDay),
    Check(open_day::Check),
}

#[derive(FromArgs)]
#[argh(subcommand, name = "show")]
/// Print the daemon's recent lines.
struct Show {
    /// only lines after this number
    #[argh(option, default = "0")]
    since: u64,
}

#[derive(FromArgs)]
#[argh(subcommand, name = "export")]
/// Write the node's books: bundles, receipts, and the access log with hashed host names. `echomesh verify` checks them.
struct Export {
    /// file to write, 0600; without it, standard output
    #[argh(option)]
    out: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Recent {
    lines: Vec<Line>,
}

#[derive(Deserialize)]
struct Line {
    number: u64,
    time: Option<String>,
    level: String,
    target: String,
    text: String,
}

impl Logs {
    /// Prints or writes them.
    pub fn run(self, run_dir: &Path) -> Result<(), Failure> {
        let daemon = Daemon::at(run_dir);
        match self.what {
            What::Show(show) => {
                let recent: Recent = daemon.get(&format!("/logs?since={}", show.since))?.read()?;
                let lines = recent.lines.iter().map(|l| {
                    let time = l.time.as_deref().unwrap_or("–");
                    format!("{} {time} {:5} {}: {}\n", l.number, l.level, l.target, l.text)
                });
                print::text(&lines.collect::<String>())
            }
            What::Who(who) => who.run(run_dir),
            What::OpenDay(open_day) => open_day.run(run_dir),
            What::Check(check) => check.run(),
            What::Export(export) => {
                let bytes = daemon.get("/logs/export")?.bytes()?;
                match export.out {
                    None => print::bytes(&bytes),
                    Some(path) => files::replace(&path, 0o600, &bytes, Medium::Flash)
                        .map_err(|e| Failure::new(exit::CANT_CREATE, format!("{}: {e}", path.display()))),
                }
            }
        }
    }
}
