//! HTTP on loopback, by the daemon's own server. A development tool: whoever reaches loopback may ask, under this machine's name.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use smol::channel::{Sender, bounded};
use smol::{Async, LocalExecutor};

use super::page::Answer;
use super::{Panel, page, request, ubus};
use crate::core::exit::{self, Failure};
use crate::net::http::server::{self, Limits};
use crate::net::http::{Handler, Request, Response};

/// Where JSON-RPC is spoken.
pub const UBUS: &str = "/ubus/";
/// A page needs nothing from elsewhere, and gets nothing from there.
const POLICY: &str = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:";

/// A panel at work.
pub struct Server {
    at: SocketAddr,
    /// Closed, it ends.
    until: Sender<()>,
    thread: JoinHandle<()>,
}

impl Server {
    /// Takes the address.
    ///
    /// # Errors
    /// It is not loopback, or is taken.
    pub fn listen(at: SocketAddr) -> Result<TcpListener, Failure> {
        if !at.ip().is_loopback() {
            return Err(Failure::new(exit::USAGE, format!("{at} is no address of loopback; the panel asks nobody for a password")));
        }
        TcpListener::bind(at).map_err(|e| Failure::new(exit::OS, format!("cannot listen on {at}: {e}")))
    }

    /// Answers what comes to `listener` from `panel`, in a thread of its own.
    ///
    /// # Errors
    /// The system refuses.
    pub fn start(listener: TcpListener, panel: Panel) -> Result<Server, Failure> {
        let refused = |e: io::Error| Failure::new(exit::OS, format!("cannot serve the panel: {e}"));
        let at = listener.local_addr().map_err(refused)?;
        let listener = Async::new(listener).map_err(refused)?;
        let (until, ended) = bounded::<()>(1);
        let serve = move || {
            let ex = Rc::new(LocalExecutor::new());
            let pages = ex.spawn(server::serve_tcp(ex.clone(), listener, Limits::api(), Rc::new(Pages(Arc::new(panel)))));
            // It fails when the sender is gone: that is the end.
            let _ = smol::block_on(ex.run(ended.recv()));
            drop(pages);
        };
        let thread = thread::Builder::new().name("panel".into()).spawn(serve).map_err(refused)?;
        Ok(Server { at, until, thread })
    }

    /// Where a browser finds it.
    pub fn address(&self) -> String {
        format!("http://{}/", self.at)
    }

    /// Ends it, with the requests under way.
    pub fn stop(self) {
        drop(self.until);
        // One that panicked has said so.
        let _ = self.thread.join();
    }
}

struct Pages(Arc<Panel>);

impl Handler for Pages {
    async fn handle(&self, asked: Request) -> Response {
        let panel = Arc::clone(&self.0);
        // The plugin is a process, and files are read: neither may hold up the others.
        smol::unblock(move || answer(&panel, &asked)).await
    }
}

fn answer(panel: &Panel, asked: &Request) -> Response {
    let header = |name| asked.header(name).unwrap_or_default();
    let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
    let (viewer, set) = request::viewer(query, header("cookie"));
    let answer = if !request::is_loopback(header("host")) {
        Answer::text(403, "ask for this by an address of loopback")
    } else {
        match (asked.method.as_str(), path) {
            ("POST", UBUS | "/ubus") => Answer::json(ubus::answer(panel, &asked.body).to_string()),
            ("GET", path) => page::answer(panel, path, viewer),
            _ => Answer::text(405, "this is not done here"),
        }
    };
    let mut said = Response::new(answer.status, answer.kind, answer.body.into_owned())
        .with("Cache-Control", "no-store")
        .with("Content-Security-Policy", POLICY)
        .with("X-Content-Type-Options", "nosniff");
    if let Some(to) = answer.location {
        said = said.with("Location", to);
    }
    set.into_iter().fold(said, |said, cookie| said.with("Set-Cookie", cookie))
}
