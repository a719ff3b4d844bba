//! Addresses and names of the demonstration's little Internet: one /24 of 127.77.0.0/16 a run, so that two runs on one
//! machine do not meet.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ipnet::IpNet;

/// Port of every service of the demonstration: above 1024, so that nobody needs to be root.
pub const PORT: u16 = 8443;
/// Suffix of every name (RFC 6761 keeps `.test` free).
pub const SUFFIX: &str = "demo.echomesh.test";

/// The /24 of one run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Net(pub u8);

/// Who lives at which last octet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
#[allow(missing_docs)] // the names say it
pub enum Host {
    Coordinator = 1,
    Endpoint = 2,
    /// Where nodes connect to the gateway, and buyers reach them.
    Gateway = 3,
    /// The origin under the first session's name; the following octets are its other names.
    Origin = 10,
    Doh = 53,
    Node = 101,
    /// An address of the demonstration that nothing listens at.
    Nobody = 199,
}

/// Names and addresses of the origin: one for each of the two main sessions, one for all others, one for the session that
/// is cut off, one for the session through the gateway.
pub const ORIGINS: u8 = 5;
/// Which of them the session visits that is cut off in mid-transfer.
pub const CUT_OFF: u8 = 3;
/// Which of them the session visits that goes through the gateway.
pub const BEHIND: u8 = 4;
/// The port at which buyers reach the first node of the gateway.
pub const GATEWAY_PORT: u16 = 9000;

impl Net {
    /// The address of `host`, `nth` of its kind.
    pub fn ip(self, host: Host, nth: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(127, 77, self.0, host as u8 + nth))
    }

    /// The same with the port.
    pub fn addr(self, host: Host, nth: u8) -> SocketAddr {
        SocketAddr::new(self.ip(host, nth), PORT)
    }
}

/// What counts as public in the demonstration's world.
pub fn public() -> IpNet {
    IpNet::new(IpAddr::V4(Ipv4Addr::new(127, 77, 0, 0)), 16).unwrap_or_default()
}

/// Name of the origin as session `nth` visits it.
pub fn origin(nth: u8) -> String {
    format!("shop{nth}.{SUFFIX}")
}

/// The trusted probe endpoint's name.
pub fn endpoint() -> String {
    under("probe")
}

/// A name that both nodes' owners block.
pub fn blocked() -> String {
    under("blocked")
}

/// A name whose address is one of a home network.
pub fn private() -> String {
    under("inside")
}

/// A name nobody listens at.
pub fn closed() -> String {
    under("closed")
}

/// A name that does not exist.
pub fn absent() -> String {
    under("absent")
}

/// A name the resolver never answers for.
pub fn silent() -> String {
    under("silent")
}

/// A name that no session's profile allows.
pub const ELSEWHERE: &str = "elsewhere.echomesh.test";

/// The lines of the DoH server's file.
pub fn zone(net: Net) -> String {
    let mut lines: Vec<String> = (0..ORIGINS).map(|nth| format!("{} {}", origin(nth), net.ip(Host::Origin, nth))).collect();
    lines.push(format!("{} {}", endpoint(), net.ip(Host::Endpoint, 0)));
    lines.push(format!("{} {}", blocked(), net.ip(Host::Origin, 0)));
    lines.push(format!("{} 192.168.77.1", private()));
    lines.push(format!("{} {}", closed(), net.ip(Host::Nobody, 0)));
    lines.push(format!("{} silent", silent()));
    lines.join("\n") + "\n"
}

fn under(name: &str) -> String {
    format!("{name}.{SUFFIX}")
}
