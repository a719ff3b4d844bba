//! One connection of a buyer, from its first byte to its access-log line.

use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use rustls::ProtocolVersion;
use smol::future::FutureExt as _;
use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::engine::{Engine, HEAD_WITHIN, HELLO_WITHIN, IDLE, TOTAL};
use super::listener::Door;
use super::request::{self, Opened, Refusal};
use super::tally;
use crate::core::{Mono, Reason};
use crate::guard::handshake::{self, Offered};
use crate::guard::reputation::{Outcome, SPOKEN};
use crate::meter::access_log::{Line, host_hash};
use crate::net::connect::{self, Head, NoHead, Target};
use crate::net::hello::{self, ClientHello, Hello, Peek, ServerHello};
use crate::net::relay::{BuyerStream, Cause, RelayLimits, Stop, Tunnel as RelayRun, relay};
use crate::net::tls::version_text;
use crate::net::{Pace as _, Tap as _, within};
use crate::session::Session;
use crate::session::entry::TlsFacts;

/// What is read of a ClientHello at once; how much it may be in all is `net::hello`'s matter.
const PIECE: usize = 2 * 1024;
/// First byte of a TLS record of type alert (RFC 8446, 5.1).
const TLS_ALERT: u8 = 21;
/// How long a refused caller has to take the answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Serves one connection. `plain`: it is not inside TLS of ours.
pub async fn serve(mut buyer: BuyerStream, mut door: Door, plain: bool) {
    let engine = door.engine.clone();
    let registry = engine.parts.registry.clone();
    if plain && !door.near() && !registry.knows_buyer(door.ip) {
        engine.tally.refused(Reason::Insecure);
        return;
    }
    let (head, rest) = match connect::read_head(&mut buyer, HEAD_WITHIN).await {
        Ok(read) => read,
        Err(NoHead::Refused(reason)) => {
            engine.tally.refused(reason);
            answer_and_close(&mut buyer, reason, door.near()).await;
            return;
        }
        Err(NoHead::TimedOut | NoHead::Closed) => return,
    };
    let session = match &head.credentials {
        Some(given) => registry.authenticate(&given.session_id, given.secret.expose()),
        None => Err(Reason::BadCredentials),
    };
    // To come without credentials is how HTTP clients ask for the challenge, no guess. And who knows the secret of a
    // session that is over has authenticated: it is told so, and its other sessions do not suffer.
    let proven = match &session {
        Err(Reason::BadCredentials | Reason::SessionUnknown) => head.credentials.is_some().then_some(false),
        _ => Some(true),
    };
    door.settle(proven);
    let session = match session {
        Ok(session) => session,
        Err(reason) => {
            engine.tally.refused(reason);
            answer_and_close(&mut buyer, reason, door.near() || proven == Some(true)).await;
            return;
        }
    };
    if plain && !door.near() && !session.takes_plain_from(door.ip) {
        engine.tally.refused(Reason::Insecure);
        return;
    }
    let Head { target, credentials, .. } = head;
    drop(credentials);
    Visit { began: engine.parts.clock.now(), engine, session, lost: door.lost.clone() }.run(buyer, target, rest).await;
}

/// Answers a refusal and closes in a way that the answer arrives.
pub async fn answer_and_close(buyer: &mut BuyerStream, reason: Reason, told: bool) {
    close(buyer, &connect::refusal(reason, told)).await;
}

/// Says `last` and closes in a way that it arrives.
async fn close(buyer: &mut BuyerStream, last: &[u8]) {
    let farewell = async {
        buyer.write_all(last).await?;
        buyer.close().await?;
        // Bytes that are never read would turn the close into a reset, which may overtake the answer.
        let mut waste = [0; 1024];
        while buyer.read(&mut waste).await? > 0 {}
        std::io::Result::Ok(())
    };
    let _ = within(ANSWER_WITHIN, farewell).await;
}

struct Visit {
    engine: Rc<Engine>,
    session: Rc<Session>,
    began: Mono,
    /// Told when the gateway that brought the buyer is lost.
    lost: Option<Stop>,
}

impl Visit {
    async fn run(&self, mut buyer: BuyerStream, target: Result<Target, Reason>, rest: Vec<u8>) {
        let (host, port) = match target {
            Ok(target) => (target.host.as_str().to_owned(), target.port),
            Err(reason) => {
                self.refuse(&mut buyer, reason, "", 0).await;
                return;
            }
        };
        let tunnel = match request::admit(&self.engine, &self.session).await {
            Ok(tunnel) => tunnel,
            Err(reason) => {
                self.refuse(&mut buyer, reason, &host, port).await;
                return;
            }
        };
        match request::open(&self.engine, &self.session, tunnel, &host, port).await {
            Ok(opened) => {
                tally::up(&self.engine.tally.tunnels);
                self.tunnel(buyer, opened, &host, port, rest).await;
            }
            Err((Refusal { reason, by_site }, tunnel)) => {
                if by_site {
                    self.site_did(&host, Outcome::Refused);
                }
                self.note_refusal(reason, &host, port);
                // Its place is free before the buyer has read the answer.
                drop(tunnel);
                answer_and_close(&mut buyer, reason, true).await;
            }
        }
    }

