//! The owner opts out: sessions end, the last bundles are handed in, the coordinator is told, and then everything that
//! makes this node is deleted. A coordinator that is away does not hold it up.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};

use super::keys::refused;
use super::node::Node;
use super::roles::Roles;
use super::state::Turn;
use super::{answers, erase};
use crate::config::batch;
use crate::control::call::Refused;
use crate::core::exit::{self, Failure};
use crate::net::{within, work};
use crate::session::End;

/// How long the last bundles have to reach the coordinator.
const HAND_IN: Duration = Duration::from_secs(20);
/// How long the coordinator has to hear that we leave.
const TELL: Duration = Duration::from_secs(20);
/// Between two looks at what is under way.
const LOOK: Duration = Duration::from_millis(50);
/// How long the process stays to tell the client how it went.
const STAY: Duration = Duration::from_secs(10);

/// Leaves. What it gives is for the client to act upon: `batch` is what root must still write.
///
/// # Errors
/// Nothing was deleted, or not everything: the message says which.
pub async fn leave(node: &Rc<Node>, roles: &Roles, offline: bool) -> Result<Value, Refused> {
    let node_id = node.identity.node_id();
    log::warn!("the owner opts out: {node_id} leaves");
    node.gate(|gate| gate.stopped = true);
    node.turn(Turn::Stop, Some("the owner opted out".into()));
    for session in node.registry.all() {
        node.registry.end(&session.id, End::Owner);
    }
    node.post.ring();
    let untold = if offline { Some("not asked to".to_owned()) } else { tell(node).await };
    let unsent = node.registry.ledger.borrow().spooled();

    let state_dir = node.state_dir.clone();
    work::aside(move || erase::begin(&state_dir)).await.map_err(|e| {
        refused(500, "not-kept", format!("nothing was deleted: the state folder cannot be written ({e}); free some space in it and try again"))
    })?;
    // From here on there is no way back: nobody else may write what is about to go.
    roles.shut();
    node.gone.set(true);
    while node.journal.borrow().is_busy() || node.book.is_busy() {
        smol::Timer::after(LOOK).await;
    }
    let (run_dir, state_dir) = (node.run_dir.clone(), node.state_dir.clone());
    let incomplete = |e: std::io::Error| refused(500, "not-deleted", format!("not everything is deleted: {e}; run `echomesh opt-out` again"));
    let left = work::aside(move || erase::files(&run_dir, &state_dir)).await.map_err(incomplete)?;
    let (config, run_dir, state_dir) = (node.config.clone(), node.run_dir.clone(), node.state_dir.clone());
    let batch = if answers::may_write(node) {
        work::aside(move || erase::settings(&config, &run_dir).and_then(|()| erase::end(&state_dir))).await.map_err(incomplete)?;
        None
    } else {
        Some(batch::uci_batch(&node.settings(), &erase::off(&node.settings())))
    };
    log::warn!("{node_id} is gone from this device");
    Ok(
        json!({ "nodeId": node_id, "told": untold.is_none(), "untold": untold, "unsent": unsent, "batch": batch, "stateDir": node.state_dir, "left": left }),
    )
}

/// Hands in what is sealed and tells the coordinator; why it does not know, where it does not.
async fn tell(node: &Node) -> Option<String> {
    let Some(client) = node.client.borrow().clone() else { return Some("no coordinator is configured".into()) };
    if !node.link.get().reachable {
        return Some("the coordinator does not answer".into());
    }
    let handed_in = async {
        while !node.registry.all().is_empty() || node.registry.ledger.borrow().spooled() > 0 {
            smol::Timer::after(LOOK).await;
        }
    };
    let _ = within(HAND_IN, handed_in).await;
    match within(TELL, client.leave()).await {
        Some(Ok(())) => None,
        Some(Err(e)) => Some(e.to_string()),
        None => Some("the coordinator does not answer".into()),
    }
}

/// After the job has ended: stays until the client has heard, then ends the process.
pub async fn farewell(node: &Node) {
    let _ = within(STAY, node.heard_out.wait()).await;
    // The answer is still on its way through the door.
    smol::Timer::after(10 * LOOK).await;
    node.farewell.ring();
}

/// At a start: finishes what a kill interrupted. `true` where there was something: this start ends then.
///
/// # Errors
/// A file cannot be deleted, or only root may write the settings.
pub fn finish(config: &Path, run_dir: &Path, state_dir: &Path) -> Result<bool, Failure> {
    if !erase::is_begun(state_dir) {
        return Ok(false);
    }
    let failed = |e: std::io::Error| Failure::new(exit::CANT_CREATE, format!("the opt-out that was begun cannot be finished: {e}"));
    erase::files(run_dir, state_dir).map_err(failed)?;
    if !answers::writable(config, run_dir) {
        let message = "the owner opted out, and the settings still say otherwise: run `echomesh opt-out` as root to finish it";
        return Err(Failure::new(exit::CONFIG, message));
    }
    erase::settings(config, run_dir).and_then(|()| erase::end(state_dir)).map_err(failed)?;
    log::warn!("the opt-out that was begun is finished: nothing of the node is left, and all settings are off");
    Ok(true)
}
