//! One side of a tunnel: tells what there is to read and how much it would take, and moves bytes without waiting.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;

use nix::sys::socket::{MsgFlags, getsockopt, recv, sockopt};
use smol::Async;

use super::buyer::{BuyerStream, end_sending};
use super::tls_leg::TlsLeg;
use crate::platform::sys;

/// A connection as the relay sees it.
pub(super) enum Leg {
    Tcp(Async<TcpStream>),
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
            BuyerStream::Plain(socket) => Leg::Tcp(socket),
            BuyerStream::Tls(tls) => Leg::Tls(Box::new(TlsLeg::new(*tls))),
        }
    }
}

impl Leg {
    pub(super) fn socket(&self) -> &Async<TcpStream> {
        match self {
            Leg::Tcp(socket) => socket,
            Leg::Tls(tls) => tls.socket(),
        }
    }

    /// The socket, where its bytes are the tunnel's bytes, so that they can be spliced.
    pub(super) fn raw(&self) -> Option<&TcpStream> {
        match self {
            Leg::Tcp(socket) => Some(socket.get_ref()),
            Leg::Tls(_) => None,
        }
    }

    /// Waits until there is something to read, and tells how much at least. 0 = the end.
    pub(super) async fn waiting(&self) -> io::Result<usize> {
        match self {
            Leg::Tls(tls) => tls.waiting().await,
            Leg::Tcp(socket) => loop {
                if let Some(bytes) = tcp_waiting(socket.get_ref())? {
                    return Ok(bytes);
                }
                socket.readable().await?;
            },
        }
    }

    /// Bytes the socket is sure to take now, or nearly; `None` = wait until it is writable.
    ///
    /// The kernel calls a socket writable when a third of its send buffer is free. Its own overhead per packet comes out of
    /// the same buffer, so a quarter is left for that. A socket that is filled up to there and waited for is one whose
    /// buffer the kernel lets grow.
    pub(super) fn room(&self) -> io::Result<Option<usize>> {
        let socket = self.socket().get_ref();
        let (limit, queued) = match sys::socket_memory(socket) {
            Ok(memory) => (memory.send_limit, memory.send_queued),
            // A kernel that does not tell its overhead: as much again as the payload.
            Err(_) => (getsockopt(socket, sockopt::SndBuf)?, 2 * sys::unsent(socket)?),
        };
        let free = limit.saturating_sub(queued);
        Ok((free > 0 && free >= queued / 2).then(|| (free - free / 4).max(1)))
    }

    /// Reads what there is, without waiting.
    pub(super) fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Leg::Tcp(socket) => retry(|| socket.get_ref().read(into)),
            Leg::Tls(tls) => tls.read(into),
        }
    }

    /// Writes what the socket takes, without waiting.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<Wrote> {
        match self {
            Leg::Tcp(socket) => match retry(|| socket.get_ref().write(bytes)) {
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
            Leg::Tcp(_) => Ok(()),
            Leg::Tls(tls) => tls.settle().await,
        }
    }

    /// Tells the peer that no more will come.
    pub(super) async fn finish(&self) -> io::Result<()> {
        match self {
            Leg::Tcp(socket) => end_sending(socket.get_ref()),
            Leg::Tls(tls) => tls.finish().await,
        }
    }
}

/// What can be read; `Some(0)` = the end, `None` = nothing yet.
fn tcp_waiting(socket: &TcpStream) -> io::Result<Option<usize>> {
    match sys::unread(socket) {
        Ok(0) | Err(_) => {}
        Ok(bytes) => return Ok(Some(bytes)),
    }
    // Nothing, the end, or an error: a look at one byte tells which.
    match retry(|| recv_peek(socket)) {
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
        result => result.map(Some),
    }
}

fn recv_peek(socket: &TcpStream) -> io::Result<usize> {
    use std::os::fd::AsRawFd as _;
    Ok(recv(socket.as_raw_fd(), &mut [0], MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT)?)
}

pub(super) fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
