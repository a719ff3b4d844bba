//! One kept-alive TLS connection to a resolver, one exchange at a time.

use std::io;
use std::net::TcpStream;

use futures_rustls::TlsConnector;
use futures_rustls::client::TlsStream;
use rustls::pki_types::ServerName;
use smol::Async;

use super::DohUrl;
use crate::net::dns::MAX_MESSAGE;
use crate::net::http::client::{self, ClientLimits, Outgoing};

/// The media type of RFC 8484.
const DNS_MESSAGE: &str = "application/dns-message";
/// Of an answer: 12 KiB, held during an exchange.
const LIMITS: ClientLimits = ClientLimits { head: 8 * 1024, body: MAX_MESSAGE as u64 };

/// An open connection.
pub(super) struct Connection {
    /// Boxed: it is handed about, and its state is more than 1 KiB.
    stream: Box<TlsStream<Async<TcpStream>>>,
    reusable: bool,
}

impl Connection {
    /// Connects; the certificate must name the URL's address.
    pub(super) async fn open(url: &DohUrl, tls: &TlsConnector) -> io::Result<Connection> {
        let stream = Async::<TcpStream>::connect(url.at).await?;
        stream.get_ref().set_nodelay(true)?;
        let stream = tls.connect(ServerName::from(url.at.ip()), stream).await?;
        Ok(Connection { stream: Box::new(stream), reusable: true })
    }

    /// Whether another exchange may follow.
    pub(super) fn reusable(&self) -> bool {
        self.reusable
    }

    /// Posts `query` and reads the answer's body. After an error the connection is of no use.
    pub(super) async fn exchange(&mut self, url: &DohUrl, query: &[u8]) -> io::Result<Vec<u8>> {
        let request = Outgoing {
            method: "POST",
            target: &url.path,
            host: &url.authority,
            headers: &[("Accept", DNS_MESSAGE), ("Content-Type", DNS_MESSAGE)],
            body: query,
            keep_alive: true,
        };
        let answer = client::fetch(&mut *self.stream, &request, &LIMITS).await?;
        self.reusable = answer.reusable;
        if answer.status != 200 {
            return Err(io::Error::other(format!("the resolver answered {}", answer.status)));
        }
        if answer.header("content-type").is_some_and(|kind| !kind.eq_ignore_ascii_case(DNS_MESSAGE)) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is no DNS message"));
        }
        Ok(answer.body)
    }
}
