//! The control thread: tiny_http on a private socket, one call at a time, answered by the data plane.
//!
//! tiny_http has no limits of its own (threads, heads, bodies, time), so only the doorman reaches it: the socket is
//! 0600, and what comes is complete, small and from this very process.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use smol::channel::{Receiver, Sender, TrySendError, bounded};

use super::call::{Answers, Call, Reply, answer, refusal};
use super::route::{Route, route};
use super::{ControlError, run_dir};
use crate::codec::json::MAX_BODY;
use crate::net::deadline;
use crate::net::http::{Body, Request, Response};

/// How long the data plane has for an answer; it takes milliseconds unless something is very wrong.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Before listening again where that failed.
const RETRY: Duration = Duration::from_secs(1);
/// Calls that wait for the data plane. The control thread asks one at a time.
const CALLS: usize = 1;
/// Reads a request, renders nothing large: 128 KiB are plenty.
const STACK: usize = 128 * 1024;

/// A call on its way to the data plane.
#[derive(Debug)]
pub struct Asked {
    /// What is asked.
    pub call: Call,
    reply: Sender<Response>,
}

impl Asked {
    /// Answers from `node`. A call that nobody waits for any more is not done.
    pub fn answer(self, node: &dyn Answers) {
        if !self.reply.is_closed() {
            answer(node, self.call, Reply(self.reply));
        }
    }

    /// Answers by `say`, where somebody still waits.
    pub fn answer_with(self, say: impl FnOnce(Call) -> Response) {
        if !self.reply.is_closed() {
            Reply(self.reply).send(say(self.call));
        }
    }
}

/// The server behind the doorman.
pub struct Inner {
    path: PathBuf,
    /// None while the control thread listens anew.
    server: Mutex<Option<Arc<tiny_http::Server>>>,
}

impl Inner {
    /// Listens at `path` and starts the control thread.
    pub fn start(path: PathBuf) -> Result<(Arc<Inner>, Receiver<Asked>), ControlError> {
        let server = listen(&path).map_err(|e| ControlError::Io(path.clone(), e))?;
        let inner = Arc::new(Inner { path, server: Mutex::new(Some(Arc::clone(&server))) });
        let (sender, receiver) = bounded(CALLS);
        let thread_inner = Arc::clone(&inner);
        thread::Builder::new()
            .name("control".into())
            .stack_size(STACK)
            .spawn(move || run(&thread_inner, server, &sender))
            .map_err(ControlError::Thread)?;
        Ok((inner, receiver))
    }

    /// Where the doorman connects.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Nobody accepts at the path (tiny_http gives up for good when it runs out of descriptors): listen anew.
    pub fn revive(&self) {
        if let Some(server) = self.current().as_ref() {
            server.unblock();
        }
    }

    fn current(&self) -> MutexGuard<'_, Option<Arc<tiny_http::Server>>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn listen(path: &Path) -> io::Result<Arc<tiny_http::Server>> {
    let listener = run_dir::listen_at(path, 0o600)?;
    tiny_http::Server::from_listener(listener, None).map(Arc::new).map_err(io::Error::other)
}

fn run(inner: &Inner, mut server: Arc<tiny_http::Server>, calls: &Sender<Asked>) {
    loop {
        while let Ok(request) = server.recv() {
            serve(request, calls);
        }
        // Dropping the last handle removes the socket's file, so that must come before there is a new one.
        *inner.current() = None;
        drop(server);
        server = loop {
            match listen(&inner.path) {
                Ok(server) => break server,
                Err(e) => log::error!("the control API cannot listen: {e}; trying again"),
            }
            thread::sleep(RETRY);
        };
        *inner.current() = Some(Arc::clone(&server));
        log::warn!("the control API listens anew");
    }
}

fn serve(mut request: tiny_http::Request, calls: &Sender<Asked>) {
    let response = match read(&mut request) {
        Ok(read) => match route(&read) {
            Ok(Route::Call(call)) if call.is_slow() => return wait(request, call, calls.clone()),
            Ok(Route::Call(call)) => ask(call, calls, ANSWER_WITHIN),
            Ok(Route::Events) => refusal(404, "not-found", "events are told at the public socket only"),
            Err(response) => *response,
        },
        Err(_) => refusal(400, "bad-request", "the request broke off"),
    };
    respond(request, response);
}

