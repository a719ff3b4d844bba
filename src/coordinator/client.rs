//! The node's side of the coordinator contracts, over HTTPS with every request signed and every answer verified.
//!
//! Two threads do what blocks: "coordinator posts" makes the calls the data plane awaits, one after the other;
//! "coordinator events" holds the long poll. They share no state with the data plane but bounded channels, the
//! [`Clock`] and the [`Keyring`], and are never joined: when the [`Client`] is dropped they end at their next step.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ed25519_dalek::SigningKey;
use smol::channel::{Receiver, Sender, bounded};

use crate::codec::envelope::context;
use crate::codec::json;
use crate::coordinator::wire::{self, Accept, Head, Heard, Heartbeat, ProbeAck, ProbeReport, ProbeRequest, Register, Registered};
use crate::core::{Clock, Mono};
use crate::net::roots::{Roots, RootsError};

mod attest;
mod call;
mod error;
mod event;
mod fault;
mod keyring;
mod origin;
mod poll;
pub mod sign;
pub mod stream;
mod successors;
mod transport;
pub mod verify;

pub use attest::{Attested, Receipt};
pub use error::{CallError, CallKind};
pub use event::{Batch, Event, Events, Link};
pub use fault::{Fault, Faults};
pub use keyring::Keyring;
pub use origin::Origin;
pub use successors::{Remembered, Successors};
pub use transport::agent;

use call::{Caller, Payload, Shared};
use poll::{Patience, Poll};
use stream::Position;

/// Calls waiting for the posts thread; the data plane waits beyond that. A job holds at most one 64 KiB body.
const JOBS: usize = 8;
/// Stack of each thread: a TLS handshake needs about 60 KiB of it.
const STACK: usize = 256 * 1024;
/// A whole call, from the connect to the last byte.
const CALL: Duration = Duration::from_secs(20);
/// What a long poll may take beyond the time the coordinator holds it.
const POLL_GRACE: Duration = Duration::from_secs(10);

/// How to reach one coordinator, and as whom.
pub struct Access {
    /// `https://host[:port]`.
    pub url: String,
    /// Keys any of which signs for the coordinator.
    pub keys: Keyring,
    /// Whom its certificate may come from: the system's roots and `ca_file`, parsed once for the whole process.
    pub roots: Roots,
    /// The node's key; `nodeId` is its public half. Zeroised on drop.
    pub key: SigningKey,
    /// Learns the coordinator's signed time.
    pub clock: Clock,
    /// Version of this program, for User-Agent.
    pub version: String,
}

/// Why a client cannot start.
#[derive(Debug)]
pub enum StartError {
    /// The URL is no `https://host[:port]`.
    Url(String),
    /// No key is configured: nothing could be verified.
    NoKey,
    /// TLS cannot be set up.
    Tls(RootsError),
    /// The system gave no thread.
    Thread(std::io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Url(url) => write!(f, "coordinator url `{url}` is not https://host[:port]"),
            StartError::NoKey => f.write_str("no coordinator key is configured; set option key to what the coordinator's operator gave (ed25519:…)"),
            StartError::Tls(e) => write!(f, "coordinator: {e}"),
            StartError::Thread(e) => write!(f, "no thread for the coordinator: {e}"),
        }
    }
}

impl std::error::Error for StartError {}

type Job = Box<dyn FnOnce(&Caller) + Send>;

/// The data plane's handle; cheap to clone. Its calls run one after the other, each within 20 s, and are not retried
/// (but once for the clock): the caller backs off.
#[derive(Clone)]
pub struct Client {
    jobs: Sender<Job>,
    follow: Sender<Option<Position>>,
    shared: Arc<Shared>,
}

impl Client {
    /// Starts the two threads. The long poll begins with [`Client::follow`].
    pub fn start(access: Access) -> Result<(Client, Events), StartError> {
        Client::start_with(access, CALL, Patience::CONTRACT)
    }

