//! Work on the node's keys, each as a job: what derives a key does so in a child, what touches files off this thread.

use std::path::PathBuf;
use std::rc::Rc;

use serde_json::{Value, json};

use super::locked::not_locked;
use super::node::Node;
use super::roles::Roles;
use super::{opt_out, rotation};
use crate::codec::base64;
use crate::control::call::Refused;
use crate::control::keys::Keys;
use crate::core::Mono;
use crate::identity::attempts::Attempts;
use crate::identity::file::{self, Stored};
use crate::identity::sealed::{self, SealError, Sealed};
use crate::identity::{Identity, IdentityError, Passphrase, kdf};
use crate::net::work;

/// A refusal.
pub fn refused(status: u16, reason: &str, message: impl Into<String>) -> Refused {
    Refused { status, reason: reason.into(), message: message.into() }
}

/// Whether a passphrase may be tried now.
///
/// # Errors
/// Wrong ones came before: when to try again.
pub fn may_try(attempts: &Attempts, now: Mono) -> Result<(), Refused> {
    match attempts.wait(now) {
        None => Ok(()),
        Some(wait) => {
            let seconds = wait.as_secs() + 1;
            Err(refused(429, "too-many-attempts", format!("the last passphrase was wrong; try again in {seconds} s")))
        }
    }
}

/// Opens `sealed`, its key derived in a child.
///
/// # Errors
/// The passphrase is wrong, or no key can be derived.
pub async fn open(sealed: Sealed, passphrase: Passphrase) -> Result<Identity, Refused> {
    work::aside(move || {
        let key = kdf::derive_in_child(&passphrase, &sealed.salt).map_err(SealError::Kdf)?;
        sealed.open(&key)
    })
    .await
    .map_err(|e| unopened(&e))
}

/// How a failed opening is told; `wrong-passphrase` is the one that counts as an attempt.
pub(super) fn unopened(e: &SealError) -> Refused {
    match e {
        SealError::WrongPassphrase => refused(403, "wrong-passphrase", e.to_string()),
        SealError::Inconsistent => refused(500, "damaged", e.to_string()),
        SealError::Kdf(_) | SealError::NoEntropy => refused(503, "no-key", e.to_string()),
    }
}

pub(super) fn unkept(e: &IdentityError) -> Refused {
    refused(500, "not-kept", e.to_string())
}

/// Whether the call can be begun at all.
///
/// # Errors
/// Why not.
pub fn check(node: &Node, keys: &Keys) -> Result<(), Refused> {
    match keys {
        Keys::Unlock(_) => Err(not_locked()),
        Keys::Unseal(_) if !node.sealed.get() => Err(refused(409, "not-sealed", "the identity is not sealed at rest; there is nothing to do")),
        Keys::Seal(_) if node.sealed.get() => {
            Err(refused(409, "sealed", "the identity is sealed at rest already; to change its passphrase: unseal it, then seal it again"))
        }
        Keys::Unseal(_) => may_try(&node.attempts.get(), node.clock.now()),
        Keys::Rotate(None) if node.sealed.get() => {
            Err(refused(409, "passphrase-needed", "the identity is sealed at rest; its passphrase seals the new key, too"))
        }
        Keys::Rotate(_) => may_try(&node.attempts.get(), node.clock.now()).and_then(|()| rotation::check(node)),
        Keys::Seal(_) | Keys::Backup(_) | Keys::OptOut { .. } => Ok(()),
    }
}

/// Does the work of one job.
///
/// # Errors
/// Why it is not done; nothing was changed.
pub async fn work(node: Rc<Node>, roles: Rc<Roles>, keys: Keys) -> Result<Value, Refused> {
    let outcome = done(node.clone(), roles, keys).await;
    // The file may be another one now, by our own hand.
    node.key_watch.borrow_mut().rewritten();
    outcome
}

async fn done(node: Rc<Node>, roles: Rc<Roles>, keys: Keys) -> Result<Value, Refused> {
    let identity = node.identity.turned_to(node.identity.epoch());
    let state_dir = node.state_dir.clone();
    match keys {
        Keys::Seal(passphrase) => {
            work::aside(move || seal_file(&state_dir, &identity, &passphrase)).await?;
            node.sealed.set(true);
            log::info!("the identity is sealed at rest: the next start waits for the passphrase");
            Ok(json!({ "sealed": true }))
        }
        Keys::Unseal(passphrase) => {
            let sealed = stored_seal(state_dir.clone()).await?;
            let opened = tried(&node, open(sealed, passphrase).await)?;
            work::aside(move || file::write(&state_dir, &opened.to_record())).await.map_err(|e| unkept(&e))?;
            node.sealed.set(false);
            log::info!("the identity is no longer sealed at rest");
            Ok(json!({ "sealed": false }))
        }
        Keys::Backup(passphrase) => {
            let bytes = work::aside(move || sealed::seal(&identity, |salt| kdf::derive_in_child(&passphrase, salt))).await;
            let bytes = bytes.map_err(|e| unopened(&e))?;
            log::info!("a backup of the identity was made");
            Ok(json!({ "nodeId": node.identity.node_id(), "backup": base64::padded(&bytes) }))
        }
        Keys::OptOut { offline } => opt_out::leave(&node, &roles, offline).await,
        Keys::Rotate(passphrase) => rotation::rotate(node, roles, passphrase).await,
        Keys::Unlock(_) => Err(not_locked()),
    }
}

/// Counts a wrong passphrase.
pub(super) fn tried<T>(node: &Node, outcome: Result<T, Refused>) -> Result<T, Refused> {
    let mut attempts = node.attempts.get();
    match &outcome {
        Err(r) if r.status == 403 => attempts.failed(node.clock.now()),
        Err(_) => {}
        Ok(_) => attempts.succeeded(),
    }
    node.attempts.set(attempts);
    outcome
}

/// The sealed identity as it is on flash.
pub(super) async fn stored_seal(state_dir: PathBuf) -> Result<Sealed, Refused> {
    match work::aside(move || file::load(&state_dir)).await.map_err(|e| unkept(&e))? {
        Some(Stored::Sealed(sealed)) => Ok(sealed),
        _ => Err(refused(409, "not-sealed", "the identity is not sealed at rest; there is nothing to do")),
    }
}

fn seal_file(state_dir: &std::path::Path, identity: &Identity, passphrase: &Passphrase) -> Result<(), Refused> {
    let bytes = sealed::seal(identity, |salt| kdf::derive_in_child(passphrase, salt)).map_err(|e| unopened(&e))?;
    file::write(state_dir, &bytes).map_err(|e| unkept(&e))
}
