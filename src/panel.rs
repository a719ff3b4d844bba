//! The app's pages without a router: a stand-in for what uhttpd, rpcd and LuCI's own server do between a browser and the
//! daemon. For tests and for who wants to look; never in router packages, and on loopback only.
//!
//! ```text
//! browser → server (who asks, where) → pages: menu, shell, files
//!                                    → ubus (JSON-RPC, access) → plugin (`echomesh rpcd`, a process a call) → daemon
//!                                                              → uci (staged changes over the UCI file)
//! ```

pub mod access;
pub mod files;
pub mod menu;
pub mod page;
pub mod plugin;
pub mod request;
pub mod server;
pub mod ubus;

use access::Logins;
use files::Files;
use plugin::Plugin;

/// All that a request needs.
#[derive(Debug)]
pub struct Panel {
    /// Pages, scripts, menu and access groups.
    pub files: Files,
    /// Who may log in.
    pub logins: Logins,
    /// The object `echomesh`.
    pub plugin: Plugin,
}