    fn start_with(access: Access, call: Duration, patience: Patience) -> Result<(Client, Events), StartError> {
        let Access { url, keys, roots, key, clock, version } = access;
        let origin = Origin::parse(&url).ok_or(StartError::Url(url))?;
        if keys.all().is_empty() {
            return Err(StartError::NoKey);
        }
        let tls = roots.client_config(&[b"http/1.1"], &clock).map_err(StartError::Tls)?;
        let held = Duration::from_secs(u64::from(patience.wait_sec)) + POLL_GRACE.min(call);
        let posts = transport::agent(&origin, tls.clone(), &version, call);
        let polls = transport::agent(&origin, tls, &version, held);
        let shared = Arc::new(Shared::new(origin, key, keys, clock));

        let (jobs, inbox) = bounded::<Job>(JOBS);
        let caller = Caller { shared: shared.clone(), agent: posts };
        thread("coordinator posts", move || serve(&caller, &inbox))?;

        let (follow, positions) = bounded(1);
        let (told, events) = bounded(event::PENDING);
        let caller = Caller { shared: shared.clone(), agent: polls };
        let poll = Poll { caller, follow: positions, events: told, patience };
        thread("coordinator events", move || poll.run())?;
        Ok((Client { jobs, follow, shared }, Events(events)))
    }

    /// (Re)starts the long poll after event `seq` of `stream`; `None` = a cold start, which brings a snapshot.
    ///
    /// An answer under way for the position before is dropped, and a back-off ends at once.
    pub fn follow(&self, stream: Option<String>, seq: u64) {
        let _ = self.follow.force_send(Some(Position { stream, seq }));
    }

    /// Stops the long poll until [`Client::follow`] names a position again. What an answer under way brings is dropped.
    pub fn rest(&self) {
        let _ = self.follow.force_send(None);
    }

    /// How often something was not believed, by kind.
    pub fn faults(&self) -> Faults {
        self.shared.faults()
    }

    /// When the coordinator was last heard (an answer that verified).
    pub fn last_contact(&self) -> Option<Mono> {
        self.shared.heard()
    }

    /// `POST /nodes/register`. The only call that works before node time is known; its answer brings the time.
    ///
    /// `register.time` is set anew at each try.
    pub async fn register(&self, register: &Register) -> Result<Registered, CallError> {
        let registered: Registered = self.post("/nodes/register", Payload::Object(json::object(register), context::REGISTER)).await?;
        if registered.accepted && registered.protocol != wire::PROTOCOL {
            let message = format!("the coordinator speaks protocol {}, this node {}; update the older one", registered.protocol, wire::PROTOCOL);
            return Err(CallError::bad(message));
        }
        Ok(registered)
    }

    /// `POST /nodes/heartbeat`. A success renews every lease.
    pub async fn heartbeat(&self, heartbeat: &Heartbeat) -> Result<Heard, CallError> {
        self.post("/nodes/heartbeat", bytes(heartbeat)).await
    }

    /// `POST /sessions/accept`; `accept.time` is set anew at each try.
    pub async fn accept(&self, accept: &Accept) -> Result<(), CallError> {
        self.tell("/sessions/accept", Payload::Object(json::object(accept), context::SESSION_ACCEPT)).await
    }

    /// `POST /attest/metering` with a signed bundle (the JSON object with its `nodeSig`).
    pub async fn attest(&self, bundle: Vec<u8>) -> Result<Attested, CallError> {
        self.ask(move |caller| caller.attest(bundle)).await
    }

    /// `GET /attest/metering?sessionId=`: where the coordinator's chain stands.
    pub async fn head(&self, session_id: &str) -> Result<Head, CallError> {
        let session_id = session_id.to_owned();
        self.ask(move |caller| caller.head(&session_id)).await
    }

    /// `GET /probes/request`: a verified request for this node, or none. At most once a minute, with an active session.
    pub async fn probe_request(&self) -> Result<Option<ProbeRequest>, CallError> {
        self.ask(probe_request).await
    }

