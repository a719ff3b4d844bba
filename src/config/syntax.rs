//! The syntaxes of texts in the configuration: names, places, URLs, paths, addresses.
//!
//! Each takes what people write and gives the one spelling the rest of the program compares by.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::form::Syntax;
use crate::codec::{NodeId, base64};

/// A domain suffix.
pub const DOMAIN: Syntax =
    Syntax { allowed: "a domain like example.com, which covers its subdomains too (no *, no URL; other scripts as xn--… A-labels)", read: domain };
/// A host, with or without a port.
pub const PROBE_HOST: Syntax = Syntax { allowed: "a host like probe.example.com or probe.example.com:8443 (no URL, no address)", read: probe_host };
/// A region.
pub const REGION: Syntax = Syntax { allowed: "a country code like PH, or one of its regions like PH-Mindanao", read: region };
/// A weekday.
pub const DAY: Syntax = Syntax { allowed: "one of Mon, Tue, Wed, Thu, Fri, Sat, Sun", read: |t| day(t).map(|d| DAYS[usize::from(d)].to_owned()) };
/// A time of day.
pub const TIME: Syntax = Syntax { allowed: "a time HH:MM from 00:00 to 23:59", read: |t| minutes(t).map(minutes_text) };
/// A file or folder.
pub const PATH: Syntax = Syntax { allowed: "an absolute path without . or .. in it", read: path };
/// A network device.
pub const DEVICE: Syntax = Syntax { allowed: "a network device like wan or pppoe-wan, at most 15 characters", read: device };
/// Where to listen.
pub const LISTEN: Syntax = Syntax { allowed: "ADDRESS:PORT like [::]:8443 or 192.0.2.1:8443", read: listen };
/// The coordinator.
pub const ORIGIN: Syntax = Syntax { allowed: "https://HOST or https://HOST:PORT, without a path", read: origin };
/// Where manifests are.
pub const HTTPS_URL: Syntax = Syntax { allowed: "an https:// URL without user, query and fragment", read: https_url };
/// A resolver.
pub const DOH: Syntax = Syntax {
    allowed: "an https:// URL whose host is an IP address, like https://1.1.1.1/dns-query or https://[2606:4700::1111]/dns-query",
    read: doh,
};
/// A coordinator's key.
pub const NODE_KEY: Syntax = Syntax {
    allowed: "ed25519: and 43 base64url characters, as the coordinator prints it",
    read: |t| t.parse::<NodeId>().ok().map(|k| k.to_string()),
};
/// A minisign public key.
pub const MINISIGN_KEY: Syntax = Syntax { allowed: "a minisign public key: 56 characters that start with RW", read: minisign };
/// A category of traffic, a channel.
pub const WORD: Syntax = Syntax { allowed: "a word of a-z, 0-9, _ and -, at most 64 characters", read: word };

/// Weekdays, Monday first.
pub const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MAX_URL: usize = 1024;

/// Monday = 0, of the first three letters or the English name.
pub fn day(text: &str) -> Option<u8> {
    const REST: [&str; 7] = ["day", "sday", "nesday", "rsday", "day", "urday", "day"];
    let (head, rest) = (text.get(..3)?, text.get(3..)?);
    let i = DAYS.iter().position(|d| d.eq_ignore_ascii_case(head))?;
    (rest.is_empty() || rest.eq_ignore_ascii_case(REST[i])).then(|| u8::try_from(i).ok()).flatten()
}

/// Minutes after midnight of `HH:MM`.
pub fn minutes(text: &str) -> Option<u16> {
    let number = |t: &str| (t.len() == 2 && t.bytes().all(|b| b.is_ascii_digit())).then(|| t.parse::<u16>().ok()).flatten();
    let (h, m) = text.split_once(':')?;
    let (h, m) = (number(h)?, number(m)?);
    (h < 24 && m < 60).then_some(h * 60 + m)
}

/// `HH:MM` of minutes after midnight.
pub fn minutes_text(minutes: u16) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

fn domain(text: &str) -> Option<String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let labels_fit = text.split('.').all(|l| {
        (1..=63).contains(&l.len()) && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && !l.starts_with('-') && !l.ends_with('-')
    });
    let last = text.rsplit('.').next()?;
    (text.len() <= 253 && labels_fit && !last.bytes().all(|b| b.is_ascii_digit())).then(|| text.to_ascii_lowercase())
}

/// A host of at least two labels, as the proxy accepts them.
fn host(text: &str) -> Option<String> {
    domain(text).filter(|h| h.contains('.'))
}

