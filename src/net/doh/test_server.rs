//! A resolver for tests: real TLS on loopback, answers by a closure, counts what it is asked.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ed25519_dalek::SigningKey;
use rustls::pki_types::CertificateDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use simple_dns::RCODE;

use crate::identity::certificate::self_signed_node;
use crate::net::dns::Kind;
use crate::net::dns::tests::{Record, answer, question};
use crate::net::roots::{Roots, provider};

/// What the resolver does with a question.
pub(crate) enum Reply {
    /// Answers with these records.
    Records(Vec<Record<'static>>),
    /// Says that the name does not exist.
    NoName,
    /// Answers this HTTP status.
    Status(u16),
    /// Answers, then closes although it did not say so.
    RecordsAndClose(Vec<Record<'static>>),
    /// Keeps the connection open and says nothing.
    Silence,
}

/// A running resolver. Its threads end with the test's process.
pub(crate) struct TestServer {
    pub(crate) at: SocketAddr,
    pub(crate) certificate: CertificateDer<'static>,
    questions: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
}

impl TestServer {
    /// Listens on `ip` with a certificate that names `named`.
    pub(crate) fn start(ip: &str, named: &str, reply: impl Fn(&str, Kind) -> Reply + Send + Sync + 'static) -> TestServer {
        let listener = TcpListener::bind((ip.parse::<IpAddr>().unwrap(), 0)).unwrap();
        let at = listener.local_addr().unwrap();
        // A key of its own, so that trust in one is not trust in all.
        let key = SigningKey::from_bytes(&crate::codec::Hash::of(at.to_string().as_bytes()).0);
        let certificate = self_signed_node(&key, "resolver", &[named.to_owned()]).unwrap();
        let leaf = certificate.chain[0].clone();
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(certificate.chain, certificate.key)
            .unwrap();
        let (config, reply) = (Arc::new(config), Arc::new(reply));
        let (questions, connections) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let server = TestServer { at, certificate: leaf, questions: Arc::clone(&questions), connections: Arc::clone(&connections) };
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                connections.fetch_add(1, Ordering::SeqCst);
                let (config, reply, questions) = (Arc::clone(&config), Arc::clone(&reply), Arc::clone(&questions));
                std::thread::spawn(move || {
                    let tls = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
                    let _ = serve(tls, &*reply, &questions);
                });
            }
        });
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}/dns-query", self.at)
    }

    pub(crate) fn questions(&self) -> usize {
        self.questions.load(Ordering::SeqCst)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Roots that trust exactly these servers.
pub(crate) fn roots(servers: &[&TestServer]) -> Roots {
    Roots::only(servers.iter().map(|s| s.certificate.clone())).unwrap()
}

type Tls = StreamOwned<ServerConnection, TcpStream>;

fn serve(tls: Tls, reply: &dyn Fn(&str, Kind) -> Reply, questions: &AtomicUsize) -> io::Result<()> {
    let mut tls = BufReader::new(tls);
    loop {
        let mut length = 0;
        let mut line = String::new();
        while tls.read_line(&mut line)? > 2 {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
            line.clear();
        }
        if length == 0 {
            return Ok(());
        }
        let mut query = vec![0; length];
        tls.read_exact(&mut query)?;
        questions.fetch_add(1, Ordering::SeqCst);
        let (host, kind) = question(&query);
        let (body, close) = match reply(&host, kind) {
            Reply::Records(records) => (answer(&query, RCODE::NoError, &records), false),
            Reply::RecordsAndClose(records) => (answer(&query, RCODE::NoError, &records), true),
            Reply::NoName => (answer(&query, RCODE::NameError, &[]), false),
            Reply::Status(status) => {
                write!(tls.get_mut(), "HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n")?;
                continue;
            }
            Reply::Silence => loop {
                std::thread::park();
            },
        };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/dns-message\r\nContent-Length: {}\r\n\r\n", body.len());
        tls.get_mut().write_all(&[head.as_bytes(), &body].concat())?;
        tls.get_mut().flush()?;
        if close {
            tls.get_mut().conn.send_close_notify();
            return tls.get_mut().flush();
        }
    }
}
