//! Runs each role as a task group with its own restart back-off: a panic or an error in one does not take the others.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Duration;

use smol::LocalExecutor;
use smol::future::FutureExt as _;

use crate::core::backoff::Backoff;
use crate::core::{Clock, exit::Failure};
use crate::net::reactor::Timer;

const FIRST: Duration = Duration::from_millis(500);
const MOST: Duration = Duration::from_secs(60);
/// A role that worked this long starts its back-off anew.
const HEALTHY: Duration = Duration::from_secs(120);

/// How a role is doing, for status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RoleState {
    /// It works.
    Up,
    /// It failed and waits for its next start.
    Restarting,
}

/// A role's health, shared with the status.
#[derive(Clone, Debug)]
pub struct RoleHealth {
    /// Name of the role.
    pub name: &'static str,
    state: Rc<Cell<RoleState>>,
    restarts: Rc<Cell<u32>>,
    error: Rc<RefCell<Option<String>>>,
}

impl RoleHealth {
    /// A role that has not failed yet.
    pub fn new(name: &'static str) -> RoleHealth {
        RoleHealth { name, state: Rc::new(Cell::new(RoleState::Up)), restarts: Rc::default(), error: Rc::default() }
    }

    /// How it is doing.
    pub fn state(&self) -> RoleState {
        self.state.get()
    }

    /// What it ended with last.
    pub fn error(&self) -> Option<String> {
        self.error.borrow().clone()
    }

    /// How often it was started anew.
    pub fn restarts(&self) -> u32 {
        self.restarts.get()
    }
}

/// Keeps a role running for ever. `start` makes the role's main task; what that task spawns on the executor it is
/// handed belongs to the role and is dropped with it; a spawned task must not hold the executor itself, or it would
/// keep itself alive. `changed` is told when the health changes.
pub async fn keep<F>(health: RoleHealth, clock: Clock, start: impl Fn(Rc<LocalExecutor<'static>>) -> F, changed: impl Fn(RoleState))
where
    F: Future<Output = Result<(), Failure>>,
{
    let mut backoff = Backoff::new(FIRST, MOST);
    loop {
        let group = Rc::new(LocalExecutor::new());
        let began = clock.now();
        let ended = AssertUnwindSafe(group.run(start(group.clone()))).catch_unwind().await;
        drop(group);
        let why = match ended {
            Ok(Ok(())) => "it ended by itself".to_owned(),
            Ok(Err(failure)) => failure.message,
            Err(_) => "a defect inside; please report it with the log".to_owned(),
        };
        log::error!("role {}: {why}", health.name);
        *health.error.borrow_mut() = Some(why);
        if clock.now().since(began) >= HEALTHY {
            backoff.succeeded();
        }
        health.state.set(RoleState::Restarting);
        health.restarts.set(health.restarts.get().saturating_add(1));
        changed(RoleState::Restarting);
        Timer::after(backoff.failed(random())).await;
        health.state.set(RoleState::Up);
        changed(RoleState::Up);
    }
}

/// 32 random bits for jitter.
pub fn random() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_restarts_the_role_and_nothing_else() {
        let starts = Rc::new(Cell::new(0));
        let (seen, other) = (starts.clone(), Rc::new(Cell::new(0)));
        let health = RoleHealth::new("test");
        let role = keep(
            health.clone(),
            Clock::system(),
            move |_| {
                let nth = seen.get() + 1;
                seen.set(nth);
                async move {
                    assert!(nth > 1, "the first start panics");
                    std::future::pending::<()>().await;
                    Ok(())
                }
            },
            |_| {},
        );
        let beside = other.clone();
        let (up, beat) = (starts.clone(), async move {
            while starts.get() < 2 {
                beside.set(beside.get() + 1);
                Timer::after(Duration::from_millis(5)).await;
            }
        });
        smol::block_on(beat.or(role));
        assert_eq!((up.get(), health.restarts(), health.state()), (2, 1, RoleState::Up));
        assert!(other.get() > 1);
    }
}
