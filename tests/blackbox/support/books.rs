//! The coordinator's ledger against what a session really moved.

use echomesh::codec::time;
use serde_json::Value;

use super::buyer::Session;
use super::process;
use super::wait::until;
use super::world::World;

/// The bundles of one session that the coordinator took, by their number.
#[track_caller]
pub fn bundles(world: &World, session: &Session) -> Vec<Value> {
    let all = world.operator(&["bundles"]);
    all.as_array().unwrap().iter().filter(|b| b["sessionId"] == session.id.as_str()).cloned().collect()
}

/// Sum of a member.
#[track_caller]
pub fn sum(bundles: &[Value], name: &str) -> u64 {
    bundles.iter().map(|b| b[name].as_u64().unwrap()).sum()
}

/// Bytes in and out, as billed.
#[track_caller]
pub fn billed(bundles: &[Value]) -> (u64, u64) {
    (sum(bundles, "bytesIngress"), sum(bundles, "bytesEgress"))
}

/// The lost times that were stated, Unix seconds.
pub fn gaps(bundles: &[Value]) -> Vec<(u64, u64)> {
    let at = |value: &Value| time::from_rfc3339(value.as_str()?);
    bundles.iter().filter_map(|b| Some((at(&b["gap"][0])?, at(&b["gap"][1])?))).collect()
}

/// The ledger holds together: chains, signatures, totals.
#[track_caller]
pub fn verify(world: &World) -> String {
    let dir = world.folder.join("coordinator");
    process::said(["coordinator", "verify", "--dir", dir.to_str().unwrap()])
}

/// Closes the session, waits for its last bundle, and gives them all: one chain that verifies.
#[track_caller]
pub fn settle(world: &World, session: &Session) -> Vec<Value> {
    world.market.close(session);
    until("the session settles", || (world.market.seen(session)["state"] == "settled").then_some(()));
    let bundles = bundles(world, session);
    let seqs: Vec<u64> = bundles.iter().map(|b| b["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=bundles.len() as u64).collect::<Vec<_>>(), "one chain");
    verify(world);
    bundles
}

/// Bytes in and out that the node counted of a session, once its tunnels are over.
#[track_caller]
pub fn counted(world: &World, session: &Session) -> (u64, u64) {
    until("the tunnels are over", || (world.node.tunnels() == 0).then_some(()));
    let seen = world.node.session(&session.id).unwrap();
    (seen["bytesIngress"].as_u64().unwrap(), seen["bytesEgress"].as_u64().unwrap())
}
