//! One call, blocking: sign, send, verify, believe. Runs on the client's own threads only.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ed25519_dalek::SigningKey;
use serde_json::{Map, Value};
use ureq::Agent;
use ureq::http::{HeaderMap, Request};

use super::error::{CallError, CallKind};
use super::fault::{Fault, Faults};
use super::keyring::Keyring;
use super::origin::Origin;
use super::sign::{self, Headers, Unsigned};
use super::verify::Received;
use crate::codec::{NodeId, json};
use crate::coordinator::wire;
use crate::core::{Clock, Mono};

/// From this difference on a refusal is put down to the clock (the coordinator's own limit is 120 s).
const SKEW: Duration = Duration::from_secs(60);
/// Reason id of a refusal because our time is before the coordinator's start: it has forgotten the nonces used until then.
const BEFORE_START: &str = "before-start";

/// What both threads share.
pub(super) struct Shared {
    pub(super) origin: Origin,
    pub(super) node_id: NodeId,
    pub(super) key: SigningKey,
    pub(super) keys: Keyring,
    pub(super) clock: Clock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    faults: Faults,
    heard: Option<Mono>,
}

/// One thread's way to the coordinator.
pub(super) struct Caller {
    pub(super) shared: Arc<Shared>,
    pub(super) agent: Agent,
}

/// What a request carries.
pub(super) enum Payload {
    /// Nothing (GET).
    None,
    /// These bytes, as they are.
    Bytes(Vec<u8>),
    /// This object, signed anew for each try.
    Object(Map<String, Value>, &'static str),
}

/// A verified answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    pub(super) time: u64,
    pub(super) nonce: String,
    pub(super) signature: String,
}

impl Shared {
    pub(super) fn new(origin: Origin, key: SigningKey, keys: Keyring, clock: Clock) -> Shared {
        let node_id = NodeId::from(&key.verifying_key());
        Shared { origin, node_id, key, keys, clock, state: Mutex::default() }
    }

    pub(super) fn faults(&self) -> Faults {
        self.state().faults
    }

    pub(super) fn heard(&self) -> Option<Mono> {
        self.state().heard
    }

    /// Counts `fault`, tells the log, and gives the error of it.
    pub(super) fn fault(&self, fault: Fault, path: &str) -> CallError {
        self.state().faults.add(fault);
        let path = path.split('?').next().unwrap_or_default();
        log::warn!("coordinator {path}: {fault}");
        CallError::bad(format!("coordinator {path}: {fault}"))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Caller {
    /// Asks and verifies. A refusal because of the clock, or because ours is a little behind a coordinator that has just
    /// started, is tried once more with the coordinator's signed time.
    pub(super) fn call(&self, path: &str, payload: &Payload) -> Result<Answer, CallError> {
        let sent = self.shared.clock.unix();
        let answer = self.once(path, payload, sent)?;
        let refused = (400..500).contains(&answer.status) && !matches!(answer.status, 409 | 422);
        if !refused {
            return Ok(answer);
        }
        let now = self.shared.clock.unix();
        if answer.time.abs_diff(sent) <= SKEW.as_secs() {
            // So small a difference does not move our clock, or NTP holds it: the time is the coordinator's for this try alone.
            let early = answer.status == 401 && answer.time > sent && answer.reason() == BEFORE_START;
            return if early { self.once(path, payload, answer.time.max(now)) } else { Ok(answer) };
        }
        let apart = answer.time.abs_diff(now);
        if apart > SKEW.as_secs() {
            let message = format!("coordinator and this node's NTP time are {apart} s apart; check the router's time servers, or tell the operator");
            return Err(CallError::new(CallKind::Clock, message));
        }
        self.once(path, payload, now)
    }

    /// [`Caller::call`] where nothing may be signed before node time is known: all but `register`.
    pub(super) fn timed(&self, path: &str, payload: &Payload) -> Result<Answer, CallError> {
        if !self.shared.clock.synced() {
            return Err(CallError::new(CallKind::Clock, "node time is not known yet; register first, the answer brings it"));
        }
        self.call(path, payload)
    }

    fn once(&self, path: &str, payload: &Payload, now: u64) -> Result<Answer, CallError> {
        let shared = &self.shared;
        let (method, body) = match payload {
            Payload::None => ("GET", Vec::new()),
            Payload::Bytes(bytes) => ("POST", bytes.clone()),
            Payload::Object(object, context) => ("POST", sign::object(object.clone(), context, &shared.key, now)),
        };
        if body.len() > json::MAX_BODY {
            return Err(CallError::bad(format!("coordinator {path}: what is to be sent is larger than 64 KiB")));
        }
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|_| CallError::unreachable("the system gave no random bytes; try again later"))?;
        let authority = shared.origin.authority();
        let headers = Unsigned { authority: &authority, method, path, body: &body }.sign(&shared.key, now, nonce);
        let mut response = self.send(method, &authority, path, &headers, body)?;
        let read = response.body_mut().with_config().limit(json::MAX_BODY as u64).read_to_vec();
        let body = read.map_err(|e| match e {
            ureq::Error::BodyExceedsLimit(_) => shared.fault(Fault::Oversize, path),
            other => unreachable(&authority, &other),
        })?;
        let status = response.status().as_u16();
        let (time, signature) = (header(response.headers(), sign::TIME), header(response.headers(), sign::SIGNATURE));
        let received = Received { status, time, signature, body: &body };
        let time = received.verify(&headers.nonce, &shared.keys.all()).map_err(|f| shared.fault(f, path))?;
        let signature = signature.unwrap_or_default().to_owned();
        shared.clock.vouch_signed(time);
        shared.state().heard = Some(shared.clock.now());
        Ok(Answer { status, body, time, nonce: headers.nonce, signature })
    }

    fn send(
        &self,
        method: &str,
        authority: &str,
        path: &str,
        headers: &Headers,
        body: Vec<u8>,
    ) -> Result<ureq::http::Response<ureq::Body>, CallError> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("https://{authority}{path}"))
            .header("Host", authority)
            .header(sign::NODE, headers.node.to_string())
            .header(sign::TIME, headers.time)
            .header(sign::NONCE, &headers.nonce)
            .header(sign::SIGNATURE, &headers.signature);
        let sent = if method == "GET" {
            request.body(()).map_err(ureq::Error::Http).and_then(|r| self.agent.run(r))
        } else {
            request = request.header("Content-Type", "application/json");
            request.body(body).map_err(ureq::Error::Http).and_then(|r| self.agent.run(r))
        };
        sent.map_err(|e| unreachable(authority, &e))
    }
}

