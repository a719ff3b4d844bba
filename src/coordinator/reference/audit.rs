//! Re-verifies everything that was booked, from the stored bytes: signature, chain, totals, head and credits' base.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::chain::{self, Fault, Signed};
use super::state::State;
use super::store::{self, StoreError};
use crate::codec::{Hash, NodeId, json};
use crate::coordinator::wire::{Bundle, Head};

/// What an audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Audit {
    /// Sessions with bundles.
    pub sessions: u64,
    /// Bundles that verified.
    pub bundles: u64,
    /// Their bytes, in.
    pub bytes_ingress: u64,
    /// Their bytes, out.
    pub bytes_egress: u64,
}

/// The first fault.
#[derive(Debug)]
pub enum AuditFault {
    /// A file cannot be read, or is damaged.
    Store(StoreError),
    /// A bundle, or the lack of one.
    Bundle {
        /// Whose.
        session: String,
        /// Its number.
        seq: u64,
        /// What is wrong.
        what: String,
    },
}

impl std::fmt::Display for AuditFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            AuditFault::Store(e) => e.fmt(f),
            AuditFault::Bundle { session, seq, what } => write!(f, "session {session}, bundle {seq}: {what}"),
        }
    }
}

impl std::error::Error for AuditFault {}

/// Verifies every session of the store in `folder`; the first fault ends it.
pub fn verify(folder: &Path) -> Result<Audit, AuditFault> {
    // The table first: what is booked in it is on disk already, and what comes later is passed over.
    let state = store::peek(folder).map_err(AuditFault::Store)?;
    let mut audit = Audit::default();
    let mut ids = store::sessions_with_bundles(folder).map_err(AuditFault::Store)?;
    let without = state.sessions().iter().filter(|(id, s)| s.progress.head.seq > 0 && ids.binary_search(id).is_err()).map(|(id, _)| id.clone());
    let missing: Vec<String> = without.collect();
    ids.extend(missing);
    for id in ids {
        session(folder, &state, &id, &mut audit)?;
    }
    Ok(audit)
}

/// The canonical bytes of a session's booked bundles, from the first to the last.
pub fn booked(folder: &Path, state: &State, id: &str) -> Result<Vec<Vec<u8>>, AuditFault> {
    let stored = store::bundles_of(folder, id).map_err(AuditFault::Store)?;
    let last = last_of(state, id, &stored);
    match chain_to(&stored, last) {
        Ok(chain) => Ok(chain.into_iter().map(<[u8]>::to_vec).collect()),
        Err((seq, what)) => Err(AuditFault::Bundle { session: id.to_owned(), seq, what }),
    }
}

/// The booked head; a session the table forgot ends with the last bundle there is.
fn last_of(state: &State, id: &str, stored: &[Vec<u8>]) -> Option<Hash> {
    state.sessions().get(id).map_or_else(|| stored.last().map(|canonical| Hash::of(canonical)), |s| s.progress.head.hash)
}

fn session(folder: &Path, state: &State, id: &str, audit: &mut Audit) -> Result<(), AuditFault> {
    let fault = |seq: u64, what: &dyn std::fmt::Display| AuditFault::Bundle { session: id.to_owned(), seq, what: what.to_string() };
    let stored = store::bundles_of(folder, id).map_err(AuditFault::Store)?;
    let row = state.sessions().get(id);
    let mut ingress = 0u64;
    let mut egress = 0u64;
    let mut head = Head::NONE;
    for canonical in chain_to(&stored, last_of(state, id, &stored)).map_err(|(seq, what)| fault(seq, &what))? {
        let seq = head.seq + 1;
        let tree = json::parse(canonical).map_err(|e| fault(seq, &e))?;
        let signed = signed(&tree).map_err(|f| fault(seq, &f))?;
        if signed.bundle.session_id != id || row.is_some_and(|s| s.progress.node != Some(signed.bundle.node_id)) {
            return Err(fault(seq, &chain::Fault::Addressee));
        }
        if !chain::continues(&signed.bundle, head) {
            return Err(fault(seq, &format!("does not continue bundle {}", head.seq)));
        }
        chain::consistent(&signed.bundle).map_err(|f| fault(seq, &f))?;
        head = Head { seq, hash: Some(signed.hash) };
        ingress = ingress.saturating_add(signed.bundle.bytes_ingress);
        egress = egress.saturating_add(signed.bundle.bytes_egress);
    }
    if let Some(p) = row.map(|s| &s.progress) {
        if head != p.head {
            return Err(fault(head.seq + 1, &format!("missing; {} are booked", p.head.seq)));
        }
        if (ingress, egress) != (p.ingress, p.egress) {
            return Err(fault(head.seq, &format!("the ledger holds {} + {} bytes, the bundles {ingress} + {egress}", p.ingress, p.egress)));
        }
    }
    audit.sessions += 1;
    audit.bundles += head.seq;
    audit.bytes_ingress = audit.bytes_ingress.saturating_add(ingress);
    audit.bytes_egress = audit.bytes_egress.saturating_add(egress);
    Ok(())
}

