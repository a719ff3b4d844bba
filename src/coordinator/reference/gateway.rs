//! The gateway for nodes that cannot be dialled: nodes dial it and prove their key, and each gets a port of its own here,
//! at which buyers reach it. Buyers' bytes pass through unread: their TLS ends at the node.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_rustls::TlsAcceptor;
use futures_rustls::server::TlsStream;
use nix::sys::socket::{setsockopt, sockopt};
use rustls::ServerConfig;
use smol::io::AsyncWriteExt as _;
use smol::{Async, LocalExecutor, Task};

use super::bounds;
use super::service::Service;
use crate::codec::NodeId;
use crate::coordinator::wire::GATEWAY_ALPN;
use crate::identity::certificate::ed25519_of;
use crate::net::mux::{Link, Side, Stream};
use crate::net::proxy_header::Header;
use crate::net::within;

mod carry;

/// The TLS handshake of a node.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// Rest after an accept that failed for want of descriptors or memory.
const REST: Duration = Duration::from_millis(100);
/// A silent line is asked by the kernel after so many seconds: that of a node that vanished ends within two minutes.
const KEEPALIVE_AFTER: u32 = 60;
const KEEPALIVE_EVERY: u32 = 15;

/// Where the gateway is.
#[derive(Clone, Debug)]
pub struct Places {
    /// Where nodes connect; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The address nodes and buyers are told.
    pub told: IpAddr,
    /// Ports for buyers, one for each node; at the address of `listen`.
    pub ports: RangeInclusive<u16>,
}

/// The gateway.
pub struct Gateway {
    places: Places,
    ex: Rc<LocalExecutor<'static>>,
    service: Rc<Service>,
    /// By node; as many as there are ports, at most. About 400 bytes each, and its connection.
    desks: RefCell<BTreeMap<NodeId, Desk>>,
    handshakes: Cell<usize>,
    /// Counts departures: the desk of the longest gone gives way to a newcomer.
    departures: Cell<u64>,
}

/// A node's place here, kept while it is away so that its buyers find it again at the same port.
struct Desk {
    port: u16,
    link: Option<Link>,
    departed: u64,
    /// Accepts the node's buyers.
    _accepting: Task<()>,
}

impl Gateway {
    /// A gateway that nobody is connected to.
    pub fn new(places: Places, ex: Rc<LocalExecutor<'static>>, service: Rc<Service>) -> Gateway {
        Gateway { places, ex, service, desks: RefCell::default(), handshakes: Cell::new(0), departures: Cell::new(0) }
    }

