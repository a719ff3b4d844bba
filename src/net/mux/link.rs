//! A connection that carries streams: reads and writes it, wakes who waits, and tells every stream when it is lost.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use smol::io::{AsyncRead, AsyncWrite};

use super::Budget;
use super::machine::{Event, Fault, Machine, Side};
use super::stream::Stream;
use crate::core::sorted::Sorted;

/// What is read of the connection at once; held while it lives.
const READ: usize = 16 * 1024;
/// Reads before others have the thread.
const TURNS: usize = 8;

/// One end of a connection with many streams. Cheap to clone; one thread.
#[derive(Clone, Debug)]
pub struct Link(pub(super) Rc<RefCell<Shared>>);

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) machine: Machine,
    /// The connection is gone: nothing more comes or goes.
    pub(super) lost: bool,
    /// This side wants no more of it.
    closing: bool,
    readers: Sorted<u32, Waker>,
    writers: Sorted<u32, Waker>,
    accepting: Option<Waker>,
    driver: Option<Waker>,
    /// Whose turn to write it is after the last: no stream is always first.
    turn: u32,
}

/// Why a connection ended.
#[derive(Debug)]
pub enum Ended {
    /// One side closed it.
    Closed,
    /// It failed.
    Failed(io::Error),
    /// The other side broke the rules.
    Breach(Fault),
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ended::Closed => f.write_str("it was closed"),
            Ended::Failed(e) => write!(f, "{e}"),
            Ended::Breach(fault) => write!(f, "the other side broke the protocol ({fault:?})"),
        }
    }
}

/// Marks the connection as lost when its driver ends, or is dropped.
struct Ending<'a>(&'a Link);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let mut shared = self.0.0.borrow_mut();
        shared.lost = true;
        let shared = &mut *shared;
        let waiting = std::mem::take(&mut shared.readers).into_values().chain(std::mem::take(&mut shared.writers).into_values());
        waiting.chain(shared.accepting.take()).for_each(Waker::wake);
    }
}

impl Link {
    /// An end without a stream, as large as the contracts allow; nothing moves before [`Link::drive`].
    pub fn new(side: Side) -> Link {
        Link::within(side, Budget::MOST)
    }

    /// The same, holding no more than `budget`.
    pub fn within(side: Side, budget: Budget) -> Link {
        Link(Rc::new(RefCell::new(Shared {
            machine: Machine::within(side, budget),
            lost: false,
            closing: false,
            readers: Sorted::new(),
            writers: Sorted::new(),
            accepting: None,
            driver: None,
            turn: 0,
        })))
    }

    /// Moves bytes between `io` and the streams until the connection ends. Dropping the future ends it too; either way
    /// every stream fails from then on with [`io::ErrorKind::ConnectionAborted`].
    pub async fn drive(&self, mut io: impl AsyncRead + AsyncWrite + Unpin) -> Ended {
        let _ending = Ending(self);
        let mut buffer = vec![0; READ];
        let mut unflushed = false;
        let ended = poll_fn(|cx| self.poll(cx, &mut io, &mut buffer, &mut unflushed)).await;
        if matches!(ended, Ended::Breach(_)) {
            // The farewell, where it can still be sent.
            poll_fn(|cx| {
                let _ = self.poll_write(cx, &mut io, &mut unflushed);
                Poll::Ready(())
            })
            .await;
        }
        ended
    }

