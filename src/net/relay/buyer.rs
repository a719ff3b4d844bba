//! The buyer's end of a tunnel: plain or TLS, over a connection of its own or through the gateway.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_rustls::server::TlsStream;
use smol::io::{AsyncRead, AsyncWrite};

use crate::net::mux;
use crate::net::reactor::Async;

/// A buyer's connection, as it was accepted. Closing it closes its sending half only: what the buyer still sends can be read.
#[derive(Debug)]
pub enum BuyerStream {
    /// A plain connection.
    Plain(Async<TcpStream>),
    /// TLS, after the handshake.
    Tls(Box<TlsStream<Async<TcpStream>>>),
    /// Plain bytes through the gateway.
    Carried(mux::Stream),
    /// TLS through the gateway, after the handshake.
    CarriedTls(Box<TlsStream<mux::Stream>>),
}

impl AsyncRead for BuyerStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            BuyerStream::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
            BuyerStream::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
            BuyerStream::Carried(stream) => Pin::new(stream).poll_read(cx, buf),
            BuyerStream::CarriedTls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for BuyerStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            BuyerStream::Plain(socket) => Pin::new(socket).poll_write(cx, buf),
            BuyerStream::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
            BuyerStream::Carried(stream) => Pin::new(stream).poll_write(cx, buf),
            BuyerStream::CarriedTls(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            BuyerStream::Plain(socket) => Pin::new(socket).poll_flush(cx),
            BuyerStream::Tls(tls) => Pin::new(tls).poll_flush(cx),
            BuyerStream::Carried(stream) => Pin::new(stream).poll_flush(cx),
            BuyerStream::CarriedTls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            BuyerStream::Plain(socket) => Poll::Ready(end_sending(socket.get_ref())),
            // Says close_notify first.
            BuyerStream::Tls(tls) => Pin::new(&mut *tls).poll_close(cx).map(|closed| closed.and_then(|()| end_sending(tls.get_ref().0.get_ref()))),
            BuyerStream::Carried(stream) => Pin::new(stream).poll_close(cx),
            BuyerStream::CarriedTls(tls) => Pin::new(tls).poll_close(cx),
        }
    }
}

/// Closes the sending half. A connection that is gone already is no error here: reading it will tell.
pub(super) fn end_sending(socket: &TcpStream) -> io::Result<()> {
    match socket.shutdown(Shutdown::Write) {
        Err(e) if e.kind() != io::ErrorKind::NotConnected => Err(e),
        _ => Ok(()),
    }
}
