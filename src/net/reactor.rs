//! Waiting, on the data-plane thread: sockets and timers over one epoll set, and [`block_on`], which runs a future there.
//!
//! async-io's reactor is made for any number of threads: it arms a socket anew for every wait, keeps a timer descriptor and a
//! bell beside it, and hands itself between two threads; measured, ten system calls and two changes of thread for a chunk of
//! bytes that a single `epoll_wait` can announce (decision 0022). Here a socket is registered once, edge-triggered, a timer is
//! an entry in a table, and only another thread has to ring.
//!
//! What is made outside of [`block_on`] waits by async-io as before: both kinds work under either.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

mod bell;
mod source;
mod timer;

pub use source::Async;
pub use timer::Timer;

use bell::Bell;
use source::Source;

/// Events taken at once: 12 bytes each on the stack.
const EVENTS: usize = 128;
/// The bell's mark among the events; sources count from 0.
const BELL: u64 = u64::MAX;
/// A task that works for long lets others' sockets be heard this often.
const GLANCE_EVERY: Duration = Duration::from_millis(1);

thread_local! {
    static HERE: RefCell<Option<Rc<Reactor>>> = const { RefCell::new(None) };
}

/// One thread's sockets and timers.
struct Reactor {
    epoll: Epoll,
    bell: Arc<Bell>,
    /// By the number that the kernel hands back; a number is never used twice, so a late event finds nobody. About 100 bytes
    /// a socket.
    sources: RefCell<BTreeMap<u64, Rc<Source>>>,
    next_source: Cell<u64>,
    timers: RefCell<BTreeMap<(Instant, u64), Waker>>,
    next_timer: Cell<u64>,
    looked_at: Cell<Instant>,
}

/// Runs `future` on this thread, with its sockets and timers, until it is done.
///
/// # Errors
/// The system gives no epoll set or event descriptor.
pub fn block_on<T>(future: impl Future<Output = T>) -> io::Result<T> {
    let reactor = Rc::new(Reactor::new()?);
    let outer = HERE.with(|here| here.replace(Some(reactor.clone())));
    // Whatever happens, what runs on this thread afterwards does not wait on a reactor that nobody turns.
    let _restore = Restore(outer);
    let waker = Waker::from(reactor.bell.clone());
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    reactor.bell.ring();
    loop {
        if reactor.bell.rung()
            && let Poll::Ready(done) = future.as_mut().poll(&mut cx)
        {
            return Ok(done);
        }
        reactor.turn(true)?;
    }
}

/// Takes in, without waiting, what happened to other sockets meanwhile: for one who keeps the thread for long.
pub fn glance() {
    let here = HERE.with(|here| here.borrow().clone());
    if let Some(reactor) = here.filter(|r| r.looked_at.get().elapsed() >= GLANCE_EVERY) {
        // What fails here fails in the next turn as well, and is told there.
        let _ = reactor.turn(false);
    }
}

struct Restore(Option<Rc<Reactor>>);

impl Drop for Restore {
    fn drop(&mut self) {
        let outer = self.0.take();
        HERE.with(|here| here.replace(outer));
    }
}

impl Reactor {
    fn new() -> io::Result<Reactor> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let bell = Arc::new(Bell::new()?);
        epoll.add(&*bell, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, BELL))?;
        Ok(Reactor {
            epoll,
            bell,
            sources: RefCell::default(),
            next_source: Cell::new(0),
            timers: RefCell::default(),
            next_timer: Cell::new(0),
            looked_at: Cell::new(Instant::now()),
        })
    }

    /// The one that this thread runs, if it runs one.
    fn here() -> Option<Rc<Reactor>> {
        HERE.with(|here| here.borrow().clone())
    }

    /// Wakes whose socket or time has come; `wait`s for the first of them unless somebody is awake already.
    fn turn(&self, wait: bool) -> io::Result<()> {
        let mut events = [EpollEvent::empty(); EVENTS];
        let timeout = if wait && self.bell.sleep() { self.until_next() } else { EpollTimeout::ZERO };
        let waited = self.epoll.wait(&mut events, timeout);
        self.bell.awake();
        let count = match waited {
            Err(nix::errno::Errno::EINTR) => 0,
            result => result?,
        };
        let now = Instant::now();
        self.looked_at.set(now);
        for event in events.iter().take(count) {
            if event.data() == BELL {
                self.bell.hear();
                continue;
            }
            // Waking may drop a task and its sockets with it: nothing is borrowed meanwhile.
            let source = self.sources.borrow().get(&event.data()).cloned();
            if let Some(source) = source {
                source.happened(event.events());
            }
        }
        loop {
            let due = {
                let mut timers = self.timers.borrow_mut();
                match timers.first_entry() {
                    Some(first) if first.key().0 <= now => first.remove(),
                    _ => return Ok(()),
                }
            };
            due.wake();
        }
    }

    /// epoll counts milliseconds: rounded up, so that the time has come when it returns.
    fn until_next(&self) -> EpollTimeout {
        let Some(at) = self.timers.borrow().first_key_value().map(|((at, _), _)| *at) else { return EpollTimeout::NONE };
        let left = at.saturating_duration_since(Instant::now());
        let millis = left.as_nanos().div_ceil(1_000_000);
        EpollTimeout::try_from(millis).unwrap_or(EpollTimeout::MAX)
    }

    /// Registers `fd` for good: both directions, edges only.
    fn add(&self, fd: BorrowedFd<'_>) -> io::Result<Rc<Source>> {
        let key = self.next_source.get();
        self.next_source.set(key + 1);
        self.epoll.add(fd, event(key))?;
        let source = Rc::new(Source::new(key));
        self.sources.borrow_mut().insert(key, source.clone());
        Ok(source)
    }

    /// Has the kernel look again: what is ready now is told in the next turn, and what becomes ready later too.
    fn look_again(&self, fd: BorrowedFd<'_>, source: &Source) -> io::Result<()> {
        Ok(self.epoll.modify(fd, &mut event(source.key()))?)
    }

    /// The socket is being closed, which takes it out of the set.
    fn forget(&self, source: &Source) {
        let removed = self.sources.borrow_mut().remove(&source.key());
        drop(removed);
    }
}

fn event(key: u64) -> EpollEvent {
    EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET, key)
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor()
    }
}

#[cfg(test)]
mod tests;
