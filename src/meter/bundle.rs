//! The metering bundle as it travels (contracts, "Metering bundle"), and the head of a session's chain of them.
//!
//! Times are Unix seconds here and RFC 3339 on the wire.

#![allow(missing_docs)] // members are named and explained in docs/contracts

use serde::{Deserialize, Serialize};

use crate::codec::{Hash, NodeId, time};

/// The last bundle of a chain: what the next one continues.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Head {
    /// 0 = none yet.
    pub seq: u64,
    /// Hash of that bundle's JCS; null for none yet.
    pub hash: Option<Hash>,
}

impl Head {
    /// Before the first bundle.
    pub const NONE: Head = Head { seq: 0, hash: None };
}

/// A metering bundle without its signature (contracts, "Metering bundle").
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Bundle {
    pub node_id: NodeId,
    pub session_id: String,
    /// From 1, per session.
    pub seq: u64,
    /// Hash of the previous bundle's JCS (with its signature), or null.
    pub prev_hash: Option<Hash>,
    #[serde(with = "time::text")]
    pub window_start: u64,
    #[serde(with = "time::text")]
    pub window_end: u64,
    pub bytes_ingress: u64,
    pub bytes_egress: u64,
    pub requests: u64,
    pub denied: u64,
    pub latency_ms_p50: Option<u64>,
    pub latency_ms_p95: Option<u64>,
    /// 0..=100, at most 3 decimals.
    pub error_rate_pct: f64,
    /// `[second, bytesIngress, bytesEgress, requests, errors]` of the non-zero seconds, ascending Unix seconds.
    pub buckets: Vec<(u64, u64, u64, u64, u64)>,
    pub access_log_hash: Hash,
    /// On the last one of a session.
    #[serde(rename = "final", skip_serializing_if = "std::ops::Not::not", default)]
    pub is_final: bool,
    /// `[from, to]` as RFC 3339, where time was lost.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gap: Option<(String, String)>,
}
