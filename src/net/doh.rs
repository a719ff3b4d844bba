//! DNS over HTTPS (RFC 8484) over HTTP/1.1, to resolvers the owner names by IP address.
//!
//! A resolver is one of the owner's own URLs, so the address guard is not asked (contracts, "Address guard").

mod connection;
#[cfg(test)]
pub(crate) mod test_server;
mod url;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_rustls::TlsConnector;
use rustls::ClientConfig;
use smol::lock::Semaphore;

use super::deadline::within;
use super::dns::{self, Answer, DnsError, Kind};
use super::roots::{Roots, RootsError};
use crate::core::{Clock, Mono, Reason};
use connection::Connection;
pub use url::DohUrl;

/// All resolvers together have this long for one look-up.
const TOTAL: Duration = Duration::from_secs(5);
/// One resolver has this long before the next is asked.
const TRY: Duration = Duration::from_secs(2);
/// Connections to one resolver at once: a TLS connection holds about 20 KiB idle and 50 KiB busy.
const CONNECTIONS: usize = 4;
/// An idle connection older than this is not trusted to be alive: a NAT on the way may have forgotten it.
const IDLE: Duration = Duration::from_secs(30);

/// Resolvers in order of preference, with their connections.
pub struct Doh {
    servers: Vec<Server>,
    tls: TlsConnector,
    clock: Clock,
    /// Index of the one that answered last: it is asked first.
    good: Cell<usize>,
    /// [`TRY`]; tests shorten it.
    each: Duration,
}

struct Server {
    url: DohUrl,
    slots: Semaphore,
    /// Connections at rest, and since when; at most [`CONNECTIONS`].
    idle: RefCell<Vec<(Connection, Mono)>>,
}

/// Why there is no resolver.
#[derive(Debug)]
pub enum DohError {
    /// No URL at all.
    NoUrl,
    /// Not `https://ADDRESS[:PORT][/PATH]`.
    BadUrl(String),
    /// TLS cannot be set up.
    Roots(RootsError),
}

/// Why one resolver gave no answer.
#[derive(Debug)]
enum Failure {
    Io(io::Error),
    /// What it answered is no DNS answer.
    Dns(DnsError),
    TimedOut,
}

impl Doh {
    /// Resolvers at `urls`, trusted by `roots`. Connects to none yet.
    pub fn new(urls: &[String], roots: &Roots, clock: &Clock) -> Result<Doh, DohError> {
        let server = |text: &String| {
            let url: DohUrl = text.parse().map_err(|url::BadUrl| DohError::BadUrl(text.clone()))?;
            Ok(Server { url, slots: Semaphore::new(CONNECTIONS), idle: RefCell::default() })
        };
        let servers = urls.iter().map(server).collect::<Result<Vec<_>, _>>()?;
        if servers.is_empty() {
            return Err(DohError::NoUrl);
        }
        let config: Arc<ClientConfig> = roots.client_config(&[b"http/1.1"], clock).map_err(DohError::Roots)?;
        Ok(Doh { servers, tls: config.into(), clock: clock.clone(), good: Cell::new(0), each: TRY })
    }

    /// Asks for the addresses of `host`, one resolver after the other until one answers.
    ///
    /// # Errors
    /// [`Reason::TimedOut`] where none answered in time, else [`Reason::DnsFailed`].
    pub async fn look_up(&self, host: &str, kind: Kind) -> Result<Answer, Reason> {
        let query = dns::query(host, kind).map_err(|_| Reason::DnsFailed)?;
        let one_after_the_other = async {
            let mut reason = Reason::DnsFailed;
            let first = self.good.get();
            for i in (first..self.servers.len()).chain(0..first) {
                let Some(server) = self.servers.get(i) else { continue };
                match self.ask(server, &query, host, kind).await {
                    Ok(answer) => {
                        self.good.set(i);
                        return Ok(answer);
                    }
                    Err(failure) => {
                        log::debug!("resolver {}: {failure}", server.url);
                        reason = if matches!(failure, Failure::TimedOut) { Reason::TimedOut } else { Reason::DnsFailed };
                    }
                }
            }
            Err(reason)
        };
        within(TOTAL, one_after_the_other).await.unwrap_or(Err(Reason::TimedOut))
    }

    async fn ask(&self, server: &Server, query: &[u8], host: &str, kind: Kind) -> Result<Answer, Failure> {
        let Some(asked) = within(self.each, self.exchange(server, query)).await else {
            // The others at rest are likely as dead as the one that was tried.
            server.idle.borrow_mut().clear();
            return Err(Failure::TimedOut);
        };
        dns::read(&asked.map_err(Failure::Io)?, host, kind).map_err(Failure::Dns)
    }

    async fn exchange(&self, server: &Server, query: &[u8]) -> io::Result<Vec<u8>> {
        let _slot = server.slots.acquire().await;
        // A connection at rest may have been closed by the resolver: then the next is tried, at last a new one.
        while let Some(mut connection) = self.rested(server) {
            if let Ok(answer) = connection.exchange(&server.url, query).await {
                self.rest(server, connection);
                return Ok(answer);
            }
        }
        let mut connection = Box::pin(Connection::open(&server.url, &self.tls)).await?;
        let answer = connection.exchange(&server.url, query).await?;
        self.rest(server, connection);
        Ok(answer)
    }

    fn rested(&self, server: &Server) -> Option<Connection> {
        let now = self.clock.now();
        let mut idle = server.idle.borrow_mut();
        idle.retain(|(_, since)| now.since(*since) < IDLE);
        idle.pop().map(|(connection, _)| connection)
    }

