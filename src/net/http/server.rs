//! The one bounded HTTP/1.1 server: coordinator, probe endpoint, health, and the doorman before the control socket.
//!
//! At most [`Limits::connections`] at a time, TLS handshakes included; one more waits for its turn, further ones in the
//! kernel's backlog.

use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_rustls::TlsAcceptor;
use smol::channel::{Receiver, Sender, bounded};
use smol::lock::{Semaphore, SemaphoreGuardArc};
use smol::net::TcpStream;
use smol::net::unix::UnixStream;
use smol::{Async, LocalExecutor, Task, Timer};

use super::Handler;
pub use super::connection::connection;
use super::connection::converse;
use crate::net::deadline::within;
use crate::net::work;

/// How long accepting rests after an error: descriptors or memory ran out, and others must get to give some back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What one server gives its clients. RAM at the very most: `connections` × (2 × `head` + 2 × `body` + about 4 KiB of
/// task), beside TLS (about 40 KiB each) and what answers hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// Bytes of a request's head; above: 431.
    pub head: usize,
    /// Bytes of a request's body; above: 413.
    pub body: usize,
    /// From the first byte of a head to its last; also for a TLS handshake.
    pub head_timeout: Duration,
    /// From the end of the head to the end of the body.
    pub body_timeout: Duration,
    /// The longest time in which nothing of an answer moves.
    pub write_timeout: Duration,
    /// Silence before a request, the first or the next.
    pub idle_timeout: Duration,
}

impl Limits {
    /// For APIs: 64 connections, heads of 8 KiB, bodies of 64 KiB (contracts, "Common rules"), 10 s for everything but
    /// keeping alive, 60 s for that. At the very most 64 × 188 KiB = 12 MiB with TLS.
    pub const fn api() -> Limits {
        Limits {
            connections: 64,
            head: 8 * 1024,
            body: 64 * 1024,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
        }
    }
}

/// Serves HTTPS on `listener` until accepting fails for good. Dropping the future ends all its connections.
pub async fn serve_tls<H: Handler + 'static>(
    ex: Rc<LocalExecutor<'static>>,
    listener: Async<TcpListener>,
    acceptor: TlsAcceptor,
    limits: Limits,
    handler: Rc<H>,
) -> io::Result<()> {
    let mut room = Room::new(ex, limits.connections);
    loop {
        let Some((stream, peer)) = accepted(listener.accept().await).await? else { continue };
        let permit = room.permit().await;
        let (acceptor, handler, yields) = (acceptor.clone(), handler.clone(), room.yields());
        room.enter(permit, async move {
            let Some(stream) = tcp(stream) else { return };
            match within(limits.head_timeout, acceptor.accept(stream)).await {
                Some(Ok(stream)) => converse(stream, Some(peer), &limits, &*handler, &yields).await,
                Some(Err(error)) => log::debug!("TLS handshake failed: {error}"),
                None => log::debug!("TLS handshake took too long"),
            }
        });
    }
}

/// Serves HTTP on `listener` until accepting fails for good. Dropping the future ends all its connections.
pub async fn serve_tcp<H: Handler + 'static>(
    ex: Rc<LocalExecutor<'static>>,
    listener: Async<TcpListener>,
    limits: Limits,
    handler: Rc<H>,
) -> io::Result<()> {
    let mut room = Room::new(ex, limits.connections);
    loop {
        let Some((stream, peer)) = accepted(listener.accept().await).await? else { continue };
        let permit = room.permit().await;
        let (handler, yields) = (handler.clone(), room.yields());
        room.enter(permit, async move {
            let Some(stream) = tcp(stream) else { return };
            converse(stream, Some(peer), &limits, &*handler, &yields).await;
        });
    }
}

/// Serves HTTP on a Unix socket until accepting fails for good. Dropping the future ends all its connections.
pub async fn serve_unix<H: Handler + 'static>(
    ex: Rc<LocalExecutor<'static>>,
    listener: Async<UnixListener>,
    limits: Limits,
    handler: Rc<H>,
) -> io::Result<()> {
    let mut room = Room::new(ex, limits.connections);
    loop {
        let Some((stream, _)) = accepted(listener.accept().await).await? else { continue };
        let permit = room.permit().await;
        let (handler, yields) = (handler.clone(), room.yields());
        room.enter(permit, async move {
            converse(UnixStream::from(stream), None, &limits, &*handler, &yields).await;
        });
    }
}

