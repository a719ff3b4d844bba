//! A buyer's client: CONNECT through a node, over TLS or plain, then HTTPS to the origin inside the tunnel.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use futures_rustls::TlsConnector;
use futures_rustls::client::TlsStream;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use smol::Async;
use smol::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::flow::Flow;
use crate::codec::base64;
use crate::net::within;

/// Any byte stream.
pub trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// Largest answer head read.
const HEAD: usize = 8 * 1024;
/// One exchange must end within this.
pub const WITHIN: Duration = Duration::from_secs(60);

/// What a buyer knows of one session.
#[derive(Clone)]
pub struct Access {
    /// The node's listener.
    pub node: SocketAddr,
    /// TLS towards the node; `None` = plain CONNECT.
    pub node_tls: Option<Arc<ClientConfig>>,
    /// Session id.
    pub session: String,
    /// Its secret.
    pub secret: String,
    /// What it is for.
    pub category: &'static str,
    /// Bound before connecting, where the source matters.
    pub source: Option<std::net::IpAddr>,
}

/// The node's answer to a CONNECT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Header `Echomesh-Reason`.
    pub reason: Option<String>,
}

impl Access {
    /// Connects to the node's listener.
    pub async fn reach(&self) -> io::Result<Box<dyn Stream>> {
        let stream = match self.source {
            None => Async::<TcpStream>::connect(self.node).await?,
            Some(source) => connect_from(source, self.node).await?,
        };
        stream.get_ref().set_nodelay(true)?;
        match &self.node_tls {
            None => Ok(Box::new(stream)),
            Some(config) => {
                let name = ServerName::IpAddress(self.node.ip().into());
                Ok(Box::new(TlsConnector::from(config.clone()).connect(name, stream).await?))
            }
        }
    }

    /// Sends `CONNECT target`; on 200 the stream is the tunnel.
    pub async fn connect(&self, target: &str) -> io::Result<(Answer, Box<dyn Stream>)> {
        self.ask(&self.connect_head(target)).await
    }

    /// The head of a CONNECT to `target`, with the credentials.
    pub fn connect_head(&self, target: &str) -> String {
        self.head(&format!("CONNECT {target} HTTP/1.1"), target)
    }

    /// A head of any request line, with the credentials.
    pub fn head(&self, line: &str, host: &str) -> String {
        let credentials = base64::padded(format!("{}:{}", self.session, self.secret).as_bytes());
        format!("{line}\r\nHost: {host}\r\nProxy-Authorization: Basic {credentials}\r\n\r\n")
    }

    /// Sends any head and reads the answer's head.
    pub async fn ask(&self, head: &str) -> io::Result<(Answer, Box<dyn Stream>)> {
        within(WITHIN, async {
            let mut stream = self.reach().await?;
            stream.write_all(head.as_bytes()).await?;
            stream.flush().await?;
            let answer = read_answer(&mut stream).await?;
            Ok((answer, stream))
        })
        .await
        .unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
    }

    /// One HTTPS exchange with `host` inside a tunnel: sends `up` bytes, asks for `down` bytes, reads to the end.
    /// `flow` counts the body bytes as they go.
    pub async fn https(&self, origin: &Arc<ClientConfig>, host: &str, port: u16, up: u64, down: u64, flow: &Flow) -> io::Result<()> {
        let (answer, tunnel) = self.connect(&format!("{host}:{port}")).await?;
        if answer.status != 200 {
            return Err(io::Error::other(format!("the node refused: {} {}", answer.status, answer.reason.unwrap_or_default())));
        }
        let exchange = async { exchange(&mut inside(origin, host, tunnel).await?, host, up, down, flow).await };
        within(WITHIN, exchange).await.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// The TLS handshake with the origin inside a tunnel.
pub async fn inside(origin: &Arc<ClientConfig>, host: &str, tunnel: Box<dyn Stream>) -> io::Result<TlsStream<Box<dyn Stream>>> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    TlsConnector::from(origin.clone()).connect(name, tunnel).await
}

async fn exchange(tls: &mut TlsStream<Box<dyn Stream>>, host: &str, up: u64, down: u64, flow: &Flow) -> io::Result<()> {
    let line = if up > 0 { "POST /up".to_owned() } else { format!("GET /down/{down}") };
    tls.write_all(format!("{line} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {up}\r\nConnection: close\r\n\r\n").as_bytes()).await?;
    let piece = vec![0x5a; 16 * 1024];
    let mut left = up;
    while left > 0 {
        let n = left.min(piece.len() as u64);
        tls.write_all(&piece[..n as usize]).await?;
        left -= n;
        flow.up.set(flow.up.get() + n);
    }
    tls.flush().await?;
    let mut head = Vec::new();
    let mut body = 0u64;
    let mut in_body = false;
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let n = tls.read(&mut buffer).await?;
        if n == 0 {
            break;
        }
        if in_body {
            body += n as u64;
            flow.down.set(flow.down.get() + n as u64);
            continue;
        }
        head.extend_from_slice(&buffer[..n]);
        if let Some(end) = head.windows(4).position(|w| w == b"\r\n\r\n") {
            body = (head.len() - end - 4) as u64;
            flow.down.set(flow.down.get() + body);
            in_body = true;
        } else if head.len() > HEAD {
            return Err(io::Error::other("the origin's answer has no end"));
        }
    }
    // The origin waits for our end before it counts the connection as over.
    tls.close().await?;
    if !head.starts_with(b"HTTP/1.1 200") || body != down {
        return Err(io::Error::other(format!("the origin sent {body} of {down} bytes")));
    }
    Ok(())
}

async fn read_answer(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Answer> {
    let mut bytes = Vec::new();
    let mut one = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        // Byte by byte: what follows the head belongs to the tunnel.
        if bytes.len() > HEAD || stream.read(&mut one).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.push(one[0]);
    }
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut response = httparse::Response::new(&mut headers);
    response.parse(&bytes).map_err(io::Error::other)?;
    let reason = response.headers.iter().find(|h| h.name.eq_ignore_ascii_case("echomesh-reason"));
    Ok(Answer { status: response.code.unwrap_or(0), reason: reason.map(|h| String::from_utf8_lossy(h.value).into_owned()) })
}

async fn connect_from(source: std::net::IpAddr, to: SocketAddr) -> io::Result<Async<TcpStream>> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, socket};
    use std::os::fd::AsRawFd as _;
    smol::unblock(move || {
        let fd = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
        bind(fd.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(source, 0)))?;
        connect(fd.as_raw_fd(), &SockaddrStorage::from(to))?;
        Async::new(TcpStream::from(fd))
    })
    .await
}
