//! Typed settings with their defaults (contracts, "UCI"). No secret is among them.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use crate::codec::NodeId;

/// A rate. Written in Mbps (10^6 bit/s, decimals allowed), kept in bit/s.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Rate(pub u64);

impl Rate {
    /// `n` Mbps.
    pub const fn mbps(n: u64) -> Rate {
        Rate(n * 1_000_000)
    }

    /// Bytes per second.
    pub const fn bytes_per_sec(self) -> u64 {
        self.0 / 8
    }
}

/// All settings of a node.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Settings {
    /// Section `node`.
    pub node: Node,
    /// Sections `window`; empty = always.
    pub windows: Vec<Window>,
    /// Section `network`.
    pub network: Network,
    /// Section `policy`.
    pub policy: Policy,
    /// Section `security`.
    pub security: Security,
    /// Section `coordinator`.
    pub coordinator: Coordinator,
    /// Section `proxy`.
    pub proxy: Proxy,
    /// Section `update`.
    pub update: Update,
    /// Section `ui`.
    pub ui: Ui,
}

/// Section `node`.
#[derive(Clone, PartialEq, Debug)]
pub struct Node {
    /// The daemon does anything at all [0].
    pub enabled: bool,
    /// Regions the owner serves: `CC` or `CC-Name`; `CC` covers its names. Empty = wherever the node is.
    pub region_allow: Vec<String>,
    /// Identity and journal, on flash [/etc/echomesh].
    pub state_dir: PathBuf,
    /// Least severe level that is logged [info].
    pub log_level: log::LevelFilter,
    /// Where logs go [auto].
    pub log_dest: crate::core::logging::Dest,
}

/// A section `window`: when the node works.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Window {
    /// Days it starts on, Monday = 0, as bits.
    pub days: u8,
    /// Minutes after local midnight.
    pub start: u16,
    /// Minutes after local midnight; not after `start` = the next day.
    pub end: u16,
    /// Its own rate, within the global one.
    pub max: Option<Rate>,
}

/// Section `network`.
#[derive(Clone, PartialEq, Debug)]
pub struct Network {
    /// Devices that lead to the Internet; empty = those holding a default route.
    pub uplink: Vec<String>,
    /// Sustained rate of relayed bytes, both directions together [10].
    pub max_mbps: Rate,
    /// Burst in MB (10^6 bytes) [4].
    pub burst_mb: u32,
    /// The line's own rate, for `yield`; none = not known.
    pub line_mbps: Option<Rate>,
    /// Give way to the household [1].
    pub yield_to_household: bool,
    /// From which share of the line [50].
    pub yield_above_pct: u8,
    /// GB (10^9 bytes) on the uplink per day [20]; 0 = none.
    pub max_gb_per_day: u32,
    /// GB on the uplink per month [0 = none].
    pub max_gb_per_month: u32,
    /// Destination ports [443].
    pub ports: Vec<u16>,
    /// Suffixes that are allowed; empty = all.
    pub allow_domain: Vec<String>,
    /// Suffixes that are refused.
    pub block_domain: Vec<String>,
    /// A file of more allowed suffixes.
    pub allow_file: Option<PathBuf>,
    /// A file of more refused suffixes.
    pub block_file: Option<PathBuf>,
    /// Tunnels at once [512].
    pub max_tunnels: u32,
}

/// Section `policy`.
#[derive(Clone, PartialEq, Debug)]
pub struct Policy {
    /// Name of the owner's profile [COMPLIANT_DEFAULT].
    pub category_profile: String,
    /// Categories the owner does not serve.
    pub opt_out: Vec<String>,
    /// Probes over plain HTTP to listed hosts [0].
    pub allow_plain_http_probes: bool,
    /// Hosts probes may go to (`host` or `host:port`).
    pub probe_host: Vec<String>,
    /// Seconds until a quarantine ends by itself [0 = the owner clears it].
    pub quarantine_cooldown: u32,
}

/// How much the sandbox must reach.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SandboxMode {
    /// Everything the system has [default].
    Strict,
    /// What is there, without refusing to start.
    Standard,
}

/// Section `security`.
#[derive(Clone, PartialEq, Debug)]
pub struct Security {
    /// Resolve by DNS over HTTPS [1]; 0 = the system's resolver.
    pub dns_over_https: bool,
    /// Resolvers by IP address: `https://1.1.1.1/dns-query`.
    pub doh_url: Vec<String>,
    /// [strict]
    pub sandbox_mode: SandboxMode,
}

/// Section `coordinator`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Coordinator {
    /// `https://host[:port]`; empty = none configured.
    pub url: String,
    /// Keys any of which signs for the coordinator.
    pub keys: Vec<NodeId>,
    /// PEM roots trusted beside the system's for what the node itself connects to (coordinator, DoH, probes).
    pub ca_file: Option<PathBuf>,
}

/// How buyers reach the node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// They connect to the listener [default].
    Direct,
    /// Through the coordinator's gateway, for CGNAT.
    Gateway,
}

/// Section `proxy`.
#[derive(Clone, PartialEq, Debug)]
pub struct Proxy {
    /// The role is on [0].
    pub enabled: bool,
    /// Listening addresses [[::]:8443].
    pub listen: Vec<SocketAddr>,
    /// [direct]
    pub reach: Reach,
}

/// Section `update`.
#[derive(Clone, PartialEq, Debug)]
pub struct Update {
    /// [0]
    pub auto_update: bool,
    /// [stable]
    pub channel: String,
    /// Where manifests are.
    pub url: String,
    /// minisign keys.
    pub keys: Vec<String>,
}

/// Section `ui`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Ui {
    /// [0]
    pub telemetry_opt_in: bool,
}

impl Default for Node {
    fn default() -> Self {
        Node {
            enabled: false,
            region_allow: Vec::new(),
            state_dir: "/etc/echomesh".into(),
            log_level: log::LevelFilter::Info,
            log_dest: crate::core::logging::Dest::Auto,
        }
    }
}

impl Default for Network {
    fn default() -> Self {
        Network {
            uplink: Vec::new(),
            max_mbps: Rate::mbps(10),
            burst_mb: 4,
            line_mbps: None,
            yield_to_household: true,
            yield_above_pct: 50,
            max_gb_per_day: 20,
            max_gb_per_month: 0,
            ports: vec![443],
            allow_domain: Vec::new(),
            block_domain: Vec::new(),
            allow_file: None,
            block_file: None,
            max_tunnels: 512,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            category_profile: "COMPLIANT_DEFAULT".into(),
            opt_out: Vec::new(),
            allow_plain_http_probes: false,
            probe_host: Vec::new(),
            quarantine_cooldown: 0,
        }
    }
}

impl Default for Security {
    fn default() -> Self {
        Security {
            dns_over_https: true,
            doh_url: vec!["https://1.1.1.1/dns-query".into(), "https://8.8.8.8/dns-query".into()],
            sandbox_mode: SandboxMode::Strict,
        }
    }
}

impl Default for Proxy {
    fn default() -> Self {
        let any = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 8443);
        Proxy { enabled: false, listen: vec![any], reach: Reach::Direct }
    }
}

impl Default for Update {
    fn default() -> Self {
        Update { auto_update: false, channel: "stable".into(), url: String::new(), keys: Vec::new() }
    }
}
