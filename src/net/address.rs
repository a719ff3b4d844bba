//! Which addresses may be dialled (contracts, "Address guard"): public ones that are not the router's own and that the
//! kernel, asked at the moment of dialling, would reach by an uplink.

pub mod egress;
mod special;

use std::cell::RefCell;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::core::{Clock, Mono, Reason};
use crate::platform::uplink::{Kind, Routes};

/// The IANA special-purpose registries: which addresses are on the public Internet.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Nets that count as public whatever the registries say; a value for tests and the demonstration.
    public: Vec<IpNet>,
}

/// Which devices lead to the Internet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Uplinks {
    /// These, as the owner named them (`network.uplink`).
    Named(Vec<String>),
    /// Those holding a default route of the main table.
    DefaultRoute,
}

/// The device a checked address is reached by; the socket is bound to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exit {
    /// Device name.
    pub device: String,
    /// Its index.
    pub index: u32,
}

/// Decides on every address at the moment it is dialled.
pub struct AddressGuard {
    table: Table,
    uplinks: RefCell<Uplinks>,
    routes: Routes,
    clock: Clock,
    /// Devices with a default route, and until when that is believed.
    defaults: RefCell<Option<(Mono, Vec<String>)>>,
}

/// How long the list of devices with a default route is believed: one dump of the routes per this time at most.
const DEFAULTS_HOLD: Duration = Duration::from_secs(5);

impl Table {
    /// The registries as they are.
    pub const fn internet() -> Table {
        Table { public: Vec::new() }
    }

    /// The same, with `net` counting as public, and its addresses dialled even if they are the machine's own.
    /// Only tests and the demonstration construct such a table; no setting reaches it.
    pub fn with_public(mut self, net: IpNet) -> Table {
        self.public.push(net);
        self
    }

    /// Whether `ip` is on the public Internet; [`Reason::PrivateAddress`] where not.
    pub fn judge(&self, ip: IpAddr) -> Result<(), Reason> {
        if self.declares_public(ip) {
            return Ok(());
        }
        let refused = match ip {
            IpAddr::V4(v4) => special::refuses_v4(v4),
            IpAddr::V6(v6) => match special::embedded_v4(v6) {
                Some(v4) => return self.judge(IpAddr::V4(v4)),
                None => special::refuses_v6(v6),
            },
        };
        if refused { Err(Reason::PrivateAddress) } else { Ok(()) }
    }

    fn declares_public(&self, ip: IpAddr) -> bool {
        self.public.iter().any(|net| net.contains(&ip))
    }
}

impl AddressGuard {
    /// A guard of `table` and `uplinks`; opens its routing socket now, before any sandbox.
    pub fn new(table: Table, uplinks: Uplinks, clock: Clock) -> io::Result<AddressGuard> {
        let routes = Routes::open()?;
        Ok(AddressGuard { table, uplinks: RefCell::new(uplinks), routes, clock, defaults: RefCell::new(None) })
    }

    /// A guard for tests and the demonstration: `nets` on loopback count as public, and `lo` is the uplink.
    pub fn loopback(nets: &[IpNet], clock: Clock) -> io::Result<AddressGuard> {
        let table = nets.iter().fold(Table::internet(), |table, net| table.with_public(*net));
        AddressGuard::new(table, Uplinks::Named(vec!["lo".to_owned()]), clock)
    }

    /// Follows a change of the settings; live connections are not touched.
    pub fn set_uplinks(&self, uplinks: Uplinks) {
        *self.uplinks.borrow_mut() = uplinks;
        *self.defaults.borrow_mut() = None;
    }

    /// The names of the uplinks now.
    pub fn uplinks(&self) -> io::Result<Vec<String>> {
        match &*self.uplinks.borrow() {
            Uplinks::Named(names) => Ok(names.clone()),
            Uplinks::DefaultRoute => self.default_devices(),
        }
    }

