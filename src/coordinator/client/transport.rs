//! HTTPS for ureq: its TCP under our own rustls set-up, so that certificate dates follow node time.

use std::io::{Read as _, Write as _};
use std::net::ToSocketAddrs as _;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, StreamOwned};
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, TcpConnector, Transport, TransportAdapter};
use ureq::{Agent, Error};

use super::origin::Origin;

/// TCP connect and TLS handshake together.
const CONNECT: Duration = Duration::from_secs(10);
/// ureq's buffers, one pair under TLS and one above it: 4 × 16 KiB on each of the two threads.
const BUFFER: usize = 16 * 1024;
/// Largest answer head.
const MAX_HEAD: usize = 8 * 1024;
/// Addresses tried of one name.
const MAX_ADDRESSES: usize = 8;
/// A connection idle for longer is not used again: shorter than servers keep theirs.
const IDLE: Duration = Duration::from_secs(5);

/// An agent for `origin` whose calls end within `call`: https only, no redirects, no proxy from the environment.
pub fn agent(origin: &Origin, tls: Arc<ClientConfig>, version: &str, call: Duration) -> Agent {
    let config = Agent::config_builder()
        .https_only(true)
        .proxy(None)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(format!("echomesh/{version}"))
        .accept("application/json")
        .timeout_global(Some(call))
        .timeout_connect(Some(CONNECT.min(call)))
        .max_response_header_size(MAX_HEAD)
        .input_buffer_size(BUFFER)
        .output_buffer_size(BUFFER)
        .max_idle_connections(1)
        .max_idle_connections_per_host(1)
        .max_idle_age(IDLE)
        .build();
    let tls = TlsConnector { config: tls, origin: origin.clone() };
    Agent::with_parts(config, ().chain(TcpConnector::default()).chain(tls), SystemResolver)
}

/// The system's resolver on the calling thread. It may take longer than the call has (some seconds at most): that is
/// what the thread is for, and cheaper than ureq's own, which starts another thread per look-up.
#[derive(Debug)]
struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, uri: &Uri, _: &ureq::config::Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let target = uri.scheme().zip(uri.authority()).and_then(|(scheme, authority)| DefaultResolver::host_and_port(scheme, authority));
        let found = target.ok_or(Error::HostNotFound)?.to_socket_addrs().map_err(|_| Error::HostNotFound)?;
        let mut addresses = self.empty();
        found.take(MAX_ADDRESSES).for_each(|a| addresses.push(a));
        if addresses.is_empty() { Err(Error::HostNotFound) } else { Ok(addresses) }
    }
}

struct TlsConnector {
    config: Arc<ClientConfig>,
    origin: Origin,
}

impl std::fmt::Debug for TlsConnector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsConnector")
    }
}

impl<In: Transport> Connector<In> for TlsConnector {
    type Out = Tls;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Tls>, Error> {
        let (Some(tcp), Some(name)) = (chained, self.origin.server_name()) else { return Ok(None) };
        let mut conn = ClientConnection::new(self.config.clone(), name)?;
        let mut sock = TransportAdapter::new(tcp.boxed(), details.current_time.clone());
        sock.set_timeout(details.timeout);
        while conn.is_handshaking() {
            conn.complete_io(&mut sock)?;
        }
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Tls { buffers, stream: StreamOwned { conn, sock } }))
    }
}

struct Tls {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Transport for Tls {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.sock.set_timeout(timeout);
        self.stream.write_all(&self.buffers.output()[..amount])?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.sock.set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}
