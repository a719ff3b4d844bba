//! A buyer: opens sessions at the coordinator, and sends CONNECT to a node.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::time::Duration;

use echomesh::codec::base64;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, socket};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::{Value, json};

use super::http::{self, Answer};
use super::wait::{SOON, until};

/// The coordinator's buyer API.
pub struct Market {
    pub addr: SocketAddr,
    pub tls: Arc<ClientConfig>,
    pub token: String,
}

/// A session as the buyer holds it.
#[derive(Clone, Debug)]
pub struct Session {
    pub id: String,
    pub secret: String,
}

/// The limits and profile of a session of the tests' world: its ports are not 443.
pub fn wish() -> Value {
    json!({
        "region": "PH", "category": "qa_testing", "maxMbps": 4000, "burstMB": 100, "maxGB": 10, "maxTunnels": 400, "ttlSec": 3600,
        "profile": {
            "ports": [8443], "categories": ["qa_testing", "ad_verification"], "allowDomains": [], "blockDomains": ["blocked.test"],
            "alpn": ["h2", "http/1.1"], "requireSni": true, "ech": "allow"
        }
    })
}

/// [`wish`] with members replaced.
pub fn wish_with(change: &Value) -> Value {
    let mut wish = wish();
    for (name, value) in change.as_object().unwrap() {
        wish[name] = value.clone();
    }
    wish
}

impl Market {
    /// One call.
    pub fn call(&self, method: &str, target: &str, body: Option<&Value>) -> io::Result<Answer> {
        let stream = TcpStream::connect_timeout(&self.addr, SOON)?;
        stream.set_read_timeout(Some(SOON))?;
        let name = ServerName::IpAddress(self.addr.ip().into());
        let mut tls = StreamOwned::new(ClientConnection::new(self.tls.clone(), name).map_err(io::Error::other)?, stream);
        let body = body.map(Value::to_string).unwrap_or_default();
        let bearer = format!("Bearer {}", self.token);
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        http::exchange(&mut tls, &http::request(method, target, &self.addr.to_string(), &headers, body.as_bytes()))
    }

    /// Opens a session and waits until a node took it.
    #[track_caller]
    pub fn open(&self, wish: &Value) -> Session {
        let session = self.order(wish);
        until("a node takes the session", || (self.seen(&session)["state"] == "active").then_some(()));
        session
    }

    /// Opens a session.
    #[track_caller]
    pub fn order(&self, wish: &Value) -> Session {
        let answer = self.call("POST", "/buyers/sessions", Some(wish)).unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text());
        let opened = answer.json();
        Session { id: opened["sessionId"].as_str().unwrap().to_owned(), secret: opened["secret"].as_str().unwrap().to_owned() }
    }

    /// What the coordinator says of it.
    #[track_caller]
    pub fn seen(&self, session: &Session) -> Value {
        self.call("GET", &format!("/buyers/sessions/{}", session.id), None).unwrap().json()
    }

    /// Closes it.
    #[track_caller]
    pub fn close(&self, session: &Session) {
        let answer = self.call("POST", &format!("/buyers/sessions/{}/close", session.id), None).unwrap();
        assert!((200..300).contains(&answer.status), "{} {}", answer.status, answer.text());
    }
}

/// Who comes to a node's listener, and how.
#[derive(Clone)]
pub struct Door {
    pub node: SocketAddr,
    /// TLS towards the node; `None` = plain CONNECT.
    pub tls: Option<Arc<ClientConfig>>,
    pub session: Session,
    /// Where from; `None` = as the system chooses.
    pub source: Option<Ipv4Addr>,
}

/// A connection to the node.
pub enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    /// The socket underneath.
    pub fn socket(&self) -> &TcpStream {
        match self {
            Wire::Plain(stream) => stream,
            Wire::Tls(tls) => &tls.sock,
        }
    }

    /// Everything until the other side ends, however it ends.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        let _ = self.read_to_end(&mut all);
        all
    }
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(stream) => stream.read(buf),
            Wire::Tls(tls) => tls.read(buf),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(stream) => stream.write(buf),
            Wire::Tls(tls) => tls.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Wire::Plain(stream) => stream.flush(),
            Wire::Tls(tls) => tls.flush(),
        }
    }
}

