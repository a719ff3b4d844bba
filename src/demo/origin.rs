//! The HTTPS origin, which counts bytes on its raw TCP sockets by code of its own.
//!
//! `GET /down/N` answers N bytes, `POST /up` takes a body, `GET /count` on the counting port tells what passed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_rustls::TlsAcceptor;
use serde::{Deserialize, Serialize};
use smol::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use smol::{Async, LocalExecutor};

use crate::net::http::{Handler, Request, Response};
use crate::net::within;

/// Largest request head the origin reads.
const HEAD: usize = 8 * 1024;
/// Piece of a body.
const PIECE: usize = 16 * 1024;
/// One exchange must end within this.
const EXCHANGE_WITHIN: Duration = Duration::from_secs(120);

/// Bytes seen on the raw sockets of one address, both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Read from clients: what the node calls egress.
    pub received: u64,
    /// Written to clients: what the node calls ingress.
    pub sent: u64,
    /// Connections still open.
    pub open: u32,
}

/// Counts by local address.
pub type Counts = Rc<RefCell<BTreeMap<IpAddr, Count>>>;

/// A socket whose bytes are counted as the kernel takes and gives them.
struct Counted {
    stream: Async<TcpStream>,
    local: IpAddr,
    counts: Counts,
}

impl Counted {
    fn change(&self, by: impl FnOnce(&mut Count)) {
        by(self.counts.borrow_mut().entry(self.local).or_default());
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.change(|c| c.open -= 1);
    }
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let n = ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.change(|c| c.received += n as u64);
        Poll::Ready(Ok(n))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let n = ready!(Pin::new(&mut self.stream).poll_write(cx, buf))?;
        self.change(|c| c.sent += n as u64);
        Poll::Ready(Ok(n))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

/// Serves HTTPS on `listener` for ever.
pub async fn serve(ex: Rc<LocalExecutor<'static>>, listener: Async<TcpListener>, acceptor: TlsAcceptor, counts: Counts) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let Ok(SocketAddr::V4(local)) = stream.get_ref().local_addr() else { continue };
        let local = IpAddr::V4(*local.ip());
        counts.borrow_mut().entry(local).or_default().open += 1;
        let counted = Counted { stream, local, counts: counts.clone() };
        let acceptor = acceptor.clone();
        ex.spawn(async move {
            if let Some(Err(e)) = within(EXCHANGE_WITHIN, exchange(acceptor, counted)).await {
                log::debug!("origin: {e}");
            }
        })
        .detach();
    }
}

/// One request and its answer; then both sides are read to their ends, so that every byte is counted.
async fn exchange(acceptor: TlsAcceptor, socket: Counted) -> io::Result<()> {
    let mut tls = acceptor.accept(socket).await?;
    let (method, path, length, early) = head(&mut tls).await?;
    let mut left = length.saturating_sub(early);
    let mut piece = vec![0; PIECE];
    while left > 0 {
        let n = tls.read(&mut piece).await?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left = left.saturating_sub(n as u64);
    }
    let body: u64 = if method == "GET" { path.strip_prefix("/down/").and_then(|n| n.parse().ok()).unwrap_or(0) } else { 0 };
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {body}\r\nX-Received: {length}\r\nConnection: close\r\n\r\n");
    tls.write_all(answer.as_bytes()).await?;
    let mut left = body;
    while left > 0 {
        let n = left.min(PIECE as u64);
        tls.write_all(&piece[..n as usize]).await?;
        left -= n;
    }
    tls.close().await?;
    while tls.read(&mut piece).await? > 0 {}
    Ok(())
}

/// Method, path, Content-Length and how much of the body came with the head.
async fn head(tls: &mut (impl AsyncRead + Unpin)) -> io::Result<(String, String, u64, u64)> {
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut bytes = Vec::new();
    let mut piece = [0; 2048];
    loop {
        let n = tls.read(&mut piece).await?;
        if n == 0 || bytes.len() > HEAD {
            return Err(bad("no request head"));
        }
        bytes.extend_from_slice(&piece[..n]);
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut request = httparse::Request::new(&mut headers);
        if let httparse::Status::Complete(end) = request.parse(&bytes).map_err(|e| bad(&e.to_string()))? {
            let length = request.headers.iter().find(|h| h.name.eq_ignore_ascii_case("content-length"));
            let length = length.and_then(|h| std::str::from_utf8(h.value).ok()).and_then(|v| v.parse().ok()).unwrap_or(0);
            let (method, path) = (request.method.unwrap_or_default().to_owned(), request.path.unwrap_or_default().to_owned());
            return Ok((method, path, length, (bytes.len() - end) as u64));
        }
    }
}

/// Tells the counts, on a port of its own.
pub struct CountsApi(pub Counts);

impl Handler for CountsApi {
    async fn handle(&self, _: Request) -> Response {
        Response::json(200, &*self.0.borrow())
    }
}
