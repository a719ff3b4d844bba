//! Refusals that answer a CONNECT: by status and `Echomesh-Reason`.

use std::time::Duration;

use super::{Refusals, before, from};
use crate::core::Reason;
use crate::core::exit::Failure;
use crate::demo::broker::Broker;
use crate::demo::buyer::Access;
use crate::demo::names::{self, Host, Net};
use crate::demo::sessions::Sessions;
use crate::demo::wait::{fail, until};

/// Failures after which a source is refused (contracts, "Buyer's side").
const FAILURES: usize = 3;
/// A close must reach the node within this.
const CLOSED_WITHIN: Duration = Duration::from_secs(15);
/// A session nobody has.
const NO_SESSION: &str = "00000000-0000-4000-8000-000000000000";

/// Provokes them one after the other.
///
/// # Errors
/// The coordinator does not answer. That a refusal does not come is in the book.
pub async fn provoke(net: Net, broker: &Broker, sessions: &Sessions, book: &Refusals) -> Result<(), Failure> {
    for (reason, access, head) in simple(net, sessions) {
        book.note(reason, before(reason, &access, &head).await);
    }
    book.note(Reason::TunnelCap, tunnel_cap(&sessions.narrow.access).await);
    book.note(Reason::RateTableFull, rate_table_full(&sessions.any.access).await);
    expired(broker, &sessions.over.access, book).await
}

/// The one that takes long: the resolver waits 5 s for an answer that never comes.
pub async fn timed_out(any: &Access, book: &Refusals) {
    book.note(Reason::TimedOut, before(Reason::TimedOut, any, &any.connect_head(&at(&names::silent()))).await);
}

/// Those that one request shows.
fn simple(net: Net, sessions: &Sessions) -> Vec<(Reason, Access, String)> {
    let any = &sessions.any.access;
    let shop = at(&names::origin(2));
    let ask = |reason, access: &Access, target: &str| (reason, access.clone(), access.connect_head(target));
    let wrong = Access { secret: "wrong".into(), ..from(any, 21) };
    let stranger = Access { session: NO_SESSION.into(), ..from(any, 22) };
    let get = any.head(&format!("GET http://{shop}/ HTTP/1.1"), &shop);
    vec![
        ask(Reason::Malformed, any, "no-port-here"),
        (Reason::HttpsOnly, any.clone(), get),
        ask(Reason::BadCredentials, &wrong, &shop),
        ask(Reason::SessionUnknown, &stranger, &shop),
        ask(Reason::PortNotAllowed, any, &format!("{}:22", names::origin(2))),
        ask(Reason::IpLiteral, any, &net.addr(Host::Origin, 2).to_string()),
        ask(Reason::BlockedDomain, any, &at(&names::blocked())),
        ask(Reason::NotAllowedDomain, any, &at(names::ELSEWHERE)),
        ask(Reason::Category, &sessions.category.access, &shop),
        ask(Reason::PrivateAddress, any, &at(&names::private())),
        ask(Reason::SessionCap, &sessions.empty.access, &shop),
        ask(Reason::DnsFailed, any, &at(&names::absent())),
        ask(Reason::DialFailed, any, &at(&names::closed())),
    ]
}

fn at(host: &str) -> String {
    format!("{host}:{}", names::PORT)
}

/// A session of one tunnel holds it and asks for another.
async fn tunnel_cap(access: &Access) -> Result<(), String> {
    let target = at(&names::origin(2));
    let (answer, held) = access.connect(&target).await.map_err(|e| e.to_string())?;
    if answer.status != 200 {
        return Err(format!("the first tunnel: {} {}", answer.status, answer.reason.unwrap_or_default()));
    }
    let came = before(Reason::TunnelCap, access, &access.connect_head(&target)).await;
    drop(held);
    came
}

/// Three wrong secrets, and then even the right one is refused. Plain, because who speaks TLS is just closed.
async fn rate_table_full(access: &Access) -> Result<(), String> {
    let target = at(&names::origin(2));
    let right = Access { node_tls: None, ..from(access, 23) };
    let wrong = Access { secret: "wrong".into(), ..right.clone() };
    for _ in 0..FAILURES {
        before(Reason::BadCredentials, &wrong, &wrong.connect_head(&target)).await?;
    }
    before(Reason::RateTableFull, &right, &right.connect_head(&target)).await
}

/// The buyer closes the session and then tries to use it.
async fn expired(broker: &Broker, access: &Access, book: &Refusals) -> Result<(), Failure> {
    broker.close(&access.session).await?;
    let access = from(access, 24);
    let head = access.connect_head(&at(&names::origin(2)));
    let told = until("a closed session is refused as such", CLOSED_WITHIN, async || {
        let (answer, _) = access.ask(&head).await.map_err(|e| fail(e.to_string()))?;
        // Until the close has reached the node it still serves.
        Ok((answer.status != 200).then_some(answer))
    })
    .await;
    let came = told.map_err(|e| e.message).and_then(|answer| match (answer.status, answer.reason.as_deref()) {
        (407, Some("session-expired")) => Ok(()),
        (status, reason) => Err(format!("wanted 407, got {status} {}", reason.unwrap_or_default())),
    });
    book.note(Reason::SessionExpired, came);
    // Its last bundle goes on its way now: what comes next must not find it half settled.
    until("a closed session is settled", CLOSED_WITHIN, async || {
        let held = broker.held().await?;
        Ok(held.iter().any(|s| s.session_id == access.session && s.state == "settled").then_some(()))
    })
    .await
}
