//! The doorman: the bounded server of `net::http` on the public socket, in front of tiny_http.
//!
//! It takes a request in whole, within limits and deadlines, and only then says it again to tiny_http over a fresh
//! private connection. It takes the answer in whole, too, so that a client that reads slowly holds the doorman's
//! buffer and never the control thread. The event stream is its own: that needs no thread.

use std::io;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use smol::{Async, LocalExecutor};

use super::call::refusal;
use super::events::{ALIVE_EVERY, EventHub};
use super::run_dir::{RunDir, SOCKET, listen_at};
use super::server::{ANSWER_WITHIN, Inner};
use super::{ControlError, route};
use crate::codec::json::MAX_BODY;
use crate::net::deadline::within;
use crate::net::http::client::{self, ClientError, ClientLimits, Outgoing};
use crate::net::http::server::{Limits, serve_unix};
use crate::net::http::{Body, Handler, Request, Response};
use crate::net::work;

/// Connections at once (contracts). Each holds at most one request (72 KiB) and one answer.
pub const CONNECTIONS: usize = 8;
/// Largest answer passed on. Status and logs take some 100 KiB at most; a full export with all clients reading slowly
/// would hold 8 × 1 MiB.
pub const MAX_ANSWER: usize = 1024 * 1024;
/// Longest head of a request or an answer.
const MAX_HEAD: usize = 8 * 1024;
/// A client's time for its head, its body, and for each piece it takes of an answer.
const CLIENT_WITHIN: Duration = Duration::from_secs(10);
/// An idle connection is closed after this.
const IDLE: Duration = Duration::from_secs(30);
/// tiny_http's time for an answer: the data plane's, and the calls that stand before this one.
const INNER_WITHIN: Duration = Duration::from_secs(2 * ANSWER_WITHIN.as_secs());

/// Opens the public socket and serves it on `ex` for as long as that runs.
pub fn open(ex: &Rc<LocalExecutor<'static>>, run_dir: &RunDir, inner: Arc<Inner>, hub: EventHub) -> Result<(), ControlError> {
    let path = run_dir.join(SOCKET);
    let listener = listen_at(&path, 0o660).and_then(Async::new).map_err(|e| ControlError::Io(path, e))?;
    let limits = Limits {
        connections: CONNECTIONS,
        head: MAX_HEAD,
        body: MAX_BODY,
        head_timeout: CLIENT_WITHIN,
        body_timeout: CLIENT_WITHIN,
        write_timeout: CLIENT_WITHIN,
        idle_timeout: IDLE,
    };
    work::start(ex, hub.clone().keep_alive(ALIVE_EVERY)).detach();
    let serving = serve_unix(Rc::clone(ex), listener, limits, Rc::new(Doorman { inner, hub }));
    work::start(ex, async move {
        if let Err(e) = serving.await {
            log::error!("the control API ended: {e}");
        }
    })
    .detach();
    Ok(())
}

struct Doorman {
    inner: Arc<Inner>,
    hub: EventHub,
}

impl Handler for Doorman {
    async fn handle(&self, request: Request) -> Response {
        if let Ok(route::Route::Events) = route::route(&request) {
            return self.events();
        }
        if !plain(&request) {
            return refusal(400, "bad-request", "the request line is not one of this API");
        }
        match within(INNER_WITHIN, self.pass_on(&request)).await {
            Some(Ok(response)) => response,
            Some(Err(ClientError::BodyTooLong)) => refusal(500, "too-long", "the answer is longer than this API can pass on"),
            failed => {
                match failed {
                    Some(Err(e)) => {
                        log::warn!("the control thread did not answer: {e}");
                        if matches!(e, ClientError::Io(io) if matches!(io.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)) {
                            self.inner.revive();
                        }
                    }
                    _ => log::warn!("the control thread did not answer in time"),
                }
                refusal(503, "busy", "the control thread does not answer; try again in a moment").with("Retry-After", "1")
            }
        }
    }
}

impl Doorman {
    fn events(&self) -> Response {
        match self.hub.subscribe() {
            Some(lines) => {
                let headers = vec![("Content-Type", "text/event-stream".to_owned()), ("Cache-Control", "no-store".to_owned())];
                Response { status: 200, headers, body: Body::Stream(lines) }
            }
            None => refusal(503, "busy", "all places for listeners are taken; end another one first"),
        }
    }

    async fn pass_on(&self, request: &Request) -> Result<Response, ClientError> {
        let mut stream = Async::<UnixStream>::connect(self.inner.path()).await.map_err(ClientError::Io)?;
        let outgoing =
            Outgoing { method: &request.method, target: &request.target, host: "localhost", headers: &[], body: &request.body, keep_alive: false };
        let limits = ClientLimits { head: MAX_HEAD, body: MAX_ANSWER as u64 };
        let answer = client::fetch(&mut stream, &outgoing, &limits).await?;
        let mut response = Response { status: answer.status, headers: Vec::new(), body: Body::Whole(answer.body) };
        // What the API itself sets; tiny_http's own headers stay behind.
        for name in ["Content-Type", "Allow", "Retry-After"] {
            if let Some((_, value)) = answer.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
                response = response.with(name, value);
            }
        }
        Ok(response)
    }
}

/// Whether method and target can be said again as they are: a token, and a path of printable ASCII.
fn plain(request: &Request) -> bool {
    let method = !request.method.is_empty() && request.method.bytes().all(|b| b.is_ascii_uppercase());
    method && request.target.starts_with('/') && request.target.bytes().all(|b| b.is_ascii_graphic())
}