/// The connections of one listener: as many as there are permits. When all are taken, one that waits for its next
/// request gives way, so that idle clients cannot keep others out.
struct Room {
    ex: Rc<LocalExecutor<'static>>,
    permits: Arc<Semaphore>,
    make_room: Sender<()>,
    yields: Receiver<()>,
    /// At most one more than there are permits. Held here so that they end with the listener.
    tasks: Vec<Task<()>>,
}

impl Room {
    fn new(ex: Rc<LocalExecutor<'static>>, connections: usize) -> Room {
        let (make_room, yields) = bounded(1);
        Room { ex, permits: Arc::new(Semaphore::new(connections.max(1))), make_room, yields, tasks: Vec::new() }
    }

    /// For a connection that is there and waits.
    async fn permit(&self) -> SemaphoreGuardArc {
        if let Some(permit) = self.permits.try_acquire_arc() {
            return permit;
        }
        let _ = self.make_room.try_send(());
        let permit = self.permits.acquire_arc().await;
        let _ = self.yields.try_recv();
        permit
    }

    fn yields(&self) -> Receiver<()> {
        self.yields.clone()
    }

    fn enter(&mut self, permit: SemaphoreGuardArc, connection: impl Future<Output = ()> + 'static) {
        self.tasks.retain(|task| !task.is_finished());
        self.tasks.push(work::start(&self.ex, async move {
            let _permit = permit;
            connection.await;
        }));
    }
}

/// What was accepted; `None` after a pause where the next try may succeed; the error where none will.
async fn accepted<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(accepted) => Ok(Some(accepted)),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput || error.raw_os_error() == Some(nix::libc::EBADF) => Err(error),
        Err(error) => {
            log::warn!("accepting a connection failed: {error}");
            Timer::after(ACCEPT_PAUSE).await;
            Ok(None)
        }
    }
}

