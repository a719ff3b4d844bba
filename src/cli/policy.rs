//! `echomesh policy`: what the guard would say.

use std::fmt::Write as _;
use std::path::Path;

use argh::FromArgs;

use super::ask::{self, Daemon};
use super::print;
use crate::control::call::Explanation;
use crate::core::exit::Failure;

#[derive(FromArgs)]
#[argh(subcommand, name = "policy")]
/// Ask what the policy says.
pub struct Policy {
    #[argh(subcommand)]
    what: What,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum What {
    Explain(Explain),
}

#[derive(FromArgs)]
#[argh(subcommand, name = "explain")]
/// Say whether a tunnel to HOST would be opened, and which rule decides.
struct Explain {
    /// host name
    #[argh(positional)]
    host: String,
    /// port [443]
    #[argh(option, default = "443")]
    port: u16,
    /// under this session's profile
    #[argh(option)]
    session: Option<String>,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

impl Policy {
    /// Prints the explanation.
    pub fn run(self, run_dir: &Path) -> Result<(), Failure> {
        let What::Explain(e) = self.what;
        let mut target = format!("/policy/explain?host={}&port={}", ask::encoded(&e.host), e.port);
        if let Some(session) = &e.session {
            let _ = write!(target, "&session={}", ask::encoded(session));
        }
        let said: Explanation = Daemon::at(run_dir).get(&target)?.read()?;
        if e.json {
            return print::json(&said);
        }
        let verdict = match &said.reason {
            None if said.allowed => "allowed".to_owned(),
            reason => format!("refused ({})", reason.as_deref().unwrap_or("no reason given")),
        };
        print::text(&format!("{}:{} {verdict}\nrule:  {}\n{}\n", e.host, e.port, said.rule, said.message))
    }
}
