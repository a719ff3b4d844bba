//! `echomesh sessions`: list them, close one.

use std::fmt::Write as _;
use std::path::Path;

use argh::FromArgs;
use serde_json::{Value, json};

use super::ask::Daemon;
use super::{chart, print, tree};
use crate::core::exit::Failure;

#[derive(FromArgs)]
#[argh(subcommand, name = "sessions")]
/// List the sessions of this node, or close one.
pub struct Sessions {
    #[argh(subcommand)]
    what: Option<What>,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum What {
    List(List),
    Close(Close),
}

#[derive(FromArgs)]
#[argh(subcommand, name = "list")]
/// List the sessions (what `echomesh sessions` does).
struct List {}

#[derive(FromArgs)]
#[argh(subcommand, name = "close")]
/// Close a session on this node; its counters are sealed and sent.
struct Close {
    /// session id
    #[argh(positional)]
    id: String,
}

impl Sessions {
    /// Prints the list, or closes.
    pub fn run(self, run_dir: &Path) -> Result<(), Failure> {
        let daemon = Daemon::at(run_dir);
        match self.what {
            None | Some(What::List(_)) => {
                let status: Value = daemon.get("/status")?.read()?;
                print::text(&table(tree::list(&status, "sessions")))
            }
            Some(What::Close(close)) => {
                let _: Value = daemon.send("POST", "/sessions/close", &json!({ "sessionId": close.id }))?.read()?;
                print::text(&format!("closed {}\n", close.id))
            }
        }
    }
}

/// The sessions of a status object as lines of text under a head.
pub fn table(sessions: &[Value]) -> String {
    if sessions.is_empty() {
        return "no session\n".to_owned();
    }
    let mut out = format!("{:36}  {:10} {:>7} {:>10} {:>10} {:>8} {:>7}\n", "session", "state", "tunnels", "in", "out", "p95", "errors");
    for s in sessions {
        let p95 = s["latencyMsP95"].as_u64().map_or_else(|| "–".to_owned(), |ms| format!("{ms} ms"));
        let _ = writeln!(
            out,
            "{:36}  {:10} {:>7} {:>10} {:>10} {p95:>8} {:>6.1}%",
            tree::text(s, "sessionId"),
            tree::text(s, "state"),
            tree::whole(s, "tunnels"),
            chart::bytes(tree::whole(s, "bytesIngress")),
            chart::bytes(tree::whole(s, "bytesEgress")),
            tree::real(s, "errorRatePct")
        );
    }
    out
}
