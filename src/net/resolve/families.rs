//! A and AAAA asked together (RFC 8305, section 3): who has an answer waits but a moment for the other.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use smol::future::or;

use super::cache::{LEAST, holds};
use super::{Outcome, Resolved};
use crate::core::Reason;
use crate::net::deadline::within;
use crate::net::dns::Answer;

/// Resolution Delay: how long the first addresses wait for those of the other family.
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);

/// One family's answer; `None` = not waited for.
pub(super) type Family = Option<Result<Answer, Reason>>;

/// Runs both look-ups. The one that is still out [`RESOLUTION_DELAY`] after the other brought addresses is dropped; after
/// an answer without addresses, or a failure, the other is waited for.
pub(super) async fn both(four: impl Future<Output = Result<Answer, Reason>>, six: impl Future<Output = Result<Answer, Reason>>) -> (Family, Family) {
    let (mut four, mut six) = (pin!(four), pin!(six));
    let (mut got_four, mut got_six) = (None, None);
    or(async { got_four = Some(four.as_mut().await) }, async { got_six = Some(six.as_mut().await) }).await;
    let enough = |family: &Family| matches!(family, Some(Ok(answer)) if !answer.addresses.is_empty());
    if got_four.is_some() {
        got_six = if enough(&got_four) { within(RESOLUTION_DELAY, six).await } else { Some(six.await) };
    } else {
        got_four = if enough(&got_six) { within(RESOLUTION_DELAY, four).await } else { Some(four.await) };
    }
    (got_four, got_six)
}

/// What both families come to, and for how long it may be remembered; a failure is not.
pub(super) fn combine(four: Family, six: Family) -> (Outcome, Option<Duration>) {
    let whole = matches!((&four, &six), (Some(Ok(_)), Some(Ok(_))));
    let timed_out = [&four, &six].into_iter().any(|family| matches!(family, Some(Err(Reason::TimedOut))));
    let mut resolved = Resolved::default();
    let (mut ttl, mut negative_ttl) = (u32::MAX, u32::MAX);
    for answer in [six, four].into_iter().flatten().flatten() {
        if answer.addresses.is_empty() {
            negative_ttl = negative_ttl.min(answer.ttl);
            continue;
        }
        ttl = ttl.min(answer.ttl);
        resolved.addresses.extend(answer.addresses);
        for name in answer.chain {
            if !resolved.chain.contains(&name) {
                resolved.chain.push(name);
            }
        }
    }
    match (resolved.addresses.is_empty(), whole) {
        (false, true) => (Ok(resolved), Some(holds(ttl, &Ok(())))),
        // The other family gets its chance soon.
        (false, false) => (Ok(resolved), Some(LEAST)),
        (true, true) => (Err(Reason::DnsFailed), Some(holds(negative_ttl, &Err(Reason::DnsFailed)))),
        (true, false) => (Err(if timed_out { Reason::TimedOut } else { Reason::DnsFailed }), None),
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    fn answer(address: &str, ttl: u32, chain: &[&str]) -> Result<Answer, Reason> {
        Ok(Answer { addresses: vec![address.parse().unwrap()], chain: chain.iter().map(ToString::to_string).collect(), ttl })
    }

    fn none(ttl: u32) -> Result<Answer, Reason> {
        Ok(Answer { ttl, ..Answer::default() })
    }

    async fn soon<T>(value: T) -> T {
        for _ in 0..3 {
            smol::future::yield_now().await;
        }
        value
    }

    #[test]
    fn the_other_family_is_waited_for_only_when_there_is_nothing_to_dial() {
        let (four, six) = (answer("192.0.2.1", 60, &[]), answer("2001:db8::1", 60, &[]));
        smol::block_on(async {
            assert_eq!(both(ready(four.clone()), pending()).await, (Some(four.clone()), None));
            assert_eq!(both(pending(), ready(six.clone())).await, (None, Some(six.clone())));
            assert_eq!(both(ready(four.clone()), soon(six.clone())).await, (Some(four.clone()), Some(six.clone())));
            assert_eq!(both(ready(none(9)), soon(six.clone())).await, (Some(none(9)), Some(six.clone())));
            let failed = Err(Reason::DnsFailed);
            assert_eq!(both(soon(four.clone()), ready(failed.clone())).await, (Some(four.clone()), Some(failed)));
        });
    }

    #[test]
    fn families_and_their_chains_come_together() {
        let four = answer("192.0.2.1", 300, &["cdn.example.net", "four.example.net"]);
        let six = answer("2001:db8::1", 120, &["cdn.example.net", "six.example.net"]);
        let (outcome, holds) = combine(Some(four), Some(six));
        let resolved = outcome.unwrap();
        assert_eq!(resolved.addresses.len(), 2);
        assert_eq!(resolved.chain, ["cdn.example.net", "six.example.net", "four.example.net"]);
        assert_eq!(holds, Some(Duration::from_secs(120)));
    }

    #[test]
    fn what_each_pair_comes_to() {
        let good = || Some(answer("192.0.2.1", 300, &[]));
        let secs = |n| Some(Duration::from_secs(n));
        let failed = || Some(Err(Reason::DnsFailed));
        let late = || Some(Err(Reason::TimedOut));
        let rows: [(Family, Family, Option<Reason>, Option<Duration>); 8] = [
            (good(), Some(none(900)), None, secs(300)),
            (good(), None, None, secs(10)),
            (good(), failed(), None, secs(10)),
            (Some(none(900)), Some(none(20)), Some(Reason::DnsFailed), secs(20)),
            (Some(none(900)), Some(none(900)), Some(Reason::DnsFailed), secs(30)),
            (Some(none(900)), failed(), Some(Reason::DnsFailed), None),
            (failed(), late(), Some(Reason::TimedOut), None),
            (failed(), failed(), Some(Reason::DnsFailed), None),
        ];
        for (four, six, reason, holds) in rows {
            let case = format!("{four:?} {six:?}");
            let (outcome, held) = combine(four, six);
            assert_eq!((outcome.err(), held), (reason, holds), "{case}");
        }
    }
}
