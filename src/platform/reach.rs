//! Whether others can reach this box from outside, as far as the addresses of its uplinks tell.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::uplink::Uplinks;

/// What the addresses of one family say, best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Standing {
    /// An address of the public Internet: reachable, unless a firewall beyond the uplink forbids.
    Global,
    /// Behind the carrier's translation: shared space (RFC 6598), or the inner end of DS-Lite (RFC 6333).
    CarrierNat,
    /// Behind another box's translation: private use (RFC 1918) or unique local (RFC 4193).
    Private,
    /// No address with which anything beyond the link can be reached.
    Nothing,
}

/// What the uplinks' addresses say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reach {
    /// IPv4.
    pub v4: Standing,
    /// IPv6.
    pub v6: Standing,
}

impl Reach {
    /// Whether buyers need a gateway to get here (`proxy.reach gateway`).
    ///
    /// A global IPv6 address alone is no way in for buyers that have IPv4 only, and home routers drop what comes in over it.
    pub fn needs_gateway(self) -> bool {
        self.v4 != Standing::Global
    }
}

/// What `addresses`, all of the uplinks, say.
pub fn judge(addresses: impl IntoIterator<Item = IpAddr>) -> Reach {
    let nothing = Reach { v4: Standing::Nothing, v6: Standing::Nothing };
    addresses.into_iter().fold(nothing, |so_far, ip| match ip.to_canonical() {
        IpAddr::V4(v4) => Reach { v4: so_far.v4.min(standing_v4(v4)), ..so_far },
        IpAddr::V6(v6) => Reach { v6: so_far.v6.min(standing_v6(v6)), ..so_far },
    })
}

/// The same of this box as it is now. `uplinks` names its uplinks; where it is empty, those are the devices that hold a default route.
///
/// # Errors
/// The kernel does not tell routes or addresses.
pub fn now(uplinks: &[String]) -> io::Result<Reach> {
    Ok(judge(Uplinks::now(uplinks)?.addresses))
}

fn standing_v4(ip: Ipv4Addr) -> Standing {
    match ip.octets() {
        [100, b, ..] if b & 0xc0 == 64 => Standing::CarrierNat,
        [192, 0, 0, d] if d < 8 => Standing::CarrierNat,
        // "This network", benchmarking, reserved: nobody beyond the link answers to these.
        [0 | 240..=255, ..] | [198, 18..=19, ..] => Standing::Nothing,
        _ if ip.is_private() => Standing::Private,
        _ if ip.is_loopback() || ip.is_link_local() || ip.is_multicast() || ip.is_documentation() => Standing::Nothing,
        _ => Standing::Global,
    }
}

fn standing_v6(ip: Ipv6Addr) -> Standing {
    const DOCUMENTATION: [u16; 2] = [0x2001, 0xdb8];
    match ip.segments() {
        [first, ..] if first & 0xfe00 == 0xfc00 => Standing::Private,
        [a, b, ..] if [a, b] == DOCUMENTATION => Standing::Nothing,
        // Global unicast is assigned from 2000::/3 alone (RFC 4291).
        [first, ..] if first & 0xe000 == 0x2000 => Standing::Global,
        _ => Standing::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(addresses: &[&str]) -> Reach {
        judge(addresses.iter().map(|a| a.parse::<IpAddr>().unwrap()))
    }

    #[test]
    fn every_kind_of_uplink_is_told_apart() {
        for (address, v4) in [
            ("93.184.216.34", Standing::Global),
            ("100.63.255.255", Standing::Global),
            ("100.64.0.1", Standing::CarrierNat),
            ("100.127.255.254", Standing::CarrierNat),
            ("100.128.0.0", Standing::Global),
            ("192.0.0.2", Standing::CarrierNat),
            ("192.168.1.2", Standing::Private),
            ("10.0.0.2", Standing::Private),
            ("172.31.0.2", Standing::Private),
            ("172.32.0.2", Standing::Global),
            ("169.254.1.1", Standing::Nothing),
            ("127.0.0.1", Standing::Nothing),
            ("0.0.0.0", Standing::Nothing),
            ("::ffff:100.64.0.1", Standing::CarrierNat),
        ] {
            assert_eq!(of(&[address]), Reach { v4, v6: Standing::Nothing }, "{address}");
        }
        for (address, v6) in [
            ("2a00:1450::1", Standing::Global),
            ("fd00::1", Standing::Private),
            ("fe80::1", Standing::Nothing),
            ("2001:db8::1", Standing::Nothing),
            ("::1", Standing::Nothing),
        ] {
            assert_eq!(of(&[address]), Reach { v4: Standing::Nothing, v6 }, "{address}");
        }
    }

    #[test]
    fn the_best_address_of_each_family_counts_and_ipv4_decides() {
        assert_eq!(of(&[]), Reach { v4: Standing::Nothing, v6: Standing::Nothing });
        let behind = of(&["100.64.7.1", "192.168.100.2", "fe80::1", "2a00:1450::1"]);
        assert_eq!(behind, Reach { v4: Standing::CarrierNat, v6: Standing::Global });
        assert!(behind.needs_gateway());
        assert!(!of(&["192.168.100.2", "93.184.216.34"]).needs_gateway());
    }

    #[test]
    fn this_machine_can_be_asked() {
        assert_eq!(now(&["lo".to_owned()]).unwrap(), Reach { v4: Standing::Nothing, v6: Standing::Nothing });
        assert!(now(&[]).is_ok());
    }
}
