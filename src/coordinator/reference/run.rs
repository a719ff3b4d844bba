//! Starts the reference coordinator: keys, store, listeners, what is due; runs until it is told to stop.

use std::future::Future;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};
use smol::channel::bounded;
use smol::{Async, LocalExecutor, Task, future};

use super::auth::Auth;
use super::endpoint::{Endpoint, MAX_SIZE};
use super::engine::{Engine, ProbeTerms, Terms};
use super::gateway::{Gateway, Places};
use super::keys::Keys;
use super::lifecycle::LEASE_MOST_SEC;
use super::operator::{Operator, SOCKET};
use super::purchase::AuditTerms;
use super::service::Service;
use super::store::{Store, StoreError};
use super::{buy, credits, keys, reach};
use crate::codec::NodeId;
use crate::coordinator::wire;
use crate::core::Clock;
use crate::core::exit::{self, Failure};
use crate::identity::certificate::{self, Certificate, ListenerKey};
use crate::net::http::server::{self, Limits};
use crate::net::{roots, tls};
use crate::platform::files::{self, Medium};

/// The self-made certificate's key and the certificate, for nodes' `ca_file`.
const TLS_KEY: &str = "tls.key";
const CA_FILE: &str = "coordinator.pem";
/// Nodes hold up to two connections each, buyers a few: at the very most 256 × 188 KiB = 47 MiB.
const CONNECTIONS: usize = 256;

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder of store, keys and socket; made where it is missing.
    pub folder: PathBuf,
    /// Where nodes and buyers connect; port 0 takes a free one.
    pub listen: SocketAddr,
    /// A second listener, for the probe endpoint alone.
    pub probe_listen: Option<SocketAddr>,
    /// Names or addresses this coordinator is reached by; the first is the URL's. Empty = the address of `listen`.
    pub names: Vec<String>,
    /// PEM files of a certificate chain and its key; without them a self-made certificate for `names`.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// The probe endpoint's URL, where it is another than this coordinator's own.
    pub probe_endpoint: Option<String>,
    /// Its key, where it is another than this coordinator's own.
    pub probe_key: Option<NodeId>,
    /// Bytes of one probe.
    pub probe_size: u64,
    /// Seconds between two probes of one node.
    pub probe_every_sec: u64,
    /// Seconds between two unannounced purchases, on average; 0 = only when the operator asks.
    pub audit_every_sec: u64,
    /// The URL they fetch from, where it is another than the probe endpoint's.
    pub audit_endpoint: Option<String>,
    /// Seconds between a node's heartbeats.
    pub heartbeat_sec: u32,
    /// Seconds a lease holds.
    pub lease_sec: u32,
    /// Micro-credits per GB.
    pub price_per_gb: u64,
    /// The gateway for nodes that cannot be dialled; none where it is not wanted.
    pub gateway: Option<Places>,
}

impl Options {
    /// The defaults for `folder` and `listen`.
    pub fn new(folder: PathBuf, listen: SocketAddr) -> Options {
        Options {
            folder,
            listen,
            probe_listen: None,
            names: Vec::new(),
            certificate: None,
            probe_endpoint: None,
            probe_key: None,
            probe_size: 256 * 1024,
            probe_every_sec: 300,
            audit_every_sec: 0,
            audit_endpoint: None,
            heartbeat_sec: 30,
            lease_sec: 900,
            price_per_gb: credits::DEFAULT_PRICE,
            gateway: None,
        }
    }

    /// What clients must be told to use it: names, with the listen address standing in for none.
    fn reached_by(&self) -> Vec<String> {
        match self.listen.ip() {
            _ if !self.names.is_empty() => self.names.clone(),
            ip if ip.is_unspecified() => vec!["localhost".into(), "127.0.0.1".into(), "::1".into()],
            ip => vec![ip.to_string()],
        }
    }
}

/// What a started coordinator tells.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ready {
    /// Its URL.
    pub url: String,
    /// The key it signs with: nodes' option `coordinator.key`.
    pub key: NodeId,
    /// The self-made certificate: nodes' option `coordinator.ca_file`. None where the certificate was given.
    pub ca_file: Option<PathBuf>,
    /// The trusted probe endpoint.
    pub probe_endpoint: String,
    /// The key it signs with.
    pub probe_key: NodeId,
    /// Where it listens.
    pub address: SocketAddr,
    /// The gateway as nodes are told it.
    pub gateway: Option<wire::Gateway>,
    /// Its process.
    pub pid: u32,
}

