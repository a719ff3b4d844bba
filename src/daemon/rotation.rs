//! A rotation of the node's key: only while nothing hangs on the old name. The link is down meanwhile, so that nothing
//! new comes to it.

use std::rc::Rc;

use serde_json::{Value, json};

use super::keys::{open, refused, stored_seal, tried, unkept, unopened};
use super::node::Node;
use super::roles::Roles;
use crate::control::call::Refused;
use crate::identity::{Passphrase, file, kdf, rotate, sealed};
use crate::net::work;

/// Whether nothing hangs on the node's name.
///
/// # Errors
/// What does, and what to do.
pub fn check(node: &Node) -> Result<(), Refused> {
    let ledger = node.registry.ledger.borrow();
    let sessions = node.registry.all().len().max(ledger.sessions().count());
    let spooled = ledger.spooled();
    if sessions > 0 {
        let message = format!(
            "{sessions} sessions are not settled; run `echomesh control stop` so that no new ones come, end each with `echomesh sessions close ID`, and wait until `echomesh status` lists none"
        );
        return Err(refused(409, "sessions-open", message));
    }
    if spooled > 0 {
        let message = format!("{spooled} signed bundles still wait for the coordinator; wait until it has them (`echomesh status`)");
        return Err(refused(409, "spool-not-empty", message));
    }
    Ok(())
}

/// Rotates.
///
/// # Errors
/// Why the old name stays.
pub async fn rotate(node: Rc<Node>, roles: Rc<Roles>, passphrase: Option<Passphrase>) -> Result<Value, Refused> {
    let old = node.identity.node_id();
    let next = node.identity.epoch().checked_add(1).ok_or_else(|| refused(409, "epochs-used-up", "no further rotation is possible"))?;
    let identity = node.identity.turned_to(next);
    let bytes = match passphrase.filter(|_| node.sealed.get()) {
        None => identity.to_record(),
        Some(passphrase) => {
            let stored = stored_seal(node.state_dir.clone()).await?;
            tried(&node, open(stored, passphrase.clone()).await)?;
            let sealed = work::aside(move || sealed::seal(&identity, |salt| kdf::derive_in_child(&passphrase, salt))).await;
            sealed.map(Into::into).map_err(|e| unopened(&e))?
        }
    };
    let connected = roles.disconnect();
    let kept = match check(&node) {
        Err(r) => Err(r),
        Ok(()) => {
            let (state_dir, from) = (node.state_dir.clone(), node.identity.epoch());
            let kept = work::aside(move || {
                rotate::begin(&state_dir, from).map_err(|e| file::IdentityError::Io(state_dir.clone(), e))?;
                file::write(&state_dir, &bytes)
            });
            kept.await.map_err(|e| unkept(&e))
        }
    };
    if kept.is_ok() {
        node.identity.turn_to(next);
        // The new name has a stream of its own.
        node.registry.ledger.borrow_mut().clear_stream();
        node.registry.changed.ring();
        *node.heard.borrow_mut() = None;
        log::info!("the node's key was rotated: {old} is now {}", node.identity.node_id());
    }
    if connected {
        roles.connect();
    }
    kept.map(|()| json!({ "previousNodeId": old, "nodeId": node.identity.node_id() }))
}

impl Node {
    /// The name before and its word, while the coordinator has not taken the new one.
    pub async fn previous(&self) -> Option<(crate::codec::NodeId, String)> {
        let (state_dir, identity) = (self.state_dir.clone(), self.identity.turned_to(self.identity.epoch()));
        work::aside(move || rotate::pending(&state_dir, &identity)).await
    }

    /// The coordinator took the new name.
    pub async fn succeeded(&self) {
        let state_dir = self.state_dir.clone();
        if let Err(e) = work::aside(move || rotate::done(&state_dir)).await {
            log::warn!("the end of the rotation is not noted: {e}; it is told again, which changes nothing");
        }
    }
}
