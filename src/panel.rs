//! The app's pages without a router: a stand-in for what uhttpd, rpcd and LuCI's own server do between a browser and the
//! daemon. For tests and for who wants to look; never in router packages, and on loopback only.
//!
//! ```text
//! browser → server (who asks, where) → pages: menu, shell, files
//!                                    → ubus (JSON-RPC, access) → plugin (`echomesh rpcd`, a process a call) → daemon
//!                                                              → uci (staged changes over the UCI file)
//! ```

use std::net::SocketAddr;
use std::path::PathBuf;

pub mod access;
pub mod files;
mod folder;
pub mod menu;
mod node;
pub mod page;
pub mod plugin;
pub mod request;
pub mod run;
pub mod server;
pub mod service;
pub mod ubus;
pub mod uci;

use access::Logins;
use files::Files;
use plugin::Plugin;
use uci::Uci;

/// What to serve.
#[derive(Debug)]
pub struct Options {
    /// Run folder of the daemon.
    pub run_dir: PathBuf,
    /// Its UCI file.
    pub config: PathBuf,
    /// Where to listen: loopback.
    pub listen: SocketAddr,
    /// Source tree whose pages are read at each request.
    pub files: Option<PathBuf>,
    /// Whether the panel starts the daemon itself, when its settings or a page say so.
    pub node: bool,
    /// Whether that daemon is in the demonstration's world.
    pub in_demo: bool,
    /// Root folder of updates; `None` = an empty one.
    pub root: Option<PathBuf>,
}

/// All that a request needs.
#[derive(Debug)]
pub struct Panel {
    /// Pages, scripts, menu and access groups.
    pub files: Files,
    /// Who may log in.
    pub logins: Logins,
    /// The object `echomesh`.
    pub plugin: Plugin,
    /// The object `uci`.
    pub uci: Uci,
}
