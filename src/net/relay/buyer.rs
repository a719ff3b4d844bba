//! The buyer's end of a tunnel: plain TCP, or TLS over it.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_rustls::server::TlsStream;
use smol::Async;
use smol::io::{AsyncRead, AsyncWrite};

/// A buyer's connection, as it was accepted. Closing it closes its sending half only: what the buyer still sends can be read.
#[derive(Debug)]
pub enum BuyerStream {
    /// A plain connection.
    Plain(Async<TcpStream>),
    /// TLS, after the handshake.
    Tls(Box<TlsStream<Async<TcpStream>>>),
}

impl BuyerStream {
    /// The connection itself, for addresses and options.
    pub fn socket(&self) -> &Async<TcpStream> {
        match self {
            BuyerStream::Plain(socket) => socket,
            BuyerStream::Tls(tls) => tls.get_ref().0,
        }
    }
}

impl AsyncRead for BuyerStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            BuyerStream::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
            BuyerStream::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for BuyerStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            BuyerStream::Plain(socket) => Pin::new(socket).poll_write(cx, buf),
            BuyerStream::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            BuyerStream::Plain(socket) => Pin::new(socket).poll_flush(cx),
            BuyerStream::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let BuyerStream::Tls(tls) = this {
            // Says close_notify.
            ready!(Pin::new(tls).poll_close(cx))?;
        }
        Poll::Ready(end_sending(this.socket().get_ref()))
    }
}

/// Closes the sending half. A connection that is gone already is no error here: reading it will tell.
pub(super) fn end_sending(socket: &TcpStream) -> io::Result<()> {
    match socket.shutdown(Shutdown::Write) {
        Err(e) if e.kind() != io::ErrorKind::NotConnected => Err(e),
        _ => Ok(()),
    }
}
