//! Buyers through the coordinator's gateway (contracts, "Over the gateway"): the node dials it, and every stream it opens
//! is served as a connection to the listener is.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use futures_rustls::TlsConnector;
use futures_rustls::client::TlsStream;
use nix::sys::socket::{setsockopt, sockopt};
use rustls::pki_types::ServerName;
use smol::LocalExecutor;
use smol::future::FutureExt as _;

use super::engine::{Engine, HEAD_WITHIN, MOST_CONNECTIONS};
use super::listener::{Door, meet};
use super::tally;
use crate::codec::Hash;
use crate::coordinator::wire::GATEWAY_ALPN;
use crate::core::Reason;
use crate::identity::Role;
use crate::identity::certificate::self_signed_node;
use crate::net::dial::{dial, mark_lower_effort};
use crate::net::mux::{Budget, Link, Side, Stream};
use crate::net::proxy_header::{self, Header};
use crate::net::reactor::Async;
use crate::net::relay::{BuyerStream, Stop};
use crate::net::{roots, within, work};
use crate::platform::facts;

/// The TCP handshake, and after it the TLS handshake.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// A silent line is asked by the kernel, which wakes nobody: after this many seconds, so that carriers' tables keep it…
const KEEPALIVE_AFTER: u32 = 30;
/// …and again after these, so many times, before it is given up.
const KEEPALIVE_EVERY: u32 = 10;
const KEEPALIVE_TIMES: u32 = 3;
/// What was sent and is not acknowledged for this long (ms) ends the line.
const UNANSWERED_MOST_MS: u32 = 30_000;

type Connection = TlsStream<Async<std::net::TcpStream>>;

/// A gateway as the coordinator names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gateway {
    /// Where it is. No name: nothing is resolved on the way there.
    pub address: SocketAddr,
    /// Hash of the SubjectPublicKeyInfo it must show.
    pub spki: Hash,
}

/// Why there is no connection to the gateway.
#[derive(Debug)]
pub enum NoLink {
    /// It cannot be reached, or may not be.
    Dial(Reason),
    /// The handshake failed: another key, another protocol, or the line broke.
    Tls(String),
}

impl std::fmt::Display for NoLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NoLink::Dial(Reason::PrivateAddress) => {
                f.write_str("its address is not on the public Internet, and not the configured coordinator's; ask the coordinator's operator")
            }
            NoLink::Dial(reason) => write!(f, "it cannot be reached ({reason})"),
            NoLink::Tls(why) => write!(f, "no secure connection to it: {why}"),
        }
    }
}

/// A connection to the gateway that has not been served yet.
pub struct Connected {
    connection: Connection,
    gateway: SocketAddr,
    /// Our own end of it.
    pub local: Option<IpAddr>,
    /// Its streams.
    pub link: Link,
}

/// Connects to `gateway`. Where it may be is judged as for a buyer's destination, because the coordinator names it and not
/// the owner; `exempt` is the address the owner's own settings name.
///
/// # Errors
/// See [`NoLink`].
pub async fn connect(engine: &Engine, gateway: &Gateway, exempt: Option<IpAddr>) -> Result<Connected, NoLink> {
    let socket = if exempt == Some(gateway.address.ip()) {
        let connected = within(CONNECT_WITHIN, Async::<std::net::TcpStream>::connect(gateway.address)).await;
        connected.ok_or(NoLink::Dial(Reason::TimedOut))?.map_err(|_| NoLink::Dial(Reason::DialFailed))?
    } else {
        let guard = engine.addresses.borrow().clone();
        let addresses = [gateway.address.ip()];
        dial(&guard, &addresses, gateway.address.port(), &engine.parts.clock, CONNECT_WITHIN).await.map_err(NoLink::Dial)?.stream
    };
    prepare(&socket, engine.lower_effort.get());
    let local = socket.get_ref().local_addr().ok().map(|a| a.ip());
    let tls = |e: &dyn std::fmt::Display| NoLink::Tls(e.to_string());
    let own = self_signed_node(&engine.parts.identity.role_key(Role::Proxy), "echomesh", &[]).map_err(|e| tls(&e))?;
    let config = roots::pinned_as(gateway.spki, &own, &[GATEWAY_ALPN], &engine.parts.clock).map_err(|e| tls(&e))?;
    let name = ServerName::IpAddress(gateway.address.ip().into());
    let connection = within(CONNECT_WITHIN, TlsConnector::from(config).connect(name, socket)).await;
    let connection = connection.ok_or_else(|| tls(&"no answer in time"))?.map_err(|e| tls(&e))?;
    if connection.get_ref().1.alpn_protocol() != Some(GATEWAY_ALPN) {
        return Err(tls(&"it does not speak the gateway's protocol"));
    }
    Ok(Connected { connection, gateway: gateway.address, local, link: Link::within(Side::Dialler, Budget::for_ram(facts::ram_bytes())) })
}

