//! The little Internet of one test: coordinator, DoH server, counting origin, one node.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use echomesh::core::Clock;
use echomesh::net::roots;
use rustls::ClientConfig;
use serde_json::Value;

use super::buyer::{Door, Market, Session};
use super::folder::Folder;
use super::http;
use super::node::{Node, Uci};
use super::process::{self, Process};
use super::trust;
use super::wait::until;

/// Port of every service.
pub const PORT: u16 = 8443;
/// Name of the origin that counts its bytes.
pub const SHOP: &str = "shop.example.test:8443";
/// Name of the origins of the tests' own.
pub const OWN: &str = "own.example.test:8443";

/// Name of the scripted origin ([`super::script`]).
pub const RAW: &str = "raw.example.test";

/// What a world is to be like.
#[derive(Clone)]
pub struct Plan {
    /// Seconds between heartbeats.
    pub heartbeat: u32,
    /// Seconds of a lease.
    pub lease: u32,
    /// Host the node lets probes fetch from, `host:port`; the coordinator's endpoint is `probe.example.test:8443`.
    pub probe_host: Option<&'static str>,
    /// The coordinator is a gateway, too, and the node is reached through it.
    pub gateway: bool,
    /// The gateway's address as the coordinator tells it; `None` = where it is.
    pub gateway_ip: Option<&'static str>,
    /// More lines of the zone.
    pub names: String,
    /// Changes of the node's settings: section, option, value.
    pub settings: Vec<(&'static str, &'static str, &'static str)>,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan { heartbeat: 1, lease: 900, probe_host: None, gateway: false, gateway_ip: None, names: String::new(), settings: Vec::new() }
    }
}

/// The world. What it started ends with it.
pub struct World {
    pub net: u8,
    pub node: Node,
    pub market: Market,
    pub coordinator: Option<Process>,
    _origin: Process,
    doh: Option<Process>,
    /// Trusts the counting origin.
    pub shop: Arc<ClientConfig>,
    /// Folder of everything.
    pub folder: Folder,
    /// Seconds, as planned.
    plan: Plan,
    _claim: TcpListener,
}

impl World {
    /// A world with the node accepted by the coordinator.
    #[track_caller]
    pub fn start(plan: Plan) -> World {
        let mut world = World::without_node(plan);
        world.node.start();
        world
    }

    /// The same, the node not started yet.
    #[track_caller]
    pub fn without_node(plan: Plan) -> World {
        let (net, claim) = claim();
        let folder = Folder::new();
        let ip = |last| Ipv4Addr::new(127, 77, net, last);
        let origin = start_origin(&folder, net);
        let doh = start_doh(&folder, net, &plan.names);
        let (coordinator, key) = start_coordinator(&folder, net, &plan);
        let token = new_buyer(&folder);
        let ca = folder.join("ca.pem");
        let trusted: Vec<String> =
            [coordinator_pem(&folder), folder.join("doh/doh.pem")].iter().map(|p| std::fs::read_to_string(p).unwrap()).collect();
        process::write(&ca, &trusted.concat());
        let mut settings = Uci::default();
        settings
            .set("node", "enabled", "1")
            .add("node", "region_allow", "PH")
            .set("node", "log_dest", "stderr")
            .set("node", "log_level", "debug")
            .set("network", "max_mbps", "8000")
            .set("network", "burst_mb", "200")
            .set("network", "max_gb_per_day", "0")
            .set("network", "yield", "0")
            .add("network", "port", "443")
            .add("network", "port", "8443")
            .set("security", "sandbox_mode", "standard")
            .add("security", "doh_url", &format!("https://{}:{PORT}/dns-query", ip(53)))
            .set("coordinator", "url", &format!("https://{}:{PORT}", ip(1)))
            .add("coordinator", "key", &key)
            .set("coordinator", "ca_file", ca.to_str().unwrap())
            .set("proxy", "enabled", "1");
        if let Some(host) = plan.probe_host {
            settings.add("policy", "probe_host", host);
        }
        if plan.gateway {
            settings.set("proxy", "reach", "gateway");
        }
        for (section, option, value) in &plan.settings {
            settings.set(section, option, value);
        }
        let node = Node::new(folder.path(), "node", ip(101), settings);
        let market = Market { addr: SocketAddr::from((ip(1), PORT)), tls: trust::client(&coordinator_pem(&folder), &[]), token };
        let shop = trust::client(&folder.join("origin/origin.pem"), &["http/1.1"]);
        World { net, node, market, coordinator: Some(coordinator), _origin: origin, doh: Some(doh), shop, folder, plan, _claim: claim }
    }

