//! What the coordinator is told of a probe.

use super::plan::Plan;
use crate::codec::{Hash, NodeId};
use crate::coordinator::wire::ProbeReport;

/// What a probe came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Of the body.
    pub bytes: u64,
    /// From the request's first byte sent to the body's last byte.
    pub duration_ms: u64,
    /// TCP connect.
    pub connect_ms: u64,
    /// TLS handshake per round trip (plain HTTP: the TCP connect, which is one).
    pub rtt_ms: u64,
    /// The endpoint's header value, else `tls-spki:…`.
    pub endpoint_sig: String,
    /// Whether `endpoint_sig` is a signature that verifies.
    pub attested: bool,
    /// BLAKE3 of the body.
    pub body_hash: Hash,
    /// `1.3`, `1.2`, or `none`.
    pub tls_version: &'static str,
}

/// The report, to be signed and sent by the coordinator's client.
pub fn report(plan: &Plan, measured: &Measured, node_id: NodeId, unix: u64) -> ProbeReport {
    ProbeReport {
        node_id,
        session_id: plan.session_id.clone(),
        endpoint: plan.endpoint.clone(),
        bytes: measured.bytes,
        duration_ms: measured.duration_ms,
        connect_ms: measured.connect_ms,
        rtt_ms: measured.rtt_ms,
        endpoint_sig: measured.endpoint_sig.clone(),
        body_hash: measured.body_hash,
        tls_version: measured.tls_version.to_owned(),
        nonce: plan.nonce.clone(),
        completed_at: unix,
    }
}
