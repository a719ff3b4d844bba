//! The buyer's CONNECT: reading its bounded head, and the answers to it (contracts, "Buyer's side").
//!
//! Whom the caller serves comes before what it tells: [`Head`] carries the credentials beside a refusal of the target,
//! so that a caller authenticates first and only then says why.

use std::time::Duration;

use smol::io::AsyncRead;

use super::deadline::within;
use super::host::Host;
use super::http::body::fill;
use super::http::head::{self, RequestHead};
use super::http::respond::phrase;
use crate::codec::base64;
use crate::core::{Reason, Sensitive};

/// Bytes of a head, and of the buffer it is read into: with 64 unauthenticated connections, 512 KiB.
pub const MAX_HEAD: usize = 8 * 1024;
/// How long a head may take (contracts).
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// What the bytes so far are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Parsed {
    /// More must come.
    Incomplete,
    /// No head, or none that can be trusted to hold credentials.
    Refused(Reason),
    /// A head.
    Head(Head),
}

/// A well-framed request, perhaps for something that is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// What is asked for, or why that is out of the question: `malformed`, `https-only`, `ip-literal`, `private-address`.
    pub target: Result<Target, Reason>,
    /// `None` where the header is missing, malformed or there twice: `bad-credentials`, before anything else.
    pub credentials: Option<Credentials>,
    /// Bytes the head takes; what follows is the tunnel's.
    pub used: usize,
}

/// Where a tunnel shall lead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// The name.
    pub host: Host,
    /// 1..=65535.
    pub port: u16,
}

/// What the buyer shows (RFC 7617). Neither part is checked here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credentials {
    /// Not empty; without a colon.
    pub session_id: String,
    /// Not empty.
    pub secret: Sensitive<String>,
}

/// Why no head was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoHead {
    /// What came is refused.
    Refused(Reason),
    /// The head did not end in time.
    TimedOut,
    /// The peer closed, or the stream failed.
    Closed,
}

/// Judges the bytes a buyer has sent so far.
pub fn parse(bytes: &[u8]) -> Parsed {
    match head::parse(bytes, MAX_HEAD) {
        Ok(None) => Parsed::Incomplete,
        Ok(Some(head)) => Parsed::Head(Head { target: target(&head), credentials: credentials(&head), used: head.used }),
        Err(_) => Parsed::Refused(Reason::Malformed),
    }
}

/// Reads a head from `stream` within `limit`; with it comes what followed it in the same reads (at most [`MAX_HEAD`]
/// bytes).
pub async fn read_head<S: AsyncRead + Unpin>(stream: &mut S, limit: Duration) -> Result<(Head, Vec<u8>), NoHead> {
    let reading = async {
        let mut buffer = Vec::new();
        loop {
            let start = buffer.len();
            match fill(stream, &mut buffer, MAX_HEAD - start).await {
                Ok(1..) => {}
                _ => return Err(NoHead::Closed),
            }
            // Judging costs a pass over all: a head that comes byte by byte is judged by the line.
            if buffer.len() < MAX_HEAD && !buffer[start..].contains(&b'\n') {
                continue;
            }
            match parse(&buffer) {
                Parsed::Incomplete => {}
                Parsed::Refused(reason) => return Err(NoHead::Refused(reason)),
                Parsed::Head(head) => {
                    let rest = buffer.split_off(head.used);
                    return Ok((head, rest));
                }
            }
        }
    };
    within(limit, reading).await.unwrap_or(Err(NoHead::TimedOut))
}

/// The answer that opens the tunnel.
pub const fn established() -> &'static [u8] {
    b"HTTP/1.1 200 Connection established\r\n\r\n"
}

/// The answer that refuses, after which the connection is closed; empty for a reason that has no status.
///
/// `told` = the caller is authenticated, or on loopback. Others see a status and nothing that names this software; the
/// challenge of a 407 is all that HTTP requires there (RFC 9110, 15.5.8).
pub fn refusal(reason: Reason, told: bool) -> Vec<u8> {
    let Some(status) = reason.status() else { return Vec::new() };
    let phrase = phrase(status);
    let challenge = match (status, told) {
        (407, true) => "Proxy-Authenticate: Basic realm=\"echomesh\"\r\n",
        (407, false) => "Proxy-Authenticate: Basic realm=\"proxy\"\r\n",
        (405, _) => "Allow: CONNECT\r\n",
        _ => "",
    };
    if !told {
        return format!("HTTP/1.1 {status} {phrase}\r\n{challenge}Content-Length: 0\r\nConnection: close\r\n\r\n").into_bytes();
    }
    let id = reason.id();
    let body = format!("{}\n", serde_json::json!({ "reason": id, "message": reason.message() }));
    format!(
        "HTTP/1.1 {status} {phrase}\r\n{challenge}Echomesh-Reason: {id}\r\nProxy-Status: echomesh; error={}; details=\"{id}\"\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        proxy_error(reason),
        body.len(),
    )
    .into_bytes()
}