fn port(text: &str) -> Option<u16> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten().filter(|&p| p != 0)
}

fn probe_host(text: &str) -> Option<String> {
    match text.split_once(':') {
        Some((name, number)) => Some(format!("{}:{}", host(name)?, port(number)?)),
        None => host(text),
    }
}

fn region(text: &str) -> Option<String> {
    let (country, name) = text.split_once('-').map_or((text, None), |(c, n)| (c, Some(n)));
    if country.len() != 2 || !country.bytes().all(|b| b.is_ascii_alphabetic()) {
        return None;
    }
    let country = country.to_ascii_uppercase();
    let Some(name) = name else { return Some(country) };
    let fits = (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'-' | b'_' | b'.' | b'\''));
    (fits && name.trim() == name).then(|| format!("{country}-{name}"))
}

fn path(text: &str) -> Option<String> {
    let plain = text.len() <= 1024 && text.starts_with('/') && !text.chars().any(char::is_control);
    (plain && !text.split('/').any(|part| part == "." || part == "..")).then(|| text.to_owned())
}

fn device(text: &str) -> Option<String> {
    let fits = (1..=15).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() && b != b'/') && text != "." && text != "..";
    fits.then(|| text.to_owned())
}

fn listen(text: &str) -> Option<String> {
    text.parse::<SocketAddr>().ok().filter(|a| a.port() != 0).map(|a| a.to_string())
}

