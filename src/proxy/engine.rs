//! What every connection of the proxy shares.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures_rustls::TlsAcceptor;

use super::callers::Callers;
use super::tally::Tally;
use crate::core::Clock;
use crate::guard::Reputation;
use crate::identity::Identity;
use crate::net::address::AddressGuard;
use crate::net::pool::Pool;
use crate::net::resolve::Resolver;
use crate::session::Registry;

/// Head of a CONNECT, and the TLS handshake before it.
pub const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// ClientHello after the 200.
pub const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// Connecting to the destination, all addresses together.
pub const DIAL_WITHIN: Duration = Duration::from_secs(10);
/// No byte in either direction for this long ends a tunnel.
pub const IDLE: Duration = Duration::from_secs(300);
/// No tunnel lives longer.
pub const TOTAL: Duration = Duration::from_secs(24 * 3600);
/// Connections whose refusal or TLS handshake is still under way, and tunnels, in all. What is above is closed at
/// once. About 8 KiB each before authentication; tunnels are bounded by `max_tunnels` as well.
pub const MOST_CONNECTIONS: u32 = 4096;

/// What the engine is made of: values given at construction, so that tests and the demonstration can hand in others.
pub struct Parts {
    /// The node's clock.
    pub clock: Clock,
    /// The node's keys: the access log's is used.
    pub identity: Rc<Identity>,
    /// The table of sessions.
    pub registry: Rc<Registry>,
    /// Which addresses may be dialled, and by which device.
    pub addresses: Rc<AddressGuard>,
    /// Names to addresses.
    pub resolver: Rc<Resolver>,
    /// Pipes and buffers.
    pub pool: Pool,
    /// The listener's TLS side.
    pub acceptor: TlsAcceptor,
}

/// The engine. One thread; `Rc`.
pub struct Engine {
    /// What it is made of.
    pub parts: Parts,
    /// Replaced when the settings change.
    pub resolver: RefCell<Rc<Resolver>>,
    /// Replaced when the settings change.
    pub addresses: RefCell<Rc<AddressGuard>>,
    /// Tunnels' packets give way to the household's (`network.yield`).
    pub lower_effort: Cell<bool>,
    /// Holds categories back that sites have had enough of.
    pub reputation: RefCell<Reputation>,
    /// A connection that led elsewhere than was judged; whoever looks takes it out.
    pub breach: Cell<Option<&'static str>>,
    pub(super) callers: RefCell<Callers>,
    /// The same of those whom the gateway brings. Apart, because it is the gateway that says where they come from.
    pub(super) carried: RefCell<Callers>,
    /// Connections now.
    pub(super) connections: Cell<u32>,
    /// Counts since start.
    pub tally: Tally,
}

impl Engine {
    /// An engine without a connection yet.
    pub fn new(parts: Parts) -> Engine {
        let (resolver, addresses) = (parts.resolver.clone(), parts.addresses.clone());
        Engine {
            parts,
            resolver: RefCell::new(resolver),
            addresses: RefCell::new(addresses),
            lower_effort: Cell::new(false),
            reputation: RefCell::default(),
            breach: Cell::new(None),
            callers: RefCell::default(),
            carried: RefCell::default(),
            connections: Cell::new(0),
            tally: Tally::default(),
        }
    }
}