impl Answer {
    /// Its body as `T`, where the status is `want`; else the refusal it is.
    pub(super) fn expect<T: serde::de::DeserializeOwned>(self, want: u16, path: &str, shared: &Shared) -> Result<T, CallError> {
        if self.status != want {
            return Err(self.refusal(path));
        }
        json::from_slice(&self.body).map_err(|_| shared.fault(Fault::Malformed, path))
    }

    /// The signed refusal.
    pub(super) fn refusal(&self, path: &str) -> CallError {
        let reason = self.reason();
        let path = path.split('?').next().unwrap_or_default();
        let message = match reason.as_str() {
            "" => format!("the coordinator refused {path} with status {}", self.status),
            reason => format!("the coordinator refused {path}: {reason}"),
        };
        CallError::new(CallKind::Refused { status: self.status, reason }, message)
    }

    /// Reason id of a refusal; empty where there is none.
    pub(super) fn reason(&self) -> String {
        json::from_slice::<wire::Refusal>(&self.body).map(|r| r.reason).unwrap_or_default()
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut all = headers.get_all(name).iter();
    let value = all.next()?.to_str().ok()?;
    all.next().is_none().then_some(value)
}

/// What the owner can do about it, by what went wrong.
fn unreachable(authority: &str, error: &ureq::Error) -> CallError {
    let tls = match error {
        ureq::Error::Rustls(e) => Some(e),
        ureq::Error::Io(e) => e.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()),
        _ => None,
    };
    let inner = match error {
        ureq::Error::Io(e) => e.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>()),
        _ => None,
    };
    let timed_out = matches!(error, ureq::Error::Timeout(_)) || matches!(inner, Some(ureq::Error::Timeout(_)));
    let why = match (tls, error) {
        (Some(rustls::Error::InvalidCertificate(e)), _) => {
            format!("its certificate is not accepted ({e}); set option ca_file to its CA, or check the url and the clock")
        }
        (Some(e), _) => format!("TLS failed: {e}"),
        (None, ureq::Error::HostNotFound) => "its name does not resolve; check the url and the router's DNS".to_owned(),
        (None, ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..)) => {
            return CallError::bad(format!("coordinator {authority}: what answers there does not speak HTTP as expected ({error}); check the url"));
        }
        _ if timed_out => "it did not answer in time".to_owned(),
        (None, e) => e.to_string(),
    };
    CallError::unreachable(format!("coordinator {authority}: {why}"))
}
