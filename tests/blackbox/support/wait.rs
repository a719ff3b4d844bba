//! Waiting for something to become true: polled, with a deadline, never a sleep of a guessed length.

use std::time::{Duration, Instant};

/// What anything on one machine should be done within, however busy the machine is.
pub const SOON: Duration = Duration::from_secs(30);
/// What the documents promise within a second, with room for a machine that does other things too.
pub const PROMPTLY: Duration = Duration::from_millis(1500);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Polls `look` until it gives a value; panics with `what` when that takes longer than [`SOON`].
#[track_caller]
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(SOON, what, look)
}

/// The same with another deadline.
#[track_caller]
pub fn within<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(value) = look() {
            return value;
        }
        assert!(Instant::now() < end, "not within {limit:?}: {what}");
        std::thread::sleep(LOOK);
    }
}
