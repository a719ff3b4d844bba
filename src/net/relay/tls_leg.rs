//! A buyer's TLS connection, taken apart: the relay must know what there is to read before it takes tokens for it.

use std::cell::RefCell;
use std::io::{self, Read as _, Write as _};

use futures_rustls::server::TlsStream;
use rustls::ServerConnection;

use super::carrier::Carrier;
use super::leg::{Wrote, retry};
use crate::platform::sys;

/// Socket or stream, and TLS state. The state is borrowed only between awaits.
pub(super) struct TlsLeg {
    carrier: Carrier,
    session: RefCell<ServerConnection>,
    /// Met while there were bytes to hand on first.
    failed: RefCell<Option<io::Error>>,
}

impl TlsLeg {
    pub(super) fn new<S: Into<Carrier>>(stream: TlsStream<S>) -> TlsLeg {
        let (socket, mut session) = stream.into_inner();
        // One step's bytes at most, which the pool bounds.
        session.set_buffer_limit(None);
        TlsLeg { carrier: socket.into(), session: RefCell::new(session), failed: RefCell::default() }
    }

    pub(super) fn carrier(&self) -> &Carrier {
        &self.carrier
    }

    /// Waits for plaintext and tells how much there is, with what the socket still holds of more. 0 = the buyer said
    /// close_notify, or just ended the connection: what a cut-off means is for the TLS inside the tunnel to judge.
    pub(super) async fn waiting(&self) -> io::Result<usize> {
        if let Some(e) = self.failed.take() {
            return Err(e);
        }
        loop {
            match self.receive()? {
                Some(0) => return Ok(0),
                Some(bytes) => return Ok(bytes + self.carrier.raw().map_or(0, |socket| sys::unread(socket).unwrap_or(0))),
                None => {}
            }
            self.carrier.refilled().await?;
        }
    }

    fn receive(&self) -> io::Result<Option<usize>> {
        let session = &mut *self.session.borrow_mut();
        loop {
            let state = match session.process_new_packets() {
                Ok(state) => state,
                Err(e) => {
                    // The alert that says why, if it can still be sent.
                    let _ = session.write_tls(&mut &self.carrier);
                    return Err(io::Error::new(io::ErrorKind::InvalidData, e));
                }
            };
            if state.plaintext_bytes_to_read() > 0 {
                return Ok(Some(state.plaintext_bytes_to_read()));
            }
            if state.peer_has_closed() {
                return Ok(Some(0));
            }
            match retry(|| session.read_tls(&mut &self.carrier)) {
                Ok(0) => return Ok(Some(0)),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    // An answer of TLS itself, to a key update, say; where it does not fit now it goes with the next bytes.
                    if session.wants_write() {
                        let _ = session.write_tls(&mut &self.carrier);
                    }
                    return Ok(None);
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// Reads plaintext, of as many records as are there: each step onwards costs the same for one as for four.
    pub(super) fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(space) = into.get_mut(filled..).filter(|space| !space.is_empty()) {
            let read = self.session.borrow_mut().reader().read(space);
            match read {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => match self.receive() {
                    Ok(Some(1..)) => {}
                    Ok(_) => break,
                    // Told once these bytes are on their way: the system tells a reset only once.
                    Err(e) => {
                        *self.failed.borrow_mut() = Some(e);
                        break;
                    }
                },
                Err(e) if filled == 0 => return Err(e),
                Err(_) => break,
            }
        }
        Ok(filled)
    }

    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<Wrote> {
        self.session.borrow_mut().writer().write_all(bytes)?;
        Ok(if self.flush()? { Wrote::Taken(bytes.len()) } else { Wrote::Owed(bytes.len()) })
    }

    /// Sends what is encrypted; whether all of it was taken.
    fn flush(&self) -> io::Result<bool> {
        let session = &mut *self.session.borrow_mut();
        while session.wants_write() {
            match retry(|| session.write_tls(&mut &self.carrier)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(e) => return Err(e),
            }
        }
        Ok(true)
    }

    pub(super) async fn settle(&self) -> io::Result<()> {
        while !self.flush()? {
            self.carrier.writable().await?;
        }
        Ok(())
    }

    pub(super) async fn finish(&self) -> io::Result<()> {
        self.session.borrow_mut().send_close_notify();
        self.settle().await?;
        self.carrier.end_sending()
    }
}