    fn rest(&self, server: &Server, connection: Connection) {
        if connection.reusable() {
            server.idle.borrow_mut().push((connection, self.clock.now()));
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Io(e) => e.fmt(f),
            Failure::Dns(e) => e.fmt(f),
            Failure::TimedOut => f.write_str("no answer in time"),
        }
    }
}

impl fmt::Display for DohError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DohError::NoUrl => f.write_str("DNS over HTTPS is on but security.doh_url names no resolver"),
            DohError::BadUrl(url) => {
                write!(f, "{url:?} is no resolver: write https://ADDRESS/PATH with an IP address, as https://1.1.1.1/dns-query")
            }
            DohError::Roots(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for DohError {}

#[cfg(test)]
mod tests {
    use super::test_server::{Reply, TestServer, roots};
    use super::*;

    const HOST: &str = "www.example.com";

    fn records(address: &'static str) -> Reply {
        Reply::Records(vec![(HOST, 300, "cdn.example.net"), ("cdn.example.net", 60, address)])
    }

    fn doh(servers: &[&TestServer]) -> Doh {
        let urls: Vec<String> = servers.iter().map(|s| s.url()).collect();
        Doh::new(&urls, &roots(servers), &Clock::system()).unwrap()
    }

    fn first_address(answer: &Result<Answer, Reason>) -> String {
        answer.as_ref().map(|a| a.addresses[0].to_string()).unwrap_or_default()
    }

    #[test]
    fn asks_over_one_connection_that_is_kept() {
        let server = TestServer::start("127.0.0.1", "127.0.0.1", |_, kind| match kind {
            Kind::A => records("192.0.2.1"),
            Kind::Aaaa => records("2001:db8::1"),
        });
        let doh = doh(&[&server]);
        smol::block_on(async {
            for _ in 0..3 {
                let answer = doh.look_up(HOST, Kind::A).await;
                assert_eq!(first_address(&answer), "192.0.2.1");
                assert_eq!(answer.unwrap().chain, ["cdn.example.net"]);
                assert_eq!(first_address(&doh.look_up(HOST, Kind::Aaaa).await), "2001:db8::1");
            }
        });
        assert_eq!((server.connections(), server.questions()), (1, 6));
    }

    #[test]
    fn a_connection_the_resolver_closed_is_replaced() {
        let server = TestServer::start("127.0.0.1", "127.0.0.1", |_, _| Reply::RecordsAndClose(vec![(HOST, 60, "192.0.2.1")]));
        let doh = doh(&[&server]);
        smol::block_on(async {
            for _ in 0..3 {
                assert_eq!(first_address(&doh.look_up(HOST, Kind::A).await), "192.0.2.1");
            }
        });
        assert_eq!(server.connections(), 3);
    }

    #[test]
    fn falls_back_to_the_next_and_stays_with_it() {
        let broken = TestServer::start("127.0.0.1", "127.0.0.1", |_, _| Reply::Status(500));
        let good = TestServer::start("127.0.0.1", "127.0.0.1", |_, _| records("192.0.2.2"));
        let doh = doh(&[&broken, &good]);
        smol::block_on(async {
            for _ in 0..3 {
                assert_eq!(first_address(&doh.look_up(HOST, Kind::A).await), "192.0.2.2");
            }
        });
        assert_eq!((broken.questions(), good.questions()), (1, 3));
    }

    #[test]
    fn a_silent_resolver_costs_its_try_and_no_more() {
        let silent = TestServer::start("127.0.0.1", "127.0.0.1", |_, _| Reply::Silence);
        let good = TestServer::start("127.0.0.1", "127.0.0.1", |_, _| records("192.0.2.2"));
        let asked = |servers: &[&TestServer]| {
            let mut doh = doh(servers);
            doh.each = Duration::from_millis(400);
            smol::block_on(doh.look_up(HOST, Kind::A))
        };
        assert_eq!(first_address(&asked(&[&silent, &good])), "192.0.2.2");
        assert_eq!(asked(&[&silent]), Err(Reason::TimedOut));
        assert_eq!(silent.questions(), 2);
    }

    #[test]
    fn the_certificate_must_name_the_address_and_be_trusted() {
        let misnamed = TestServer::start("127.0.0.1", "127.0.0.2", |_, _| records("192.0.2.1"));
        assert_eq!(smol::block_on(doh(&[&misnamed]).look_up(HOST, Kind::A)), Err(Reason::DnsFailed));
        let good = TestServer::start("127.0.0.1", "127.0.0.1", |_, _| records("192.0.2.1"));
        let stranger = Doh::new(&[good.url()], &roots(&[&misnamed]), &Clock::system()).unwrap();
        assert_eq!(smol::block_on(stranger.look_up(HOST, Kind::A)), Err(Reason::DnsFailed));
        assert_eq!(misnamed.questions() + good.questions(), 0, "nothing is asked of whom we do not trust");
    }

    #[test]
    fn urls_are_checked_at_construction() {
        let server = TestServer::start("127.0.0.1", "127.0.0.1", |_, _| Reply::NoName);
        let make = |urls: &[&str]| {
            let urls: Vec<String> = urls.iter().map(ToString::to_string).collect();
            Doh::new(&urls, &roots(&[&server]), &Clock::system()).err()
        };
        assert!(matches!(make(&[]), Some(DohError::NoUrl)));
        assert!(matches!(make(&["https://1.1.1.1/", "https://dns.google/"]), Some(DohError::BadUrl(u)) if u.contains("google")));
    }
}