    async fn refuse(&self, buyer: &mut BuyerStream, reason: Reason, host: &str, port: u16) {
        self.note_refusal(reason, host, port);
        answer_and_close(buyer, reason, true).await;
    }

    fn note_refusal(&self, reason: Reason, host: &str, port: u16) {
        self.engine.tally.refused(reason);
        self.outcome(Some(reason), None);
        self.log(host, port, reason.status().unwrap_or(0), Some(reason), (0, 0));
    }

    async fn tunnel(&self, mut buyer: BuyerStream, opened: Opened, host: &str, port: u16, rest: Vec<u8>) {
        let clock = &self.engine.parts.clock;
        let stop = self.session.stop();
        let hello = async {
            buyer.write_all(connect::established()).await.map_err(|_| Reason::NotTls)?;
            buyer.flush().await.map_err(|_| Reason::NotTls)?;
            collect_hello(&mut buyer, rest).await
        };
        let stopped = async { Err(self.stopped(&stop).await) };
        let hello = match stopped.or(async { within(HELLO_WITHIN, hello).await.unwrap_or(Err(Reason::NotTls)) }).await {
            Ok(read) => judge(&opened, host, &read.1).map(|()| read),
            Err(reason) => Err(reason),
        };
        let (bytes, hello) = match hello {
            Ok(read) => read,
            Err(reason) => {
                self.end_refused(buyer, reason, host, port).await;
                return;
            }
        };
        let answered = async { self.forward(&opened, &bytes).await };
        let (first, sent_at) = match async { Err(self.stopped(&stop).await) }.or(answered).await {
            Ok(answered) => answered,
            Err(reason) => {
                if reason == Reason::DialFailed {
                    self.site_did(host, Outcome::Reset);
                }
                self.end(&opened, host, port, Some(reason));
                return;
            }
        };
        let handshake_ms = crate::core::clock::millis(clock.now().since(sent_at));
        self.session.note_tls(TlsFacts {
            version: negotiated(&first),
            alpn: hello.alpn.iter().find(|id| !hello::is_grease_alpn(id)).map(|id| String::from_utf8_lossy(id).into_owned()),
            handshake_ms,
        });
        self.outcome(None, Some(opened.connect_ms + handshake_ms));
        let alert_first = first.first() == Some(&TLS_ALERT);
        // A tunnel may idle for hours: nothing of its beginning stays with it.
        drop((bytes, hello, first));
        let Opened { tunnel, origin, .. } = opened;
        let run = RelayRun {
            limits: RelayLimits { idle: IDLE, total: TOTAL },
            clock,
            tap: &tunnel,
            pace: &*self.session.share,
            pool: &self.engine.parts.pool,
            stop: &stop,
        };
        let lost = async { Cause::Stopped(self.gateway_lost().await) };
        let cause = lost.or(async { relay(buyer, origin, &run, |_| {}).await.cause }).await;
        let (ingress, _) = tunnel.bytes();
        self.site_did(host, if alert_first { Outcome::Refused } else { how_the_site_ended(cause, ingress) });
        let reason = match cause {
            Cause::Stopped(reason) => Some(reason),
            Cause::Idle | Cause::Total => Some(Reason::TimedOut),
            _ => None,
        };
        if let Some(reason) = reason {
            self.engine.tally.refused(reason);
        }
        self.log(host, port, 200, reason, tunnel.bytes());
    }

    async fn gateway_lost(&self) -> Reason {
        match &self.lost {
            Some(lost) => lost.stopped().await,
            None => std::future::pending().await,
        }
    }

    /// The session, or the way to the buyer, is at its end.
    async fn stopped(&self, session: &Stop) -> Reason {
        self.gateway_lost().or(session.stopped()).await
    }

    /// Sends the ClientHello on and waits for the first bytes back, which stay in the socket: the relay moves them. With
    /// them comes when the ClientHello was on its way whole: what the rate made it wait is no latency of the destination.
    async fn forward(&self, opened: &Opened, hello: &[u8]) -> Result<(Vec<u8>, Mono), Reason> {
        let mut origin = &opened.origin;
        let mut left = hello;
        while !left.is_empty() {
            let granted = self.session.share.take(left.len()).await;
            let part = &left[..granted.min(left.len())];
            let sent = match within(HELLO_WITHIN, origin.write(part)).await {
                Some(Ok(sent)) if sent > 0 => sent,
                Some(_) => return Err(Reason::DialFailed),
                None => return Err(Reason::TimedOut),
            };
            opened.tunnel.egress(sent as u64);
            self.session.share.give_back(granted - sent);
            left = &left[sent..];
        }
        let sent_at = self.engine.parts.clock.now();
        let mut first = vec![0; PIECE];
        match within(HELLO_WITHIN, opened.origin.peek(&mut first)).await {
            // No byte back: the destination does not speak TLS, or hung up.
            Some(Ok(0) | Err(_)) => Err(Reason::DialFailed),
            Some(Ok(n)) => {
                first.truncate(n);
                Ok((first, sent_at))
            }
            None => Err(Reason::TimedOut),
        }
    }

