//! The stage: a folder, a little Internet on loopback, and every process of the demonstration on it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ClientConfig;

use super::broker::Broker;
use super::call::{self, Ask};
use super::compare::Bytes;
use super::names::{self, Host, Net};
use super::node::{Node, Wish};
use super::origin::Count;
use super::process::Process;
use super::wait::fail;
use crate::core::Clock;
use crate::core::exit::{self, Failure};
use crate::net::roots;

/// Tunnels at once of the owners: the second's are few, so that they can be used up.
const MAX_TUNNELS: [u32; 3] = [256, 16, 256];
/// Regions of the nodes.
pub const REGIONS: [&str; 3] = ["DE", "NL", "PL"];
/// Which of the nodes is reached through the gateway.
pub const AT_GATEWAY: usize = 2;
/// Where the origin tells its counts.
const COUNTS_PORT: u16 = 8080;

/// The folder of one run; removed when dropped.
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
}

impl Folder {
    /// A new folder for the owner alone.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new(net: Net) -> Result<Folder, Failure> {
        use std::os::unix::fs::DirBuilderExt as _;
        let path = std::env::temp_dir().join(format!("echomesh-demo-{}-{}", std::process::id(), net.0));
        std::fs::DirBuilder::new().mode(0o700).create(&path).map_err(|e| Failure::new(exit::CANT_CREATE, format!("{}: {e}", path.display())))?;
        Ok(Folder { path })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// All that runs. Processes end before the folder goes: fields are dropped in order.
pub struct Stage {
    /// The demonstration's own clock.
    pub clock: Clock,
    /// Its /24.
    pub net: Net,
    /// The two nodes that buyers connect to.
    pub nodes: [Node; 2],
    /// The one that is reached through the gateway.
    pub behind: Node,
    /// The coordinator, as operator and buyer.
    pub broker: Broker,
    others: Vec<Process>,
    /// Trust in the origin's certificate.
    pub origin_tls: Arc<ClientConfig>,
    /// The origin's certificate.
    pub origin_pem: PathBuf,
    /// The folder.
    pub folder: Folder,
}

impl Stage {
    /// Starts everything, and waits until it serves.
    ///
    /// # Errors
    /// Something does not start: with the end of its log.
    pub async fn set(clock: &Clock, net: Net, folder: Folder) -> Result<Stage, Failure> {
        let path = folder.path.clone();
        let zone = path.join("zone");
        write(&zone, names::zone(net).as_bytes())?;
        let mut broker = Broker::start(&path, net, clock)?;
        let mut origin = origin(&path, net)?;
        let mut doh = doh(&path, net, &zone)?;
        for process in [&mut origin, &mut doh] {
            process.ready().await.map_err(|e| with_tail(&e, process))?;
        }
        broker.ready().await?;
        let mut endpoint = broker.endpoint(&path, net)?;
        endpoint.ready().await.map_err(|e| with_tail(&e, &endpoint))?;
        let roots_file = path.join("roots.pem");
        let mut roots_pem = Vec::new();
        for pem in [broker.ca_file().to_owned(), path.join("doh/doh.pem"), path.join("endpoint/endpoint.pem")] {
            roots_pem.extend(std::fs::read(&pem).map_err(|e| Failure::new(exit::NO_INPUT, format!("{}: {e}", pem.display())))?);
        }
        write(&roots_file, &roots_pem)?;
        let wish = |nth: u8| Wish {
            nth,
            reach: if usize::from(nth) == AT_GATEWAY { "gateway" } else { "direct" },
            region: REGIONS[usize::from(nth)],
            max_tunnels: MAX_TUNNELS[usize::from(nth)],
            coordinator_key: broker.key(),
            ca_file: &roots_file,
        };
        let nodes = [Node::start(&path, net, &wish(0))?, Node::start(&path, net, &wish(1))?];
        let behind = Node::start(&path, net, &wish(2))?;
        let origin_pem = path.join("origin/origin.pem");
        let origin_tls = roots::client_config(Some(&origin_pem), &[b"http/1.1"], clock).map_err(|e| fail(e.to_string()))?;
        Ok(Stage { clock: clock.clone(), net, nodes, behind, broker, others: vec![origin, doh, endpoint], origin_tls, origin_pem, folder })
    }

    /// Waits until all nodes work.
    ///
    /// # Errors
    /// One does not get there.
    pub async fn up(&mut self) -> Result<(), Failure> {
        for node in self.nodes.iter_mut().chain([&mut self.behind]) {
            node.up().await?;
        }
        Ok(())
    }

    /// All nodes.
    pub fn all_nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().chain([&self.behind])
    }

    /// The node that a session is at.
    pub fn node(&self, at: usize) -> &Node {
        self.nodes.get(at).unwrap_or(&self.behind)
    }

    /// Where its buyers are told to connect.
    pub fn told(&self, at: usize) -> SocketAddr {
        match self.nodes.get(at) {
            Some(node) => node.addr,
            None => SocketAddr::new(self.net.ip(Host::Gateway, 0), names::GATEWAY_PORT),
        }
    }

    /// The ends of all logs, for who looks for the cause of a failure.
    pub fn tails(&self) -> String {
        let all = self.others.iter().chain(self.all_nodes().map(Node::process)).chain(self.broker.process());
        all.map(|p| format!("--- end of the log of {} ---\n{}\n", p.name, p.tail())).collect()
    }
}

/// What the origin counted under its `nth` address, and how many connections are open there.
///
/// # Errors
/// It does not tell.
pub async fn counted(net: Net, nth: u8) -> Result<(Bytes, u32), Failure> {
    let counts: BTreeMap<IpAddr, Count> = call::over_tcp(counts_addr(net), &Ask::get("/count")).await?.read()?;
    let count = counts.get(&net.ip(Host::Origin, nth)).copied().unwrap_or_default();
    Ok((Bytes { ingress: count.sent, egress: count.received }, count.open))
}

fn counts_addr(net: Net) -> SocketAddr {
    SocketAddr::new(net.ip(Host::Origin, 0), COUNTS_PORT)
}

fn origin(path: &Path, net: Net) -> Result<Process, Failure> {
    let mut args: Vec<String> = ["demo", "part", "origin"].map(str::to_owned).into();
    for nth in 0..names::ORIGINS {
        args.extend(["--listen".into(), net.addr(Host::Origin, nth).to_string(), "--name".into(), names::origin(nth)]);
    }
    args.extend(["--counts".into(), counts_addr(net).to_string(), "--dir".into(), path.join("origin").display().to_string()]);
    Process::start(path, "origin", &args.iter().map(String::as_str).collect::<Vec<_>>())
}

fn doh(path: &Path, net: Net, zone: &Path) -> Result<Process, Failure> {
    let (listen, zone, dir) = (net.addr(Host::Doh, 0).to_string(), zone.display().to_string(), path.join("doh").display().to_string());
    Process::start(path, "doh", &["demo", "part", "doh", "--listen", &listen, "--names", &zone, "--dir", &dir])
}

fn with_tail(failure: &Failure, process: &Process) -> Failure {
    Failure::new(failure.code, format!("{failure}\n{}", process.tail()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes).map_err(|e| Failure::new(exit::CANT_CREATE, format!("{}: {e}", path.display())))
}
