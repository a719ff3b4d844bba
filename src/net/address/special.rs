//! The blocks of the IANA special-purpose address registries (RFC 6890 and successors) that are not to be dialled.

use std::net::{Ipv4Addr, Ipv6Addr};

/// A block: its first address and the prefix length.
type Block4 = (Ipv4Addr, u32);
type Block6 = (Ipv6Addr, u32);

/// IPv4. Left in, because they are globally reachable: 192.31.196.0/24 and 192.175.48.0/24 (AS112), 192.52.193.0/24 (AMT).
const REFUSED_V4: [Block4; 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),          // this network
    (Ipv4Addr::new(10, 0, 0, 0), 8),         // private use
    (Ipv4Addr::new(100, 64, 0, 0), 10),      // shared with the carrier's NAT
    (Ipv4Addr::new(127, 0, 0, 0), 8),        // loopback
    (Ipv4Addr::new(169, 254, 0, 0), 16),     // link-local
    (Ipv4Addr::new(172, 16, 0, 0), 12),      // private use
    (Ipv4Addr::new(192, 0, 0, 0), 24),       // protocol assignments, with the anycast addresses .9 and .10 in it
    (Ipv4Addr::new(192, 0, 2, 0), 24),       // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24),     // 6to4 relay anycast, deprecated
    (Ipv4Addr::new(192, 168, 0, 0), 16),     // private use
    (Ipv4Addr::new(198, 18, 0, 0), 15),      // benchmarking
    (Ipv4Addr::new(198, 51, 100, 0), 24),    // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),     // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),        // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),        // reserved
    (Ipv4Addr::new(255, 255, 255, 255), 32), // limited broadcast
];

/// The only block of IPv6 from which global unicast is assigned (RFC 4291). Outside of it lie ::/96 (v4-compatible),
/// ::ffff:0:0/96 (v4-mapped), 64:ff9b:1::/48 (local translation), 100::/64 and 100:0:0:1::/64 (discard, dummy), 5f00::/16
/// (segment routing), fc00::/7 (unique local), fe80::/10 (link-local), fec0::/10 (site-local), ff00::/8 (multicast).
const GLOBAL_UNICAST: Block6 = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// IPv6 within [`GLOBAL_UNICAST`]. Left in, because it is globally reachable: 2620:4f:8000::/48 (AS112).
const REFUSED_V6: [Block6; 4] = [
    // Protocol assignments: Teredo (2001::/32), benchmarking (2001:2::/48), ORCHID (2001:10::/28, 2001:20::/28), and
    // the anycast and AMT exceptions, none of which is a host with a web site.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),     // 6to4: carries any IPv4
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),     // documentation
];

/// NAT64 (RFC 6052): the last 32 bits are the IPv4 address that will be reached.
const NAT64: Block6 = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// Every refused block of IPv4, as a firewall takes it.
pub(super) fn blocks_v4() -> impl Iterator<Item = (Ipv4Addr, u32)> {
    // The last address alone lies in the block before it.
    REFUSED_V4.into_iter().filter(|(first, _)| *first != Ipv4Addr::BROADCAST)
}

/// Every refused block of IPv6 within what [`reachable_v6`] leaves: those of global unicast, and NAT64's forms of IPv4's.
pub(super) fn blocks_v6() -> impl Iterator<Item = (Ipv6Addr, u32)> {
    let (nat64, prefix) = NAT64;
    let translated = blocks_v4().map(move |(first, length)| (Ipv6Addr::from_bits(nat64.to_bits() | u128::from(first.to_bits())), prefix + length));
    REFUSED_V6.into_iter().chain(translated)
}

/// The only blocks of IPv6 in which anything may be reached at all.
pub(super) const fn reachable_v6() -> [(Ipv6Addr, u32); 2] {
    [GLOBAL_UNICAST, NAT64]
}

/// Whether `ip` is in a block that is not on the public Internet.
pub(super) fn refuses_v4(ip: Ipv4Addr) -> bool {
    REFUSED_V4.iter().any(|block| within_v4(ip, *block))
}

/// Whether `ip` is outside global unicast or in a block of it that is refused.
pub(super) fn refuses_v6(ip: Ipv6Addr) -> bool {
    !within_v6(ip, GLOBAL_UNICAST) || REFUSED_V6.iter().any(|block| within_v6(ip, *block))
}

/// The IPv4 address by which an address of 64:ff9b::/96 is judged.
pub(super) fn embedded_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let [.., a, b, c, d] = ip.octets();
    within_v6(ip, NAT64).then(|| Ipv4Addr::new(a, b, c, d))
}

fn within_v4(ip: Ipv4Addr, (first, prefix): Block4) -> bool {
    (ip.to_bits() ^ first.to_bits()).leading_zeros() >= prefix
}