/// Waits for the answer on a thread of its own, so that quick calls are not held up: at most as many as the doorman has
/// connections.
fn wait(request: tiny_http::Request, call: Call, calls: Sender<Asked>) {
    let waiting = thread::Builder::new().name("control slow".into()).stack_size(STACK);
    let waiting = waiting.spawn(move || {
        let response = ask(call, &calls, ANSWER_WITHIN);
        respond(request, response);
    });
    if let Err(e) = waiting {
        // The request went with the thread that is none, and tiny_http answers one that is dropped with 500.
        log::warn!("no thread for a call: {e}");
    }
}

fn respond(request: tiny_http::Request, response: Response) {
    let Body::Whole(body) = response.body else { return };
    let mut out = tiny_http::Response::from_data(body).with_status_code(response.status).with_chunked_threshold(usize::MAX);
    for (name, value) in &response.headers {
        if let Ok(header) = tiny_http::Header::from_bytes(*name, value.as_bytes()) {
            out.add_header(header);
        }
    }
    // The doorman may have given up waiting; its client has been told.
    let _ = request.respond(out);
}

fn read(request: &mut tiny_http::Request) -> io::Result<Request> {
    let mut body = Vec::new();
    request.as_reader().take(MAX_BODY as u64).read_to_end(&mut body)?;
    Ok(Request { method: request.method().to_string(), target: request.url().to_owned(), body, ..Request::default() })
}

/// Sends `call` to the data plane and waits for its answer, not for ever.
fn ask(call: Call, calls: &Sender<Asked>, within: Duration) -> Response {
    let busy = || refusal(503, "busy", "the daemon is busy; try again in a moment").with("Retry-After", "1");
    let (reply, replied) = bounded(1);
    match calls.try_send(Asked { call, reply }) {
        Ok(()) => {}
        Err(TrySendError::Full(_)) => return busy(),
        Err(TrySendError::Closed(_)) => return refusal(503, "stopping", "the daemon is stopping"),
    }
    // No answer, and no asker any more: the daemon let go of the call.
    smol::block_on(deadline::within(within, replied.recv())).and_then(Result::ok).unwrap_or_else(busy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_that_does_not_answer_is_busy_and_is_not_asked_again() {
        let (sender, receiver) = bounded(CALLS);
        let busy = |response: Response| (response.status, response.headers.last().cloned());
        let want = (503, Some(("Retry-After", "1".to_owned())));
        assert_eq!(busy(ask(Call::Status, &sender, Duration::from_millis(1))), want);
        // The first one still waits: there is no room, and no waiting for it either.
        assert_eq!(busy(ask(Call::Series { seconds: 1 }, &sender, Duration::from_secs(3600))), want);
        let late = receiver.try_recv().unwrap();
        assert!(late.call == Call::Status && late.reply.is_closed(), "nobody waits for it any more");
        drop(receiver);
        assert_eq!(ask(Call::Status, &sender, Duration::from_secs(3600)).status, 503);
    }

    #[test]
    fn a_dead_listener_is_replaced() {
        let path = std::env::temp_dir().join(format!("em-inner-{}.sock", std::process::id()));
        let (inner, calls) = Inner::start(path.clone()).unwrap();
        drop(calls);
        // A weak handle keeps the old address taken, so that the new server has another one.
        let before = inner.current().as_ref().map(Arc::downgrade).unwrap();
        inner.revive();
        while inner.current().as_ref().is_none_or(|now| std::ptr::eq(Arc::as_ptr(now), before.as_ptr())) {
            thread::yield_now();
        }
        let mut stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
        io::Write::write_all(&mut stream, b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        assert!(said.starts_with("HTTP/1.1 404 "), "{said}");
        std::fs::remove_file(&path).unwrap();
    }
}