/// A kernel that refuses an option is no error: the line is found dead later then.
fn prepare(socket: &Async<std::net::TcpStream>, lower_effort: bool) {
    let socket = socket.get_ref();
    let _ = socket.set_nodelay(true);
    let _ = setsockopt(socket, sockopt::KeepAlive, &true);
    let _ = setsockopt(socket, sockopt::TcpKeepIdle, &KEEPALIVE_AFTER);
    let _ = setsockopt(socket, sockopt::TcpKeepInterval, &KEEPALIVE_EVERY);
    let _ = setsockopt(socket, sockopt::TcpKeepCount, &KEEPALIVE_TIMES);
    let _ = setsockopt(socket, sockopt::TcpUserTimeout, &UNANSWERED_MOST_MS);
    if lower_effort {
        mark_lower_effort(socket);
    }
}

/// Serves the gateway's streams until the connection is lost; why. Every stream is a task of `group`. When this ends, or is
/// dropped, live tunnels end as `gateway-lost`.
pub async fn serve(group: &LocalExecutor<'static>, engine: &Rc<Engine>, connected: Connected) -> String {
    let Connected { connection, gateway, link, .. } = connected;
    let losing = Losing(Stop::new());
    let accept = async {
        while let Some(stream) = link.accept().await {
            welcome(group, engine, stream, gateway, &losing.0);
        }
        std::future::pending().await
    };
    link.drive(connection).or(accept).await.to_string()
}

/// Tells the tunnels, however serving ends.
struct Losing(Stop);

impl Drop for Losing {
    fn drop(&mut self) {
        self.0.stop(Reason::GatewayLost);
    }
}

fn welcome(group: &LocalExecutor<'static>, engine: &Rc<Engine>, stream: Stream, gateway: SocketAddr, lost: &Stop) {
    tally::up(&engine.tally.connections);
    if engine.connections.get() >= MOST_CONNECTIONS {
        engine.tally.refused(Reason::Overload);
        return;
    }
    work::start(group, greet(engine.clone(), stream, gateway, lost.clone())).detach();
}

/// One stream: who it is from, then its first byte. Streams that say neither hold at most one window each, and a place of
/// the connection's own bound.
async fn greet(engine: Rc<Engine>, mut stream: Stream, gateway: SocketAddr, lost: Stop) {
    let source = match within(HEAD_WITHIN, proxy_header::read(&mut stream)).await {
        Some(Ok(Header::Proxied { source, .. })) => source,
        Some(Ok(Header::Local)) => gateway,
        Some(Err(e)) => {
            log::debug!("a stream of the gateway without a PROXY header: {e}");
            return;
        }
        None => return,
    };
    let ip = source.ip().to_canonical();
    if let Err(reason) = engine.carried.borrow_mut().came(ip, engine.parts.clock.now()) {
        engine.tally.refused(reason);
        return;
    }
    let door = Door::new(engine, ip, true, Some(lost));
    let mut first = [0];
    let Some(Ok(1)) = within(HEAD_WITHIN, stream.peek(&mut first)).await else { return };
    meet(stream, first[0], door, BuyerStream::Carried, BuyerStream::CarriedTls).await;
}