/// What [`init`] made or found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Made {
    /// The key it signs with.
    pub key: NodeId,
    /// The probe endpoint's.
    pub probe_key: NodeId,
    /// The folder.
    pub folder: PathBuf,
}

/// Makes the folder with its keys and an empty store, where they are missing.
pub fn init(folder: &Path) -> Result<Made, Failure> {
    let (_store, _) = open(folder)?;
    let id = |name| keys::load_or_create(folder, name).map(|k| NodeId::from(&k.verifying_key())).map_err(config);
    Ok(Made { key: id(keys::COORDINATOR)?, probe_key: id(keys::PROBE)?, folder: folder.to_owned() })
}

/// Opens the store for writing, with the failure a command ends with.
pub fn open(folder: &Path) -> Result<(Store, super::state::State), Failure> {
    Store::open(folder, Medium::Flash).map_err(|e| {
        let code = match e {
            StoreError::Busy(_) => exit::UNAVAILABLE,
            StoreError::Io(..) => exit::IO,
            StoreError::Damaged(..) | StoreError::Foreign(_) => exit::DATA,
        };
        Failure::new(code, e.to_string())
    })
}

/// Runs until `stop` is done. `ready` is called once it listens.
pub async fn run(
    options: Options,
    ex: Rc<LocalExecutor<'static>>,
    ready: impl FnOnce(&Ready) -> Result<(), Failure>,
    stop: impl Future<Output = ()>,
) -> Result<(), Failure> {
    check(&options)?;
    let clock = Clock::system();
    clock.vouch_ntp();
    let folder = options.folder.clone();
    let (store, state) = open(&folder)?;
    let keys = Keys::load_or_create(&folder).map_err(config)?;
    let probe_key = keys::load_or_create(&folder, keys::PROBE).map_err(config)?;
    let names = options.reached_by();
    let (certificate, ca_file) = certificate(&options, &names)?;
    let acceptor = tls::acceptor(&certificate, &[b"http/1.1"]).map_err(|e| Failure::new(exit::CONFIG, format!("certificate: {e}")))?;

    let listener = bind(options.listen)?;
    let address = listener.get_ref().local_addr().map_err(os)?;
    let probe_listener = options.probe_listen.map(bind).transpose()?;
    let probe_address = match &probe_listener {
        Some(listener) => listener.get_ref().local_addr().map_err(os)?,
        None => address,
    };
    let gateway_listener = options.gateway.as_ref().map(|places| bind(places.listen)).transpose()?;
    let gateway = match (&gateway_listener, &options.gateway) {
        (Some(listener), Some(places)) => {
            let port = listener.get_ref().local_addr().map_err(os)?.port();
            Some(wire::Gateway { address: SocketAddr::new(places.told, port).to_string(), spki: certificate.spki })
        }
        _ => None,
    };
    let endpoint = Rc::new(Endpoint::new(probe_key, ex.clone()));
    let probe = ProbeTerms {
        endpoint: options.probe_endpoint.clone().unwrap_or_else(|| format!("{}/probe", url(&names[0], probe_address.port()))),
        key: options.probe_key.unwrap_or_else(|| endpoint.id()),
        size: options.probe_size,
        every_sec: options.probe_every_sec,
    };
    let told = Ready {
        url: url(&names[0], address.port()),
        key: keys.id(),
        ca_file,
        probe_endpoint: probe.endpoint.clone(),
        probe_key: probe.key,
        address,
        gateway: gateway.clone(),
        pid: std::process::id(),
    };

    let audit = audit_terms(options.audit_endpoint.as_deref(), &probe.endpoint, options.audit_every_sec)?;
    // What the endpoint shows must be good for everyone, or be this coordinator's own.
    let (audit, trust) = match audit.map(|audit| (audit, roots::client_config(told.ca_file.as_deref(), &[b"http/1.1"], &clock))) {
        Some((audit, Ok(trust))) => (Some(audit), Some(trust)),
        Some((audit, Err(e))) if audit.every_sec > 0 || options.audit_endpoint.is_some() => return Err(Failure::new(exit::CONFIG, e.to_string())),
        _ => (None, None), // nobody asked for purchases
    };
    let Options { heartbeat_sec, lease_sec, price_per_gb, .. } = options;
    let terms = Terms { heartbeat_sec, lease_sec, price_per_gb, probe: Some(probe), gateway, audit };
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|_| Failure::new(exit::OS, "the system gave no random bytes; try again later"))?;
    // The names bind signatures to this coordinator. With a certificate of the operator's and no names there is nothing to compare.
    let hosts = if options.certificate.is_some() && options.names.is_empty() { &[] } else { names.as_slice() };
    let auth = Auth::new(clock.unix(), hosts);
    let (kick, kicked) = bounded(1);
    let endpoint_here = probe_listener.is_none().then(|| endpoint.clone());
    let service = Rc::new(Service::new(Engine::new(state, terms, seed), store, auth, keys, clock, endpoint_here, kick));
    service.resume();

    let socket = operator_socket(&folder)?;
    let limits = Limits { connections: CONNECTIONS, ..Limits::api() };
    let small = Limits { connections: 8, ..Limits::api() };
    let mut listeners = vec![
        ex.spawn(server::serve_tls(ex.clone(), listener, acceptor.clone(), limits, service.clone())),
        ex.spawn(server::serve_unix(ex.clone(), socket, small, Rc::new(Operator(service.clone())))),
    ];
    if let Some(listener) = probe_listener {
        listeners.push(ex.spawn(server::serve_tls(ex.clone(), listener, acceptor, Limits::api(), endpoint)));
    }
    let mut gateway = None;
    if let (Some(places), Some(listener)) = (options.gateway, gateway_listener) {
        let config = roots::asking(&certificate, &[wire::GATEWAY_ALPN]).map_err(|e| Failure::new(exit::CONFIG, format!("certificate: {e}")))?;
        let started = Rc::new(Gateway::new(places, ex.clone(), service.clone()));
        listeners.push(ex.spawn(started.clone().serve(listener, config)));
        gateway = Some(started);
    }
    ready(&told)?;
    let stopped = async {
        stop.await;
        Ok(())
    };
    let ended = future::or(stopped, future::or(due(service, gateway, ex, kicked, trust), any_ended(listeners))).await;
    let _ = std::fs::remove_file(folder.join(SOCKET));
    ended
}

