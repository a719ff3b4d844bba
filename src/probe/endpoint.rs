//! Where a probe goes: `https://host[:port]/path`, and whether the owner listed it.

use std::net::IpAddr;

/// Longest endpoint taken.
const MAX_LEN: usize = 1024;

/// A parsed endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// TLS; `false` = plain HTTP.
    pub https: bool,
    /// Lower case, without brackets.
    pub host: String,
    /// Given, or the scheme's.
    pub port: u16,
    /// From the first slash on; `/` at least.
    pub path: String,
}

impl Endpoint {
    /// Reads `http[s]://host[:port][/path]`. `None` for anything else: a query, a fragment, user information, an
    /// empty label, or what is no visible ASCII.
    pub fn parse(text: &str) -> Option<Endpoint> {
        let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'?' | b'#' | b'@' | b'\\' | b'"' | b'<' | b'>');
        if text.len() > MAX_LEN || !text.bytes().all(plain) {
            return None;
        }
        let (https, rest) = match text.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix("http://")?),
        };
        let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let (host, port) = split(authority)?;
        let port = port.unwrap_or(if https { 443 } else { 80 });
        Some(Endpoint { https, host, port, path: path.to_owned() })
    }

    /// The address, where the host is one.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Host, and port where it is not the scheme's, as in the Host header.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.https, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }

    /// Whether an entry of `probe_host` names it: `host:port`, or `host` alone for the scheme's own port.
    pub fn listed(&self, entries: &[String]) -> bool {
        let usual = if self.https { 443 } else { 80 };
        entries.iter().filter_map(|e| split(e)).any(|(host, port)| host == self.host && port.unwrap_or(usual) == self.port)
    }
}

/// `host[:port]`, lower-cased, one trailing dot removed.
fn split(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(v6) => {
            let (host, port) = v6.split_once(']')?;
            let address: std::net::Ipv6Addr = host.parse().ok()?;
            (address.to_string(), if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
        }
        None => {
            let (host, port) = authority.split_once(':').map_or((authority, None), |(h, p)| (h, Some(p)));
            (host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase(), port)
        }
    };
    let port = match port {
        None => None,
        Some(text) if text.bytes().all(|b| b.is_ascii_digit()) => Some(text.parse().ok().filter(|p| *p != 0)?),
        Some(_) => return None,
    };
    named(&host).then_some((host, port))
}

/// An address, or a name of at least two labels whose last one is not numeric (`127.1` is neither).
fn named(host: &str) -> bool {
    let label = |l: &str| (1..=63).contains(&l.len()) && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let name = || {
        let last = host.rsplit('.').next().unwrap_or_default();
        let numeric = last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x");
        host.len() <= 253 && host.contains('.') && host.split('.').all(label) && !numeric
    };
    host.parse::<IpAddr>().is_ok() || name()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Option<(bool, String, u16, String)> {
        Endpoint::parse(text).map(|e| (e.https, e.host, e.port, e.path))
    }

    #[test]
    fn the_forms_that_are_endpoints() {
        assert_eq!(parse("https://Probe.Example/a/b"), Some((true, "probe.example".into(), 443, "/a/b".into())));
        assert_eq!(parse("https://probe.example.:8443"), Some((true, "probe.example".into(), 8443, "/".into())));
        assert_eq!(parse("http://probe.example/x"), Some((false, "probe.example".into(), 80, "/x".into())));
        assert_eq!(parse("https://[2001:DB8::0:1]:8443/x"), Some((true, "2001:db8::1".into(), 8443, "/x".into())));
        let v6 = Endpoint::parse("https://[2001:db8::1]:8443/x").unwrap();
        assert_eq!(v6.authority(), "[2001:db8::1]:8443");
        assert!(v6.address().is_some());
        assert_eq!(Endpoint::parse("https://probe.example:443/x").unwrap().authority(), "probe.example");
    }

    #[test]
    fn the_forms_that_are_not() {
        for bad in [
            "ftp://probe.example/",
            "HTTPS://probe.example/",
            "https://probe.example/?size=1",
            "https://probe.example/#x",
            "https://user@probe.example/",
            "https://user:pw@probe.example/",
            "https://probe.example/a b",
            "https://probe.example/\r\nHost: x",
            "https://probe.example\\@other.example/",
            "https://probe/",
            "https:///x",
            "https://127.1/",
            "https://2130706433/",
            "https://a.0x7f/",
            "https://probe.example:/",
            "https://probe.example:0/",
            "https://probe.example:+443/",
            "https://probe.example:65536/",
            "https://a..example/",
            "https://[::1",
            "https://[::1]443/",
            "https://pröbe.example/",
            "",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(parse(&format!("https://probe.example/{}", "x".repeat(MAX_LEN))), None);
    }

    #[test]
    fn an_entry_names_host_and_port() {
        let entries = ["Probe.Example".to_owned(), "other.example:8443".into(), "not an entry".into()];
        let listed = |url: &str| Endpoint::parse(url).unwrap().listed(&entries);
        assert!(listed("https://probe.example/x"));
        assert!(listed("http://probe.example/x"));
        assert!(!listed("https://probe.example:8443/x"), "an entry without a port means the scheme's own");
        assert!(listed("https://other.example:8443/"));
        assert!(!listed("https://other.example/"));
        assert!(!listed("https://sub.probe.example/"));
        assert!(!listed("https://probe.example.evil.example/"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn what_parses_says_the_same_again(text in "https?://(\\PC{0,40}|[a-z0-9.\\[\\]:@-]{0,30}/?[ -~]{0,20})") {
            if let Some(e) = Endpoint::parse(&text) {
                let scheme = if e.https { "https" } else { "http" };
                prop_assert_eq!(Endpoint::parse(&format!("{scheme}://{}{}", e.authority(), e.path)), Some(e));
            }
        }
    }
}
