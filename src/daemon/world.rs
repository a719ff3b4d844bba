//! What of the outer world the daemon takes as given: which addresses are public, and which devices lead there.
//!
//! Values handed in at construction. `run` always takes [`World::internet`]; the demonstration and the tests, which
//! have no Internet, hand in others. No option, flag or environment variable of `run` reaches this.

use std::io;
use std::rc::Rc;

use crate::config::Settings;
use crate::core::Clock;
use crate::net::address::{AddressGuard, Table, Uplinks};
use crate::platform::counters::Counters;

/// The outer world.
#[derive(Clone, Debug)]
pub struct World {
    /// Which addresses count as public.
    pub table: Table,
    /// Devices that count as uplinks whatever the settings say; `None` = as the settings say.
    pub devices: Option<Vec<String>>,
    /// What devices have received and sent.
    pub counters: Counters,
}

impl World {
    /// The Internet as it is.
    pub fn internet() -> World {
        World { table: Table::internet(), devices: None, counters: Counters::default() }
    }

    /// The uplinks of these settings in this world.
    pub fn uplinks(&self, settings: &Settings) -> Uplinks {
        let named = self.devices.clone().unwrap_or_else(|| settings.network.uplink.clone());
        if named.is_empty() { Uplinks::DefaultRoute } else { Uplinks::Named(named) }
    }

    /// The address guard of these settings in this world.
    ///
    /// # Errors
    /// The kernel's routes cannot be asked.
    pub fn guard(&self, settings: &Settings, clock: &Clock) -> io::Result<Rc<AddressGuard>> {
        AddressGuard::new(self.table.clone(), self.uplinks(settings), clock.clone()).map(Rc::new)
    }
}