/// Host, port and path (from the `/` on) of an https URL. The host keeps its brackets.
fn split_url(text: &str) -> Option<(&str, Option<u16>, &str)> {
    let rest = text.strip_prefix("https://")?;
    if text.len() > MAX_URL || !rest.bytes().all(|b| b.is_ascii_graphic()) || rest.contains(['@', '?', '#', '\\', '"', '\'', '<', '>']) {
        return None;
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let end_of_host = if authority.starts_with('[') { authority.find(']')? + 1 } else { authority.find(':').unwrap_or(authority.len()) };
    let (host, after) = authority.split_at(end_of_host);
    match after.strip_prefix(':') {
        Some(number) => Some((host, Some(port(number)?), path)),
        None => after.is_empty().then_some((host, None, path)),
    }
}

fn address(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[') {
        Some(v6) => v6.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse().ok().filter(IpAddr::is_ipv4),
    }
}

fn canonical_host(text: &str) -> Option<String> {
    match address(text) {
        Some(IpAddr::V6(v6)) => Some(format!("[{v6}]")),
        Some(v4) => Some(v4.to_string()),
        None => domain(text),
    }
}

fn url(text: &str, is_host: fn(&str) -> Option<String>) -> Option<(String, &str)> {
    let (host, port, path) = split_url(text)?;
    let host = is_host(host)?;
    Some((port.filter(|&p| p != 443).map_or_else(|| format!("https://{host}"), |p| format!("https://{host}:{p}")), path))
}

fn origin(text: &str) -> Option<String> {
    url(text, canonical_host).filter(|(_, path)| matches!(*path, "" | "/")).map(|(origin, _)| origin)
}

fn https_url(text: &str) -> Option<String> {
    url(text, canonical_host).map(|(origin, path)| origin + path)
}

fn doh(text: &str) -> Option<String> {
    let by_address = |host: &str| address(host).and_then(|_| canonical_host(host));
    url(text, by_address).filter(|(_, path)| path.len() > 1).map(|(origin, path)| origin + path)
}

fn minisign(text: &str) -> Option<String> {
    let bytes = base64::from_padded(text)?;
    (bytes.len() == 42 && bytes.starts_with(b"Ed")).then(|| text.to_owned())
}

fn word(text: &str) -> Option<String> {
    let fits = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-');
    fits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(syntax: Syntax, texts: &[&str]) {
        for t in texts {
            assert_eq!((syntax.read)(t).as_deref(), Some(*t));
        }
    }

    fn becomes(syntax: Syntax, from: &str, to: &str) {
        assert_eq!((syntax.read)(from).as_deref(), Some(to));
        assert_eq!((syntax.read)(to).as_deref(), Some(to), "the canonical spelling stays");
    }

    fn refused(syntax: Syntax, texts: &[&str]) {
        for t in texts {
            assert_eq!((syntax.read)(t), None, "{t:?}");
        }
    }

    #[test]
    fn domains_and_hosts() {
        same(DOMAIN, &["example.com", "zip", "xn--bcher-kva.example", "a.b.c.d", "1.example"]);
        becomes(DOMAIN, "Example.COM.", "example.com");
        let long = format!("{}.com", "a".repeat(64));
        refused(
            DOMAIN,
            &[
                "",
                ".",
                "*.example.com",
                ".example.com",
                "a..b",
                "-a.com",
                "a-.com",
                "bücher.example",
                "a_b.com",
                "1.2.3.4",
                "a b",
                "http://a.com",
                &long,
            ],
        );
        same(PROBE_HOST, &["probe.example.com", "probe.example.com:8443"]);
        refused(PROBE_HOST, &["localhost", "1.2.3.4:80", "[::1]:80", "a.example:0", "a.example:65536", "a.example:", "https://a.example"]);
    }

    #[test]
    fn places_and_times() {
        same(REGION, &["PH", "PH-Mindanao", "PH-NCR", "US-New York"]);
        becomes(REGION, "ph-NCR", "PH-NCR");
        refused(REGION, &["", "P", "PHL", "PH-", "12", "PH- x", "PH-a/b"]);
        becomes(DAY, "monday", "Mon");
        becomes(DAY, "WEDNESDAY", "Wed");
        becomes(DAY, "sat", "Sat");
        refused(DAY, &["", "M", "Mond", "Monday ", "Tuesdays", "1", "Dim", "é1"]);
        same(TIME, &["00:00", "23:59", "06:30"]);
        refused(TIME, &["", "24:00", "12:60", "6:00", "06:0", "0600", "06:00:00", "-1:00", "+6:00"]);
    }

    #[test]
    fn urls() {
        same(ORIGIN, &["https://c.example", "https://c.example:8443", "https://127.0.0.1:9000", "https://[2001:db8::1]:1"]);
        becomes(ORIGIN, "https://C.Example:443/", "https://c.example");
        becomes(ORIGIN, "https://[2001:DB8:0::1]", "https://[2001:db8::1]");
        refused(
            ORIGIN,
            &[
                "",
                "c.example",
                "http://c.example",
                "https://",
                "https://c.example/x",
                "https://c.example?x",
                "https://u@c.example",
                "https://c.example:0",
            ],
        );
        refused(ORIGIN, &["https://c.example:", "https://[::1", "https://[::1]x", "https://::1", "https://c.ex ample", "https://[1.2.3.4]"]);
        same(DOH, &["https://1.1.1.1/dns-query", "https://[2606:4700::1111]/dns-query", "https://127.77.0.1:8443/dns-query"]);
        refused(
            DOH,
            &["https://dns.example/dns-query", "https://1.1.1.1", "https://1.1.1.1/", "http://1.1.1.1/dns-query", "https://1.1.1.1/q?dns=x"],
        );
        same(HTTPS_URL, &["https://u.example/echomesh/manifest.json"]);
    }

    #[test]
    fn devices_paths_addresses_keys() {
        same(DEVICE, &["wan", "pppoe-wan", "eth0.2", "br-lan@x"]);
        refused(DEVICE, &["", ".", "..", "a/b", "a b", "sixteen-letters-"]);
        same(PATH, &["/etc/echomesh", "/a b/c"]);
        refused(PATH, &["", "etc", "/a/../b", "/a/./b", "/a\nb"]);
        same(LISTEN, &["[::]:8443", "192.0.2.1:8443"]);
        refused(LISTEN, &["8443", ":8443", "[::]:0", "localhost:8443", "::1:8443x"]);
        same(MINISIGN_KEY, &["RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"]);
        refused(
            MINISIGN_KEY,
            &["", "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO", "AAQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"],
        );
        refused(NODE_KEY, &["", "ed25519:AAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]);
        same(WORD, &["qa_testing", "stable", "rc-1"]);
        refused(WORD, &["", "QA", "a b", "ä"]);
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]

        #[test]
        fn whatever_is_accepted_stays_as_it_is(text in "(https://)?[\\PC]{0,3}[\\[\\]:./a-zA-Z0-9-]{0,16}") {
            for s in [DOMAIN, PROBE_HOST, REGION, DAY, TIME, PATH, DEVICE, LISTEN, ORIGIN, HTTPS_URL, DOH, NODE_KEY, MINISIGN_KEY, WORD] {
                if let Some(canonical) = (s.read)(&text) {
                    let again = (s.read)(&canonical);
                    proptest::prop_assert_eq!(again.as_deref(), Some(canonical.as_str()));
                }
            }
        }
    }
}