impl Door {
    /// The same from another source address.
    pub fn from(&self, last: u8) -> Door {
        Door { source: Some(Ipv4Addr::new(127, 0, 1, last)), ..self.clone() }
    }

    /// The same with another secret.
    pub fn with_secret(&self, secret: &str) -> Door {
        Door { session: Session { secret: secret.to_owned(), ..self.session.clone() }, ..self.clone() }
    }

    /// Connects to the listener.
    pub fn reach(&self) -> io::Result<Wire> {
        let stream = match self.source {
            None => TcpStream::connect_timeout(&self.node, SOON)?,
            Some(source) => from_source(source, self.node)?,
        };
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SOON))?;
        stream.set_write_timeout(Some(SOON))?;
        let Some(config) = &self.tls else { return Ok(Wire::Plain(stream)) };
        let name = ServerName::IpAddress(self.node.ip().into());
        let client = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
        Ok(Wire::Tls(Box::new(StreamOwned::new(client, stream))))
    }

    /// The head of `CONNECT target`.
    pub fn head(&self, target: &str) -> String {
        let credentials = base64::padded(format!("{}:{}", self.session.id, self.session.secret).as_bytes());
        format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nProxy-Authorization: Basic {credentials}\r\n\r\n")
    }

    /// Sends any bytes and reads an answer: of a 200 the head, of all else the body too.
    pub fn ask(&self, bytes: &[u8]) -> io::Result<(Answer, Wire)> {
        let mut wire = self.reach()?;
        wire.write_all(bytes)?;
        wire.flush()?;
        let mut answer = http::read_head(&mut wire)?;
        if answer.status != 200 {
            answer.body = wire.rest();
        }
        Ok((answer, wire))
    }

    /// Sends `CONNECT target`; on 200 the wire is the tunnel.
    pub fn connect(&self, target: &str) -> io::Result<(Answer, Wire)> {
        self.ask(self.head(target).as_bytes())
    }

    /// The tunnel to `target`; panics where it is refused.
    #[track_caller]
    pub fn tunnel(&self, target: &str) -> Wire {
        let (answer, wire) = self.connect(target).unwrap();
        assert_eq!(answer.status, 200, "{target}: {:?} {}", answer.header("echomesh-reason"), answer.text());
        wire
    }

    /// One HTTPS request inside a tunnel, and its answer.
    pub fn https(&self, origin: &Arc<ClientConfig>, target: &str, request: &[u8]) -> io::Result<Answer> {
        let (answer, wire) = self.connect(target)?;
        if answer.status != 200 {
            return Err(io::Error::other(format!("{} {:?}", answer.status, answer.header("echomesh-reason"))));
        }
        let host = target.rsplit_once(':').map_or(target, |(host, _)| host).to_owned();
        let name = ServerName::try_from(host).map_err(io::Error::other)?;
        let mut tls = StreamOwned::new(ClientConnection::new(origin.clone(), name).map_err(io::Error::other)?, wire);
        let answer = http::exchange(&mut tls, request)?;
        tls.conn.send_close_notify();
        let _ = tls.flush();
        let _ = tls.sock.socket().shutdown(std::net::Shutdown::Write);
        tls.sock.rest();
        Ok(answer)
    }
}

fn from_source(source: Ipv4Addr, to: SocketAddr) -> io::Result<TcpStream> {
    let SocketAddr::V4(to) = to else { return Err(io::ErrorKind::Unsupported.into()) };
    let fd = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    bind(fd.as_raw_fd(), &SockaddrIn::from(std::net::SocketAddrV4::new(source, 0)))?;
    connect(fd.as_raw_fd(), &SockaddrIn::from(to))?;
    Ok(TcpStream::from(fd))
}

/// How long a read may take before a test gives up on it.
pub fn patient(stream: &TcpStream, limit: Duration) {
    stream.set_read_timeout(Some(limit)).unwrap();
}
