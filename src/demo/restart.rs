//! A node is ended by SIGTERM in mid-session and started again: its live tunnel ends as `node-restart`, its counters go on.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use smol::io::AsyncReadExt as _;

use super::buyer;
use super::compare::Bytes;
use super::flow::Flow;
use super::names::{self, Net};
use super::node::Node;
use super::refusals::{Refusals, owners};
use super::sessions::Session;
use super::stage::counted;
use super::tamper;
use super::wait::{fail, until};
use crate::core::Reason;
use crate::core::exit::Failure;
use crate::net::within;

/// What must come true soon, on a busy machine.
const SOON: Duration = Duration::from_secs(15);
/// A live tunnel ends within 1 s of the signal (contracts); the rest is for a busy machine.
const TUNNEL_ENDS_WITHIN: Duration = Duration::from_secs(3);
/// Body bytes each way after the restart.
const AFTER: u64 = 64 * 1024;

/// Restarts `node` while `session` has a tunnel to the origin's `nth` name.
///
/// # Errors
/// The node does not end, or does not come back with its session.
pub async fn in_mid_session(
    net: Net,
    node: &mut Node,
    session: &Session,
    (origin, nth): (&Arc<ClientConfig>, u8),
    book: &Refusals,
) -> Result<(), Failure> {
    owners::empty(node).await?;
    let host = names::origin(nth);
    let (answer, tunnel) = session.access.connect(&format!("{host}:{}", names::PORT)).await.map_err(|e| fail(e.to_string()))?;
    if answer.status != 200 {
        return Err(fail(format!("no tunnel before the restart: {} {}", answer.status, answer.reason.unwrap_or_default())));
    }
    let mut tls = buyer::inside(origin, &host, tunnel).await.map_err(|e| fail(format!("{host}: {e}")))?;
    // At rest: with bytes still on their way the two sides could not agree on how many there were.
    until("the tunnel is at rest", SOON, async || Ok((counted(net, nth).await?.0 == of(node, session).await?).then_some(()))).await?;
    let mut byte = [0];
    let ended = async { within(TUNNEL_ENDS_WITHIN, tls.read(&mut byte)).await };
    let (ended, down) = smol::future::zip(ended, node.down()).await;
    down?;
    book.note(Reason::NodeRestart, came(ended, &node.log()));
    node.again()?;
    node.up().await?;
    until("the session is served again", SOON, async || {
        let sessions = node.status().await?.sessions;
        let back = sessions.iter().find(|s| s.session_id == session.id());
        Ok(back.filter(|s| matches!(s.state.as_str(), "active" | "probing")).map(drop))
    })
    .await?;
    let flow = Rc::new(Flow::default());
    for (up, down) in [(AFTER, 0), (0, AFTER)] {
        let visit = session.access.https(origin, &host, names::PORT, up, down, &flow).await;
        visit.map_err(|e| fail(format!("after the restart, {host}: {e}")))?;
    }
    Ok(())
}

/// Restarts `node` with a byte flipped in its journal; what it says of that, its name first.
///
/// # Errors
/// The node does not end or come back, or does not notice.
pub async fn with_a_flipped_journal(node: &mut Node) -> Result<String, Failure> {
    owners::empty(node).await?;
    node.down().await?;
    tamper::journal(node)?;
    node.again()?;
    node.up().await?;
    let found = node.status().await?.quarantine.filter(|q| q.reason.contains("journal"));
    found.map(|q| format!("{}: {}", node.name, q.reason)).ok_or_else(|| fail("a byte of a node's journal was flipped, and the node did not notice"))
}

/// What `node` has counted for `session`.
///
/// # Errors
/// It does not answer, or does not have the session.
pub async fn of(node: &Node, session: &Session) -> Result<Bytes, Failure> {
    let sessions = node.status().await?.sessions;
    let found = sessions.iter().find(|s| s.session_id == session.id());
    let found = found.ok_or_else(|| fail(format!("{} does not have session {}", node.name, session.id())))?;
    Ok(Bytes { ingress: found.bytes_ingress, egress: found.bytes_egress })
}

fn came(ended: Option<std::io::Result<usize>>, log: &str) -> Result<(), String> {
    match ended {
        None => return Err(format!("the tunnel outlived the signal by {} s", TUNNEL_ENDS_WITHIN.as_secs())),
        Some(Ok(n)) if n > 0 => return Err("the tunnel went on".into()),
        // The end of the stream, with or without a TLS goodbye.
        Some(_) => {}
    }
    if log.contains(Reason::NodeRestart.id()) { Ok(()) } else { Err("the node's log does not name the reason".into()) }
}