/// The registered error type (RFC 9209, 2.3) nearest to `reason`.
const fn proxy_error(reason: Reason) -> &'static str {
    match reason {
        Reason::Malformed | Reason::HttpsOnly => "http_request_error",
        Reason::PrivateAddress => "destination_ip_prohibited",
        Reason::TunnelCap | Reason::RateTableFull => "connection_limit_reached",
        Reason::DnsFailed => "dns_error",
        Reason::DialFailed => "destination_unavailable",
        Reason::TimedOut => "connection_timeout",
        Reason::Paused | Reason::Stopped | Reason::Quarantine | Reason::Schedule | Reason::LeaseExpired | Reason::Overload => {
            "proxy_internal_response"
        }
        _ => "http_request_denied",
    }
}

fn target(head: &RequestHead) -> Result<Target, Reason> {
    if head.method != "CONNECT" {
        return Err(Reason::HttpsOnly);
    }
    // A CONNECT has no body (RFC 9110, 9.3.6); whoever announces one frames what follows differently.
    if head.has("transfer-encoding") || head.all("content-length").any(|length| length != "0") {
        return Err(Reason::Malformed);
    }
    let (name, port) = authority(&head.target).ok_or(Reason::Malformed)?;
    if head.all("host").count() > 1 || head.all("host").any(|host| !names_the_same(host, name, port)) {
        return Err(Reason::Malformed);
    }
    Ok(Target { host: Host::parse(name)?, port })
}

/// `host:port` (RFC 9112, 3.2.3).
fn authority(target: &str) -> Option<(&str, u16)> {
    let (name, port) = target.rsplit_once(':')?;
    Some((name, port_number(port)?)).filter(|(name, _)| !name.is_empty())
}

