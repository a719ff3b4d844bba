//! A resolver's URL: by IP address, so that no name has to be resolved first.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// The path where the URL has none.
const DEFAULT_PATH: &str = "/dns-query";
/// Longer URLs are refused.
const MAX_LEN: usize = 512;

/// `https://ADDRESS[:PORT][/PATH]`, IPv6 in brackets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DohUrl {
    /// Where it listens; its certificate names this address.
    pub at: SocketAddr,
    /// For the Host header.
    pub authority: String,
    /// Path with query.
    pub path: String,
}

/// The text is no such URL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadUrl;

impl FromStr for DohUrl {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<DohUrl, BadUrl> {
        let rest = text.strip_prefix("https://").filter(|_| text.len() <= MAX_LEN).ok_or(BadUrl)?;
        // The RFC's template `/dns-query{?dns}` names the variable of the GET form; the POST form has none.
        let rest = rest.strip_suffix("{?dns}").unwrap_or(rest);
        if !rest.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'#' | b'{' | b'}')) {
            return Err(BadUrl);
        }
        let (authority, path) = rest.find('/').map_or((rest, DEFAULT_PATH), |at| rest.split_at(at));
        Ok(DohUrl { at: address(authority).ok_or(BadUrl)?, authority: authority.to_owned(), path: path.to_owned() })
    }
}

fn address(authority: &str) -> Option<SocketAddr> {
    const HTTPS: u16 = 443;
    let bracketed = authority.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let alone = match bracketed {
        Some(v6) => v6.parse().ok().map(IpAddr::V6),
        None => authority.parse().ok().map(IpAddr::V4),
    };
    let at = alone.map(|ip| SocketAddr::new(ip, HTTPS)).or_else(|| authority.parse().ok())?;
    (at.port() != 0).then_some(at)
}

impl fmt::Display for DohUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}{}", self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_addresses_and_nothing_else() {
        for (text, at, path) in [
            ("https://1.1.1.1/dns-query", "1.1.1.1:443", "/dns-query"),
            ("https://1.1.1.1", "1.1.1.1:443", "/dns-query"),
            ("https://8.8.8.8:8443/resolve?x=1", "8.8.8.8:8443", "/resolve?x=1"),
            ("https://[2606:4700::1111]/dns-query{?dns}", "[2606:4700::1111]:443", "/dns-query"),
            ("https://[2606:4700::1111]:853/", "[2606:4700::1111]:853", "/"),
        ] {
            let url: DohUrl = text.parse().unwrap();
            assert_eq!((url.at.to_string().as_str(), url.path.as_str()), (at, path), "{text}");
        }
        for bad in [
            "",
            "https://",
            "http://1.1.1.1/dns-query",
            "https://dns.google/dns-query",
            "https://user@1.1.1.1/",
            "https://1.1.1.1:0/",
            "https://1.1.1.1:99999/",
            "https://2606:4700::1111/",
            "https://[1.1.1.1]/",
            "https://1.1.1/",
            "https://0x1.1.1.1/",
            "https://1.1.1.1/a b",
            "https://1.1.1.1/\r\nX: y",
            "https://1.1.1.1/{dns}",
            &format!("https://1.1.1.1/{}", "a".repeat(MAX_LEN)),
        ] {
            assert_eq!(bad.parse::<DohUrl>(), Err(BadUrl), "{bad}");
        }
    }
}
