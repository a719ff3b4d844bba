//! Watches over a tunnel: ends it when it is idle or old, and measures its sockets while they may hold something.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::leg::Leg;
use super::{Cause, Common};
use crate::core::Mono;
use crate::net::pool::{IDLE_SOCKETS, Member};
use crate::net::reactor::Timer;

/// How often the sockets of a tunnel that is not idle are measured. An idle one has no tick.
const MEASURE_EVERY: Duration = Duration::from_secs(5);

/// Ends with [`Cause::Idle`] or [`Cause::Total`].
pub(super) struct Watch<'a, T, P> {
    common: &'a Common<'a, T, P>,
    legs: [&'a Leg; 2],
    member: Member,
    until: Mono,
    /// When to measure next; `None` while the sockets are empty.
    measure_at: Option<Mono>,
    timer: Option<(Mono, Timer)>,
}

impl<'a, T, P> Watch<'a, T, P> {
    pub(super) fn new(common: &'a Common<'a, T, P>, buyer: &'a Leg, origin: &'a Leg) -> Watch<'a, T, P> {
        let tunnel = common.tunnel;
        let until = tunnel.clock.now().plus(tunnel.limits.total);
        Watch { common, legs: [buyer, origin], member: tunnel.pool.enter(), until, measure_at: None, timer: None }
    }

    /// What the sockets hold, or may come to hold while a direction stalls.
    fn measure(&self) -> usize {
        let queued = |leg: &&Leg| leg.carrier().memory().map_or(0, |m| m.receive_queued + m.send_queued);
        let now: usize = self.legs.iter().map(queued).sum();
        now.max(self.common.stalled.iter().map(std::cell::Cell::get).sum())
    }
}

impl<T, P> Future for Watch<'_, T, P> {
    type Output = Cause;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Cause> {
        let this = self.get_mut();
        let tunnel = this.common.tunnel;
        loop {
            let now = tunnel.clock.now();
            let idle_at = this.common.moved_at.get().plus(tunnel.limits.idle);
            if now >= this.until {
                return Poll::Ready(Cause::Total);
            }
            if now >= idle_at {
                return Poll::Ready(Cause::Idle);
            }
            let stalled: usize = this.common.stalled.iter().map(std::cell::Cell::get).sum();
            if stalled > 0 && this.common.moved.get() {
                this.member.set_sockets(stalled);
            }
            if this.common.moved.replace(false) && this.measure_at.is_none() {
                this.measure_at = Some(now.plus(MEASURE_EVERY));
            }
            if this.measure_at.is_some_and(|at| now >= at) {
                let bytes = this.measure();
                this.member.set_sockets(bytes);
                this.measure_at = (bytes > IDLE_SOCKETS).then(|| now.plus(MEASURE_EVERY));
            }
            let due = this.until.min(idle_at).min(this.measure_at.unwrap_or(this.until));
            match &this.timer {
                // One that rings too early is let ring: bytes move far more often than it does.
                Some((set, _)) if *set <= due => {}
                // A clock of milliseconds rounds down: one more, so that the time has come when the timer rings.
                _ => this.timer = Some((due, Timer::after(due.since(now) + Duration::from_millis(1)))),
            }
            let Some((_, timer)) = &mut this.timer else { return Poll::Pending };
            if Pin::new(timer).poll(cx).is_pending() {
                return Poll::Pending;
            }
            this.timer = None;
        }
    }
}