    /// Takes nodes' connections for ever.
    pub async fn serve(self: Rc<Self>, listener: Async<TcpListener>, config: Arc<ServerConfig>) -> io::Result<()> {
        let acceptor = TlsAcceptor::from(config);
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(e) => {
                    log::warn!("gateway: accept: {e}; resting");
                    smol::Timer::after(REST).await;
                    continue;
                }
            };
            if self.handshakes.get() >= bounds::GATEWAY_HANDSHAKES {
                continue;
            }
            self.handshakes.set(self.handshakes.get() + 1);
            let (this, acceptor) = (self.clone(), acceptor.clone());
            self.ex
                .spawn(async move {
                    keep_alive(stream.get_ref());
                    let shaken = within(HANDSHAKE_WITHIN, acceptor.accept(stream)).await;
                    this.handshakes.set(this.handshakes.get().saturating_sub(1));
                    match shaken {
                        Some(Ok(connection)) => this.receive(connection).await,
                        Some(Err(e)) => log::debug!("gateway: handshake: {e}"),
                        None => log::debug!("gateway: handshake took too long"),
                    }
                })
                .detach();
        }
    }

    /// One node, from its handshake until its connection ends.
    async fn receive(self: Rc<Self>, connection: TlsStream<Async<TcpStream>>) {
        let session = connection.get_ref().1;
        let node = session.peer_certificates().and_then(|chain| ed25519_of(chain.first()?)).map(NodeId);
        let Some(node) = node.filter(|_| session.alpn_protocol() == Some(GATEWAY_ALPN)) else { return };
        if !self.service.look(|engine| engine.may_use_gateway(node)) {
            log::info!("gateway: node {} has not registered for it", node.short());
            return;
        }
        let link = Link::new(Side::Listener);
        let port = match self.seat(node, &link) {
            Ok(port) => port,
            Err(e) => {
                log::warn!("gateway: no port for node {}: {e}", node.short());
                return;
            }
        };
        let address = SocketAddr::new(self.places.told, port).to_string();
        log::info!("gateway: node {} is at {address}", node.short());
        let _ = self.service.change(|engine, _, at| {
            engine.arrived(node, address, at);
            Ok(())
        });
        let ended = link.drive(connection).await;
        log::info!("gateway: node {}: {ended}", node.short());
        if self.leave(node, &link) {
            let _ = self.service.change(|engine, _, _| {
                engine.departed(node);
                Ok(())
            });
        }
    }

    /// Gives the node its place back, or a new one. The newest connection of a node is the one that counts.
    fn seat(self: &Rc<Self>, node: NodeId, link: &Link) -> io::Result<u16> {
        let mut desks = self.desks.borrow_mut();
        if let Some(desk) = desks.get_mut(&node) {
            if let Some(older) = desk.link.replace(link.clone()) {
                older.close();
            }
            return Ok(desk.port);
        }
        let most = self.places.ports.len().min(bounds::GATEWAY_LINKS);
        if desks.len() >= most {
            let gone = desks.iter().filter(|(_, d)| d.link.is_none()).min_by_key(|(_, d)| d.departed).map(|(id, _)| *id);
            desks.remove(&gone.ok_or_else(|| io::Error::other("every port is taken"))?);
        }
        let taken: Vec<u16> = desks.values().map(|d| d.port).collect();
        let free = self.places.ports.clone().filter(|port| !taken.contains(port));
        let bound = free.map(|port| Async::<TcpListener>::bind((self.places.listen.ip(), port)));
        // A port that another program holds is passed over.
        let listener = bound.filter_map(Result::ok).next().ok_or_else(|| io::Error::other("no port of the range is free"))?;
        let port = listener.get_ref().local_addr()?.port();
        let accepting = self.ex.spawn(accept(Rc::downgrade(self), node, listener));
        desks.insert(node, Desk { port, link: Some(link.clone()), departed: 0, _accepting: accepting });
        Ok(port)
    }

    /// The node's connection ended; `false` where it has a newer one.
    fn leave(&self, node: NodeId, link: &Link) -> bool {
        let mut desks = self.desks.borrow_mut();
        let Some(desk) = desks.get_mut(&node) else { return false };
        if !desk.link.as_ref().is_some_and(|l| l.is(link)) {
            return false;
        }
        desk.link = None;
        self.departures.set(self.departures.get() + 1);
        desk.departed = self.departures.get();
        true
    }

    /// A stream to the node that begins with `header`; `None` where it is away or full.
    async fn stream(&self, node: NodeId, header: &Header) -> Option<Stream> {
        let mut stream = self.desks.borrow().get(&node)?.link.as_ref()?.open()?;
        stream.write_all(&header.bytes()).await.ok()?;
        Some(stream)
    }

    /// A stream of this coordinator's own to the node.
    pub async fn reach(&self, node: NodeId) -> Option<Stream> {
        self.stream(node, &Header::Local).await
    }
}

/// Accepts a node's buyers for as long as it has its place.
async fn accept(gateway: std::rc::Weak<Gateway>, node: NodeId, listener: Async<TcpListener>) {
    loop {
        let accepted = listener.accept().await;
        let Some(gateway) = gateway.upgrade() else { return };
        match accepted {
            Ok((buyer, source)) => {
                let Ok(destination) = buyer.get_ref().local_addr() else { continue };
                let header = Header::Proxied { source, destination };
                // While the node is away, its buyers are not kept waiting.
                let Some(stream) = gateway.stream(node, &header).await else { continue };
                keep_alive(buyer.get_ref());
                gateway.ex.spawn(carry::carry(buyer, stream)).detach();
            }
            Err(e) => {
                log::warn!("gateway: accept for node {}: {e}; resting", node.short());
                smol::Timer::after(REST).await;
            }
        }
    }
}

/// A kernel that refuses is no error: a line is found dead later then.
fn keep_alive(socket: &TcpStream) {
    let _ = socket.set_nodelay(true);
    let _ = setsockopt(socket, sockopt::KeepAlive, &true);
    let _ = setsockopt(socket, sockopt::TcpKeepIdle, &KEEPALIVE_AFTER);
    let _ = setsockopt(socket, sockopt::TcpKeepInterval, &KEEPALIVE_EVERY);
}