    /// `POST /probes/report`.
    pub async fn probe_report(&self, report: &ProbeReport) -> Result<ProbeAck, CallError> {
        self.post("/probes/report", Payload::Object(json::object(report), context::PROBE_REPORT)).await
    }

    /// `POST /nodes/leave`: the owner opted out.
    pub async fn leave(&self) -> Result<(), CallError> {
        let leave = wire::Leave { node_id: self.shared.node_id, time: 0 };
        self.tell("/nodes/leave", Payload::Object(json::object(&leave), context::LEAVE)).await
    }

    async fn post<T: serde::de::DeserializeOwned + Send + 'static>(&self, path: &'static str, payload: Payload) -> Result<T, CallError> {
        self.ask(move |caller| send(caller, path, &payload)?.expect(200, path, &caller.shared)).await
    }

    /// A post whose answer says nothing beyond its status.
    async fn tell(&self, path: &'static str, payload: Payload) -> Result<(), CallError> {
        self.ask(move |caller| {
            let answer = send(caller, path, &payload)?;
            if matches!(answer.status, 200 | 204) { Ok(()) } else { Err(answer.refusal(path)) }
        })
        .await
    }

    async fn ask<T: Send + 'static>(&self, work: impl FnOnce(&Caller) -> Result<T, CallError> + Send + 'static) -> Result<T, CallError> {
        let outcome = Arc::new(Mutex::new(None));
        let place = outcome.clone();
        self.run(Box::new(move |caller| *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(work(caller)))).await?;
        let outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner).take();
        outcome.unwrap_or_else(|| Err(broke_off()))
    }

    /// Waits until the thread of calls has done `work`. Apart from [`Client::ask`], so that it is compiled once for all kinds of outcome.
    async fn run(&self, work: Job) -> Result<(), CallError> {
        let (tell, done) = bounded(1);
        let job: Job = Box::new(move |caller| {
            // Nobody waits any more: the call is not made.
            if !tell.is_closed() {
                work(caller);
                let _ = tell.try_send(());
            }
        });
        self.jobs.send(job).await.map_err(|_| broke_off())?;
        done.recv().await.map_err(|_| broke_off())
    }
}

fn broke_off() -> CallError {
    CallError::unreachable("the coordinator call broke off; try again")
}

fn send(caller: &Caller, path: &str, payload: &Payload) -> Result<call::Answer, CallError> {
    // Before node time is known nothing is signed but `register` (contracts, "Clock").
    if matches!(payload, Payload::Object(_, context::REGISTER)) { caller.call(path, payload) } else { caller.timed(path, payload) }
}

fn probe_request(caller: &Caller) -> Result<Option<ProbeRequest>, CallError> {
    const PATH: &str = "/probes/request";
    let answer = caller.timed(PATH, &Payload::None)?;
    if answer.status == 204 {
        return Ok(None);
    }
    let tree: serde_json::Value = answer.expect(200, PATH, &caller.shared)?;
    verify::object(&tree, context::PROBE_REQUEST, caller.shared.node_id, &caller.shared.keys.all()).map_err(|f| caller.shared.fault(f, PATH))?;
    json::read(&tree).map(Some).map_err(|_| caller.shared.fault(Fault::Malformed, PATH))
}

fn bytes<T: serde::Serialize>(value: &T) -> Payload {
    Payload::Bytes(json::text(value))
}

fn serve(caller: &Caller, inbox: &Receiver<Job>) {
    while let Ok(job) = inbox.recv_blocking() {
        // A panic ends one call (its caller gets an error), not the thread.
        if std::panic::catch_unwind(AssertUnwindSafe(|| job(caller))).is_err() {
            log::error!("a coordinator call panicked");
        }
    }
}

fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), StartError> {
    std::thread::Builder::new().name(name.into()).stack_size(STACK).spawn(run).map(drop).map_err(StartError::Thread)
}

#[cfg(test)]
mod tests;