/// The bundles from the first to the one that hashes to `last`, found backwards by `prevHash`: a bundle that was stored but
/// never booked (a kill between the two) may stand beside them. The fault names the bundle that is not there.
fn chain_to(stored: &[Vec<u8>], last: Option<Hash>) -> Result<Vec<&[u8]>, (u64, String)> {
    let by_hash: BTreeMap<Hash, &[u8]> = stored.iter().map(|canonical| (Hash::of(canonical), canonical.as_slice())).collect();
    let mut chain = Vec::new();
    let mut want = last;
    let mut after: Option<u64> = None;
    while let Some(hash) = want {
        let seq = after.map_or(0, |seq| seq.saturating_sub(1));
        let Some(canonical) = by_hash.get(&hash).filter(|_| chain.len() < stored.len()) else {
            return Err((seq, altered(stored, seq)));
        };
        let bundle: Bundle = json::from_slice(canonical).map_err(|e| (seq, e.to_string()))?;
        chain.push(*canonical);
        (want, after) = (bundle.prev_hash, Some(bundle.seq));
    }
    chain.reverse();
    Ok(chain)
}

/// What is wrong with a bundle that is not there under its hash: another content under its number, or nothing.
fn altered(stored: &[Vec<u8>], seq: u64) -> String {
    let same_number = stored.iter().filter_map(|c| json::parse(c).ok()).find(|tree| seq == 0 || tree["seq"].as_u64() == Some(seq));
    match same_number.map(|tree| signed(&tree).err()) {
        Some(Some(fault)) => format!("altered: {fault}"),
        _ => "missing, or another than the one booked".to_owned(),
    }
}

fn signed(tree: &Value) -> Result<Signed, Fault> {
    let node = tree.get("nodeId").and_then(Value::as_str).and_then(|n| n.parse::<NodeId>().ok()).ok_or(Fault::Members)?;
    chain::signed(tree, node)
}

#[cfg(test)]
mod tests {
    use super::super::attest::Judged;
    use super::super::engine::Engine;
    use super::super::store::Store;
    use super::super::testing::{self, Folder, START, at};
    use super::*;
    use crate::platform::files::Medium;

    fn three(folder: &Folder) -> String {
        let (mut store, state) = Store::open(&folder.0, Medium::Tmpfs).unwrap();
        let mut e = Engine::new(state, testing::terms(), [1; 32]);
        testing::join(&mut e, 1);
        let (id, _) = e.open("b", &testing::open_request(), at(0)).unwrap();
        e.accept(testing::id(1), &testing::accept(1, &id, true), at(1)).unwrap();
        let mut head = None;
        for seq in 1..=3 {
            let bundle = testing::bundle(1, &id, seq, head, START + (seq - 1) * 300);
            let Judged::Next(signed) = e.judge(testing::id(1), &testing::signed_bundle(1, &bundle), at(seq * 300)) else { panic!("continues") };
            store.keep_bundle(&id, &signed.canonical).unwrap();
            if seq == 2 {
                store.keep_bundle(&id, &signed.canonical).unwrap(); // a kill between bundle and booking
            }
            e.book(&signed, at(seq * 300));
            store.commit(&mut e.state).unwrap();
            head = Some(signed.hash);
        }
        id
    }

    #[test]
    fn good_bundles_verify_and_every_flipped_byte_is_found() {
        let folder = Folder::new("audit");
        let id = three(&folder);
        assert_eq!(verify(&folder.0).unwrap(), Audit { sessions: 1, bundles: 3, bytes_ingress: 9_000_000, bytes_egress: 3_000 });
        let path = folder.0.join("bundles").join(format!("{id}.log"));
        let whole = std::fs::read(&path).unwrap();
        for at in (0..whole.len()).step_by(7) {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            std::fs::write(&path, &flipped).unwrap();
            assert!(verify(&folder.0).is_err(), "{at}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(verify(&folder.0).unwrap_err().to_string().contains("missing"));
    }

    #[test]
    fn a_bundle_altered_with_care_is_named() {
        let folder = Folder::new("audit-altered");
        let id = three(&folder);
        let path = folder.0.join("bundles").join(format!("{id}.log"));
        let mut stored = store::bundles_of(&folder.0, &id).unwrap();
        for canonical in &mut stored[1..=2] {
            let mut tree = json::parse(canonical).unwrap();
            tree["bytesIngress"] = 1.into();
            *canonical = json::canonical(&tree);
        }
        let bytes: Vec<u8> = stored.iter().flat_map(|c| crate::codec::record::encode(1, c)).collect();
        std::fs::write(&path, bytes).unwrap();
        let found = verify(&folder.0).unwrap_err().to_string();
        assert!(found.contains(&format!("session {id}, bundle 2: altered: bad-signature")), "{found}");
    }

    #[test]
    fn another_bundle_stored_before_a_kill_does_not_disturb_the_chain() {
        let folder = Folder::new("audit-fork");
        let id = three(&folder);
        let path = folder.0.join("bundles").join(format!("{id}.log"));
        let mut stored = store::bundles_of(&folder.0, &id).unwrap();
        let fork = testing::bundle(1, &id, 2, Some(Hash::of(&stored[0])), START + 600);
        stored.insert(1, json::canonical(&testing::signed_bundle(1, &fork)));
        let bytes: Vec<u8> = stored.iter().flat_map(|c| crate::codec::record::encode(1, c)).collect();
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(verify(&folder.0).unwrap().bundles, 3);
    }

    #[test]
    fn a_bundle_nobody_was_told_is_booked_is_no_fault() {
        let folder = Folder::new("audit-tail");
        let id = three(&folder);
        let (mut store, _) = Store::open(&folder.0, Medium::Tmpfs).unwrap();
        let next = testing::bundle(1, &id, 4, None, START);
        store.keep_bundle(&id, &json::canonical(&testing::signed_bundle(1, &next))).unwrap();
        assert_eq!(verify(&folder.0).unwrap().bundles, 3);
    }
}
