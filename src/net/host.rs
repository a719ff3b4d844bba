//! Host names as buyers ask for them and as domain lists hold them: lower-case A-labels (contracts, "Buyer's side").

use std::fmt;
use std::net::Ipv6Addr;

use crate::core::Reason;

/// Bytes of a name, and of one of its labels (RFC 1035, 2.3.4).
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

/// Suffixes whose names live in nobody's or everybody's private network.
const PRIVATE_SUFFIXES: [&str; 6] = ["local", "lan", "internal", "home.arpa", "onion", "localhost"];

/// A public-looking host name: lower-case LDH labels (and underscores), at least two, the last not numeric, without a
/// trailing dot. `Debug` is scrubbed: what buyers visit stays out of logs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host(Box<str>);

impl Host {
    /// The host that `text` names. Refuses with `malformed`, `ip-literal` (addresses in any notation, and whatever a
    /// resolver may take for one) or `private-address` (names that are none of the public Internet).
    pub fn parse(text: &str) -> Result<Host, Reason> {
        if is_ipv6(text) {
            return Err(Reason::IpLiteral);
        }
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.len() > MAX_NAME || !text.split('.').all(is_label) {
            return Err(Reason::Malformed);
        }
        let name = text.to_ascii_lowercase();
        let last = name.rsplit('.').next().unwrap_or_default();
        if is_number(last) {
            return Err(Reason::IpLiteral);
        }
        if last.len() == name.len() || PRIVATE_SUFFIXES.iter().any(|suffix| is_within(&name, suffix)) {
            return Err(Reason::PrivateAddress);
        }
        Ok(Host(name.into_boxed_str()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `name`, in any case and with or without its trailing dot, is this host.
    pub fn is(&self, name: &str) -> bool {
        self.0.eq_ignore_ascii_case(name.strip_suffix('.').unwrap_or(name))
    }

    /// The name and every parent of it: `a.b.c`, `b.c`, `c`.
    pub fn suffixes(&self) -> impl Iterator<Item = &str> {
        suffixes(&self.0)
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[scrubbed host]")
    }
}

/// `name` and every parent of it, longest first: the walk through a list of domains.
pub fn suffixes(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |rest| rest.split_once('.').map(|(_, parent)| parent))
}

/// Whether `name` is `domain` or below it; both in lower case.
pub fn is_within(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|left| left.is_empty() || left.ends_with('.'))
}

fn is_ipv6(text: &str) -> bool {
    let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    // A zone (`%eth0`) makes no other address of it.
    let address = inner.split('%').next().unwrap_or_default();
    address.parse::<Ipv6Addr>().is_ok()
}

fn is_label(label: &str) -> bool {
    let ldh = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    (1..=MAX_LABEL).contains(&label.len()) && ldh && !label.starts_with('-') && !label.ends_with('-')
}

/// Whether a resolver may read a name that ends in `label` as an IPv4 address: `127.1`, `0x7f.1`, `2130706433`
/// (WHATWG URL, "ends in a number"; inet_aton).
fn is_number(label: &str) -> bool {
    match label.strip_prefix("0x") {
        Some(hex) => hex.bytes().all(|b| b.is_ascii_hexdigit()),
        None => label.bytes().all(|b| b.is_ascii_digit()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refused(text: &str) -> Option<Reason> {
        Host::parse(text).err()
    }

    #[test]
    fn names_are_normalised() {
        for (text, name) in [
            ("Example.TEST", "example.test"),
            ("example.test.", "example.test"),
            ("_dmarc.a-b.example", "_dmarc.a-b.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("1.example", "1.example"),
            ("local.example", "local.example"),
            ("notlocalhost.example", "notlocalhost.example"),
            ("a.0xzz", "a.0xzz"),
        ] {
            assert_eq!(Host::parse(text).unwrap().as_str(), name);
        }
    }

    #[test]
    fn addresses_in_any_notation_are_literals() {
        for text in [
            "127.0.0.1",
            "127.0.0.1.",
            "8.8.8.8",
            "127.1",
            "0x7f.1",
            "0X7F.1",
            "2130706433",
            "0177.0.0.1",
            "1.2.3.4.5",
            "999.1.1.1",
            "0x7f000001",
            "a.0x",
            "example.1",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "::1",
            "[fe80::1%eth0]",
            "2001:db8::1",
        ] {
            assert_eq!(refused(text), Some(Reason::IpLiteral), "{text}");
        }
    }

    #[test]
    fn names_of_private_networks() {
        for text in
            ["com", "router", "localhost", "a.localhost", "nas.local", "x.y.lan", "db.internal", "a.home.arpa", "home.arpa", "x.onion", "NAS.Local."]
        {
            assert_eq!(refused(text), Some(Reason::PrivateAddress), "{text}");
        }
    }

    #[test]
    fn bad_syntax() {
        let label = "a".repeat(64);
        let long = format!("{}.test", "abcdefg.".repeat(32));
        for text in [
            "",
            ".",
            "..",
            "a..test",
            ".a.test",
            "a.test..",
            "-a.test",
            "a-.test",
            "a b.test",
            "a/b.test",
            "user@a.test",
            "a.test:443",
            "a%2e.test",
            "b\u{fc}cher.test",
            "a.te\0st",
            "[::1",
            "::1]",
            "[a.test]",
            "[::g]",
            "*.a.test",
            &label,
            &format!("{label}.test"),
            &long,
        ] {
            assert_eq!(refused(text), Some(Reason::Malformed), "{text:?}");
        }
    }

    #[test]
    fn the_longest_name_and_label_fit() {
        let name = format!("{}.{}.{}.{}", "a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61));
        assert_eq!(name.len(), MAX_NAME);
        assert!(Host::parse(&name).is_ok() && Host::parse(&format!("{name}.")).is_ok());
        assert_eq!(refused(&format!("{name}d")), Some(Reason::Malformed));
    }

    #[test]
    fn compares_and_walks() {
        let host = Host::parse("a.b.example").unwrap();
        assert!(host.is("A.b.Example.") && !host.is("b.example") && !host.is("a.b.example.."));
        assert_eq!(host.suffixes().collect::<Vec<_>>(), ["a.b.example", "b.example", "example"]);
        assert!(is_within("a.b.example", "b.example") && is_within("b.example", "b.example") && !is_within("ab.example", "b.example"));
        assert!(!format!("{host:?}").contains("example"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn what_is_accepted_stays_the_same(text in "[aA0x._:\\[\\]\u{e9}-]{0,12}(\\.[a-z]{1,4})?\\.?") {
            if let Ok(host) = Host::parse(&text) {
                prop_assert_eq!(Host::parse(host.as_str()), Ok(host.clone()));
                prop_assert!(host.is(&text) && host.as_str().contains('.'));
            }
        }
    }
}
