//! One stream of a connection, read and written like a socket.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use smol::io::{AsyncRead, AsyncWrite};

use super::link::{Link, Shared};

/// A stream. Dropped before both sides said their last, it is reset. One task may wait to read and one to write.
#[derive(Debug)]
pub struct Stream {
    link: Link,
    id: u32,
}

impl Stream {
    pub(super) fn new(link: Link, id: u32) -> Stream {
        Stream { link, id }
    }

    /// The connection it is part of.
    pub fn link(&self) -> &Link {
        &self.link
    }

    fn shared<T>(&self, call: impl FnOnce(&mut Shared, u32) -> io::Result<T>) -> io::Result<T> {
        let mut shared = self.link.0.borrow_mut();
        if shared.lost {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        call(&mut shared, self.id)
    }

    /// What there is to read; `Some(0)` = the end, `None` = nothing yet.
    ///
    /// # Errors
    /// The stream was reset ([`io::ErrorKind::ConnectionReset`]) or its connection lost ([`io::ErrorKind::ConnectionAborted`]).
    pub fn unread(&self) -> io::Result<Option<usize>> {
        self.shared(|s, id| s.machine.unread(id))
    }

    /// Bytes that could be written now.
    ///
    /// # Errors
    /// As [`Stream::unread`].
    pub fn room(&self) -> io::Result<usize> {
        self.shared(|s, id| s.machine.room(id))
    }

    /// Reads what there is, without waiting; 0 = the end.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] where there is nothing yet; else as [`Stream::unread`].
    pub fn try_read(&self, into: &mut [u8]) -> io::Result<usize> {
        self.shared(|s, id| {
            let read = s.machine.read(id, into)?.ok_or(io::ErrorKind::WouldBlock)?;
            if !s.machine.pending().is_empty() {
                s.drive();
            }
            Ok(read)
        })
    }

    /// Takes bytes to be sent, without waiting.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] where there is no room; else as [`Stream::unread`].
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        self.shared(|s, id| match s.machine.write(id, bytes)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            n => {
                s.wrote(id);
                Ok(n)
            }
        })
    }

    /// Says that nothing more comes from here.
    ///
    /// # Errors
    /// As [`Stream::unread`].
    pub fn finish(&self) -> io::Result<()> {
        self.shared(|s, id| {
            s.machine.finish(id);
            s.drive();
            Ok(())
        })
    }

    /// Waits until there is something to read, or the end.
    ///
    /// # Errors
    /// As [`Stream::unread`].
    pub async fn readable(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_readable(cx)).await
    }

    /// Waits until there is room to write.
    ///
    /// # Errors
    /// As [`Stream::unread`].
    pub async fn writable(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_writable(cx)).await
    }

    /// Copies the first bytes when there are some, and leaves them there; 0 = the end.
    ///
    /// # Errors
    /// As [`Stream::unread`].
    pub async fn peek(&self, into: &mut [u8]) -> io::Result<usize> {
        self.readable().await?;
        self.shared(|s, id| Ok(s.machine.peek(id, into)?.unwrap_or(0)))
    }

    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.unread() {
            Ok(None) => {
                self.link.0.borrow_mut().on_readable(self.id, cx.waker());
                Poll::Pending
            }
            ready => Poll::Ready(ready.map(drop)),
        }
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.room() {
            Ok(0) => {
                self.link.0.borrow_mut().on_writable(self.id, cx.waker());
                Poll::Pending
            }
            ready => Poll::Ready(ready.map(drop)),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.link.0.borrow_mut().forget(self.id);
    }
}

impl AsyncRead for &Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.try_read(into) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                self.link.0.borrow_mut().on_readable(self.id, cx.waker());
                Poll::Pending
            }
            read => Poll::Ready(read),
        }
    }
}

impl AsyncWrite for &Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.try_write(bytes) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                self.link.0.borrow_mut().on_writable(self.id, cx.waker());
                Poll::Pending
            }
            wrote => Poll::Ready(wrote),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.finish())
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read(cx, into)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.finish())
    }
}
