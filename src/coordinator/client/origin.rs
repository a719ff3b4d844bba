//! Where the coordinator is: `https://host[:port]`, in the one form that is signed and sent as Host.

use std::net::{Ipv6Addr, SocketAddr};

use rustls::pki_types::ServerName;

/// A coordinator's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    host: String,
    port: u16,
}

/// Default port of https.
const HTTPS: u16 = 443;

impl Origin {
    /// Reads `https://host[:port][/]`; `None` for any other form. Names are lower-cased, the default port is dropped.
    pub fn parse(url: &str) -> Option<Origin> {
        let rest = url.strip_prefix("https://")?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[') {
            Some(v6) => {
                let (address, port) = v6.split_once(']')?;
                (format!("[{}]", address.parse::<Ipv6Addr>().ok()?), port.strip_prefix(':').or(port.is_empty().then_some(""))?)
            }
            None => {
                let (host, port) = rest.split_once(':').unwrap_or((rest, ""));
                ServerName::try_from(host).ok()?;
                (host.to_ascii_lowercase(), port)
            }
        };
        let port = match port {
            "" if !rest.ends_with(':') => HTTPS,
            text => text.parse().ok().filter(|p| *p != 0 && !text.starts_with('+'))?,
        };
        Some(Origin { host, port })
    }

    /// As in the Host header and in what is signed.
    pub fn authority(&self) -> String {
        if self.port == HTTPS { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Where it is, if it is named by an address.
    pub fn address(&self) -> Option<SocketAddr> {
        match self.server_name()? {
            ServerName::IpAddress(ip) => Some(SocketAddr::new(ip.into(), self.port)),
            _ => None,
        }
    }

    /// The name or address its certificate must hold; `None` cannot be for what [`Origin::parse`] gave.
    pub fn server_name(&self) -> Option<ServerName<'static>> {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        ServerName::try_from(bare).ok().map(|name| name.to_owned())
    }
}

/// `value` as it may stand in a query (RFC 3986: all but the unreserved characters are escaped).
pub(super) fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for b in value.bytes() {
        match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(b)),
            _ => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(url: &str) -> Option<String> {
        Origin::parse(url).map(|o| o.authority())
    }

    #[test]
    fn one_form() {
        assert_eq!(authority("https://Coordinator.Example/").as_deref(), Some("coordinator.example"));
        assert_eq!(authority("https://coordinator.example:443").as_deref(), Some("coordinator.example"));
        assert_eq!(authority("https://10.0.0.1:8440").as_deref(), Some("10.0.0.1:8440"));
        assert_eq!(authority("https://[2001:DB8::0:1]:8440").as_deref(), Some("[2001:db8::1]:8440"));
        assert_eq!(authority("https://[::1]").as_deref(), Some("[::1]"));
        assert!(Origin::parse("https://[::1]").unwrap().server_name().is_some());
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "http://a.example",
            "a.example",
            "https://",
            "https://a.example/path",
            "https://user@a.example",
            "https://a.example:",
            "https://a.example:0",
            "https://a.example:+1",
            "https://a.example:99999",
            "https://[::1]x",
            "https://[::1",
            "https://a b",
            "https://a.example?x",
        ] {
            assert_eq!(authority(bad), None, "{bad}");
        }
    }

    #[test]
    fn queries_are_escaped() {
        assert_eq!(escaped("0f-A_z~."), "0f-A_z~.");
        assert_eq!(escaped("a&b=ü"), "a%26b%3D%C3%BC");
    }
}
