//! The coordinator is cut off while traffic goes on, and comes back over the same store.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

use super::broker::Broker;
use super::flow::Flow;
use super::names;
use super::node::Node;
use super::refusals::Refusals;
use super::sessions::{SHORT_LEASE_SEC, Session, Sessions};
use super::show::Show;
use super::wait::{fail, until};
use crate::core::Reason;
use crate::core::exit::Failure;

/// A node must notice, traffic must move, a lease must end within this; on top of what each takes by design.
const SOON: Duration = Duration::from_secs(15);
/// The nodes' pauses between tries have grown meanwhile.
const BACK_WITHIN: Duration = Duration::from_secs(45);
/// Body bytes each way in the session with the short lease, before the outage.
const BEFORE: u64 = 64 * 1024;

/// Cuts the coordinator off and shows what that does and does not do: traffic goes on, a bundle waits at its node, the
/// session with the short lease takes no new tunnel.
///
/// # Errors
/// Something of that does not come true.
pub async fn cut(
    broker: &mut Broker,
    nodes: &[Node; 2],
    sessions: &Sessions,
    origin: &Arc<ClientConfig>,
    flows: &[Rc<Flow>],
    book: &Refusals,
    show: &Show,
) -> Result<(), Failure> {
    let leased = &sessions.leased;
    for (up, down) in [(BEFORE, 0), (0, BEFORE)] {
        let visit = leased.access.https(origin, &names::origin(2), names::PORT, up, down, &Flow::default()).await;
        visit.map_err(|e| fail(format!("the session with the short lease does not serve before the outage: {e}")))?;
    }
    broker.cut();
    show.step("coordinator: killed, while traffic goes on");
    let owner = &nodes[sessions.dropped.at];
    owner.close_session(sessions.dropped.id()).await?;
    let before: Vec<u64> = flows.iter().map(|f| f.exchanges.get()).collect();
    for node in nodes {
        until(&format!("{} notices the outage", node.name), SOON, async || Ok((!node.status().await?.coordinator.reachable).then_some(()))).await?;
    }
    for (flow, before) in flows.iter().zip(before) {
        until("traffic goes on in the outage", SOON, async || match flow.failure() {
            Some(why) => Err(fail(format!("traffic broke in the outage: {why}"))),
            None => Ok((flow.exchanges.get() > before).then_some(())),
        })
        .await?;
    }
    until("a closed session's bundle waits at its node", SOON, async || Ok((owner.status().await?.coordinator.spooled_bundles > 0).then_some(())))
        .await?;
    book.note(Reason::LeaseExpired, lease_ends(leased).await);
    Ok(())
}

/// Waits until both nodes reach it again, and what waited at one of them is in the ledger.
///
/// # Errors
/// It does not come true.
pub async fn over(broker: &Broker, nodes: &[Node; 2], dropped: &Session) -> Result<(), Failure> {
    for node in nodes {
        let what = format!("{} reaches the coordinator again", node.name);
        until(&what, BACK_WITHIN, async || Ok(node.status().await?.coordinator.reachable.then_some(()))).await?;
    }
    until("the bundle that waited is in the ledger", BACK_WITHIN, async || {
        let held = broker.held().await?;
        Ok(held.iter().any(|s| s.session_id == dropped.id() && s.state == "settled").then_some(()))
    })
    .await
}

/// Waits until no bundle waits at any node.
///
/// # Errors
/// Some stay.
pub async fn drained(nodes: impl Iterator<Item = &Node>) -> Result<(), Failure> {
    for node in nodes {
        let what = format!("{} has handed in its bundles", node.name);
        until(&what, BACK_WITHIN, async || Ok((node.status().await?.coordinator.spooled_bundles == 0).then_some(()))).await?;
    }
    Ok(())
}

async fn lease_ends(session: &Session) -> Result<(), String> {
    let limit = Duration::from_secs(u64::from(SHORT_LEASE_SEC)) + SOON;
    let target = format!("{}:{}", names::origin(2), names::PORT);
    let refused = until("the lease ends", limit, async || {
        let (answer, _) = session.access.connect(&target).await.map_err(|e| fail(e.to_string()))?;
        Ok((answer.status != 200).then_some(answer))
    });
    let answer = refused.await.map_err(|e| e.message)?;
    match (answer.status, answer.reason.as_deref()) {
        (503, Some("lease-expired")) => Ok(()),
        (status, reason) => Err(format!("wanted 503, got {status} {}", reason.unwrap_or_default())),
    }
}