fn within_v6(ip: Ipv6Addr, (first, prefix): Block6) -> bool {
    (ip.to_bits() ^ first.to_bits()).leading_zeros() >= prefix
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use crate::net::address::Table;

    fn public(text: &str) -> bool {
        Table::internet().judge(text.parse::<IpAddr>().unwrap()).is_ok()
    }

    /// Of every refused block: the neighbours below and above where they are public, first and last address.
    #[test]
    fn every_ipv4_block_ends_where_it_ends() {
        let rows: [(Option<&str>, &str, &str, Option<&str>); 16] = [
            (None, "0.0.0.0", "0.255.255.255", Some("1.0.0.0")),
            (Some("9.255.255.255"), "10.0.0.0", "10.255.255.255", Some("11.0.0.0")),
            (Some("100.63.255.255"), "100.64.0.0", "100.127.255.255", Some("100.128.0.0")),
            (Some("126.255.255.255"), "127.0.0.0", "127.255.255.255", Some("128.0.0.0")),
            (Some("169.253.255.255"), "169.254.0.0", "169.254.255.255", Some("169.255.0.0")),
            (Some("172.15.255.255"), "172.16.0.0", "172.31.255.255", Some("172.32.0.0")),
            (Some("191.255.255.255"), "192.0.0.0", "192.0.0.255", Some("192.0.1.0")),
            (Some("192.0.1.255"), "192.0.2.0", "192.0.2.255", Some("192.0.3.0")),
            (Some("192.88.98.255"), "192.88.99.0", "192.88.99.255", Some("192.88.100.0")),
            (Some("192.167.255.255"), "192.168.0.0", "192.168.255.255", Some("192.169.0.0")),
            (Some("198.17.255.255"), "198.18.0.0", "198.19.255.255", Some("198.20.0.0")),
            (Some("198.51.99.255"), "198.51.100.0", "198.51.100.255", Some("198.51.101.0")),
            (Some("203.0.112.255"), "203.0.113.0", "203.0.113.255", Some("203.0.114.0")),
            (Some("223.255.255.255"), "224.0.0.0", "239.255.255.255", None),
            (None, "240.0.0.0", "255.255.255.254", None),
            (None, "255.255.255.255", "255.255.255.255", None),
        ];
        for (below, first, last, above) in rows {
            assert!(!public(first) && !public(last), "{first}");
            assert!(below.is_none_or(public) && above.is_none_or(public), "around {first}");
        }
    }

    #[test]
    fn every_ipv6_block_ends_where_it_ends() {
        let rows: [(Option<&str>, &str, &str, Option<&str>); 21] = [
            (None, "::", "::", None),
            (None, "::1", "::1", None),
            (None, "::2", "::ffff:ffff", None), // v4-compatible
            (None, "::ffff:0:0", "::ffff:255.255.255.255", None),
            (None, "::ffff:1.1.1.1", "::ffff:8.8.8.8", None),
            (None, "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", None),
            (None, "64:ff9b::1:0:0", "64:ff9b:0:ffff:ffff:ffff:ffff:ffff", None),
            (None, "100::", "100::ffff:ffff:ffff:ffff", None),
            (None, "100:0:0:1::", "100::1:ffff:ffff:ffff:ffff", None),
            (None, "1fff::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some("2000::")),
            (Some("2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), "2001::", "2001::ffff:ffff:ffff:ffff:ffff:ffff", None), // Teredo
            (None, "2001:1::1", "2001:1::3", None),
            (None, "2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", None),
            (None, "2001:3::", "2001:4:112:ffff:ffff:ffff:ffff:ffff", None),
            (None, "2001:10::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", Some("2001:200::")),
            (Some("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff"), "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", Some("2001:db9::")),
            (Some("2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some("2003::")),
            (Some("3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", Some("3fff:1000::")),
            (Some("3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), "4000::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None),
            (None, "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None),
            (None, "fe80::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None),
        ];
        for (below, first, last, above) in rows {
            assert!(!public(first) && !public(last), "{first}");
            assert!(below.is_none_or(public) && above.is_none_or(public), "around {first}");
        }
    }

    #[test]
    fn public_hosts_and_the_reachable_special_blocks_pass() {
        for text in ["1.1.1.1", "8.8.8.8", "192.31.196.1", "192.175.48.1", "192.52.193.1", "2606:4700::1111", "2620:4f:8000::1"] {
            assert!(public(text), "{text}");
        }
    }

    #[test]
    fn nat64_is_judged_by_its_ipv4() {
        assert!(public("64:ff9b::1.1.1.1"));
        for text in ["64:ff9b::10.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::192.168.1.1", "64:ff9b::", "64:ff9b::255.255.255.255"] {
            assert!(!public(text), "{text}");
        }
    }

    proptest! {
        /// No IPv4 passes by being written as IPv6 when it does not pass as itself.
        #[test]
        fn no_ipv6_form_admits_a_refused_ipv4(bits in any::<u32>()) {
            let v4 = std::net::Ipv4Addr::from_bits(bits);
            let [a, b, c, d] = v4.octets();
            let [hi, lo] = [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])];
            let table = Table::internet();
            let by_v4 = table.judge(v4.into());
            prop_assert_eq!(table.judge(std::net::Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, hi, lo).into()), by_v4);
            for v6 in [v4.to_ipv6_mapped(), v4.to_ipv6_compatible(), std::net::Ipv6Addr::new(0x2002, hi, lo, 0, 0, 0, 0, 1)] {
                prop_assert!(table.judge(v6.into()).is_err());
            }
        }
    }
}
