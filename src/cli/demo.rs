//! `echomesh demo`: the whole of it on one machine.

use std::path::Path;

use argh::FromArgs;
use nix::sys::prctl;
use nix::sys::signal::Signal;

use crate::core::exit::{self, Failure};
use crate::demo::part::Part;
use crate::demo::play::{self, Options};

#[derive(FromArgs)]
#[argh(subcommand, name = "demo")]
/// Show it all on this machine: coordinator, two nodes, real HTTPS through both, every refusal, an outage; and compare
/// what origin, nodes and ledger counted. Exits with 65 on any difference.
pub struct Demo {
    /// seconds of traffic [10]
    #[argh(option, default = "10")]
    seconds: u64,
    /// one JSON document on standard output, and nothing else
    #[argh(switch)]
    json: bool,
    /// leave everything up until Ctrl-C, and tell how to look and how to use it
    #[argh(switch)]
    keep: bool,
    /// with --keep: serve the LuCI app for the first node on loopback
    #[argh(switch)]
    panel: bool,
    /// flip bytes of what was written down, and show that it is noticed
    #[argh(switch)]
    self_test: bool,
    #[argh(subcommand)]
    inner: Option<Inner>,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum Inner {
    Part(Part),
    Leashed(Leashed),
}

/// another subcommand, as a process that ends with the one that started it
#[derive(FromArgs)]
#[argh(subcommand, name = "leashed")]
struct Leashed {
    /// the subcommand
    #[argh(positional, greedy)]
    line: Vec<String>,
}

impl Demo {
    /// Runs it. `run_dir` is the node's, where a part is one.
    pub fn run(self, run_dir: &Path) -> Result<(), Failure> {
        match self.inner {
            None if self.panel && !self.keep => {
                Err(Failure::new(exit::USAGE, "--panel needs --keep: without it, all is ended before anybody can look"))
            }
            None => {
                let Demo { seconds, json, keep, panel, self_test, .. } = self;
                play::run(Options { seconds, json, keep, panel, self_test })
            }
            Some(Inner::Part(part)) => part.run(run_dir),
            Some(Inner::Leashed(leashed)) => {
                // The kernel ends it when the demonstration dies, even by SIGKILL.
                prctl::set_pdeathsig(Signal::SIGKILL).map_err(|e| Failure::new(exit::OS, format!("prctl: {e}")))?;
                super::main(&leashed.line)
            }
        }
    }
}
