//! One side of a tunnel: tells what there is to read and how much it would take, and moves bytes without waiting.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;

use super::buyer::BuyerStream;
use super::carrier::Carrier;
use super::tls_leg::TlsLeg;

/// A connection as the relay sees it.
pub(super) enum Leg {
    Plain(Carrier),
    Tls(Box<TlsLeg>),
}

/// What became of bytes written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wrote {
    /// The socket took this many; the rest is to be offered again.
    Taken(usize),
    /// All were encrypted, and the socket has not yet taken the last of it: they count when [`Leg::settle`] is done.
    Owed(usize),
}

impl From<BuyerStream> for Leg {
    fn from(buyer: BuyerStream) -> Leg {
        match buyer {
            BuyerStream::Plain(socket) => Leg::Plain(socket.into()),
            BuyerStream::Tls(tls) => Leg::Tls(Box::new(TlsLeg::new(*tls))),
            BuyerStream::Carried(stream) => Leg::Plain(stream.into()),
            BuyerStream::CarriedTls(tls) => Leg::Tls(Box::new(TlsLeg::new(*tls))),
        }
    }
}

impl Leg {
    /// What its bytes travel on.
    pub(super) fn carrier(&self) -> &Carrier {
        match self {
            Leg::Plain(carrier) => carrier,
            Leg::Tls(tls) => tls.carrier(),
        }
    }

    /// The socket, where its bytes are the tunnel's bytes, so that they can be spliced.
    pub(super) fn raw(&self) -> Option<&TcpStream> {
        match self {
            Leg::Plain(carrier) => carrier.raw(),
            Leg::Tls(_) => None,
        }
    }

    /// Waits until there is something to read, and tells how much, about. 0 = the end. `emptied`: all that was there has
    /// just been read, so there is probably nothing.
    pub(super) async fn waiting(&self, mut emptied: bool) -> io::Result<usize> {
        match self {
            Leg::Tls(tls) => tls.waiting().await,
            Leg::Plain(carrier) => loop {
                if let Some(bytes) = carrier.unread(emptied)? {
                    return Ok(bytes);
                }
                carrier.refilled().await?;
                emptied = false;
            },
        }
    }

    /// Bytes the socket is sure to take now, or nearly; `None` = wait until it is writable.
    pub(super) fn room(&self) -> io::Result<Option<usize>> {
        self.carrier().room()
    }

    /// Reads what there is, without waiting.
    pub(super) fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Leg::Plain(carrier) => retry(|| (&mut &*carrier).read(into)),
            Leg::Tls(tls) => tls.read(into),
        }
    }

    /// Writes what the socket takes, without waiting.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<Wrote> {
        match self {
            Leg::Plain(carrier) => match retry(|| (&mut &*carrier).write(bytes)) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(Wrote::Taken(0)),
                Ok(0) => Err(io::ErrorKind::WriteZero.into()),
                result => result.map(Wrote::Taken),
            },
            Leg::Tls(tls) => tls.write(bytes),
        }
    }

    /// Waits until what is owed has been taken.
    pub(super) async fn settle(&self) -> io::Result<()> {
        match self {
            Leg::Plain(_) => Ok(()),
            Leg::Tls(tls) => tls.settle().await,
        }
    }

    /// Tells the peer that no more will come.
    pub(super) async fn finish(&self) -> io::Result<()> {
        match self {
            Leg::Plain(carrier) => carrier.end_sending(),
            Leg::Tls(tls) => tls.finish().await,
        }
    }
}

pub(super) fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
