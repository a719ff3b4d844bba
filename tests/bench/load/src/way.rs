//! The way to the origin: directly (or through a TCP forward), by CONNECT, or by CONNECT inside TLS; then raw or in TLS.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsRawFd as _;
use std::sync::OnceLock;
use std::time::Duration;

use nix::sys::socket::{MsgFlags, recv};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use crate::args::Args;
use crate::tls;

/// What the origin answers to a ClientHello of the raw payload: looks like the start of a TLS record.
pub const FIRST: &[u8] = &[22, 3, 3, 0, 1, 2];
/// Send for ever.
pub const DOWN: u8 = b'd';
/// Take everything.
pub const UP: u8 = b'u';
/// Send at the rate that follows (bytes a second, big-endian u64).
pub const PACED: u8 = b'p';
/// Hold the connection.
pub const HOLD: u8 = b'h';

const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone)]
pub struct Way {
    /// The proxy; the origin itself where there is none.
    via: SocketAddr,
    kind: Kind,
    /// Of the CONNECT.
    target: String,
    auth: Option<String>,
    /// Of the ClientHello.
    name: String,
    /// The payload is TLS.
    tls: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Direct,
    Connect,
    TlsConnect,
}

/// A connection to the proxy.
pub enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// A tunnel that is open.
pub enum Pipe {
    Raw(Wire),
    Tls(Box<StreamOwned<ClientConnection, Wire>>),
}

impl Way {
    pub fn of(args: &Args) -> Way {
        Way {
            via: args.need("via"),
            kind: match args.text("kind") {
                Some("connect") => Kind::Connect,
                Some("tls-connect") => Kind::TlsConnect,
                _ => Kind::Direct,
            },
            target: args.text("target").unwrap_or_default().to_owned(),
            auth: args.text("auth").map(str::to_owned),
            name: args.text("name").unwrap_or("raw.bench.test").to_owned(),
            tls: args.text("payload") == Some("tls"),
        }
    }

    /// Connects, up to the first byte of the origin.
    pub fn open(&self) -> io::Result<Pipe> {
        let stream = TcpStream::connect_timeout(&self.via, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut wire = match self.kind {
            Kind::TlsConnect => {
                let name = ServerName::IpAddress(self.via.ip().into());
                let client = ClientConnection::new(tls::client(), name).map_err(io::Error::other)?;
                Wire::Tls(Box::new(StreamOwned::new(client, stream)))
            }
            _ => Wire::Plain(stream),
        };
        if self.kind != Kind::Direct {
            self.ask(&mut wire)?;
        }
        if self.tls {
            let name = ServerName::try_from(self.name.clone()).map_err(io::Error::other)?;
            let client = ClientConnection::new(tls::client(), name).map_err(io::Error::other)?;
            let mut inner = StreamOwned::new(client, wire);
            while inner.conn.is_handshaking() {
                inner.conn.complete_io(&mut inner.sock)?;
            }
            return Ok(Pipe::Tls(Box::new(inner)));
        }
        static HELLO: OnceLock<Vec<u8>> = OnceLock::new();
        wire.write_all(HELLO.get_or_init(|| tls::hello(&self.name)))?;
        wire.flush()?;
        let mut first = [0; FIRST.len()];
        wire.read_exact(&mut first)?;
        if first == FIRST { Ok(Pipe::Raw(wire)) } else { Err(io::Error::other("not the origin")) }
    }

    fn ask(&self, wire: &mut Wire) -> io::Result<()> {
        let auth = self.auth.as_ref().map_or(String::new(), |a| format!("Proxy-Authorization: Basic {a}\r\n"));
        let head = format!("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n{auth}\r\n", self.target);
        wire.write_all(head.as_bytes())?;
        wire.flush()?;
        let mut answer = Vec::new();
        let mut piece = [0; 1024];
        // Nothing follows the 200 before our hello, so whatever is read is head.
        while !answer.ends_with(b"\r\n\r\n") {
            match wire.read(&mut piece)? {
                0 => break,
                n => answer.extend_from_slice(&piece[..n]),
            }
        }
        match answer.get(9..12) {
            Some(b"200") => Ok(()),
            _ => Err(io::Error::other(String::from_utf8_lossy(&answer).into_owned())),
        }
    }
}

impl Pipe {
    /// Tells the origin what to do.
    pub fn command(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)?;
        self.flush()
    }

    /// Bytes that came, thrown away: raw ones are not even copied.
    pub fn sink(&mut self, space: &mut [u8]) -> io::Result<usize> {
        match self {
            Pipe::Raw(Wire::Plain(stream)) => discard(stream, space),
            other => other.read(space),
        }
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Pipe::Raw(wire) => wire.socket(),
            Pipe::Tls(tls) => tls.sock.socket(),
        }
    }

    /// Ends it for another thread that reads or writes.
    pub fn ender(&self) -> TcpStream {
        self.socket().try_clone().unwrap()
    }
}

/// Takes bytes off a socket without copying them.
pub fn discard(stream: &TcpStream, space: &mut [u8]) -> io::Result<usize> {
    Ok(recv(stream.as_raw_fd(), space, MsgFlags::MSG_TRUNC)?)
}

pub fn end(socket: &TcpStream) {
    let _ = socket.shutdown(Shutdown::Both);
}

impl Wire {
    fn socket(&self) -> &TcpStream {
        match self {
            Wire::Plain(stream) => stream,
            Wire::Tls(tls) => &tls.sock,
        }
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

impl Read for Pipe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Pipe::Raw(wire) => wire.read(buf),
            Pipe::Tls(tls) => tls.read(buf),
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Pipe::Raw(wire) => wire.write(buf),
            Pipe::Tls(tls) => tls.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Pipe::Raw(wire) => wire.flush(),
            Pipe::Tls(tls) => tls.flush(),
        }
    }
}