    /// A refusal after the 200: an alert where the client speaks TLS, else just the end.
    async fn end_refused(&self, mut buyer: BuyerStream, reason: Reason, host: &str, port: u16) {
        self.engine.tally.refused(reason);
        self.outcome(Some(reason), None);
        self.log(host, port, 200, Some(reason), (0, 0));
        let last = reason.alert().map(hello::alert);
        close(&mut buyer, last.as_ref().map_or(&[], |alert| alert)).await;
    }

    fn end(&self, opened: &Opened, host: &str, port: u16, reason: Option<Reason>) {
        if let Some(reason) = reason {
            self.engine.tally.refused(reason);
        }
        self.outcome(reason, None);
        self.log(host, port, 200, reason, opened.tunnel.bytes());
    }

    /// A refusal by policy is `denied`; everything else is a request, and an error where the cause is beyond policy.
    fn outcome(&self, reason: Option<Reason>, latency_ms: Option<u64>) {
        let tally = &self.engine.tally;
        let (mut ledger, unix) = self.engine.parts.registry.ledger_now();
        match reason {
            Some(reason) if !reason.is_error() => ledger.denied(&self.session.id, unix),
            _ => {
                tally::up(&tally.requests);
                if reason.is_some() {
                    tally::up(&tally.errors);
                }
                ledger.outcome(&self.session.id, unix, reason.is_some(), latency_ms);
            }
        }
        drop(ledger);
        self.engine.parts.registry.noted();
    }

    /// What the site made of this tunnel, for the guard of the owner's reputation.
    fn site_did(&self, host: &str, outcome: Outcome) {
        let parts = &self.engine.parts;
        let site = host_hash(&parts.identity, parts.clock.unix(), host);
        let category = self.session.assigned().category.clone();
        if self.engine.reputation.borrow_mut().ended(self.began, parts.clock.now(), &category, site, outcome) {
            parts.registry.changed.ring();
        }
    }

    fn log(&self, host: &str, port: u16, status: u16, reason: Option<Reason>, (ingress, egress): (u64, u64)) {
        let clock = &self.engine.parts.clock;
        let (mut ledger, unix) = self.engine.parts.registry.ledger_now();
        let host_hash = host_hash(&self.engine.parts.identity, unix, host);
        let ms = crate::core::clock::millis(clock.now().since(self.began));
        let line = Line { t: unix, host_hash, port, status, reason, ingress, egress, ms };
        ledger.closed(&self.session.id, line);
    }
}

/// A tunnel whose destination cuts the connection before it has said as much as a handshake was not served.
const fn how_the_site_ended(cause: Cause, ingress: u64) -> Outcome {
    match cause {
        Cause::OriginGone(ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe) if ingress < SPOKEN => Outcome::Reset,
        _ => Outcome::Served,
    }
}

/// The TLS version of the destination's answer, where its first bytes tell.
fn negotiated(first: &[u8]) -> String {
    match hello::server_hello(first) {
        ServerHello::Version(version) => version_text(Some(ProtocolVersion::from(version))).to_owned(),
        _ => "unknown".into(),
    }
}

fn judge(opened: &Opened, host: &str, hello: &ClientHello) -> Result<(), Reason> {
    let alpn: Vec<&[u8]> = hello.alpn.iter().map(Vec::as_slice).filter(|id| !hello::is_grease_alpn(id)).collect();
    let offered = Offered { sni: hello.sni.as_deref(), alpn: &alpn, ech: hello.ech };
    handshake::judge(&opened.effective.profile, host, &offered)
}

/// Reads until the ClientHello is whole: its bytes, and all that came with it.
async fn collect_hello(buyer: &mut BuyerStream, mut bytes: Vec<u8>) -> Result<(Vec<u8>, ClientHello), Reason> {
    let mut peek = Peek::default();
    loop {
        match peek.look(&bytes) {
            Hello::Hello(hello) => return Ok((bytes, hello)),
            Hello::NotTls => return Err(Reason::NotTls),
            Hello::Incomplete => {}
        }
        let at = bytes.len();
        bytes.resize(at + PIECE, 0);
        let read = buyer.read(&mut bytes[at..]).await.unwrap_or(0);
        bytes.truncate(at + read);
        if read == 0 {
            return Err(Reason::NotTls);
        }
    }
}
