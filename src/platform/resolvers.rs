//! The system's resolvers, as the C library reads them.

use std::fs::File;
use std::io::Read as _;
use std::net::IpAddr;

const FILE: &str = "/etc/resolv.conf";
/// Bytes read of it.
const MOST: u64 = 16 * 1024;
/// Entries the C library heeds (resolv.conf(5)).
const ENTRIES: usize = 3;

/// Those that are not on loopback: on OpenWrt none, unless the owner has taken dnsmasq out of the way.
pub fn beyond_loopback() -> Vec<IpAddr> {
    let mut text = String::new();
    match File::open(FILE).and_then(|file| file.take(MOST).read_to_string(&mut text)) {
        Ok(_) => read(&text),
        Err(_) => Vec::new(),
    }
}

fn read(text: &str) -> Vec<IpAddr> {
    let named = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        // A scope (`fe80::1%eth1`) stands for a link-local address, which is read without it.
        (words.next() == Some("nameserver")).then(|| words.next()?.split('%').next()?.parse::<IpAddr>().ok()).flatten()
    });
    named.take(ENTRIES).filter(|ip| !ip.is_loopback() && !ip.is_unspecified()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_three_are_heeded_and_loopback_is_not_told() {
        let text =
            "search lan\nnameserver 127.0.0.1\n#nameserver 9.9.9.9\nnameserver 192.168.1.10 # odd\nnameserver fe80::1%eth1\nnameserver 1.1.1.1\n";
        let told: Vec<String> = read(text).iter().map(ToString::to_string).collect();
        assert_eq!(told, ["192.168.1.10", "fe80::1"]);
        assert_eq!(read("nameserver\nnameserver x\nnameserver 0.0.0.0\n"), Vec::<IpAddr>::new());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn any_text_is_read_or_passed_over(text in "\\PC{0,100}", lines in prop::collection::vec("nameserver[ \t].{0,20}", 0..6)) {
            let _ = read(&text);
            prop_assert!(read(&lines.join("\n")).len() <= ENTRIES);
        }
    }
}