/// A listener that ends takes the coordinator with it: half a coordinator helps nobody.
async fn any_ended(mut listeners: Vec<Task<std::io::Result<()>>>) -> Result<(), Failure> {
    let ended = future::poll_fn(|cx| {
        let done = listeners.iter_mut().find_map(|l| match Pin::new(l).poll(cx) {
            Poll::Ready(result) => Some(result),
            Poll::Pending => None,
        });
        done.map_or(Poll::Pending, Poll::Ready)
    })
    .await;
    let why = ended.err().map_or_else(|| "it ended".to_owned(), |e| e.to_string());
    Err(Failure::new(exit::OS, format!("a listener gave up: {why}")))
}

/// Does what is due, whenever it is due.
async fn due(
    service: Rc<Service>,
    gateway: Option<Rc<Gateway>>,
    ex: Rc<LocalExecutor<'static>>,
    kicked: smol::channel::Receiver<()>,
    trust: Option<Arc<ClientConfig>>,
) -> Result<(), Failure> {
    loop {
        service.clock().vouch_ntp(); // the machine's clock may have been set
        let next = service.tick();
        for check in service.take_checks() {
            let (service, gateway) = (service.clone(), gateway.clone());
            ex.spawn(async move {
                let showed = reach::shows(&check, gateway.as_deref(), service.clock()).await;
                service.checked(&check, showed);
            })
            .detach();
        }
        for order in service.take_orders() {
            let (service, Some(trust)) = (service.clone(), trust.clone()) else { continue };
            ex.spawn(async move {
                let moved = buy::carry_out(&order, &service, &trust).await;
                service.purchased(&order.session_id, moved);
            })
            .detach();
        }
        if service.broken() {
            return Err(Failure::new(exit::IO, "the store cannot be written; see the log, make room or repair the disk, and start again"));
        }
        let left = next.since(service.clock().now());
        future::or(
            async {
                smol::Timer::after(left).await;
            },
            async {
                let _ = kicked.recv().await;
            },
        )
        .await;
    }
}

