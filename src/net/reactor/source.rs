//! A socket that can be waited for.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::epoll::EpollFlags;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, connect, socket};
use smol::io::{AsyncRead, AsyncWrite};

use super::Reactor;

const READABLE: EpollFlags = EpollFlags::EPOLLIN.union(EpollFlags::EPOLLRDHUP).union(EpollFlags::EPOLLHUP).union(EpollFlags::EPOLLERR);
const WRITABLE: EpollFlags = EpollFlags::EPOLLOUT.union(EpollFlags::EPOLLHUP).union(EpollFlags::EPOLLERR);

/// A direction of a socket.
#[derive(Clone, Copy)]
enum Side {
    Read = 0,
    Write = 1,
}

/// What the reactor knows of a socket: counts what happened, so that nothing between a look and a wait is lost.
pub(super) struct Source {
    key: u64,
    happened: [Cell<u32>; 2],
    /// One task a direction: whoever waits last. Another that waited is woken and waits again.
    waiting: [Cell<Option<Waker>>; 2],
}

impl Source {
    pub(super) fn new(key: u64) -> Source {
        Source { key, happened: Default::default(), waiting: Default::default() }
    }

    pub(super) fn key(&self) -> u64 {
        self.key
    }

    pub(super) fn happened(&self, flags: EpollFlags) {
        for (side, mask) in [(Side::Read, READABLE), (Side::Write, WRITABLE)] {
            if flags.intersects(mask) {
                let count = &self.happened[side as usize];
                count.set(count.get().wrapping_add(1));
                if let Some(waker) = self.waiting[side as usize].take() {
                    waker.wake();
                }
            }
        }
    }

    fn seen(&self, side: Side) -> u32 {
        self.happened[side as usize].get()
    }

    /// Ready once something happened after `seen`.
    fn poll(&self, side: Side, seen: u32, cx: &Context<'_>) -> Poll<()> {
        if self.seen(side) != seen {
            return Poll::Ready(());
        }
        let slot = &self.waiting[side as usize];
        match slot.take() {
            Some(old) if old.will_wake(cx.waker()) => slot.set(Some(old)),
            old => {
                slot.set(Some(cx.waker().clone()));
                if let Some(old) = old {
                    old.wake();
                }
            }
        }
        Poll::Pending
    }
}

/// A non-blocking socket. Dropping it closes it.
pub struct Async<T: AsFd>(Inner<T>);

enum Inner<T: AsFd> {
    Own(Own<T>),
    /// Made where no reactor runs.
    Foreign(smol::Async<T>),
}

struct Own<T: AsFd> {
    reactor: Rc<Reactor>,
    source: Rc<Source>,
    socket: T,
}

impl<T: AsFd> std::fmt::Debug for Async<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Async").field(&self.get_ref().as_fd()).finish()
    }
}

impl<T: AsFd> AsFd for Async<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.get_ref().as_fd()
    }
}

impl<T: AsFd> Drop for Own<T> {
    fn drop(&mut self) {
        // The set forgets what is closed.
        self.reactor.forget(&self.source);
    }
}

impl<T: AsFd> Async<T> {
    /// Makes `socket` non-blocking and registers it.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(socket: T) -> io::Result<Async<T>> {
        let flags = OFlag::from_bits_retain(fcntl(&socket, FcntlArg::F_GETFL)?);
        fcntl(&socket, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        Async::new_nonblocking(socket)
    }

    /// Registers `socket`, which is non-blocking.
    ///
    /// # Errors
    /// What the system says.
    pub fn new_nonblocking(socket: T) -> io::Result<Async<T>> {
        let Some(reactor) = Reactor::here() else { return Ok(Async(Inner::Foreign(smol::Async::new_nonblocking(socket)?))) };
        let source = reactor.add(socket.as_fd())?;
        Ok(Async(Inner::Own(Own { reactor, source, socket })))
    }

    /// The socket.
    pub fn get_ref(&self) -> &T {
        match &self.0 {
            Inner::Own(own) => &own.socket,
            Inner::Foreign(socket) => socket.get_ref(),
        }
    }

