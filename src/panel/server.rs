//! HTTP on loopback: tiny_http and a few threads. A development tool: whoever reaches loopback may ask, under this machine's name.

use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tiny_http::{Header, Method, Request, Response};

use super::page::Answer;
use super::{Panel, page, request, ubus};
use crate::core::exit::{self, Failure};

/// Where JSON-RPC is spoken.
pub const UBUS: &str = "/ubus/";
/// Requests at once; a browser opens six connections.
const THREADS: usize = 6;
/// What uhttpd takes from a page.
const MAX_BODY: usize = 64 * 1024;
/// A page needs nothing from elsewhere, and gets nothing from there.
const POLICY: &str = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:";

/// A panel at work.
pub struct Server {
    http: Arc<tiny_http::Server>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Takes the address.
    ///
    /// # Errors
    /// It is not loopback, or is taken.
    pub fn listen(at: SocketAddr) -> Result<tiny_http::Server, Failure> {
        if !at.ip().is_loopback() {
            return Err(Failure::new(exit::USAGE, format!("{at} is no address of loopback; the panel asks nobody for a password")));
        }
        tiny_http::Server::http(at).map_err(|e| Failure::new(exit::OS, format!("cannot listen on {at}: {e}")))
    }

    /// Answers what comes to `http` from `panel`.
    pub fn start(http: tiny_http::Server, panel: Panel) -> Server {
        let (http, panel) = (Arc::new(http), Arc::new(panel));
        let work = |_| {
            let (http, panel) = (Arc::clone(&http), Arc::clone(&panel));
            thread::spawn(move || {
                while let Ok(request) = http.recv() {
                    serve(&panel, request);
                }
            })
        };
        let threads = (0..THREADS).map(work).collect();
        Server { http, threads }
    }

    /// Where a browser finds it.
    pub fn address(&self) -> String {
        format!("http://{}/", self.http.server_addr())
    }

    /// Ends when the requests under way are answered.
    pub fn stop(self) {
        self.threads.iter().for_each(|_| self.http.unblock());
        for thread in self.threads {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

fn serve(panel: &Panel, mut asked: Request) {
    let header = |name: &'static str| asked.headers().iter().find(|h| h.field.equiv(name)).map(|h| h.value.as_str().to_owned()).unwrap_or_default();
    let (host, cookies) = (header("Host"), header("Cookie"));
    let target = asked.url().to_owned();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let (viewer, set) = request::viewer(query, &cookies);
    let answer = if !request::is_loopback(&host) {
        Answer::text(403, "ask for this by an address of loopback")
    } else {
        match (asked.method(), path) {
            (Method::Post, UBUS | "/ubus") => spoken(panel, &mut asked),
            (Method::Get | Method::Head, path) => page::answer(panel, path, viewer),
            _ => Answer::text(405, "this is not done here"),
        }
    };
    let mut out = Response::from_data(answer.body.into_owned()).with_status_code(answer.status).with_chunked_threshold(usize::MAX);
    let kept =
        [("Content-Type", answer.kind), ("Cache-Control", "no-store"), ("Content-Security-Policy", POLICY), ("X-Content-Type-Options", "nosniff")];
    let kept = kept.into_iter().map(|(name, value)| (name, value.to_owned()));
    let moved = answer.location.map(|to| ("Location", to));
    for (name, value) in kept.chain(moved).chain(set.into_iter().map(|cookie| ("Set-Cookie", cookie))) {
        if let Ok(header) = Header::from_bytes(name, value) {
            out.add_header(header);
        }
    }
    // Who went away does not want it.
    let _ = asked.respond(out);
}

fn spoken(panel: &Panel, asked: &mut Request) -> Answer {
    let mut body = Vec::new();
    if asked.as_reader().take(MAX_BODY as u64 + 1).read_to_end(&mut body).is_err() {
        return Answer::text(400, "the request broke off");
    }
    if body.len() > MAX_BODY {
        return Answer::text(413, "more than 64 KiB");
    }
    let said = ubus::answer(panel, &body).to_string();
    Answer { status: 200, kind: "application/json", location: None, body: said.into_bytes().into() }
}
