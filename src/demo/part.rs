//! The demonstration's processes, each one a part: a node in the demonstration's world, an HTTPS origin, a DoH server.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use argh::FromArgs;
use smol::{Async, LocalExecutor};

use super::doh::Zone;
use super::{names, origin};
use crate::coordinator::reference::endpoint::Endpoint;
use crate::coordinator::reference::keys;
use crate::core::exit::{self, Failure};
use crate::daemon::{self, World};
use crate::identity::certificate::{self, ListenerKey};
use crate::net::address::Table;
use crate::net::http::server::{self, Limits};
use crate::net::tls;
use crate::platform::counters::Counters;
use crate::platform::files::{self, Medium};

/// one process of the demonstration, or of the lab
#[derive(FromArgs)]
#[argh(subcommand, name = "part")]
pub struct Part {
    #[argh(subcommand)]
    which: Which,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum Which {
    Node(NodePart),
    Origin(OriginPart),
    Doh(DohPart),
    Endpoint(EndpointPart),
}

/// a node for which 127.77.0.0/16 is public and loopback the uplink
#[derive(FromArgs)]
#[argh(subcommand, name = "node")]
struct NodePart {
    /// UCI file
    #[argh(option)]
    config: PathBuf,
    /// folder with counters of devices, laid out as /sys/class/net, to be read in its place
    #[argh(option)]
    counters: Option<PathBuf>,
}

/// an HTTPS origin that counts bytes on its raw sockets
#[derive(FromArgs)]
#[argh(subcommand, name = "origin")]
struct OriginPart {
    /// address to listen on; repeat for more
    #[argh(option)]
    listen: Vec<SocketAddr>,
    /// name of the certificate; repeat for more
    #[argh(option)]
    name: Vec<String>,
    /// where the counts are told as JSON over plain HTTP
    #[argh(option)]
    counts: SocketAddr,
    /// folder for its key and its certificate (origin.pem)
    #[argh(option)]
    dir: PathBuf,
}

/// a DNS-over-HTTPS server for the names of a file
#[derive(FromArgs)]
#[argh(subcommand, name = "doh")]
struct DohPart {
    /// address to listen on; repeat for more
    #[argh(option)]
    listen: Vec<SocketAddr>,
    /// file of lines NAME ADDRESS..., NAME alias OTHER, NAME silent
    #[argh(option)]
    names: PathBuf,
    /// folder for its key and its certificate (doh.pem)
    #[argh(option)]
    dir: PathBuf,
}

/// the trusted probe endpoint, apart from its coordinator
#[derive(FromArgs)]
#[argh(subcommand, name = "endpoint")]
struct EndpointPart {
    /// address to listen on
    #[argh(option)]
    listen: SocketAddr,
    /// name of the certificate
    #[argh(option)]
    name: String,
    /// folder of the coordinator, for the endpoint's signing key
    #[argh(option)]
    keys: PathBuf,
    /// folder for its TLS key and certificate (endpoint.pem)
    #[argh(option)]
    dir: PathBuf,
}

impl Part {
    /// Runs the part until it is killed. "ready" on stdout tells that it listens. `run_dir` is the node's.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub fn run(self, run_dir: &Path) -> Result<(), Failure> {
        match self.which {
            Which::Node(part) => {
                let counters = part.counters.map(Counters::at).unwrap_or_default();
                let world = World { table: Table::internet().with_public(names::public()), devices: Some(vec!["lo".into()]), counters };
                daemon::run_in(daemon::Options { config: part.config, run_dir: run_dir.to_owned() }, world)
            }
            Which::Origin(part) => part.run(),
            Which::Doh(part) => part.run(),
            Which::Endpoint(part) => part.run(),
        }
    }
}

impl OriginPart {
    fn run(self) -> Result<(), Failure> {
        let acceptor = acceptor(&self.dir, "origin", &self.name)?;
        let ex = Rc::new(LocalExecutor::new());
        let counts = origin::Counts::default();
        for addr in &self.listen {
            let serve = origin::serve(ex.clone(), bind(*addr)?, acceptor.clone(), counts.clone());
            ex.spawn(serve).detach();
        }
        let api = server::serve_tcp(ex.clone(), bind(self.counts)?, Limits::api(), Rc::new(origin::CountsApi(counts)));
        ready()?;
        smol::block_on(ex.run(api)).map_err(io)
    }
}

impl DohPart {
    fn run(self) -> Result<(), Failure> {
        let addresses: Vec<String> = self.listen.iter().map(|a| a.ip().to_string()).collect();
        let acceptor = acceptor(&self.dir, "doh", &addresses)?;
        let text = std::fs::read_to_string(&self.names).map_err(|e| Failure::new(exit::NO_INPUT, format!("{}: {e}", self.names.display())))?;
        let zone = Rc::new(Zone::parse(&text).map_err(|e| Failure::new(exit::DATA, e))?);
        let ex = Rc::new(LocalExecutor::new());
        for addr in &self.listen {
            ex.spawn(server::serve_tls(ex.clone(), bind(*addr)?, acceptor.clone(), Limits::api(), zone.clone())).detach();
        }
        ready()?;
        smol::block_on(ex.run(std::future::pending::<()>()));
        Ok(())
    }
}

impl EndpointPart {
    fn run(self) -> Result<(), Failure> {
        let acceptor = acceptor(&self.dir, "endpoint", &[self.name])?;
        let key = keys::load_or_create(&self.keys, keys::PROBE).map_err(|e| Failure::new(exit::NO_PERM, e.to_string()))?;
        let ex = Rc::new(LocalExecutor::new());
        let endpoint = Rc::new(Endpoint::new(key, ex.clone()));
        let serve = server::serve_tls(ex.clone(), bind(self.listen)?, acceptor, Limits::api(), endpoint);
        ready()?;
        smol::block_on(ex.run(serve)).map_err(io)
    }
}

/// A TLS acceptor for `names`, its key and certificate in `dir` as NAME.key and NAME.pem.
fn acceptor(dir: &Path, name: &str, names: &[String]) -> Result<futures_rustls::TlsAcceptor, Failure> {
    let fail = |e: &dyn std::fmt::Display| Failure::new(exit::CANT_CREATE, format!("{}: {e}", dir.display()));
    files::folder(dir, 0o755).map_err(|e| fail(&e))?;
    let key = ListenerKey::load_or_create(&dir.join(format!("{name}.key"))).map_err(|e| fail(&e))?;
    let certificate = certificate::self_signed(&key, name, names).map_err(|e| fail(&e))?;
    files::replace(&dir.join(format!("{name}.pem")), 0o644, certificate.pem.as_bytes(), Medium::Tmpfs).map_err(|e| fail(&e))?;
    tls::acceptor(&certificate, &[b"http/1.1"]).map_err(|e| fail(&e))
}

fn bind(addr: SocketAddr) -> Result<Async<TcpListener>, Failure> {
    Async::<TcpListener>::bind(addr).map_err(|e| Failure::new(exit::OS, format!("cannot listen on {addr}: {e}")))
}

fn ready() -> Result<(), Failure> {
    let mut out = std::io::stdout();
    writeln!(out, "ready").and_then(|()| out.flush()).map_err(io)
}

fn io(e: std::io::Error) -> Failure {
    Failure::new(exit::IO, e.to_string())
}