    /// Waits until it can be read, or is at its end.
    ///
    /// # Errors
    /// What the system says.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Side::Read).await
    }

    /// Waits until it can be written, or failed.
    ///
    /// # Errors
    /// What the system says.
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Side::Write).await
    }

    /// Waits for bytes where a read has just said that there are none: the kernel tells of the next by itself. To be called
    /// before anything else is awaited.
    pub fn refilled(&self) -> impl Future<Output = io::Result<()>> {
        let own = match &self.0 {
            Inner::Own(own) => Ok((own, own.source.seen(Side::Read))),
            Inner::Foreign(socket) => Err(socket),
        };
        async move {
            match own {
                Ok((own, seen)) => poll_fn(|cx| own.source.poll(Side::Read, seen, cx)).await,
                Err(socket) => socket.readable().await?,
            }
            Ok(())
        }
    }

    async fn ready(&self, side: Side) -> io::Result<()> {
        match (&self.0, side) {
            (Inner::Own(own), side) => {
                let seen = own.source.seen(side);
                own.reactor.look_again(own.socket.as_fd(), &own.source)?;
                poll_fn(|cx| own.source.poll(side, seen, cx)).await;
                Ok(())
            }
            (Inner::Foreign(socket), Side::Read) => socket.readable().await,
            (Inner::Foreign(socket), Side::Write) => socket.writable().await,
        }
    }

    /// Tries `call` until it does not say that it would block.
    fn poll_with<R>(own: &Own<T>, side: Side, cx: &Context<'_>, mut call: impl FnMut(&T) -> io::Result<R>) -> Poll<io::Result<R>> {
        loop {
            let seen = own.source.seen(side);
            match call(&own.socket) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    if own.source.poll(side, seen, cx).is_pending() {
                        return Poll::Pending;
                    }
                }
                result => return Poll::Ready(result),
            }
        }
    }
}

impl Async<TcpListener> {
    /// Listens on `addr`.
    ///
    /// # Errors
    /// What the system says.
    pub fn bind(addr: impl Into<SocketAddr>) -> io::Result<Async<TcpListener>> {
        let listener = TcpListener::bind(addr.into())?;
        listener.set_nonblocking(true)?;
        Async::new_nonblocking(listener)
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// What the system says.
    pub async fn accept(&self) -> io::Result<(Async<TcpStream>, SocketAddr)> {
        match &self.0 {
            Inner::Own(own) => {
                let (stream, peer) = poll_fn(|cx| Self::poll_with(own, Side::Read, cx, |listener| listener.accept())).await?;
                stream.set_nonblocking(true)?;
                Ok((Async::new_nonblocking(stream)?, peer))
            }
            Inner::Foreign(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Async(Inner::Foreign(stream)), peer))
            }
        }
    }
}

impl Async<TcpStream> {
    /// Connects to `addr`.
    ///
    /// # Errors
    /// What the system says.
    pub async fn connect(addr: impl Into<SocketAddr>) -> io::Result<Async<TcpStream>> {
        let addr = addr.into();
        let family = if addr.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let fd = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?;
        match connect(fd.as_raw_fd(), &SockaddrStorage::from(addr)) {
            Ok(()) | Err(Errno::EINPROGRESS) => {}
            Err(e) => return Err(e.into()),
        }
        let stream = Async::new_nonblocking(TcpStream::from(fd))?;
        stream.writable().await?;
        stream.get_ref().take_error()?.map_or(Ok(stream), Err)
    }

    /// Waits for bytes, and looks at them without taking them. 0 = the end.
    ///
    /// # Errors
    /// What the system says.
    pub async fn peek(&self, into: &mut [u8]) -> io::Result<usize> {
        match &self.0 {
            Inner::Own(own) => poll_fn(|cx| Self::poll_with(own, Side::Read, cx, |stream| stream.peek(into))).await,
            Inner::Foreign(stream) => stream.peek(into).await,
        }
    }
}

impl<T: AsFd> AsyncRead for &Async<T>
where
    for<'a> &'a T: Read,
{
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        match &self.get_mut().0 {
            Inner::Own(own) => Async::poll_with(own, Side::Read, cx, |mut socket| socket.read(into)),
            Inner::Foreign(socket) => Pin::new(&mut &*socket).poll_read(cx, into),
        }
    }
}

impl<T: AsFd> AsyncWrite for &Async<T>
where
    for<'a> &'a T: Write,
{
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &self.get_mut().0 {
            Inner::Own(own) => Async::poll_with(own, Side::Write, cx, |mut socket| socket.write(bytes)),
            Inner::Foreign(socket) => Pin::new(&mut &*socket).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match &self.get_mut().0 {
            Inner::Own(own) => Async::poll_with(own, Side::Write, cx, |mut socket| socket.write_vectored(bytes)),
            Inner::Foreign(socket) => Pin::new(&mut &*socket).poll_write_vectored(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A socket holds nothing back.
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl<T: AsFd> AsyncRead for Async<T>
where
    for<'a> &'a T: Read,
{
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read(cx, into)
    }
}

impl<T: AsFd> AsyncWrite for Async<T>
where
    for<'a> &'a T: Write,
{
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write(cx, bytes)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write_vectored(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