    /// An address of this world.
    pub fn ip(&self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, 77, self.net, last)
    }

    /// The address [`OWN`] resolves to.
    pub fn own(&self) -> SocketAddr {
        SocketAddr::from((self.ip(20), PORT))
    }

    /// The address [`RAW`] resolves to.
    pub fn raw(&self) -> SocketAddr {
        SocketAddr::from((self.ip(21), PORT))
    }

    /// Plain CONNECT to the node.
    pub fn door(&self, session: &Session) -> Door {
        Door { node: self.node.listen, tls: None, session: session.clone(), source: None }
    }

    /// CONNECT inside TLS at the address that buyers are told, with the key they are told.
    #[track_caller]
    pub fn told_door(&self, session: &Session) -> Door {
        let node = until("buyers are told where the node is", || self.market.seen(session).get("node").filter(|n| n.is_object()).cloned());
        let spki = node["spki"].as_str().unwrap().parse().unwrap();
        let tls = roots::pinned(spki, &[], &Clock::system()).unwrap();
        Door { node: node["address"].as_str().unwrap().parse().unwrap(), tls: Some(tls), ..self.door(session) }
    }

    /// The gateway's own address.
    pub fn gateway(&self) -> SocketAddr {
        SocketAddr::from((self.ip(2), PORT))
    }

    /// CONNECT inside TLS.
    pub fn tls_door(&self, session: &Session) -> Door {
        Door { tls: Some(trust::client_of(&trust::shown_by(self.node.listen), &[])), ..self.door(session) }
    }

    /// Bytes the origin saw on its raw sockets: sent (the node's ingress) and received (egress), once none is open.
    #[track_caller]
    pub fn origin_counts(&self) -> (u64, u64) {
        until("the origin's connections are over", || {
            let counts = self.counts();
            (counts["open"] == 0).then(|| (counts["sent"].as_u64().unwrap(), counts["received"].as_u64().unwrap()))
        })
    }

    fn counts(&self) -> Value {
        let addr = SocketAddr::from((self.ip(10), PORT + 1));
        let mut stream = std::net::TcpStream::connect(addr).unwrap();
        let counts = http::exchange(&mut stream, &http::request("GET", "/count", "origin", &[], b"")).unwrap().json();
        counts.get(self.ip(10).to_string()).cloned().unwrap_or_else(|| serde_json::json!({"open": 0, "sent": 0, "received": 0}))
    }

    /// An operator's command of the coordinator, `--json`.
    #[track_caller]
    pub fn operator(&self, args: &[&str]) -> Value {
        let mut all = vec!["coordinator"];
        all.extend(args);
        let dir = self.folder.join("coordinator");
        all.extend(["--dir", dir.to_str().unwrap(), "--json"]);
        serde_json::from_str(&process::said(all)).unwrap()
    }

    /// `kill -9` of the coordinator.
    pub fn coordinator_gone(&mut self) {
        self.coordinator.take().expect("it runs").kill();
    }

    /// The coordinator back on the same store and address.
    #[track_caller]
    pub fn coordinator_back(&mut self) {
        assert!(self.coordinator.is_none());
        self.coordinator = Some(start_coordinator(&self.folder, self.net, &self.plan).0);
    }

    /// `kill -9` of the resolver.
    pub fn doh_gone(&mut self) {
        self.doh.take().expect("it runs").kill();
    }

    /// The resolver back, with the same key.
    #[track_caller]
    pub fn doh_back(&mut self) {
        assert!(self.doh.is_none());
        self.doh = Some(start_doh(&self.folder, self.net, &self.plan.names));
    }

    /// Fetches `n` bytes from the counting origin through `door`.
    #[track_caller]
    pub fn fetch(&self, door: &Door, n: u64) {
        let request = http::request("GET", &format!("/down/{n}"), "shop.example.test", &[], b"");
        let answer = door.https(&self.shop, SHOP, &request).unwrap();
        assert_eq!((answer.status, answer.body.len() as u64), (200, n));
    }
}

