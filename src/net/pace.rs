//! The limiter: one global rate shared fairly by sessions, each with a rate of its own; both directions draw from it.
//!
//! Nobody waiting, no timer. Of those who wait one keeps the only timer and passes it on when it leaves, so there is no task
//! to start or stop, and a dropped future leaves nothing behind.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::Pace;
use super::bucket::TokenBucket;
use super::reactor::Timer;
use crate::core::sorted::Sorted;
use crate::core::{Clock, Mono};

#[cfg(test)]
mod exactness;
mod queue;

use queue::{Grant, Queue, ShareId, WaiterId};

/// The global rate. Cheap to clone; one thread.
#[derive(Clone)]
pub struct Limiter(Rc<Inner>);

/// One session's part in it; its tunnels take their bytes here.
pub struct Share {
    limiter: Limiter,
    id: ShareId,
}

struct Inner {
    clock: Clock,
    state: RefCell<State>,
}

struct State {
    queue: Queue,
    /// One entry for each future that waits: about 100 bytes, twice the number of tunnels at most.
    slots: Sorted<WaiterId, Slot>,
    /// Who keeps the timer.
    keeper: Option<WaiterId>,
    /// The time the timer is set to.
    alarm: Option<(Mono, Timer)>,
    /// Kept for its memory.
    grants: Vec<Grant>,
}

enum Slot {
    Waiting(Option<Waker>),
    Granted(u64),
}

impl Limiter {
    /// At most `rate` bytes per second over all shares, `burst` at once ([`super::bucket::UNLIMITED`] = no limit).
    pub fn new(clock: Clock, rate: u64, burst: u64) -> Limiter {
        let queue = Queue::new(TokenBucket::new(clock.now(), rate, burst));
        let state = State { queue, slots: Sorted::new(), keeper: None, alarm: None, grants: Vec::new() };
        Limiter(Rc::new(Inner { clock, state: RefCell::new(state) }))
    }

    /// A session's part: at most `rate` bytes per second, `burst` at once.
    pub fn share(&self, rate: u64, burst: u64) -> Rc<Share> {
        let id = self.0.state.borrow_mut().queue.open(TokenBucket::new(self.0.clock.now(), rate, burst));
        Rc::new(Share { limiter: self.clone(), id })
    }

    /// Changes the global rate at once, for those who already wait too.
    pub fn set_rate(&self, rate: u64, burst: u64) {
        self.change(|queue, now| queue.set_global(now, rate, burst));
    }

    /// Futures that wait for bytes now.
    pub fn waiting(&self) -> usize {
        self.0.state.borrow().slots.len()
    }

    fn change(&self, change: impl FnOnce(&mut Queue, Mono)) {
        let now = self.0.clock.now();
        let mut state = self.0.state.borrow_mut();
        change(&mut state.queue, now);
        state.serve(now, None);
    }
}

impl Share {
    /// Changes this session's rate at once, for those who already wait too.
    pub fn set_rate(&self, rate: u64, burst: u64) {
        self.limiter.change(|queue, now| queue.set_share(self.id, now, rate, burst));
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.limiter.0.state.borrow_mut().queue.close(self.id);
    }
}

impl Pace for Share {
    async fn take(&self, want: usize) -> usize {
        let want = (want as u64).max(1);
        let now = self.limiter.0.clock.now();
        let waiter = {
            let mut state = self.limiter.0.state.borrow_mut();
            if let Some(bytes) = state.queue.take_now(self.id, want, now) {
                return usize::try_from(bytes).unwrap_or(usize::MAX);
            }
            let Some(waiter) = state.queue.wait(self.id, want) else { return 0 };
            state.slots.insert(waiter, Slot::Waiting(None));
            waiter
        };
        usize::try_from(Wait { share: self, waiter }.await).unwrap_or(usize::MAX)
    }

    fn give_back(&self, bytes: usize) {
        if bytes > 0 {
            self.limiter.change(|queue, _| queue.give_back(self.id, bytes as u64));
        }
    }
}

