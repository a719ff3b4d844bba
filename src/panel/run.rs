//! A panel from start to end.

use super::access::Logins;
use super::files::Files;
use super::folder::Folder;
use super::node::Node;
use super::plugin::{Place, Plugin};
use super::server::Server;
use super::service::{self, Keeper, Service};
use super::uci::Uci;
use super::{Options, Panel};
use crate::core::exit::Failure;

/// A panel at work. Nothing of it is left once it is dropped or ended.
pub struct Running {
    server: Server,
    keeper: Option<Keeper>,
    _folder: Folder,
}

impl Running {
    /// Starts what `options` ask for.
    ///
    /// # Errors
    /// It cannot listen, or lacks something of the system.
    pub fn start(options: Options) -> Result<Running, Failure> {
        let Options { run_dir, config, listen, files, node, in_demo, root } = options;
        let folder = Folder::new()?;
        let place = Place {
            run_dir: run_dir.clone(),
            config: config.clone(),
            service: service::program(folder.path()),
            root: root.unwrap_or_else(|| folder.path().join("root")),
        };
        let plugin = Plugin::new(place)?;
        let logins = Logins::new()?;
        let http = Server::listen(listen)?;
        let (service, keeper) = if node {
            let node = Node { run_dir: run_dir.clone(), config: config.clone(), in_demo };
            let (service, keeper) = Service::own(run_dir, folder.path(), node)?;
            (service, Some(keeper))
        } else {
            (Service::of_another(run_dir), None)
        };
        let panel = Panel { files: Files::new(files), logins, plugin, uci: Uci::new(config, service) };
        Ok(Running { server: Server::start(http, panel)?, keeper, _folder: folder })
    }

    /// Where a browser finds it.
    pub fn address(&self) -> String {
        self.server.address()
    }

    /// Ends it, and a node of its own.
    pub fn end(self) {
        self.server.stop();
        if let Some(keeper) = self.keeper {
            keeper.end();
        }
    }
}
