//! Carries an unannounced purchase out: as a buyer's program would, over the node's TLS listener, counting what it moves.

use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_rustls::TlsConnector;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use smol::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use smol::{Async, future};

use super::purchase::Order;
use super::reach::may_dial;
use super::service::Service;
use crate::codec::{Hash, base64};
use crate::core::Clock;
use crate::net::http::client::{self, ClientLimits, Outgoing};
use crate::net::roots;

/// The head of a node's answer to CONNECT.
const HEAD_BYTES: usize = 8 * 1024;
/// Largest answer of the endpoint; read whole: 2 MiB of memory.
const LIMITS: ClientLimits = ClientLimits { head: 16 * 1024, body: 2 * 1024 * 1024 };

/// Bytes received and sent inside the tunnels of `order`; or why it was not possible.
pub async fn carry_out(order: &Order, service: &Service, trust: &Arc<ClientConfig>) -> Result<(u64, u64), String> {
    let left = order.until.since(service.clock().now());
    let over = async {
        smol::Timer::after(left).await;
        Err("not done within ten minutes".to_owned())
    };
    future::or(attempt(order, service, trust), over).await
}

async fn attempt(order: &Order, service: &Service, trust: &Arc<ClientConfig>) -> Result<(u64, u64), String> {
    let (address, spki, caller) = loop {
        match service.look(|e| e.seat(&order.session_id)) {
            Some(seat) => break seat,
            None if service.wait(&order.session_id, false, order.until).await => {}
            None => return Err("the node did not take the session".into()),
        }
    };
    let mut moved = (0, 0);
    for size in &order.sizes {
        let mut tunnel = Counted { inner: tunnel(order, &address, spki, caller, service.clock()).await?, read: 0, written: 0 };
        let fetched = fetch(&mut tunnel, order, *size, trust).await;
        moved = (moved.0 + tunnel.read, moved.1 + tunnel.written);
        // What broke off in the middle was counted by the node, and not wholly here: nothing to compare.
        fetched?;
    }
    Ok(moved)
}

type NodeStream = futures_rustls::client::TlsStream<Async<std::net::TcpStream>>;

/// A tunnel to the endpoint.
async fn tunnel(order: &Order, address: &str, spki: Hash, caller: Option<IpAddr>, clock: &Clock) -> Result<NodeStream, String> {
    let owned = address.to_owned();
    let found = smol::unblock(move || owned.to_socket_addrs().map(Iterator::collect::<Vec<_>>)).await.map_err(text)?;
    let target = found.into_iter().find(|t| may_dial(t.ip(), caller)).ok_or("no address that may be dialled")?;
    let stream = Async::<std::net::TcpStream>::connect(target).await.map_err(text)?;
    let config = roots::pinned(spki, &[], clock).map_err(text)?;
    let host = address.rsplit_once(':').map_or("", |(h, _)| h).trim_start_matches('[').trim_end_matches(']').to_owned();
    let mut tls = TlsConnector::from(config).connect(ServerName::try_from(host).map_err(text)?, stream).await.map_err(text)?;
    let credentials = base64::padded(format!("{}:{}", order.session_id, order.secret).as_bytes());
    let to = &order.target;
    let head = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\nProxy-Authorization: Basic {credentials}\r\n\r\n");
    tls.write_all(head.as_bytes()).await.map_err(text)?;
    tls.flush().await.map_err(text)?;
    // The endpoint says nothing before it is spoken to, so byte by byte takes nothing of the tunnel.
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        tls.read_exact(&mut byte).await.map_err(|e| format!("no answer to CONNECT: {e}"))?;
        answer.push(byte[0]);
        if answer.len() > HEAD_BYTES {
            return Err("the answer to CONNECT is too long".into());
        }
    }
    if answer.starts_with(b"HTTP/1.1 200") {
        return Ok(tls);
    }
    let head = String::from_utf8_lossy(&answer).into_owned();
    let reason =
        head.lines().find_map(|l| l.split_once(':').filter(|(n, _)| n.eq_ignore_ascii_case("echomesh-reason")).map(|(_, v)| v.trim().to_owned()));
    Err(format!("the node refused: {}", reason.unwrap_or_else(|| head.lines().next().unwrap_or_default().to_owned())))
}

/// `size` bytes from the endpoint, and the end of the tunnel in good order, so that nothing is left on its way.
async fn fetch(tunnel: &mut Counted<NodeStream>, order: &Order, size: u64, trust: &Arc<ClientConfig>) -> Result<(), String> {
    let (host, port) = order.target.rsplit_once(':').ok_or("the endpoint has no port")?;
    let name = ServerName::try_from(host.to_owned()).map_err(text)?;
    let mut tls = TlsConnector::from(trust.clone()).connect(name, &mut *tunnel).await.map_err(|e| format!("the endpoint: {e}"))?;
    let target = format!("{}?size={size}&nonce={}", order.path, base64::url(&order.session_id.as_bytes()[..16.min(order.session_id.len())]));
    let host = if port == "443" { host } else { &order.target };
    let answer = client::fetch(&mut tls, &Outgoing::get(host, &target), &LIMITS).await.map_err(|e| format!("the endpoint: {e}"))?;
    if (answer.status, answer.body.len() as u64) != (200, size) {
        return Err(format!("the endpoint answered {} with {} bytes", answer.status, answer.body.len()));
    }
    // Its goodbye counts, too.
    let _ = tls.close().await;
    drop(tls);
    let mut rest = [0; 1024];
    while let Ok(1..) = tunnel.read(&mut rest).await {}
    Ok(())
}

fn text(e: impl std::fmt::Display) -> String {
    e.to_string()
}

/// A stream that counts what passes.
struct Counted<S> {
    inner: S,
    read: u64,
    written: u64,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        if let Poll::Ready(Ok(n)) = polled {
            self.read += n as u64;
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, buf);
        if let Poll::Ready(Ok(n)) = polled {
            self.written += n as u64;
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}