/// Stands in line; leaves it when dropped.
struct Wait<'a> {
    share: &'a Share,
    waiter: WaiterId,
}

impl Future for Wait<'_> {
    type Output = u64;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u64> {
        let inner = &self.share.limiter.0;
        loop {
            let now = inner.clock.now();
            let mut state = inner.state.borrow_mut();
            let next = state.serve(now, Some(self.waiter));
            if let Some(Slot::Granted(bytes)) = state.slots.get(&self.waiter) {
                let bytes = *bytes;
                state.forget(self.waiter);
                return Poll::Ready(bytes);
            }
            if let Some(Slot::Waiting(waker)) = state.slots.get_mut(&self.waiter) {
                match waker {
                    Some(waker) => waker.clone_from(cx.waker()),
                    None => *waker = Some(cx.waker().clone()),
                }
            }
            if *state.keeper.get_or_insert(self.waiter) != self.waiter || state.keep(now, next, cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let inner = &self.share.limiter.0;
        let mut state = inner.state.borrow_mut();
        match state.slots.get(&self.waiter) {
            // Granted, and nobody came for it.
            Some(Slot::Granted(bytes)) => {
                let bytes = *bytes;
                state.queue.give_back(self.share.id, bytes);
            }
            Some(Slot::Waiting(_)) => state.queue.leave(self.share.id, self.waiter),
            None => return,
        }
        state.forget(self.waiter);
        // Who is next in line may be served by what this one leaves.
        state.serve(inner.clock.now(), None);
    }
}

impl State {
    /// Serves the queue, wakes whom it served, and the keeper if its timer is too late now; never `me`, who is awake.
    fn serve(&mut self, now: Mono, me: Option<WaiterId>) -> Option<Mono> {
        let mut grants = std::mem::take(&mut self.grants);
        let next = self.queue.serve(now, &mut grants);
        for Grant { waiter, bytes } in grants.drain(..) {
            if let Some(Slot::Waiting(Some(waker))) = self.slots.insert(waiter, Slot::Granted(bytes)) {
                waker.wake();
            }
        }
        self.grants = grants;
        let too_late = match (next, &self.alarm) {
            (Some(next), Some((set, _))) => next < *set,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if too_late && (me.is_none() || self.keeper != me) {
            self.wake_keeper();
        }
        next
    }

    /// Sets the timer to `next` and polls it; ready when it has come.
    fn keep(&mut self, now: Mono, next: Option<Mono>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(next) = next else {
            self.alarm = None;
            return Poll::Pending;
        };
        match &mut self.alarm {
            Some((set, _)) if *set == next => {}
            // A clock of milliseconds rounds down: one more, so that the time has come when the timer rings.
            alarm => *alarm = Some((next, Timer::after(next.since(now) + Duration::from_millis(1)))),
        }
        let Some((_, timer)) = &mut self.alarm else { return Poll::Pending };
        if Pin::new(timer).poll(cx).is_ready() {
            self.alarm = None;
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// Takes `waiter` out; passes the timer on if it kept it, and stops it when nobody is left.
    fn forget(&mut self, waiter: WaiterId) {
        self.slots.remove(&waiter);
        if self.keeper == Some(waiter) {
            self.keeper = None;
            self.alarm = None;
            self.wake_keeper();
        }
    }

    /// Wakes who keeps the timer, or else the first in line, who will.
    fn wake_keeper(&mut self) {
        let who = self.keeper.or_else(|| self.queue.head());
        if let Some(Slot::Waiting(Some(waker))) = who.and_then(|w| self.slots.get(&w)) {
            waker.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use smol::future::FutureExt as _;

    use super::super::bucket::UNLIMITED;
    use super::*;

    async fn within<T>(future: impl Future<Output = T>) -> T {
        let late = async {
            Timer::after(Duration::from_secs(20)).await;
            panic!("not done in time")
        };
        future.or(late).await
    }

    #[test]
    fn unlimited_never_waits() {
        smol::block_on(async {
            let share = Limiter::new(Clock::system(), UNLIMITED, UNLIMITED).share(UNLIMITED, UNLIMITED);
            for _ in 0..1000 {
                assert_eq!(smol::future::poll_once(share.take(1 << 20)).await, Some(1 << 20));
            }
        });
    }

    #[test]
    fn all_who_wait_are_served_by_one_timer() {
        let ex = smol::LocalExecutor::new();
        let limiter = Limiter::new(Clock::system(), 2_000_000, 10_000);
        let got = Rc::new(Cell::new(0));
        let tasks: Vec<_> = (0..20)
            .map(|i| {
                let (share, got) = (limiter.share(if i % 2 == 0 { UNLIMITED } else { 500_000 }, 5_000), got.clone());
                ex.spawn(async move {
                    let mut left: usize = 20_000;
                    while left > 0 {
                        let n = share.take(left).await;
                        assert!(n > 0 && n <= left);
                        left -= n;
                        got.set(got.get() + n);
                    }
                })
            })
            .collect();
        smol::block_on(within(ex.run(async {
            for task in tasks {
                task.await;
            }
        })));
        assert_eq!(got.get(), 400_000);
        assert_eq!(limiter.waiting(), 0);
        assert!(limiter.0.state.borrow().alarm.is_none(), "nobody waits: no timer");
    }

    #[test]
    fn who_is_dropped_leaves_the_line_and_loses_no_grant() {
        let ex = smol::LocalExecutor::new();
        let clock = Clock::test(0);
        let limiter = Limiter::new(clock.clone(), 0, 1_000);
        let (a, b) = (limiter.share(UNLIMITED, UNLIMITED), limiter.share(UNLIMITED, UNLIMITED));
        smol::block_on(within(ex.run(async {
            assert_eq!(a.take(1_000).await, 1_000);
            // The first in line keeps the timer; it goes away before it is served.
            let mut first = Box::pin(a.take(1_000));
            assert!(smol::future::poll_once(&mut first).await.is_none());
            let mut second = Box::pin(b.take(400));
            assert!(smol::future::poll_once(&mut second).await.is_none());
            drop(first);
            limiter.set_rate(1_000, 1_000);
            clock.advance(Duration::from_millis(400));
            // Granted by another's call, and dropped before it looked.
            limiter.set_rate(0, 1_000);
            drop(second);
            assert_eq!(limiter.waiting(), 0);
            assert_eq!(b.take(400).await, 400);
        })));
    }

    #[test]
    fn the_timer_is_passed_on_whoever_goes_away() {
        let ex = smol::LocalExecutor::new();
        let limiter = Limiter::new(Clock::system(), 3_000_000, 3_000);
        let tasks: Vec<_> = (0..24u32)
            .map(|i| {
                let share = limiter.share(if i % 3 == 0 { 200_000 } else { UNLIMITED }, 2_000);
                ex.spawn(async move {
                    let mut left: usize = 15_000;
                    let mut patience = i;
                    while left > 0 {
                        patience = patience.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        let gives_up = async {
                            if patience % 2 == 0 {
                                std::future::pending::<()>().await;
                            }
                            Timer::after(Duration::from_micros(u64::from(patience % 4_000))).await;
                            0
                        };
                        left -= share.take(left).or(gives_up).await;
                    }
                })
            })
            .collect();
        smol::block_on(within(ex.run(async {
            for task in tasks {
                task.await;
            }
        })));
        assert_eq!(limiter.waiting(), 0);
    }

    #[test]
    fn a_higher_rate_serves_at_once_those_who_wait() {
        let ex = smol::LocalExecutor::new();
        let limiter = Limiter::new(Clock::system(), 0, 2_000);
        let share = limiter.share(UNLIMITED, UNLIMITED);
        smol::block_on(within(ex.run(async {
            assert_eq!(share.take(2_000).await, 2_000);
            let waiting = ex.spawn({
                let share = share.clone();
                async move { share.take(1_000).await }
            });
            smol::future::yield_now().await;
            assert_eq!(limiter.waiting(), 1);
            limiter.set_rate(10_000_000, 2_000);
            assert_eq!(waiting.await, 1_000);
        })));
    }
}
