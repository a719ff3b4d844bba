//! A small HTTPS server on loopback that answers as it is told and keeps what it saw.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use ed25519_dalek::SigningKey;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use crate::codec::envelope::{Answer, COORDINATOR_SIG, Request, sign, sign_text, verify_text};
use crate::codec::{NodeId, json};
use crate::net::roots::{Roots, provider};

/// One request, its signature already verified.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) time: u64,
    pub(super) nonce: String,
    pub(super) body: Vec<u8>,
}

/// Bytes of an answer, head and all.
pub(super) type Reply = Vec<u8>;

pub(super) struct Server {
    pub(super) url: String,
    certificate: CertificateDer<'static>,
    config: Arc<ServerConfig>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

pub(super) fn node_key() -> SigningKey {
    SigningKey::from_bytes(&[1; 32])
}

pub(super) fn node() -> NodeId {
    NodeId::from(&node_key().verifying_key())
}

pub(super) fn coordinator_key() -> SigningKey {
    SigningKey::from_bytes(&[2; 32])
}

impl Seen {
    /// The answer the coordinator would give.
    pub(super) fn signed(&self, status: u16, body: &str, time: u64) -> Reply {
        let body = body.as_bytes();
        let signature = sign_text(&Answer { status, nonce: &self.nonce, body, time }.text(), &coordinator_key());
        raw(status, &[("Echomesh-Time", &time.to_string()), ("Echomesh-Signature", &signature)], body)
    }

    pub(super) fn json(&self) -> Value {
        json::parse(&self.body).unwrap()
    }
}

/// An answer of these headers and this body.
pub(super) fn raw(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let mut head = format!("HTTP/1.1 {status} X\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if status != 204 {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    [format!("{head}\r\n").as_bytes(), body].concat()
}

/// `object` as the coordinator signs it.
pub(super) fn object(mut object: Value, context: &str) -> Value {
    sign(object.as_object_mut().unwrap(), COORDINATOR_SIG, context, &coordinator_key());
    object
}

impl Server {
    /// Starts it; `answer` returns `None` to close the connection without an answer.
    pub(super) fn start(answer: impl Fn(&Seen) -> Option<Reply> + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let certificate = made.cert.der().clone();
        let config = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate.clone()], key).unwrap());
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let url = format!("https://{}", listener.local_addr().unwrap());
        listen(listener, config.clone(), seen.clone(), answer);
        Server { url, certificate, config, seen }
    }

    /// A server of the same certificate at another place.
    pub(super) fn again_at(&self, listener: TcpListener, answer: impl Fn(&Seen) -> Option<Reply> + Send + Sync + 'static) {
        listen(listener, self.config.clone(), self.seen.clone(), answer);
    }

    /// Roots that trust this server and nothing else.
    pub(super) fn roots(&self) -> Roots {
        Roots::only([self.certificate.clone()]).unwrap()
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn listen(
    listener: TcpListener,
    config: Arc<ServerConfig>,
    seen: Arc<Mutex<Vec<Seen>>>,
    answer: impl Fn(&Seen) -> Option<Reply> + Send + Sync + 'static,
) {
    let answer = Arc::new(answer);
    // Ends with the test's process: no test waits for it.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (config, seen, answer) = (config.clone(), seen.clone(), answer.clone());
            std::thread::spawn(move || serve(stream.unwrap(), config, &seen, &*answer));
        }
    });
}

fn serve(stream: TcpStream, config: Arc<ServerConfig>, kept: &Mutex<Vec<Seen>>, answer: &dyn Fn(&Seen) -> Option<Reply>) {
    let at = stream.local_addr().unwrap();
    let mut tls = BufReader::new(StreamOwned::new(ServerConnection::new(config).unwrap(), stream));
    while let Some(seen) = read(&mut tls, at) {
        kept.lock().unwrap().push(seen.clone());
        let Some(reply) = answer(&seen) else { return };
        if tls.get_mut().write_all(&reply).is_err() {
            return;
        }
    }
}

/// One request; `None` at the end, or where the request is not signed as the contracts say.
fn read(tls: &mut BufReader<StreamOwned<ServerConnection, TcpStream>>, at: SocketAddr) -> Option<Seen> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if tls.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            text => lines.push(text.to_owned()),
        }
    }
    let mut words = lines[0].split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let header = |name: &str| {
        let mut found = lines[1..].iter().filter_map(|l| l.split_once(": ")).filter(|(n, _)| n.eq_ignore_ascii_case(name));
        let value = found.next().map(|(_, v)| v.to_owned());
        assert!(found.next().is_none(), "{name} came twice");
        value
    };
    let mut body = vec![0; header("content-length").map_or(0, |l| l.parse().unwrap())];
    tls.read_exact(&mut body).ok()?;
    let (time, nonce) = (header("echomesh-time")?.parse().ok()?, header("echomesh-nonce")?);
    assert_eq!(header("host"), Some(at.to_string()));
    assert_eq!(header("user-agent").as_deref(), Some("echomesh/1"));
    let signer: NodeId = header("echomesh-node")?.parse().ok()?;
    let text = Request { authority: &at.to_string(), method: &method, path: &path, body: &body, time, nonce: &nonce }.text();
    verify_text(&text, &header("echomesh-signature")?, [&signer.key()?]).ok()?;
    Some(Seen { method, path, time, nonce, body })
}
