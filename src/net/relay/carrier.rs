//! What a buyer's bytes arrive on: a socket of the buyer's own, or a stream of the gateway's connection.

use std::io;
use std::net::TcpStream;

use nix::sys::socket::{MsgFlags, getsockopt, recv, sockopt};

use super::buyer::end_sending;
use super::leg::retry;
use crate::net::mux;
use crate::net::reactor::Async;
use crate::platform::sys::{self, SocketMemory};

/// A socket, or what stands for one. Reads and writes without waiting.
#[derive(Debug)]
pub(super) enum Carrier {
    Socket(Async<TcpStream>),
    Stream(mux::Stream),
}

impl From<Async<TcpStream>> for Carrier {
    fn from(socket: Async<TcpStream>) -> Carrier {
        Carrier::Socket(socket)
    }
}

impl From<mux::Stream> for Carrier {
    fn from(stream: mux::Stream) -> Carrier {
        Carrier::Stream(stream)
    }
}

impl Carrier {
    /// The socket, where it is one.
    pub(super) fn raw(&self) -> Option<&TcpStream> {
        match self {
            Carrier::Socket(socket) => Some(socket.get_ref()),
            Carrier::Stream(_) => None,
        }
    }

    /// Waits until there is something to read, or the end.
    pub(super) async fn readable(&self) -> io::Result<()> {
        match self {
            Carrier::Socket(socket) => socket.readable().await,
            Carrier::Stream(stream) => stream.readable().await,
        }
    }

    /// The same, where [`Carrier::unread`] has just found nothing: to be awaited before anything else.
    pub(super) async fn refilled(&self) -> io::Result<()> {
        match self {
            Carrier::Socket(socket) => socket.refilled().await,
            Carrier::Stream(stream) => stream.readable().await,
        }
    }

    /// Waits until there is room to write.
    pub(super) async fn writable(&self) -> io::Result<()> {
        match self {
            Carrier::Socket(socket) => socket.writable().await,
            Carrier::Stream(stream) => stream.writable().await,
        }
    }

    /// What can be read; `Some(0)` = the end, `None` = nothing yet. `emptied`: all that was there has just been read, so
    /// there is probably nothing.
    pub(super) fn unread(&self, emptied: bool) -> io::Result<Option<usize>> {
        match self {
            Carrier::Socket(socket) => tcp_unread(socket.get_ref(), emptied),
            Carrier::Stream(stream) => stream.unread(),
        }
    }

    /// Bytes it is sure to take now, or nearly; `None` = wait until it is writable.
    ///
    /// The kernel calls a socket writable when a third of its send buffer is free. Its own overhead per packet comes out of
    /// the same buffer, so a quarter is left for that. A socket that is filled up to there and waited for is one whose
    /// buffer the kernel lets grow.
    pub(super) fn room(&self) -> io::Result<Option<usize>> {
        let socket = match self {
            Carrier::Socket(socket) => socket.get_ref(),
            Carrier::Stream(stream) => return stream.room().map(|n| (n > 0).then_some(n)),
        };
        let (limit, queued) = match sys::socket_memory(socket) {
            Ok(memory) => (memory.send_limit, memory.send_queued),
            // A kernel that does not tell its overhead: as much again as the payload.
            Err(_) => (getsockopt(socket, sockopt::SndBuf)?, 2 * sys::unsent(socket)?),
        };
        let free = limit.saturating_sub(queued);
        Ok((free > 0 && free >= queued / 2).then(|| (free - free / 4).max(1)))
    }

    /// What is held for it: in the kernel, or in the stream. A stream's window is part of its connection's own budget.
    pub(super) fn memory(&self) -> io::Result<SocketMemory> {
        match self {
            Carrier::Socket(socket) => sys::socket_memory(socket.get_ref()),
            Carrier::Stream(stream) => {
                let held = stream.unread()?.unwrap_or(0);
                Ok(SocketMemory { receive_queued: held, receive_limit: held, send_queued: 0, send_limit: 0 })
            }
        }
    }

    /// Closes the sending half.
    pub(super) fn end_sending(&self) -> io::Result<()> {
        match self {
            Carrier::Socket(socket) => end_sending(socket.get_ref()),
            Carrier::Stream(stream) => stream.finish(),
        }
    }
}

impl io::Read for &Carrier {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Carrier::Socket(socket) => socket.get_ref().read(into),
            Carrier::Stream(stream) => stream.try_read(into),
        }
    }
}

impl io::Write for &Carrier {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Carrier::Socket(socket) => socket.get_ref().write(bytes),
            Carrier::Stream(stream) => stream.try_write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn tcp_unread(socket: &TcpStream, emptied: bool) -> io::Result<Option<usize>> {
    if let (false, Ok(bytes @ 1..)) = (emptied, sys::unread(socket)) {
        return Ok(Some(bytes));
    }
    // Nothing, the end, or an error: a look at one byte tells which.
    match retry(|| recv_peek(socket)) {
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Ok(found @ 1..) => Ok(Some(sys::unread(socket).unwrap_or(0).max(found))),
        result => result.map(Some),
    }
}

fn recv_peek(socket: &TcpStream) -> io::Result<usize> {
    use std::os::fd::AsRawFd as _;
    Ok(recv(socket.as_raw_fd(), &mut [0], MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT)?)
}