fn port_number(text: &str) -> Option<u16> {
    let plain = (1..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten().filter(|port| *port != 0)
}

/// Whether a Host header names the target, with its port or without one.
fn names_the_same(host: &str, name: &str, port: u16) -> bool {
    let same = |other: &str| other.trim_end_matches('.').eq_ignore_ascii_case(name.trim_end_matches('.'));
    same(host) || host.rsplit_once(':').is_some_and(|(other, p)| same(other) && port_number(p) == Some(port))
}

fn credentials(head: &RequestHead) -> Option<Credentials> {
    let (scheme, token) = head.one("proxy-authorization")?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(base64::from_padded(token.trim())?).ok()?;
    let (session_id, secret) = text.split_once(':')?;
    if session_id.is_empty() || secret.is_empty() {
        return None;
    }
    Some(Credentials { session_id: session_id.to_owned(), secret: Sensitive::new(secret.to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use smol::io::Cursor;

    /// `session:secret`.
    const AUTH: &str = "Proxy-Authorization: Basic c2Vzc2lvbjpzZWNyZXQ=\r\n";
    const TIME: Duration = Duration::from_secs(60);

    fn head(text: &str) -> Head {
        match parse(text.as_bytes()) {
            Parsed::Head(head) => head,
            other => panic!("{text:?}: {other:?}"),
        }
    }

    fn connect(target: &str, headers: &str) -> Head {
        head(&format!("CONNECT {target} HTTP/1.1\r\n{headers}\r\n"))
    }

    fn refused(target: &str, headers: &str) -> Option<Reason> {
        connect(target, headers).target.err()
    }

    #[test]
    fn reads_a_connect() {
        let text = format!("CONNECT Example.TEST:443 HTTP/1.1\r\nHost: example.test:443\r\n{AUTH}User-Agent: curl\r\n\r\n\u{16}\u{3}");
        let head = head(&text);
        let target = head.target.unwrap();
        assert_eq!((target.host.as_str(), target.port), ("example.test", 443));
        let credentials = head.credentials.unwrap();
        assert_eq!((credentials.session_id.as_str(), credentials.secret.expose().as_str()), ("session", "secret"));
        assert_eq!(&text[head.used..], "\u{16}\u{3}");
    }

    #[test]
    fn a_refused_target_still_tells_who_asks() {
        for (text, reason) in [
            ("GET http://example.test/ HTTP/1.1\r\n", Reason::HttpsOnly),
            ("POST / HTTP/1.0\r\n", Reason::HttpsOnly),
            ("connect example.test:443 HTTP/1.1\r\n", Reason::HttpsOnly),
            ("CONNECT 127.0.0.1:443 HTTP/1.1\r\n", Reason::IpLiteral),
            ("CONNECT [::1]:443 HTTP/1.1\r\n", Reason::IpLiteral),
            ("CONNECT 2130706433:443 HTTP/1.1\r\n", Reason::IpLiteral),
            ("CONNECT nas.local:443 HTTP/1.1\r\n", Reason::PrivateAddress),
            ("CONNECT example.test HTTP/1.1\r\n", Reason::Malformed),
        ] {
            let head = head(&format!("{text}{AUTH}\r\n"));
            assert_eq!(head.target, Err(reason), "{text}");
            assert!(head.credentials.is_some(), "{text}");
        }
    }

    #[test]
    fn targets_are_host_and_port() {
        for bad in [
            "example.test:",
            ":443",
            "example.test:0",
            "example.test:65536",
            "example.test:+443",
            "example.test:000443",
            "https://example.test:443",
            "a@example.test:443",
            "example.test:443/",
            "*",
        ] {
            assert_eq!(refused(bad, ""), Some(Reason::Malformed), "{bad}");
        }
        assert_eq!(refused("example.test:65535", ""), None);
    }

    #[test]
    fn a_host_header_must_agree() {
        for good in ["", "Host: EXAMPLE.test:443\r\n", "Host: example.test\r\n", "Host: example.test.:443\r\n"] {
            assert_eq!(refused("example.test:443", good), None, "{good}");
        }
        for bad in ["Host: other.test:443\r\n", "Host: example.test:444\r\n", "Host: example.test\r\nHost: example.test\r\n", "Host:\r\n"] {
            assert_eq!(refused("example.test:443", bad), Some(Reason::Malformed), "{bad}");
        }
    }

    #[test]
    fn an_announced_body_is_malformed() {
        for (headers, reason) in [
            ("Content-Length: 0\r\n", None),
            ("Content-Length: 5\r\n", Some(Reason::Malformed)),
            ("Content-Length: 0\r\nContent-Length: 5\r\n", Some(Reason::Malformed)),
            ("Transfer-Encoding: chunked\r\n", Some(Reason::Malformed)),
        ] {
            assert_eq!(refused("example.test:443", headers), reason, "{headers}");
        }
    }

    #[test]
    fn credentials_are_one_basic_pair() {
        for bad in [
            String::new(),
            "Proxy-Authorization: Bearer c2Vzc2lvbjpzZWNyZXQ=\r\n".into(),
            "Proxy-Authorization: Basic\r\n".into(),
            "Proxy-Authorization: Basic ???\r\n".into(),
            "Proxy-Authorization: Basic c2Vzc2lvbg==\r\n".into(),
            "Proxy-Authorization: Basic OnNlY3JldA==\r\n".into(),
            "Proxy-Authorization: Basic c2Vzc2lvbjo=\r\n".into(),
            "Proxy-Authorization: Basic //46//4=\r\n".into(),
            format!("{AUTH}{AUTH}"),
        ] {
            assert_eq!(connect("example.test:443", &bad).credentials, None, "{bad}");
        }
        let lower = "proxy-authorization: basic  c2Vzc2lvbjpzZTpjcmV0\r\n";
        assert_eq!(connect("example.test:443", lower).credentials.unwrap().secret.expose(), "se:cret", "a secret may hold colons");
    }

    #[test]
    fn debug_tells_neither_secret_nor_host() {
        let shown = format!("{:?}", connect("example.test:443", "Proxy-Authorization: Basic c2Vzc2lvbjpodXNoaHVzaA==\r\n"));
        assert!(shown.contains("credentials: Some") && !shown.contains("hushhush") && !shown.contains("example"), "{shown}");
    }

    #[test]
    fn what_is_no_head_is_malformed() {
        for bad in [
            "\u{16}\u{3}\u{1}\r\n\r\n",
            "CONNECT example.test:443\r\n\r\n",
            "CONNECT example.test:443 HTTP/1.1\n\n",
            "CONNECT example.test:443 HTTP/1.1\r\nA : b\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\n",
        ] {
            assert_eq!(parse(bad.as_bytes()), Parsed::Refused(Reason::Malformed), "{bad:?}");
        }
        assert_eq!(parse(&vec![b'A'; MAX_HEAD]), Parsed::Refused(Reason::Malformed));
        assert_eq!(parse(&vec![b'A'; MAX_HEAD - 1]), Parsed::Incomplete);
    }

    #[test]
    fn reads_from_a_stream_and_keeps_the_rest() {
        smol::block_on(async {
            let head = format!("CONNECT example.test:443 HTTP/1.1\r\n{AUTH}\r\n");
            let (read, rest) = read_head(&mut Cursor::new(format!("{head}early")), TIME).await.unwrap();
            assert_eq!((read.used, rest.as_slice()), (head.len(), &b"early"[..]));
            let read = read_head(&mut Cursor::new("CONNECT example"), TIME).await;
            assert_eq!(read, Err(NoHead::Closed));
            let read = read_head(&mut Cursor::new(vec![b'A'; 2 * MAX_HEAD]), TIME).await;
            assert_eq!(read, Err(NoHead::Refused(Reason::Malformed)));
            let (mut silent, _kept) = pair();
            assert_eq!(read_head(&mut silent, Duration::ZERO).await, Err(NoHead::TimedOut));
        });
    }

    #[test]
    fn reads_byte_by_byte() {
        use smol::io::AsyncWriteExt as _;
        smol::block_on(async {
            let (mut ours, mut theirs) = pair();
            let text = format!("CONNECT example.test:443 HTTP/1.1\r\n{AUTH}\r\n");
            let send = async {
                for byte in text.bytes() {
                    theirs.write_all(&[byte]).await.unwrap();
                    smol::future::yield_now().await;
                }
            };
            let (read, ()) = smol::future::zip(read_head(&mut ours, TIME), send).await;
            assert!(read.unwrap().0.target.is_ok());
        });
    }

    fn pair() -> (smol::Async<std::os::unix::net::UnixStream>, smol::Async<std::os::unix::net::UnixStream>) {
        smol::Async::<std::os::unix::net::UnixStream>::pair().unwrap()
    }

    #[test]
    fn refusals_tell_the_reason_to_those_who_may_know_it() {
        for reason in Reason::ALL {
            let (told, bare) = (String::from_utf8(refusal(reason, true)).unwrap(), String::from_utf8(refusal(reason, false)).unwrap());
            let Some(status) = reason.status() else {
                assert!(told.is_empty() && bare.is_empty());
                continue;
            };
            for text in [&told, &bare] {
                assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
                assert_eq!(text.contains("\r\nProxy-Authenticate: Basic realm="), status == 407, "{text}");
            }
            assert!(!bare.to_lowercase().contains("echomesh") && bare.ends_with("\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), "{bare}");
            let (head, body) = told.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("\r\nEchomesh-Reason: {reason}\r\nProxy-Status: echomesh; error=")), "{head}");
            assert!(head.contains(&format!("; details=\"{reason}\"\r\n")) && head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())));
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!(body, serde_json::json!({"reason": reason.id(), "message": reason.message()}));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_bytes_are_judged(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn a_damaged_head_is_judged(at in any::<prop::sample::Index>(), to in any::<u8>()) {
            let mut bytes = format!("CONNECT example.test:443 HTTP/1.1\r\nHost: example.test:443\r\n{AUTH}\r\n").into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = to;
            if let Parsed::Head(head) = parse(&bytes) {
                prop_assert!(head.used <= bytes.len());
            }
        }

        #[test]
        fn prefixes_of_a_head_are_incomplete(target in "[!-~]{1,40}", value in "[ -~]{0,40}") {
            let text = format!("CONNECT {target} HTTP/1.1\r\nA: {value}\r\n\r\n");
            for n in 0..text.len() {
                prop_assert_eq!(parse(&text.as_bytes()[..n]), Parsed::Incomplete);
            }
        }
    }
}
