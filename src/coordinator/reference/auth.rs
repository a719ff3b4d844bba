//! Who calls: the node's signature over the whole request, its time, and a nonce that is used once.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use super::bounds;
use crate::codec::{NodeId, base64, envelope};
use crate::core::Mono;
use crate::net::http::Request;

/// Largest difference between the caller's time and ours, either way.
const SKEW_SEC: u64 = 120;
const MINUTE_MS: u64 = 60_000;

/// A request whose signature verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub node: NodeId,
    /// The answer is signed over it.
    pub nonce: String,
}

/// A request that is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    /// 401, or 429.
    pub status: u16,
    /// Stable id.
    pub reason: &'static str,
}

const fn denied<T>(reason: &'static str) -> Result<T, Denied> {
    Err(Denied { status: 401, reason })
}

/// The windows of nonces, and the sources that failed lately.
#[derive(Debug)]
pub struct Auth {
    started: u64,
    /// Hosts this coordinator is reached by, lower case; empty = not checked.
    hosts: Vec<String>,
    nonces: BTreeMap<NodeId, VecDeque<(u64, [u8; 16])>>,
    strikes: BTreeMap<IpAddr, (Mono, u32)>,
}

impl Auth {
    /// Nothing seen yet. Requests from before `started` (Unix seconds) are refused: their nonces are forgotten.
    pub fn new(started: u64, hosts: &[String]) -> Auth {
        let hosts = hosts.iter().map(|h| h.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase()).collect();
        Auth { started, hosts, nonces: BTreeMap::new(), strikes: BTreeMap::new() }
    }

    /// Verifies a node's request at `unix` seconds. `known` says whether a key has registered; an unknown one may only
    /// register.
    pub fn check(&mut self, request: &Request, unix: u64, known: impl Fn(NodeId) -> bool) -> Result<Caller, Denied> {
        let header = |name| request.header(name).ok_or(Denied { status: 401, reason: "unsigned" });
        let (node, time, nonce, signature) =
            (header("echomesh-node")?, header("echomesh-time")?, header("echomesh-nonce")?, header("echomesh-signature")?);
        let node: NodeId = node.parse().map_err(|_| Denied { status: 401, reason: "bad-node-id" })?;
        let digits = time.len() <= 12 && time.bytes().all(|b| b.is_ascii_digit());
        let time: u64 = time.parse().ok().filter(|_| digits).ok_or(Denied { status: 401, reason: "bad-time" })?;
        let Some(raw): Option<[u8; 16]> = base64::from_url(nonce).and_then(|n| n.try_into().ok()) else { return denied("bad-nonce") };
        let registers = request.method == "POST" && request.path() == "/nodes/register";
        if !registers && !known(node) {
            return denied("unknown-node");
        }
        let authority = header("host")?;
        if !self.is_ours(authority) {
            return denied("other-authority");
        }
        let signed = envelope::Request { authority, method: &request.method, path: &request.target, body: &request.body, time, nonce };
        let Some(key) = node.key() else { return denied("bad-node-id") };
        if envelope::verify_text(&signed.text(), signature, [&key]).is_err() {
            return denied("bad-signature");
        }
        if time.abs_diff(unix) > SKEW_SEC {
            return denied("clock-skew");
        }
        if time < self.started {
            return denied("before-start");
        }
        self.use_nonce(node, time, raw, unix)?;
        Ok(Caller { node, nonce: nonce.to_owned() })
    }

    fn is_ours(&self, authority: &str) -> bool {
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !host.ends_with(':') => host,
            _ => authority,
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        self.hosts.is_empty() || self.hosts.iter().any(|h| h.eq_ignore_ascii_case(host))
    }

    fn use_nonce(&mut self, node: NodeId, time: u64, nonce: [u8; 16], unix: u64) -> Result<(), Denied> {
        // What is older than the skew is refused by its time.
        let live = |t: u64| t + SKEW_SEC >= unix;
        if !self.nonces.contains_key(&node) && self.nonces.len() >= bounds::NODES {
            self.nonces.retain(|_, window| window.iter().any(|(t, _)| live(*t)));
            if self.nonces.len() >= bounds::NODES {
                return Err(Denied { status: 429, reason: "rate-table-full" });
            }
        }
        let window = self.nonces.entry(node).or_default();
        window.retain(|(t, _)| live(*t));
        if window.iter().any(|(_, n)| *n == nonce) {
            return denied("used-nonce");
        }
        if window.len() >= bounds::NONCES_PER_NODE {
            return Err(Denied { status: 429, reason: "too-many-requests" });
        }
        window.push_back((time, nonce));
        Ok(())
    }

    /// Whether `source` failed so often within a minute that it is refused unread.
    pub fn struck_out(&self, source: IpAddr, now: Mono) -> bool {
        self.strikes.get(&source).is_some_and(|(since, count)| now.0.saturating_sub(since.0) < MINUTE_MS && *count >= bounds::STRIKES_PER_MINUTE)
    }

    /// Counts a failed attempt of `source`.
    pub fn strike(&mut self, source: IpAddr, now: Mono) {
        if !self.strikes.contains_key(&source) && self.strikes.len() >= bounds::STRIKE_SOURCES {
            self.strikes.retain(|_, (since, _)| now.0.saturating_sub(since.0) < MINUTE_MS);
            if self.strikes.len() >= bounds::STRIKE_SOURCES {
                return; // every source of the table failed within this minute: one more is served, not remembered
            }
        }
        let (since, count) = self.strikes.entry(source).or_insert((now, 0));
        if now.0.saturating_sub(since.0) >= MINUTE_MS {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
    }
}

/// A nonce as far as it may be repeated in the signed text of an answer; empty where there is none.
pub fn nonce_of(request: &Request) -> &str {
    let plain = |n: &&str| n.len() <= 64 && n.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    request.header("echomesh-nonce").filter(plain).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, START};
    use super::*;

