//! A coordinator's export of what it booked of a node: bundles as the node signed them, and for each session what is
//! booked, signed by the coordinator. The format is `meter::export`'s.

use std::cell::Cell;
use std::path::Path;

use ed25519_dalek::SigningKey;
use serde_json::{Value, json};

use super::audit::{self, AuditFault};
use super::state::State;
use super::store;
use crate::codec::envelope::{self, COORDINATOR_SIG, context};
use crate::codec::{NodeId, json as strict, time};
use crate::meter::export::{self, Source};

/// The sessions whose bundles `node` signed: by the table, and for those it forgot by their first bundle.
pub fn sessions_of(folder: &Path, state: &State, node: NodeId) -> Result<Vec<String>, AuditFault> {
    let mut found = Vec::new();
    for id in store::sessions_with_bundles(folder).map_err(AuditFault::Store)? {
        let of = match state.sessions().get(&id) {
            Some(session) => session.progress.node,
            None => signer(folder, &id)?,
        };
        if of == Some(node) {
            found.push(id);
        }
    }
    Ok(found)
}

/// Who signed the bundles of a session; `None` where there are none.
pub fn signer(folder: &Path, id: &str) -> Result<Option<NodeId>, AuditFault> {
    let stored = store::bundles_of(folder, id).map_err(AuditFault::Store)?;
    let first = stored.first().and_then(|canonical| strict::parse(canonical).ok());
    Ok(first.and_then(|tree| tree.get("nodeId")?.as_str()?.parse().ok()))
}

/// Hands the lines of the export of `ids`, all of `node`, to `write`, one session in memory at a time. Without `key` nothing
/// is said of what is booked.
pub fn write<E: From<AuditFault>>(
    folder: &Path,
    state: &State,
    (node, ids): (NodeId, &[String]),
    (key, now): (Option<&SigningKey>, u64),
    mut write: impl FnMut(&str) -> Result<(), E>,
) -> Result<(), E> {
    let fault = Cell::new(None);
    let sessions = ids.iter().flat_map(|id| match session(folder, state, id, key) {
        Ok(lines) => lines,
        Err(e) => {
            fault.set(Some(e));
            Vec::new()
        }
    });
    let header = export::header(node, Source::Coordinator, Some(now));
    for line in export::checked(std::iter::once(header).chain(sessions)) {
        // No end line where something is missing: what was written then shows as cut off.
        if let Some(e) = fault.take() {
            return Err(e.into());
        }
        write(&line)?;
    }
    Ok(())
}

fn session(folder: &Path, state: &State, id: &str, key: Option<&SigningKey>) -> Result<Vec<String>, AuditFault> {
    let mut lines: Vec<String> =
        audit::booked(folder, state, id)?.into_iter().map(|canonical| String::from_utf8_lossy(&canonical).into_owned()).collect();
    if let (Some(key), Some(session), false) = (key, state.sessions().get(id), lines.is_empty()) {
        let p = &session.progress;
        let mut booked = strict::object(&json!({
            "ack": p.head.hash, "seq": p.head.seq, "sessionId": id, "nodeId": p.node, "time": time::rfc3339(p.acked_at),
            "bytesIngress": p.ingress, "bytesEgress": p.egress, "credits": p.credits,
        }));
        envelope::sign(&mut booked, COORDINATOR_SIG, context::BOOKED, key);
        lines.push(String::from_utf8_lossy(&strict::canonical(&Value::Object(booked))).into_owned());
    }
    Ok(lines)
}
