//! Starting work beside other work, in one shape for all of it: tasks are boxed futures and jobs for a thread boxed closures, so that
//! executor and thread pool are compiled once and not for each of some forty of them.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use smol::{LocalExecutor, Task};

/// Runs `work` as a task of `ex`; ends with the handle unless that is detached.
pub fn start(ex: &LocalExecutor<'static>, work: impl Future<Output = ()> + 'static) -> Task<()> {
    let work: Pin<Box<dyn Future<Output = ()>>> = Box::pin(work);
    ex.spawn(work)
}

/// Does `job`, which may block, on a thread for such jobs.
pub async fn aside<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> T {
    let done = Arc::new(Mutex::new(None));
    let place = done.clone();
    run(Box::new(move || *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(job()))).await;
    let done = done.lock().unwrap_or_else(PoisonError::into_inner).take();
    // A job that panics takes its waiter with it: `run` did not come back then.
    done.expect("the job has put its outcome there")
}

fn run(job: Box<dyn FnOnce() + Send>) -> Task<()> {
    smol::unblock(job)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::panic::AssertUnwindSafe;
    use std::rc::Rc;

    use smol::future::FutureExt as _;

    use super::*;

    #[test]
    fn a_job_hands_back_what_it_comes_to_and_a_panic_reaches_who_waits() {
        let here = std::thread::current().id();
        let there = smol::block_on(aside(move || std::thread::current().id()));
        assert_ne!(here, there);
        let broken = smol::block_on(AssertUnwindSafe(aside(|| -> u32 { panic!("broken") })).catch_unwind());
        assert!(broken.is_err());
    }

    #[test]
    fn a_task_ends_with_its_handle() {
        let ex = LocalExecutor::new();
        let seen = Rc::new(Cell::new(0));
        let count = |seen: Rc<Cell<u32>>| async move {
            loop {
                seen.set(seen.get() + 1);
                smol::future::yield_now().await;
            }
        };
        let kept = start(&ex, count(seen.clone()));
        while seen.get() < 3 {
            ex.try_tick();
        }
        drop(kept);
        while ex.try_tick() {}
        assert_eq!((seen.get(), Rc::strong_count(&seen)), (3, 1));
    }
}
