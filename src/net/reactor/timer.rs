//! A moment to come.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::Reactor;

/// Ready once its time has come; never before, and up to a millisecond later.
#[derive(Debug)]
pub struct Timer(Inner);

#[derive(Debug)]
enum Inner {
    Own {
        at: Instant,
        id: Option<u64>,
    },
    /// Made where no reactor runs.
    Foreign(smol::Timer),
}

impl Timer {
    /// After `wait` from now.
    pub fn after(wait: Duration) -> Timer {
        match (Reactor::here(), Instant::now().checked_add(wait)) {
            (Some(_), Some(at)) => Timer(Inner::Own { at, id: None }),
            (Some(_), None) => Timer(Inner::Foreign(smol::Timer::never())),
            (None, _) => Timer(Inner::Foreign(smol::Timer::after(wait))),
        }
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.get_mut().0 {
            Inner::Foreign(timer) => Pin::new(timer).poll(cx).map(drop),
            Inner::Own { at, id } => {
                if Instant::now() >= *at {
                    forget(*at, id.take());
                    return Poll::Ready(());
                }
                let Some(reactor) = Reactor::here() else { return Poll::Pending };
                let id = *id.get_or_insert_with(|| {
                    let id = reactor.next_timer.get();
                    reactor.next_timer.set(id + 1);
                    id
                });
                keep(&reactor, (*at, id), cx.waker());
                Poll::Pending
            }
        }
    }
}

fn keep(reactor: &Rc<Reactor>, key: (Instant, u64), waker: &Waker) {
    let mut timers = reactor.timers.borrow_mut();
    if timers.get(&key).is_some_and(|old| old.will_wake(waker)) {
        return;
    }
    let old = timers.insert(key, waker.clone());
    drop(timers);
    drop(old);
}

fn forget(at: Instant, id: Option<u64>) {
    if let (Some(id), Some(reactor)) = (id, Reactor::here()) {
        let old = reactor.timers.borrow_mut().remove(&(at, id));
        drop(old);
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Inner::Own { at, id } = &mut self.0 {
            forget(*at, id.take());
        }
    }
}
