//! Waiting with an end.

use std::future::Future;
use std::time::Duration;

use smol::future::or;

use super::reactor::Timer;

/// What `future` yields, or `None` once `limit` has passed; the future is dropped then.
///
/// The future is boxed: in place, it would be stored several times over in whatever awaits it.
pub fn within<T>(limit: Duration, future: impl Future<Output = T>) -> impl Future<Output = Option<T>> {
    let future = Box::pin(future);
    or(async { Some(future.await) }, async move {
        Timer::after(limit).await;
        None
    })
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[test]
    fn ends_with_the_future_or_with_the_time() {
        smol::block_on(async {
            assert_eq!(within(Duration::from_secs(60), ready(1)).await, Some(1));
            assert_eq!(within(Duration::from_millis(1), pending::<u8>()).await, None);
            assert_eq!(within(Duration::ZERO, ready(2)).await, Some(2), "what is there already is not late");
        });
    }
}