    fn request(n: u8, time: u64, nonce: [u8; 16]) -> Request {
        testing::request(n, "POST", "/nodes/heartbeat?x=1", b"{}".to_vec(), time, nonce)
    }

    fn auth() -> Auth {
        Auth::new(START, &["coordinator.example".into(), "::1".into()])
    }

    #[test]
    fn a_signed_request_passes_once() {
        let mut auth = auth();
        let request = request(1, START, [1; 16]);
        let caller = auth.check(&request, START + 120, |_| true).unwrap();
        assert_eq!((caller.node, caller.nonce), (testing::id(1), base64::url(&[1; 16])));
        assert_eq!(auth.check(&request, START + 120, |_| true).unwrap_err().reason, "used-nonce");
        assert!(auth.check(&super::super::testing::request(2, "POST", "/x", vec![], START, [1; 16]), START, |_| true).is_ok(), "nonces are per node");
    }

    #[test]
    fn every_part_is_signed() {
        let good = request(1, START, [1; 16]);
        let change = |change: &dyn Fn(&mut Request)| {
            let mut request = good.clone();
            change(&mut request);
            auth().check(&request, START, |_| true).map(|_| ()).map_err(|d| d.reason)
        };
        let set = |r: &mut Request, name: &str, value: &str| r.headers.iter_mut().filter(|(n, _)| n == name).for_each(|(_, v)| value.clone_into(v));
        assert_eq!(change(&|_| ()), Ok(()));
        assert_eq!(change(&|r| r.method = "GET".into()), Err("bad-signature"));
        assert_eq!(change(&|r| r.target = "/nodes/heartbeat".into()), Err("bad-signature"));
        assert_eq!(change(&|r| r.body.push(b' ')), Err("bad-signature"));
        assert_eq!(change(&|r| set(r, "echomesh-time", "1800000001")), Err("bad-signature"));
        assert_eq!(change(&|r| set(r, "echomesh-time", "+1800000000")), Err("bad-time"));
        assert_eq!(change(&|r| set(r, "echomesh-nonce", &base64::url(&[2; 16]))), Err("bad-signature"));
        assert_eq!(change(&|r| set(r, "echomesh-nonce", "short")), Err("bad-nonce"));
        assert_eq!(change(&|r| set(r, "echomesh-node", &testing::id(2).to_string())), Err("bad-signature"));
        assert_eq!(change(&|r| set(r, "echomesh-node", "ed25519:x")), Err("bad-node-id"));
        assert_eq!(change(&|r| set(r, "echomesh-signature", "x")), Err("bad-signature"));
        assert_eq!(change(&|r| set(r, "host", "other.example:8440")), Err("other-authority"));
        assert_eq!(change(&|r| set(r, "host", "coordinator.example")), Err("bad-signature"));
        assert_eq!(change(&|r| r.headers.retain(|(n, _)| n != "echomesh-nonce")), Err("unsigned"));
        assert_eq!(change(&|r| r.headers.push(("echomesh-time".into(), "1".into()))), Err("unsigned"));
    }

    #[test]
    fn time_is_bounded_and_strangers_may_only_register() {
        let reason = |time, unix| auth().check(&request(1, time, [1; 16]), unix, |_| true).map(|_| ()).map_err(|d| d.reason);
        assert_eq!(reason(START, START + 121), Err("clock-skew"));
        assert_eq!(reason(START + 121, START), Err("clock-skew"));
        assert_eq!(reason(START - 1, START), Err("before-start"));
        assert_eq!(auth().check(&request(1, START, [1; 16]), START, |_| false).unwrap_err().reason, "unknown-node");
        let register = testing::request(1, "POST", "/nodes/register", vec![], START, [1; 16]);
        assert!(auth().check(&register, START, |_| false).is_ok());
    }

    #[test]
    fn the_window_of_nonces_is_bounded_and_moves_on() {
        let mut auth = auth();
        for n in 0..bounds::NONCES_PER_NODE {
            let mut nonce = [0; 16];
            nonce[..8].copy_from_slice(&(n as u64).to_le_bytes());
            auth.use_nonce(testing::id(1), START, nonce, START).unwrap();
        }
        assert_eq!(auth.use_nonce(testing::id(1), START, [9; 16], START).unwrap_err().status, 429);
        auth.use_nonce(testing::id(1), START + 121, [9; 16], START + 121).unwrap();
        assert_eq!(auth.nonces[&testing::id(1)].len(), 1);
    }

    #[test]
    fn a_source_that_keeps_failing_is_refused_for_the_minute() {
        let mut auth = auth();
        let ip = IpAddr::from([192, 0, 2, 1]);
        for _ in 0..bounds::STRIKES_PER_MINUTE {
            assert!(!auth.struck_out(ip, Mono(0)));
            auth.strike(ip, Mono(0));
        }
        assert!(auth.struck_out(ip, Mono(59_999)));
        assert!(!auth.struck_out(ip, Mono(60_000)));
        for n in 0..2 * bounds::STRIKE_SOURCES {
            auth.strike(std::net::Ipv4Addr::from(n as u32).into(), Mono(1));
        }
        assert_eq!(auth.strikes.len(), bounds::STRIKE_SOURCES);
    }
}