/// A /24 nobody else on this machine uses, held by a socket.
fn claim() -> (u8, TcpListener) {
    static NEXT: AtomicU8 = AtomicU8::new(0);
    let first = (std::process::id() % 256) as u8;
    for _ in 0..=255 {
        let net = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        if let Ok(claim) = TcpListener::bind((Ipv4Addr::new(127, 77, net, 250), PORT)) {
            return (net, claim);
        }
    }
    panic!("no free network in 127.77.0.0/16");
}

fn start_origin(folder: &Folder, net: u8) -> Process {
    let ip = Ipv4Addr::new(127, 77, net, 10);
    let (listen, counts) = (format!("{ip}:{PORT}"), format!("{ip}:{}", PORT + 1));
    let dir = folder.join("origin");
    let mut origin = Process::start(
        "origin",
        folder.path(),
        ["demo", "part", "origin", "--listen", &listen, "--name", "shop.example.test", "--counts", &counts, "--dir", dir.to_str().unwrap()],
    );
    origin.ready();
    origin
}

/// Names of the world. What is not here does not exist.
fn start_doh(folder: &Folder, net: u8, more: &str) -> Process {
    let closed: String = (1..=8).map(|n| format!("closed{n}.example.test 127.77.{net}.30\n")).collect();
    let zone = format!(
        "shop.example.test 127.77.{net}.10\n\
         own.example.test 127.77.{net}.20\n\
         raw.example.test 127.77.{net}.21\n\
         probe.example.test 127.77.{net}.1\n\
         www.blocked.test 127.77.{net}.10\n\
         alias.example.test alias www.blocked.test\n\
         nobody.example.test 127.77.{net}.30\n\
         silent.example.test silent\n\
         home.example.test 192.168.1.20 10.0.0.1 fd00::1\n\
         loop.example.test 127.0.0.1 ::1\n\
         mapped.example.test ::ffff:192.168.1.20 64:ff9b:1::1 2002:7f00:1::1\n\
         meta.example.test 169.254.169.254\n\
         both.example.test 192.168.1.20 127.77.{net}.10\n\
         {closed}"
    );
    let names = folder.join("names");
    process::write(&names, &(zone + more));
    let listen = format!("127.77.{net}.53:{PORT}");
    let dir = folder.join("doh");
    let args = ["demo", "part", "doh", "--listen", &listen, "--names", names.to_str().unwrap(), "--dir", dir.to_str().unwrap()];
    let mut doh = Process::start("doh", folder.path(), args);
    doh.ready();
    doh
}

fn start_coordinator(folder: &Folder, net: u8, plan: &Plan) -> (Process, String) {
    let listen = format!("127.77.{net}.1:{PORT}");
    let name = format!("127.77.{net}.1");
    let dir = folder.join("coordinator");
    let (heartbeat, lease) = (plan.heartbeat.to_string(), plan.lease.to_string());
    let args = [
        ["coordinator", "run"],
        ["--dir", dir.to_str().unwrap()],
        ["--listen", &listen],
        ["--name", &name],
        ["--name", "probe.example.test"],
        ["--heartbeat", &heartbeat],
        ["--lease", &lease],
        ["--probe-endpoint", "https://probe.example.test:8443/probe"],
    ]
    .concat();
    let gateway = format!("127.77.{net}.2:{PORT}");
    let told = plan.gateway_ip.map_or_else(|| format!("127.77.{net}.2"), str::to_owned);
    let mut args = args;
    if plan.gateway {
        args.extend(["--gateway", &gateway, "--gateway-ip", &told, "--gateway-ports", "9000-9003"]);
    }
    let mut coordinator = Process::start("coordinator", folder.path(), args);
    let lines = coordinator.ready();
    let key = lines.iter().flat_map(|l| l.split_whitespace()).find(|word| word.starts_with("ed25519:"));
    let key = key.unwrap_or_else(|| panic!("no key in {lines:?}")).trim_matches(|c: char| c == ',' || c == '"').to_owned();
    (coordinator, key)
}

fn coordinator_pem(folder: &Folder) -> PathBuf {
    folder.join("coordinator/coordinator.pem")
}

fn new_buyer(folder: &Folder) -> String {
    let dir = folder.join("coordinator");
    let said = process::said(["coordinator", "buyer", "add", "tester", "--dir", dir.to_str().unwrap()]);
    // The token is the word of 43 base64url characters.
    let token = said
        .split_whitespace()
        .map(|w| w.trim_matches('"'))
        .find(|w| w.len() == 43 && w.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
    token.unwrap_or_else(|| panic!("no token in {said}")).to_owned()
}