/// The stream in the form whose close also ends the sending side, without Nagle's delay.
fn tcp(stream: Async<std::net::TcpStream>) -> Option<TcpStream> {
    stream.get_ref().set_nodelay(true).ok()?;
    Some(TcpStream::from(stream))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::http::client::{Answer, ClientLimits, Outgoing, fetch};
    use crate::net::http::{Request, Response};
    use futures_rustls::TlsConnector;
    use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
    use smol::io::AsyncReadExt as _;
    use std::net::SocketAddr;

    struct Echo;

    impl Handler for Echo {
        async fn handle(&self, request: Request) -> Response {
            assert_ne!(request.path(), "/panic");
            let peer = request.peer.map_or("none".to_owned(), |peer| peer.ip().to_string());
            Response::new(200, "text/plain", format!("{peer} {}", request.body.len()))
        }
    }

    fn listener() -> (Async<TcpListener>, SocketAddr) {
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
        let address = listener.get_ref().local_addr().unwrap();
        (listener, address)
    }

    /// Runs `client` beside a server of so many connections.
    fn beside<T>(connections: usize, client: impl AsyncFnOnce(SocketAddr) -> T) -> T {
        let ex = Rc::new(LocalExecutor::new());
        let (listener, address) = listener();
        let limits = Limits { connections, head_timeout: Duration::from_millis(100), ..Limits::api() };
        let _server = ex.spawn(serve_tcp(ex.clone(), listener, limits, Rc::new(Echo)));
        smol::block_on(ex.run(client(address)))
    }

    async fn get(stream: &mut TcpStream, target: &str) -> Option<Answer> {
        let request = Outgoing { keep_alive: true, ..Outgoing::get("x", target) };
        fetch(stream, &request, &ClientLimits::api()).await.ok()
    }

    #[test]
    fn an_idle_connection_gives_way_when_there_is_no_room() {
        beside(1, async |address| {
            let mut idle = TcpStream::connect(address).await.unwrap();
            for _ in 0..3 {
                assert_eq!(get(&mut idle, "/").await.unwrap().body, b"127.0.0.1 0", "it stays while nobody waits");
            }
            let mut silent = TcpStream::connect(address).await.unwrap();
            assert_eq!(idle.read(&mut [0]).await.unwrap(), 0, "the one that had its turn");
            let mut other = TcpStream::connect(address).await.unwrap();
            assert_eq!(get(&mut other, "/").await.unwrap().status, 200);
            assert_eq!(silent.read(&mut [0]).await.unwrap(), 0, "the one that let its turn pass");
        });
    }

    #[test]
    fn a_panic_ends_its_own_connection_only() {
        beside(1, async |address| {
            for _ in 0..3 {
                let mut bad = TcpStream::connect(address).await.unwrap();
                assert_eq!(get(&mut bad, "/panic").await, None);
                let mut good = TcpStream::connect(address).await.unwrap();
                assert_eq!(get(&mut good, "/").await.unwrap().status, 200);
            }
        });
    }

    #[test]
    fn connections_end_with_the_server() {
        let ex = Rc::new(LocalExecutor::new());
        let (listener, address) = listener();
        let server = ex.spawn(serve_tcp(ex.clone(), listener, Limits::api(), Rc::new(Echo)));
        smol::block_on(ex.run(async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            get(&mut stream, "/").await.unwrap();
            server.cancel().await;
            assert!(!matches!(stream.read(&mut [0]).await, Ok(1..)));
        }));
    }

    #[test]
    fn serves_tls_beside_clients_that_never_shake_hands() {
        let own = rcgen::generate_simple_self_signed(["x.test".to_owned()]).unwrap();
        let (leaf, key) = (own.cert.der().clone(), PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(leaf.clone()).unwrap();
        let builder = rustls::ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
        let server = builder.with_no_client_auth().with_single_cert(vec![leaf], key.into()).unwrap();
        let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let connector = TlsConnector::from(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()));

        let ex = Rc::new(LocalExecutor::new());
        let (listener, address) = listener();
        let limits = Limits { connections: 1, head_timeout: Duration::from_millis(500), ..Limits::api() };
        let _server = ex.spawn(serve_tls(ex.clone(), listener, Arc::new(server).into(), limits, Rc::new(Echo)));
        smol::block_on(ex.run(async {
            let mut silent = TcpStream::connect(address).await.unwrap();
            let stream = TcpStream::connect(address).await.unwrap();
            let mut stream = connector.connect(ServerName::try_from("x.test").unwrap(), stream).await.unwrap();
            let body = vec![1; 60_000];
            for keep_alive in [true, false] {
                let request = Outgoing { method: "POST", body: &body, keep_alive, ..Outgoing::get("x.test", "/") };
                let answer = fetch(&mut stream, &request, &ClientLimits::api()).await.unwrap();
                assert_eq!((answer.body.as_slice(), answer.reusable), (&b"127.0.0.1 60000"[..], keep_alive));
            }
            assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "ended with a close_notify");
            assert_eq!(silent.read(&mut [0]).await.unwrap(), 0, "its handshake was over time");
        }));
    }

    #[test]
    fn serves_a_unix_socket() {
        let path = std::env::temp_dir().join(format!("echomesh-http-{}.sock", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let ex = Rc::new(LocalExecutor::new());
        let listener = Async::<UnixListener>::bind(&path).unwrap();
        let _server = ex.spawn(serve_unix(ex.clone(), listener, Limits::api(), Rc::new(Echo)));
        let answer = smol::block_on(ex.run(async {
            let mut stream = UnixStream::connect(&path).await.unwrap();
            fetch(&mut stream, &Outgoing::get("localhost", "/"), &ClientLimits::api()).await.unwrap()
        }));
        let _ = std::fs::remove_file(&path);
        assert_eq!(answer.body, b"none 0");
    }

    #[test]
    fn accepting_goes_on_after_what_passes_and_ends_after_what_does_not() {
        smol::block_on(async {
            let failed = |code| Err::<(), _>(io::Error::from_raw_os_error(code));
            for passes in [nix::libc::EMFILE, nix::libc::ENOMEM, nix::libc::ECONNABORTED] {
                assert!(matches!(accepted(failed(passes)).await, Ok(None)));
            }
            for stays in [nix::libc::EBADF, nix::libc::EINVAL] {
                assert!(accepted(failed(stays)).await.is_err());
            }
        });
    }
}
