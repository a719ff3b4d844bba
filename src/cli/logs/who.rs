//! `echomesh logs who`: whose session it was, to answer a letter.

use std::path::Path;

use argh::FromArgs;

use crate::cli::ask::{Daemon, encoded};
use crate::cli::print;
use crate::codec::time::rfc3339;
use crate::control::who;
use crate::core::exit::{self, Failure};

#[derive(FromArgs)]
#[argh(subcommand, name = "who")]
/// Name the sessions and buyers served at a time, and those with a tunnel to a host as far as lines are held.
pub(super) struct Who {
    /// when, in UTC: 2026-01-31T12:00:00Z, or "2026-01-31 12:00:00"
    #[argh(option)]
    at: String,
    /// only tunnels to this host
    #[argh(option)]
    host: Option<String>,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

impl Who {
    pub(super) fn run(self, run_dir: &Path) -> Result<(), Failure> {
        let unclear = || Failure::new(exit::USAGE, "--at is a time in UTC: 2026-01-31T12:00:00Z");
        let at = humantime::parse_rfc3339_weak(&self.at).map_err(|_| unclear())?;
        let at = at.duration_since(std::time::UNIX_EPOCH).map_err(|_| unclear())?.as_secs();
        let mut target = format!("/logs/who?at={}", encoded(&rfc3339(at)));
        if let Some(host) = &self.host {
            target.push_str(&format!("&host={}", encoded(host)));
        }
        let who: who::Who = Daemon::at(run_dir).get(&target)?.read()?;
        if self.json {
            return print::json(&who);
        }
        let mut out = String::new();
        for s in &who.sessions {
            let closed = s.closed.map_or_else(|| "now".to_owned(), |at| rfc3339(at.0));
            let tunnels = s.tunnels.map_or_else(|| "?".to_owned(), |n| n.to_string());
            out.push_str(&format!("session {}  buyer {}  {} to {closed}  tunnels then {tunnels}\n", s.session_id, s.buyer_id, rfc3339(s.opened.0)));
        }
        print::text(&format!("{out}{}\n", who.message))
    }
}
