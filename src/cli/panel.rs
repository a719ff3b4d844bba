//! `echomesh panel`: the app in a browser, without a router.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use argh::FromArgs;
use async_signal::{Signal, Signals};
use smol::stream::StreamExt as _;

use super::print;
use crate::core::exit::{self, Failure};
use crate::panel::access::Logins;
use crate::panel::files::Files;
use crate::panel::plugin::Plugin;
use crate::panel::server::Server;

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
}

impl Panel {
    /// Until SIGINT or SIGTERM.
    pub fn run(self, run_dir: &Path) -> Result<(), Failure> {
        let mut signals = Signals::new([Signal::Int, Signal::Term]).map_err(|e| Failure::new(exit::OS, format!("signals: {e}")))?;
        let panel =
            crate::panel::Panel { files: Files::new(self.files), logins: Logins::new()?, plugin: Plugin::new(run_dir.to_owned(), self.config)? };
        let server = Server::start(self.listen, panel)?;
        print::text(&format!("panel at {}\n", server.address()))?;
        smol::block_on(signals.next());
        server.stop();
        Ok(())
    }
}
