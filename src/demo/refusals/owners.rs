//! Refusals that the owner of a node causes: paused, stopped, and no place left. They end or hold up what else runs on that
//! node, so they come when its traffic is over.

use std::time::Duration;

use super::{Refusals, before};
use crate::control::call::Action;
use crate::core::Reason;
use crate::core::exit::Failure;
use crate::demo::buyer::Access;
use crate::demo::names;
use crate::demo::node::Node;
use crate::demo::wait::{fail, until};

/// All tunnels must be gone within this.
const EMPTY_WITHIN: Duration = Duration::from_secs(15);

/// Provokes each on `node`, through `access`.
///
/// # Errors
/// The node's control API does not answer.
pub async fn provoke(node: &Node, access: &Access, book: &Refusals) -> Result<(), Failure> {
    let target = format!("{}:{}", names::origin(2), names::PORT);
    let head = access.connect_head(&target);
    for (action, reason) in [(Action::Pause, Reason::Paused), (Action::Stop, Reason::Stopped)] {
        node.control(action).await?;
        let came = before(reason, access, &head).await;
        node.control(Action::Start).await?;
        book.note(reason, came);
    }
    book.note(Reason::Overload, overload(node, access, &target).await);
    empty(node).await
}

/// Takes every place the owner gives, and asks for one more.
async fn overload(node: &Node, access: &Access, target: &str) -> Result<(), String> {
    let mut held = Vec::new();
    for place in 1..=node.max_tunnels {
        let (answer, tunnel) = access.connect(target).await.map_err(|e| format!("place {place}: {e}"))?;
        if answer.status != 200 {
            return Err(format!("place {place}: {} {}", answer.status, answer.reason.unwrap_or_default()));
        }
        held.push(tunnel);
    }
    before(Reason::Overload, access, &access.connect_head(target)).await
}

/// Waits until no tunnel is left at `node`.
///
/// # Errors
/// Some stay.
pub async fn empty(node: &Node) -> Result<(), Failure> {
    let what = format!("{} has no tunnel left", node.name);
    until(&what, EMPTY_WITHIN, async || {
        let status = node.status().await.map_err(|e| fail(format!("{}: {e}", node.name)))?;
        Ok(status.sessions.iter().all(|s| s.tunnels == 0).then_some(()))
    })
    .await
}