fn check(options: &Options) -> Result<(), Failure> {
    let wrong = |what: &str| Err(Failure::new(exit::USAGE, what.to_owned()));
    if !(1..=3600).contains(&options.heartbeat_sec) {
        return wrong("--heartbeat is 1 to 3600 seconds");
    }
    if !(1..=LEASE_MOST_SEC).contains(&options.lease_sec) {
        return wrong("--lease is 1 to 86400 seconds");
    }
    if !(1..=MAX_SIZE).contains(&options.probe_size) {
        return wrong("--probe-size is 1 to 8388608 bytes");
    }
    if options.probe_every_sec == 0 {
        return wrong("--probe-every is at least 1 second");
    }
    if options.gateway.as_ref().is_some_and(|g| g.told.is_unspecified() || g.ports.is_empty()) {
        return wrong("--gateway needs an address that nodes and buyers can dial (--gateway-ip) and ports for buyers (--gateway-ports)");
    }
    let plain = |url: &String| !url.contains(['?', '#', '@', ' ']) && (url.starts_with("https://") || url.starts_with("http://"));
    if options.probe_endpoint.as_ref().is_some_and(|url| !plain(url)) {
        return wrong("--probe-endpoint is an https URL without query and userinfo");
    }
    Ok(())
}

/// The endpoint of purchases, taken apart; `None` where none is named and the probe endpoint does not speak HTTPS, or its
/// host has no name: nodes refuse addresses.
fn audit_terms(given: Option<&str>, probe: &str, every_sec: u64) -> Result<Option<AuditTerms>, Failure> {
    let url = given.unwrap_or(probe);
    let plain = !url.contains(['?', '#', '@', ' ']);
    let parts = url.strip_prefix("https://").filter(|_| plain).and_then(|rest| rest.split_once('/'));
    let Some((authority, path)) = parts.filter(|(authority, _)| authority.parse::<SocketAddr>().is_err() && authority.parse::<IpAddr>().is_err())
    else {
        if given.is_none() && every_sec == 0 {
            return Ok(None);
        }
        return Err(Failure::new(exit::USAGE, "--audit-endpoint is https://host[:port]/path, the host by name, without query and userinfo"));
    };
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let target = if has_port { authority.to_owned() } else { format!("{authority}:443") };
    Ok(Some(AuditTerms { every_sec, target, path: format!("/{path}") }))
}

fn certificate(options: &Options, names: &[String]) -> Result<(Certificate, Option<PathBuf>), Failure> {
    if let Some((cert, key)) = &options.certificate {
        let bad = |path: &Path, e: &dyn std::fmt::Display| Failure::new(exit::NO_INPUT, format!("{}: {e}", path.display()));
        let pem = std::fs::read_to_string(cert).map_err(|e| bad(cert, &e))?;
        let chain: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().map_err(|e| bad(cert, &e))?;
        let spki = chain.first().and_then(certificate::spki_of).ok_or_else(|| bad(cert, &"no certificate in it"))?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(|e| bad(key, &e))?;
        return Ok((Certificate { chain, key, spki, pem }, None));
    }
    let key = ListenerKey::load_or_create(&options.folder.join(TLS_KEY)).map_err(config)?;
    let made = certificate::self_signed(&key, "EchoMesh reference coordinator", names)
        .map_err(|e| Failure::new(exit::USAGE, format!("--name {}: {e}", names.join(", "))))?;
    let ca_file = options.folder.join(CA_FILE);
    files::replace(&ca_file, 0o644, made.pem.as_bytes(), Medium::Flash)
        .map_err(|e| Failure::new(exit::CANT_CREATE, format!("{}: {e}", ca_file.display())))?;
    Ok((made, Some(ca_file)))
}

fn bind(address: SocketAddr) -> Result<Async<TcpListener>, Failure> {
    Async::<TcpListener>::bind(address).map_err(|e| Failure::new(exit::OS, format!("listen on {address}: {e}")))
}

/// The store's lock is held, so a socket that is there was left by a kill.
fn operator_socket(folder: &Path) -> Result<Async<UnixListener>, Failure> {
    let path = folder.join(SOCKET);
    let _ = std::fs::remove_file(&path);
    let listener = Async::<UnixListener>::bind(&path).map_err(|e| Failure::new(exit::OS, format!("{}: {e}", path.display())))?;
    // The folder is 0700 when it is ours; this holds where the operator made it wider.
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(os)?;
    Ok(listener)
}

fn url(name: &str, port: u16) -> String {
    let host = match name.parse::<IpAddr>() {
        Ok(IpAddr::V6(v6)) => format!("[{v6}]"),
        _ => name.to_owned(),
    };
    if port == 443 { format!("https://{host}") } else { format!("https://{host}:{port}") }
}

fn config(e: crate::identity::IdentityError) -> Failure {
    Failure::new(exit::CONFIG, e.to_string())
}

fn os(e: std::io::Error) -> Failure {
    Failure::new(exit::OS, e.to_string())
}

#[cfg(test)]
mod tests;