    fn poll(&self, cx: &mut Context<'_>, io: &mut (impl AsyncRead + AsyncWrite + Unpin), buffer: &mut [u8], unflushed: &mut bool) -> Poll<Ended> {
        let mut shared = self.0.borrow_mut();
        shared.driver = Some(cx.waker().clone());
        if shared.closing {
            return Poll::Ready(Ended::Closed);
        }
        drop(shared);
        for _ in 0..TURNS {
            if let Err(e) = self.poll_write(cx, io, unflushed) {
                return Poll::Ready(Ended::Failed(e));
            }
            match Pin::new(&mut *io).poll_read(cx, buffer) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ended::Closed),
                Poll::Ready(Ok(n)) => {
                    if let Err(fault) = self.0.borrow_mut().receive(&buffer[..n]) {
                        return Poll::Ready(Ended::Breach(fault));
                    }
                }
                // A TLS peer that ends without a farewell is as gone as one that says it.
                Poll::Ready(Err(e)) if e.kind() == io::ErrorKind::UnexpectedEof => return Poll::Ready(Ended::Closed),
                Poll::Ready(Err(e)) => return Poll::Ready(Ended::Failed(e)),
                // What came in may have called for answers.
                Poll::Pending if self.0.borrow().machine.pending().is_empty() || *unflushed => return Poll::Pending,
                Poll::Pending => {}
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Writes what there is until the connection takes no more.
    fn poll_write(&self, cx: &mut Context<'_>, io: &mut (impl AsyncWrite + Unpin), unflushed: &mut bool) -> io::Result<()> {
        let mut shared = self.0.borrow_mut();
        while !shared.machine.pending().is_empty() {
            match Pin::new(&mut *io).poll_write(cx, shared.machine.pending()) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(n)) => shared.sent(n),
                Poll::Ready(Err(e)) => return Err(e),
                Poll::Pending => {
                    *unflushed = true;
                    return Ok(());
                }
            }
            *unflushed = true;
        }
        if *unflushed {
            match Pin::new(io).poll_flush(cx) {
                Poll::Ready(flushed) => {
                    flushed?;
                    *unflushed = false;
                }
                Poll::Pending => {}
            }
        }
        Ok(())
    }

    /// Opens a stream; `None` where there is no room for one more, or the connection is lost.
    pub fn open(&self) -> Option<Stream> {
        let mut shared = self.0.borrow_mut();
        if shared.lost {
            return None;
        }
        let id = shared.machine.open()?;
        drop(shared);
        Some(Stream::new(self.clone(), id))
    }

    /// Waits for a stream that the other side opens; `None` = the connection is lost.
    pub async fn accept(&self) -> Option<Stream> {
        poll_fn(|cx| {
            let mut shared = self.0.borrow_mut();
            if shared.lost {
                return Poll::Ready(None);
            }
            match shared.machine.next_incoming() {
                Some(id) => {
                    drop(shared);
                    Poll::Ready(Some(Stream::new(self.clone(), id)))
                }
                None => {
                    shared.accepting = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Streams that live.
    pub fn streams(&self) -> usize {
        self.0.borrow().machine.streams()
    }

    /// Bytes received that nobody has read yet.
    pub fn held(&self) -> usize {
        self.0.borrow().machine.held()
    }

    /// Ends the connection from this side.
    pub fn close(&self) {
        let mut shared = self.0.borrow_mut();
        shared.closing = true;
        shared.drive();
    }

    /// Whether `other` is the same connection.
    pub fn is(&self, other: &Link) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// The connection is gone.
    pub fn is_lost(&self) -> bool {
        self.0.borrow().lost
    }
}

impl Shared {
    fn receive(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let (readers, writers, accepting) = (&mut self.readers, &mut self.writers, &mut self.accepting);
        self.machine.receive(bytes, &mut |event| {
            let woken = match event {
                Event::Incoming => accepting.take(),
                Event::Readable(id) => readers.remove(&id),
                Event::Writable(id) => writers.remove(&id),
                Event::Room => None,
            };
            woken.into_iter().for_each(Waker::wake);
        })
    }

    fn sent(&mut self, n: usize) {
        let mut room = false;
        self.machine.sent(n, &mut |event| room |= event == Event::Room);
        if room {
            let turn = self.turn;
            let first = self.writers.split_off(&turn.saturating_add(1));
            let then = std::mem::take(&mut self.writers);
            first.into_values().chain(then.into_values()).for_each(Waker::wake);
        }
    }

    /// There is something to send.
    pub(super) fn drive(&mut self) {
        self.driver.take().into_iter().for_each(Waker::wake);
    }

    /// Wakes `waker` when there is something to read on `id`.
    pub(super) fn on_readable(&mut self, id: u32, waker: &Waker) {
        self.readers.insert(id, waker.clone());
    }

    /// Wakes `waker` when there is room to write on `id`.
    pub(super) fn on_writable(&mut self, id: u32, waker: &Waker) {
        self.writers.insert(id, waker.clone());
    }

    /// `id` has written.
    pub(super) fn wrote(&mut self, id: u32) {
        self.turn = id;
        self.drive();
    }

    /// Nobody holds `id` any more.
    pub(super) fn forget(&mut self, id: u32) {
        self.readers.remove(&id);
        self.writers.remove(&id);
        self.machine.forget(id);
        self.drive();
    }
}
