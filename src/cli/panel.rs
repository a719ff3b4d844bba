//! `echomesh panel`: the app in a browser, without a router.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use argh::FromArgs;
use async_signal::{Signal, Signals};
use smol::stream::StreamExt as _;

use super::print;
use crate::core::exit::{self, Failure};
use crate::panel::Options;
use crate::panel::run::Running;

#[derive(FromArgs)]
#[argh(subcommand, name = "panel")]
/// Serve the LuCI app for the daemon of --run-dir on loopback, for tests and for who wants to look. Asks for no password.
pub struct Panel {
    /// UCI file of the daemon [/etc/config/echomesh]
    #[argh(option, default = "super::CONFIG.into()")]
    config: PathBuf,
    /// address to listen on; port 0 = any [127.0.0.1:0]
    #[argh(option, default = "SocketAddr::from(([127, 0, 0, 1], 0))")]
    listen: SocketAddr,
    /// source tree whose pages are read at each request, instead of those of this program
    #[argh(option)]
    files: Option<PathBuf>,
    /// run the daemon, too: when its settings say on, or a page sets it up
    #[argh(switch)]
    node: bool,
    /// with --node: a daemon for which 127.77.0.0/16 is public and loopback the uplink
    #[argh(switch)]
    in_demo: bool,
    /// root folder of updates [an empty one]
    #[argh(option)]
    root: Option<PathBuf>,
}

impl Panel {
    /// Until SIGINT or SIGTERM.
    pub fn run(self, run_dir: &Path) -> Result<(), Failure> {
        let mut signals = Signals::new([Signal::Int, Signal::Term]).map_err(|e| Failure::new(exit::OS, format!("signals: {e}")))?;
        if self.in_demo && !self.node {
            return Err(Failure::new(exit::USAGE, "--in-demo is about the daemon of --node: say both"));
        }
        let Panel { config, listen, files, node, in_demo, root } = self;
        let running = Running::start(Options { run_dir: run_dir.to_owned(), config, listen, files, node, in_demo, root })?;
        print::text(&format!("panel at {}\n", running.address()))?;
        smol::block_on(signals.next());
        running.end();
        Ok(())
    }
}
