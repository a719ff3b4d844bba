//! `echomesh logs open-day` and `logs check`: one day's hashed hosts, opened to an auditor without the others.

use std::path::{Path, PathBuf};

use argh::FromArgs;
use serde_json::json;

use crate::cli::ask::Daemon;
use crate::cli::print;
use crate::codec::{Hash, json};
use crate::control::who::OpenedDay;
use crate::core::exit::{self, Failure};
use crate::net::host::Host;

#[derive(FromArgs)]
#[argh(subcommand, name = "open-day")]
/// Print the key of one UTC date: whoever has it can check the hosts of that day's lines, and of no other.
pub(super) struct OpenDay {
    /// YYYY-MM-DD
    #[argh(positional)]
    date: String,
}

impl OpenDay {
    pub(super) fn run(self, run_dir: &Path) -> Result<(), Failure> {
        let opened: OpenedDay = Daemon::at(run_dir).send("POST", "/logs/open-day", &json!({ "date": self.date }))?.read()?;
        print::text(&format!("{}\n", opened.key))
    }
}

#[derive(FromArgs)]
#[argh(subcommand, name = "check")]
/// Print the lines of an export whose host is the one named, given that day's key. Needs no daemon.
pub(super) struct Check {
    /// 64 hex digits, of `logs open-day`
    #[argh(option)]
    key: String,
    /// host to look for
    #[argh(option)]
    host: String,
    /// what `logs export` wrote
    #[argh(positional)]
    export: PathBuf,
}

impl Check {
    pub(super) fn run(self) -> Result<(), Failure> {
        let key =
            blake3::Hash::from_hex(&self.key).map_err(|_| Failure::new(exit::USAGE, "--key is 64 hex digits, as `logs open-day` prints them"))?;
        let host = Host::parse(&self.host).map_err(|_| Failure::new(exit::USAGE, "--host is no host name a buyer could have asked for"))?;
        let wanted = Hash(blake3::keyed_hash(key.as_bytes(), host.as_str().as_bytes()).into()).to_string();
        let name = self.export.display();
        let text = std::fs::read_to_string(&self.export).map_err(|e| Failure::new(exit::NO_INPUT, format!("{name}: {e}")))?;
        let is_it = |line: &&str| json::parse(line.as_bytes()).is_ok_and(|v| v["host"] == wanted.as_str());
        let found: String = text.lines().filter(is_it).flat_map(|line| [line, "\n"]).collect();
        if found.is_empty() {
            return Err(Failure::new(exit::DATA, format!("{name}: no line of that day has this host")));
        }
        print::text(&found)
    }
}
