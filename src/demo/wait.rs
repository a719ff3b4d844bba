//! Waiting for something to become true: by looking again, with an end, never by sleeping and hoping.

use std::time::Duration;

use crate::core::exit::{self, Failure};
use crate::net::within;

/// Pause between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(30);

/// A failure of the demonstration.
pub fn fail(message: impl Into<String>) -> Failure {
    Failure::new(exit::SOFTWARE, message)
}

/// What `look` finds, once it finds it. An error of `look` ends the wait at once.
///
/// # Errors
/// What `look` fails with; or that `what` has not come true within `limit`.
pub async fn until<T>(what: &str, limit: Duration, mut look: impl AsyncFnMut() -> Result<Option<T>, Failure>) -> Result<T, Failure> {
    let looking = async {
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            smol::Timer::after(LOOK_AGAIN).await;
        }
    };
    within(limit, looking).await.unwrap_or_else(|| Err(fail(format!("waited {} s in vain: {what}", limit.as_secs()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_until_it_finds_and_not_for_ever() {
        let mut left = 3;
        let found = until("three looks", Duration::from_secs(5), async || {
            left -= 1;
            Ok((left == 0).then_some("found"))
        });
        assert_eq!(smol::block_on(found).unwrap(), "found");
        let failure = smol::block_on(until("pigs fly", Duration::from_millis(1), async || Ok(None::<()>))).unwrap_err();
        assert!(failure.message.contains("pigs fly"), "{failure}");
        let failure = smol::block_on(until("it", Duration::from_secs(5), async || Err::<Option<()>, _>(fail("broken")))).unwrap_err();
        assert_eq!(failure.message, "broken");
    }
}