    /// Whether `ip` may be dialled now, and by which device. The caller binds the socket to it and dials exactly `ip`.
    ///
    /// # Errors
    /// [`Reason::PrivateAddress`]: not public, the router's own, or not by an uplink. [`Reason::DialFailed`]: no way there now.
    pub fn admit(&self, ip: IpAddr) -> Result<Exit, Reason> {
        self.table.judge(ip)?;
        let route = self.routes.route_to(ip).map_err(|e| {
            log::warn!("the kernel's routes cannot be asked: {e}");
            Reason::DialFailed
        })?;
        route_allows(route.kind, self.table.declares_public(ip))?;
        let leaves_by_uplink = match &*self.uplinks.borrow() {
            Uplinks::Named(names) => names.contains(&route.device),
            Uplinks::DefaultRoute => self.default_devices().unwrap_or_default().contains(&route.device),
        };
        if leaves_by_uplink { Ok(Exit { device: route.device, index: route.index }) } else { Err(Reason::PrivateAddress) }
    }

    fn default_devices(&self) -> io::Result<Vec<String>> {
        let now = self.clock.now();
        if let Some((until, devices)) = &*self.defaults.borrow()
            && now < *until
        {
            return Ok(devices.clone());
        }
        let devices = self.routes.default_route_devices()?;
        *self.defaults.borrow_mut() = Some((now.plus(DEFAULTS_HOLD), devices.clone()));
        Ok(devices)
    }
}

/// What the kernel's kind of route means for dialling; `declared` = a net that this process was told to count as public.
const fn route_allows(kind: Kind, declared: bool) -> Result<(), Reason> {
    match (kind, declared) {
        (Kind::Unicast, _) | (Kind::Local, true) => Ok(()),
        (Kind::Nowhere, _) => Err(Reason::DialFailed),
        (Kind::Local | Kind::Other, _) => Err(Reason::PrivateAddress),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    #[test]
    fn a_net_declared_public_changes_nothing_else() {
        let table = Table::internet().with_public(net("127.77.0.0/16"));
        for (text, good) in [
            ("127.77.0.1", true),
            ("127.77.255.255", true),
            ("127.76.255.255", false),
            ("127.78.0.0", false),
            ("::ffff:127.77.0.1", false),
            ("64:ff9b::7f4d:1", true), // judged by its IPv4
            ("64:ff9b::7f00:1", false),
            ("10.0.0.1", false),
            ("1.1.1.1", true),
        ] {
            assert_eq!(table.judge(ip(text)).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn admits_a_declared_net_by_lo_only_and_names_the_device() {
        let clock = Clock::test(0);
        let guard = AddressGuard::loopback(&[net("127.77.0.0/16")], clock.clone()).unwrap();
        assert_eq!(guard.admit(ip("127.77.0.1")).map(|e| e.device), Ok("lo".to_owned()));
        assert_eq!(guard.admit(ip("127.0.0.1")), Err(Reason::PrivateAddress));
        assert_eq!(guard.admit(ip("::1")), Err(Reason::PrivateAddress));

        let table = || Table::internet().with_public(net("127.77.0.0/16"));
        let real = AddressGuard::new(table(), Uplinks::DefaultRoute, clock.clone()).unwrap();
        assert_eq!(real.admit(ip("127.77.0.1")), Err(Reason::PrivateAddress), "lo holds no default route");
        let elsewhere = AddressGuard::new(table(), Uplinks::Named(vec!["nosuch0".into()]), clock).unwrap();
        assert_eq!(elsewhere.admit(ip("127.77.0.1")), Err(Reason::PrivateAddress));
        elsewhere.set_uplinks(Uplinks::Named(vec!["lo".into()]));
        assert!(elsewhere.admit(ip("127.77.0.1")).is_ok());
    }

    #[test]
    fn an_address_of_the_router_is_refused_however_public_it_is() {
        assert_eq!(route_allows(Kind::Local, false), Err(Reason::PrivateAddress));
        assert_eq!(route_allows(Kind::Local, true), Ok(()));
        assert_eq!(route_allows(Kind::Other, true), Err(Reason::PrivateAddress));
        assert_eq!(route_allows(Kind::Nowhere, false), Err(Reason::DialFailed));
        assert_eq!(route_allows(Kind::Unicast, false), Ok(()));

        let guard = AddressGuard::new(Table::internet(), Uplinks::DefaultRoute, Clock::test(0)).unwrap();
        for own in crate::platform::uplink::own_addresses().unwrap() {
            assert_eq!(guard.admit(own), Err(Reason::PrivateAddress), "{own}");
        }
    }
}
