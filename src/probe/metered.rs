//! A stream that stays within the owner's rate and volume: reads wait for the pace, every byte is counted.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use smol::io::{AsyncRead, AsyncWrite};

use crate::net::Pace;

/// Asked of the pace at once.
const WANT: usize = 16 * 1024;

/// Where the bytes of a probe are counted: the owner's daily and monthly volume.
pub trait ByteBudget {
    /// `bytes` more went over the uplink, in either direction. `false` = the volume is used up: the probe ends.
    fn spend(&self, bytes: u64) -> bool;
}

/// `inner`, paced and counted. Lies under the TLS, so that what counts is what is on the wire.
pub struct Metered<'a, S, P: Pace, B: ByteBudget> {
    inner: S,
    pace: &'a P,
    budget: &'a B,
    granted: usize,
    asking: Option<Pin<Box<dyn Future<Output = usize> + 'a>>>,
}

impl<'a, S, P: Pace, B: ByteBudget> Metered<'a, S, P, B> {
    /// Wraps `inner`.
    pub fn new(inner: S, pace: &'a P, budget: &'a B) -> Self {
        Metered { inner, pace, budget, granted: 0, asking: None }
    }

    fn spend(&self, bytes: usize) -> io::Result<usize> {
        if self.budget.spend(bytes as u64) { Ok(bytes) } else { Err(io::Error::new(io::ErrorKind::QuotaExceeded, "the owner's volume is used up")) }
    }
}

impl<'a, S: AsyncRead + Unpin, P: Pace, B: ByteBudget> AsyncRead for Metered<'a, S, P, B> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.granted == 0 {
            let pace: &'a P = this.pace;
            let asking = this.asking.get_or_insert_with(|| Box::pin(pace.take(WANT)));
            this.granted = ready!(asking.as_mut().poll(cx));
            this.asking = None;
        }
        let most = buf.len().min(this.granted);
        let read = ready!(Pin::new(&mut this.inner).poll_read(cx, &mut buf[..most]))?;
        this.granted -= read;
        Poll::Ready(this.spend(read))
    }
}

impl<S: AsyncWrite + Unpin, P: Pace, B: ByteBudget> AsyncWrite for Metered<'_, S, P, B> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        // A request and a handshake are a few hundred bytes: counted, but not worth a wait.
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, buf))?;
        Poll::Ready(self.spend(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}

impl<S, P: Pace, B: ByteBudget> Drop for Metered<'_, S, P, B> {
    fn drop(&mut self) {
        if self.granted > 0 {
            self.pace.give_back(self.granted);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::cell::Cell;

    use smol::io::{AsyncReadExt as _, Cursor};

    use super::*;

    /// Grants pieces of at most `piece`, up to `left` in total, then never again; and counts.
    pub(in crate::probe) struct Grants {
        pub(in crate::probe) piece: usize,
        pub(in crate::probe) taken: Cell<usize>,
        pub(in crate::probe) returned: Cell<usize>,
    }

    impl Grants {
        pub(in crate::probe) fn of(piece: usize) -> Grants {
            Grants { piece, taken: Cell::new(0), returned: Cell::new(0) }
        }
    }

    impl Pace for Grants {
        async fn take(&self, want: usize) -> usize {
            let granted = want.min(self.piece);
            self.taken.set(self.taken.get() + granted);
            granted
        }

        fn give_back(&self, bytes: usize) {
            self.returned.set(self.returned.get() + bytes);
        }
    }

    /// A volume.
    pub(in crate::probe) struct Volume {
        pub(in crate::probe) left: Cell<u64>,
    }

    impl ByteBudget for Volume {
        fn spend(&self, bytes: u64) -> bool {
            let fits = bytes <= self.left.get();
            self.left.set(self.left.get().saturating_sub(bytes));
            fits
        }
    }

    #[test]
    fn reads_take_no_more_than_was_granted_and_give_back_the_rest() {
        let (pace, volume) = (Grants::of(300), Volume { left: Cell::new(5000) });
        let mut stream = Metered::new(Cursor::new(vec![7; 1000]), &pace, &volume);
        let mut out = Vec::new();
        smol::block_on(stream.read_to_end(&mut out)).unwrap();
        drop(stream);
        assert_eq!(out.len(), 1000);
        assert_eq!(pace.taken.get() - pace.returned.get(), 1000);
        assert_eq!(volume.left.get(), 4000);
    }

    #[test]
    fn a_used_up_volume_ends_it() {
        let (pace, volume) = (Grants::of(300), Volume { left: Cell::new(500) });
        let mut stream = Metered::new(Cursor::new(vec![7; 1000]), &pace, &volume);
        let error = smol::block_on(stream.read_to_end(&mut Vec::new())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::QuotaExceeded);
    }
}
