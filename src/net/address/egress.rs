//! The address guard's rules once more, for the kernel: an nftables table that holds whatever the daemon's user sends to
//! replies, the resolver, the owner's own addresses, and the public Internet by an uplink. Root loads it before the daemon starts.

use std::fmt::{self, Display, Write as _};
use std::net::{IpAddr, SocketAddr};

use super::special;

/// Ports a gateway may have: it is told by the coordinator, so only those are left out that well-known services have.
const FREE_PORTS: (u16, u16) = (1024, u16::MAX);

/// What the daemon's user may reach. Made from the settings; printed by [`Display`] as a file for `nft -f`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Egress {
    /// The user's number; never root's.
    pub uid: u32,
    /// Devices that lead to the Internet; none = nothing beyond the router but what follows.
    pub uplinks: Vec<String>,
    /// Ports on the public Internet.
    pub ports: Vec<u16>,
    /// A gateway is dialled, at a port that is not known yet: every port from 1024 on, too.
    pub gateway: bool,
    /// The owner's own addresses, whatever they are and wherever they lie.
    pub owners: Vec<SocketAddr>,
    /// The coordinator's address, at any port: its gateway may be there.
    pub gateway_at: Option<IpAddr>,
    /// The system's resolvers beside those on loopback; port 53.
    pub resolvers: Vec<IpAddr>,
}

/// Whether a device's name can stand in a rule: `*` would stand for any.
pub fn nameable(device: &str) -> bool {
    (1..16).contains(&device.len()) && device.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\' | b'*'))
}

impl Display for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        set(f, "uplinks", "ifname", "", self.uplinks.iter().filter(|d| nameable(d)).map(|d| format!("\"{d}\"")))?;
        let (first, last) = FREE_PORTS;
        let ports = self.ports.iter().filter(|p| !self.gateway || **p < first).map(u16::to_string);
        set(f, "ports", "inet_service", INTERVAL, ports.chain(self.gateway.then(|| format!("{first}-{last}"))))?;
        set(f, "special4", "ipv4_addr", INTERVAL, special::blocks_v4().map(prefix))?;
        set(f, "special6", "ipv6_addr", INTERVAL, special::blocks_v6().map(prefix))?;
        writeln!(f, "{CHAINS}\t\tmeta skuid {} jump node\n\t}}\n\n\tchain node {{", self.uid)?;
        f.write_str(ALWAYS)?;
        for ip in &self.resolvers {
            writeln!(f, "\t\t{} {ip} meta l4proto {{ tcp, udp }} th dport 53 accept comment \"the system's resolver\"", daddr(*ip))?;
        }
        for at in &self.owners {
            writeln!(f, "\t\t{} {} tcp dport {} accept comment \"the owner's own\"", daddr(at.ip()), at.ip(), at.port())?;
        }
        if let Some(ip) = self.gateway_at {
            writeln!(f, "\t\t{} {ip} meta l4proto tcp accept comment \"the coordinator's gateway\"", daddr(ip))?;
        }
        let reachable = special::reachable_v6().map(prefix).join(", ");
        write!(f, "{}", PUBLIC.replace("REACHABLE", &reachable))
    }
}

const HEAD: &str = "# What the EchoMesh daemon's user may send, as `echomesh nft` prints it: loaded by root, replaced as one.
table inet echomesh {}
delete table inet echomesh

table inet echomesh {
\tcounter refused {}
";
const INTERVAL: &str = "\t\tflags interval\n";
/// The kernel's own packets (ICMP, neighbour discovery, resets) have no user, and pass.
const CHAINS: &str = "
\tchain output {
\t\ttype filter hook output priority filter; policy accept;
";
const ALWAYS: &str = "\t\tct direction reply ct state established accept comment \"to whoever came to us\"
\t\toifname \"lo\" meta l4proto { tcp, udp } th dport 53 accept comment \"the router's resolver\"
";
const PUBLIC: &str = "\t\toifname != @uplinks goto refuse
\t\tip daddr @special4 goto refuse
\t\tip6 daddr != { REACHABLE } goto refuse
\t\tip6 daddr @special6 goto refuse
\t\ttcp dport @ports accept
\t\tgoto refuse
\t}

\tchain refuse {
\t\tcounter name refused
\t\treject with icmpx type admin-prohibited
\t}
}
";

fn set(f: &mut fmt::Formatter<'_>, name: &str, kind: &str, flags: &str, elements: impl Iterator<Item = String>) -> fmt::Result {
    write!(f, "\n\tset {name} {{\n\t\ttype {kind}\n{flags}")?;
    let mut list = String::new();
    for element in elements {
        write!(list, "{}{element}", if list.is_empty() { "" } else { ", " })?;
    }
    if !list.is_empty() {
        writeln!(f, "\t\telements = {{ {list} }}")?; // an empty list is no list to nft
    }
    f.write_str("\t}\n")
}

fn prefix<A: Display>((first, length): (A, u32)) -> String {
    format!("{first}/{length}")
}

const fn daddr(ip: IpAddr) -> &'static str {
    match ip {
        IpAddr::V4(_) => "ip daddr",
        IpAddr::V6(_) => "ip6 daddr",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refused_block_is_told_once_and_none_overlaps() {
        let four: Vec<_> = special::blocks_v4().collect();
        let six: Vec<_> = special::blocks_v6().collect();
        assert_eq!((four.len(), six.len()), (15, 4 + 15));
        // nft refuses sets whose intervals overlap.
        for (i, (first, _)) in six.iter().enumerate() {
            let within = |(other, length): &(std::net::Ipv6Addr, u32)| (first.to_bits() ^ other.to_bits()).leading_zeros() >= *length;
            assert_eq!(six.iter().position(within), Some(i), "{first}");
        }
        assert!(six.contains(&("64:ff9b::a00:0".parse().unwrap(), 104)), "NAT64's form of 10.0.0.0/8");
    }

    #[test]
    fn names_that_nft_would_read_otherwise_are_left_out() {
        for good in ["wan", "pppoe-wan", "eth0.2", "br-lan@x", "wwan0:1"] {
            assert!(nameable(good), "{good}");
        }
        for bad in ["", "wan*", "a\"b", "a\\", "a b", "sixteen-letters-", "\u{e9}"] {
            assert!(!nameable(bad), "{bad}");
        }
    }
}
