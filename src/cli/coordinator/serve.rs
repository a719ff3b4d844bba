//! `echomesh coordinator run`.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::rc::Rc;

use argh::FromArgs;
use async_signal::{Signal, Signals};
use smol::LocalExecutor;
use smol::stream::StreamExt as _;

use crate::cli::print;
use crate::codec::NodeId;
use crate::coordinator::reference::gateway::Places;
use crate::coordinator::reference::{Options, Ready, run};
use crate::core::exit::{self, Failure};
use crate::core::{Clock, logging};

/// Run the coordinator until SIGTERM. Prints key, certificate, probe endpoint, and a line `ready URL` once it listens.
#[derive(FromArgs)]
#[argh(subcommand, name = "run")]
pub(super) struct Run {
    /// folder of store and keys; made where it is missing
    #[argh(option)]
    dir: PathBuf,
    /// address and port to listen on [[::]:8440]
    #[argh(option, default = "default_listen()")]
    listen: SocketAddr,
    /// name or address it is reached by, for the certificate and the URL; may be given more than once
    #[argh(option)]
    name: Vec<String>,
    /// certificate chain (PEM), with --key; without them one is made for the names
    #[argh(option)]
    cert: Option<PathBuf>,
    /// key of the certificate (PEM)
    #[argh(option)]
    key: Option<PathBuf>,
    /// a second listener, for the probe endpoint alone
    #[argh(option)]
    probe_listen: Option<SocketAddr>,
    /// URL of the trusted probe endpoint [this coordinator's /probe]
    #[argh(option)]
    probe_endpoint: Option<String>,
    /// its key, where it is not this coordinator's own
    #[argh(option)]
    probe_key: Option<String>,
    /// bytes of one probe [262144]
    #[argh(option)]
    probe_size: Option<u64>,
    /// seconds between two probes of one node [300]
    #[argh(option)]
    probe_every: Option<u64>,
    /// seconds between two unannounced purchases, on average, at random times [0 = only with `coordinator audit`]
    #[argh(option)]
    audit_every: Option<u64>,
    /// URL they fetch from, whose name nodes must not know for yours [the probe endpoint]; takes ?size=N
    #[argh(option)]
    audit_endpoint: Option<String>,
    /// seconds between a node's heartbeats [30]
    #[argh(option)]
    heartbeat: Option<u32>,
    /// seconds a lease holds after a heartbeat [900]
    #[argh(option)]
    lease: Option<u32>,
    /// micro-credits per GB [1000000]
    #[argh(option)]
    price: Option<u64>,
    /// address and port at which nodes behind a carrier's NAT connect to the gateway; without it there is no gateway
    #[argh(option)]
    gateway: Option<SocketAddr>,
    /// the gateway's IP address as nodes and buyers are told it [that of --gateway, else the first --name that is one]
    #[argh(option)]
    gateway_ip: Option<IpAddr>,
    /// ports at which buyers reach the gateway's nodes, FIRST-LAST, one a node [20000-20063]
    #[argh(option, default = "default_ports()", from_str_fn(ports))]
    gateway_ports: RangeInclusive<u16>,
    /// log level: error, warn, info, debug [info]
    #[argh(option, default = "log::LevelFilter::Info")]
    log_level: log::LevelFilter,
}

const fn default_ports() -> RangeInclusive<u16> {
    20_000..=20_063
}

fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let range = text.split_once('-').and_then(|(first, last)| Some(first.parse().ok().filter(|p| *p > 0)?..=last.parse().ok()?));
    range.filter(|r| !r.is_empty()).ok_or_else(|| "two ports, FIRST-LAST, the first not above the last".to_owned())
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([0; 16], 8440))
}

impl Run {
    pub(super) fn run(self) -> Result<(), Failure> {
        logging::init(logging::Dest::Auto, self.log_level, Clock::system());
        let options = self.options()?;
        let ex = Rc::new(LocalExecutor::new());
        let mut signals = Signals::new([Signal::Term, Signal::Int]).map_err(|e| Failure::new(exit::OS, e.to_string()))?;
        let stop = async move {
            signals.next().await;
        };
        smol::block_on(ex.run(run(options, ex.clone(), tell, stop)))
    }

    fn options(self) -> Result<Options, Failure> {
        let certificate = match (self.cert, self.key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            _ => return Err(Failure::new(exit::USAGE, "--cert and --key go together")),
        };
        let probe_key: Option<NodeId> =
            self.probe_key.map(|k| k.parse()).transpose().map_err(|e| Failure::new(exit::USAGE, format!("--probe-key: {e}")))?;
        let named = self.name.iter().find_map(|name| name.parse().ok());
        let gateway = self.gateway.map(|listen| {
            let own = Some(listen.ip()).filter(|ip| !ip.is_unspecified());
            let told = self.gateway_ip.or(own).or(named).unwrap_or(listen.ip());
            Places { listen, told, ports: self.gateway_ports }
        });
        let usual = Options::new(self.dir, self.listen);
        Ok(Options {
            probe_listen: self.probe_listen,
            names: self.name,
            certificate,
            probe_endpoint: self.probe_endpoint,
            probe_key,
            audit_every_sec: self.audit_every.unwrap_or(usual.audit_every_sec),
            audit_endpoint: self.audit_endpoint,
            probe_size: self.probe_size.unwrap_or(usual.probe_size),
            probe_every_sec: self.probe_every.unwrap_or(usual.probe_every_sec),
            heartbeat_sec: self.heartbeat.unwrap_or(usual.heartbeat_sec),
            lease_sec: self.lease.unwrap_or(usual.lease_sec),
            price_per_gb: self.price.unwrap_or(usual.price_per_gb),
            gateway,
            ..usual
        })
    }
}

/// One fact a line, the name first; `ready` is the last.
fn tell(ready: &Ready) -> Result<(), Failure> {
    let mut text = format!("key {}\n", ready.key);
    if let Some(ca_file) = &ready.ca_file {
        text.push_str(&format!("ca_file {}\n", ca_file.display()));
    }
    if let Some(gateway) = &ready.gateway {
        text.push_str(&format!("gateway {} {}\n", gateway.address, gateway.spki));
    }
    text.push_str(&format!("probe {} {}\nready {}\n", ready.probe_endpoint, ready.probe_key, ready.url));
    print::text(&text)
}
