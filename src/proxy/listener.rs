//! The buyer's port: accepts, tells TLS from plain by the first byte, and closes what has no place here.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::rc::{Rc, Weak};
use std::time::Duration;

use futures_rustls::server::TlsStream;
use smol::LocalExecutor;
use smol::io::{AsyncRead, AsyncWrite};

use super::engine::{Engine, HEAD_WITHIN, MOST_CONNECTIONS};
use super::tally;
use super::visit;
use crate::core::Reason;
use crate::net::reactor::{Async, Timer};
use crate::net::relay::{BuyerStream, Stop};
use crate::net::{within, work};

/// First byte of a TLS record of type handshake (RFC 8446, 5.1).
const TLS_HANDSHAKE: u8 = 22;
/// Rest after an accept that failed for want of something of ours (file descriptors, memory).
const REST: Duration = Duration::from_millis(100);

/// Binds every address of `listen`.
///
/// # Errors
/// An address cannot be bound: it is named.
pub fn bind(listen: &[SocketAddr]) -> io::Result<Vec<Async<TcpListener>>> {
    let bound = |addr: &SocketAddr| {
        Async::<TcpListener>::bind(*addr)
            .map_err(|e| io::Error::new(e.kind(), format!("cannot listen on {addr}: {e}; is another program using the port?")))
    };
    listen.iter().map(bound).collect()
}

/// Accepts on one listener as long as there is a `group`; every connection is a task of it, as this may be.
pub async fn accept(group: Weak<LocalExecutor<'static>>, engine: Rc<Engine>, listener: Async<TcpListener>) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let Some(group) = group.upgrade() else { return };
                tally::up(&engine.tally.connections);
                if engine.connections.get() >= MOST_CONNECTIONS {
                    engine.tally.refused(Reason::Overload);
                    continue;
                }
                let ip = peer.ip().to_canonical();
                let came = engine.callers.borrow_mut().came(ip, engine.parts.clock.now());
                let door = Door::new(engine.clone(), ip, came.is_ok(), None);
                match came {
                    Ok(()) => work::start(&group, greet(stream, door)).detach(),
                    Err(reason) => {
                        engine.tally.refused(reason);
                        if door.near() {
                            work::start(&group, turn_away(stream, door, reason)).detach();
                        }
                    }
                }
            }
            Err(e) => {
                log::warn!("accept: {e}; resting");
                Timer::after(REST).await;
            }
        }
    }
}

/// One connection's place among those that have not authenticated, and in the count of all.
pub struct Door {
    /// The engine.
    pub engine: Rc<Engine>,
    /// Who came.
    pub ip: IpAddr,
    waiting: bool,
    /// Told when the gateway that brought it is lost; `None` = it came by itself.
    pub lost: Option<Stop>,
}

impl Door {
    pub(super) fn new(engine: Rc<Engine>, ip: IpAddr, waiting: bool, lost: Option<Stop>) -> Door {
        engine.connections.set(engine.connections.get() + 1);
        Door { engine, ip, waiting, lost }
    }

    /// It authenticated (`true`), failed to (`false`), or did not try (`None`).
    pub fn settle(&mut self, authenticated: Option<bool>) {
        if std::mem::take(&mut self.waiting) {
            let now = self.engine.parts.clock.now();
            let callers = if self.lost.is_some() { &self.engine.carried } else { &self.engine.callers };
            callers.borrow_mut().left(self.ip, now, authenticated);
        }
    }

    /// Whether it may learn why it is refused: from loopback anybody may. Nobody whom a gateway brings is near, whatever
    /// address it tells.
    pub fn near(&self) -> bool {
        self.lost.is_none() && self.ip.is_loopback()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.settle(None);
        self.engine.connections.set(self.engine.connections.get().saturating_sub(1));
    }
}

async fn greet(stream: Async<TcpStream>, door: Door) {
    let _ = stream.get_ref().set_nodelay(true);
    let mut first = [0];
    let Some(Ok(1)) = within(HEAD_WITHIN, stream.peek(&mut first)).await else { return };
    meet(stream, first[0], door, BuyerStream::Plain, BuyerStream::Tls).await;
}

/// Serves a connection whose first byte is known: plain, or TLS after its handshake.
pub(super) async fn meet<S>(stream: S, first: u8, door: Door, plain: fn(S) -> BuyerStream, tls: fn(Box<TlsStream<S>>) -> BuyerStream)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let over_tls = first == TLS_HANDSHAKE;
    let buyer = if over_tls { shake(&door, stream).await.map(tls) } else { Some(plain(stream)) };
    if let Some(buyer) = buyer {
        visit::serve(buyer, door, !over_tls).await;
    }
}

/// The TLS handshake. Apart from [`meet`], whose memory every tunnel keeps as long as it lives.
async fn shake<S: AsyncRead + AsyncWrite + Unpin>(door: &Door, stream: S) -> Option<Box<TlsStream<S>>> {
    let accept = door.engine.parts.acceptor.accept(stream);
    match within(HEAD_WITHIN, accept).await? {
        Ok(tls) => Some(Box::new(tls)),
        Err(e) => {
            log::debug!("TLS handshake of a buyer failed: {e}");
            None
        }
    }
}

/// A short answer to a plain caller near us, bounded in time; everybody else is just closed. Who speaks TLS cannot be
/// answered before a handshake, which this caller shall not have.
async fn turn_away(stream: Async<TcpStream>, _door: Door, reason: Reason) {
    let mut first = [0];
    if let Some(Ok(1)) = within(Duration::from_secs(1), stream.peek(&mut first)).await
        && first[0] != TLS_HANDSHAKE
    {
        visit::answer_and_close(&mut BuyerStream::Plain(stream), reason, true).await;
    }
}
