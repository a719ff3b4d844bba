//! What is asked for, and by whom: path, query and cookies of a request, as far as the panel minds them. Pure.

use super::access::Login;

/// Languages of the pages.
pub const LANGUAGES: [&str; 3] = ["en", "de", "es"];
/// How they may look.
pub const THEMES: [&str; 3] = ["auto", "light", "dark"];

/// Who looks, and how: from the query, else from cookies, else the first of each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Viewer {
    /// The login.
    pub login: Login,
    /// One of [`LANGUAGES`].
    pub language: &'static str,
    /// One of [`THEMES`].
    pub theme: &'static str,
}

/// The viewer that `query` (without `?`) and the `Cookie` header name, and the cookies to set for what the query named.
pub fn viewer(query: &str, cookies: &str) -> (Viewer, Vec<String>) {
    let mut set = Vec::new();
    let logins = Login::ALL.map(Login::name);
    let mut choose = |name: &str, among: &[&'static str]| {
        let known = |value: &str| among.iter().find(|known| **known == value).copied();
        let cookie = format!("standin_{name}");
        let asked = pairs(query, '&').find(|(key, _)| *key == name).and_then(|(_, value)| known(value));
        if let Some(value) = asked {
            set.push(format!("{cookie}={value}; Path=/; SameSite=Strict"));
        }
        let kept = || pairs(cookies, ';').find(|(key, _)| *key == cookie).and_then(|(_, value)| known(value));
        asked.or_else(kept).unwrap_or(among[0])
    };
    let name = choose("as", &logins);
    let login = Login::ALL.into_iter().find(|login| login.name() == name).unwrap_or(Login::Owner);
    (Viewer { login, language: choose("lang", &LANGUAGES), theme: choose("theme", &THEMES) }, set)
}

fn pairs(text: &str, between: char) -> impl Iterator<Item = (&str, &str)> {
    text.split(between).filter_map(|pair| pair.trim().split_once('='))
}

/// Whether a `Host` header names this machine's loopback. Another name is a page elsewhere that has its name lead here.
pub fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[').map(|rest| rest.split_once(']')) {
        Some(Some((address, port))) if port.is_empty() || is_port(port) => return address.parse() == Ok(std::net::Ipv6Addr::LOCALHOST),
        Some(_) => return false,
        None => match host.split_once(':') {
            Some((name, _)) if is_port(&host[name.len()..]) => name,
            Some(_) => return false,
            None => host,
        },
    };
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|address: std::net::Ipv4Addr| address.is_loopback())
}

fn is_port(text: &str) -> bool {
    text.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_query_counts_at_once_and_is_kept() {
        let (usual, set) = viewer("", "");
        assert_eq!((usual, set.len()), (Viewer { login: Login::Owner, language: "en", theme: "auto" }, 0));
        let (asked, set) = viewer("as=observer&x=1&lang=de", "standin_theme=dark; standin_lang=es");
        assert_eq!(asked, Viewer { login: Login::Observer, language: "de", theme: "dark" });
        assert_eq!(set, ["standin_as=observer; Path=/; SameSite=Strict", "standin_lang=de; Path=/; SameSite=Strict"]);
        let (odd, set) = viewer("as=root&theme=%22", "standin_as=admin");
        assert_eq!((odd, set.len()), (usual, 0));
    }

    #[test]
    fn only_loopback_is_this_machine() {
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "127.77.3.4", "[::1]:9", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "127.0.0.1.example.com",
            "localhost.example.com:80",
            "192.168.1.1",
            "[::2]:1",
            "[::1",
            "[::1]x",
            "127.0.0.1:x",
            "127.0.0.1:80:1",
            "localhost:99999",
            "127.0.0.1:",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    proptest! {
        #[test]
        fn any_header_comes_to_an_answer(query in "\\PC{0,40}", cookies in "\\PC{0,40}", host in "[\\[\\]:.0-9a-z\\PC]{0,30}") {
            let (_, set) = viewer(&query, &cookies);
            prop_assert!(set.iter().all(|cookie| cookie.bytes().all(|b| b.is_ascii_graphic() || b == b' ')));
            let _ = is_loopback(&host);
        }
    }
}
