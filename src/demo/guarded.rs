//! The guard at work: the coordinator sees a node where its owner does not serve; its sessions are refused, then it takes
//! itself out of service; the owner clears that once the cause is gone, and it serves again.

use std::time::Duration;

use super::buyer::Access;
use super::names;
use super::refusals::Refusals;
use super::sessions;
use super::stage::Stage;
use super::wait::{fail, until};
use crate::control::call::Action;
use crate::core::Reason;
use crate::core::exit::Failure;

/// A place that no owner of the demonstration serves.
const ELSEWHERE: (&str, f64) = ("US", 0.95);
/// Five heartbeats lead from the first doubt to the quarantine, one a second; the rest is for a busy machine.
const SOON: Duration = Duration::from_secs(30);
/// Which of the nodes.
const NTH: usize = 1;

/// Has the second node seen elsewhere until it is in quarantine, and clears that.
///
/// # Errors
/// A control API does not answer, or the node does not serve again.
pub async fn quarantine(stage: &Stage, access: &Access, book: &Refusals) -> Result<(), Failure> {
    let node = &stage.nodes[NTH];
    let id = node.status().await?.node_id;
    stage.broker.observe(id, Some(ELSEWHERE)).await?;
    book.note(Reason::Geo, refused(access, Reason::Geo).await);
    let came = refused(access, Reason::Quarantine).await;
    let told = node.status().await?.quarantine.filter(|q| !q.reason.is_empty() && !q.remedy.is_empty());
    book.note(Reason::Quarantine, came.and_then(|()| told.map(drop).ok_or_else(|| "the status does not say why, and what to do".into())));

    stage.broker.observe(id, None).await?;
    until("the node hears that it is seen at home", SOON, async || Ok(node.status().await?.geo.mismatch.is_none().then_some(()))).await?;
    node.control(Action::ClearQuarantine).await?;
    if let Some(left) = node.status().await?.quarantine {
        return Err(fail(format!("{} is still in quarantine: {}", node.name, left.reason)));
    }
    let again = sessions::spare(stage, NTH).await?;
    let (answer, _) = again.access.connect(&target()).await.map_err(|e| fail(e.to_string()))?;
    if answer.status != 200 {
        return Err(fail(format!("after the quarantine: {} {}", answer.status, answer.reason.unwrap_or_default())));
    }
    stage.broker.close(again.id()).await
}

/// Asks until the answer is `reason`.
async fn refused(access: &Access, reason: Reason) -> Result<(), String> {
    let head = access.connect_head(&target());
    let mut last = String::new();
    let came = until("a refusal of the guard", SOON, async || {
        let (answer, _) = access.ask(&head).await.map_err(|e| fail(e.to_string()))?;
        let is_it = answer.status == reason.status().unwrap_or(0) && answer.reason.as_deref() == Some(reason.id());
        last = format!("{} {}", answer.status, answer.reason.unwrap_or_default());
        Ok(is_it.then_some(()))
    });
    let came = came.await;
    came.map_err(|_| format!("wanted {reason}, got {last}"))
}

fn target() -> String {
    format!("{}:{}", names::origin(2), names::PORT)
}
