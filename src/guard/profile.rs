//! A policy profile as it travels (contracts, "Coordinator endpoints").

use serde::{Deserialize, Serialize};

/// What a session may do. Intersected with the owner's; never widens it.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// Destination ports.
    pub ports: Vec<u16>,
    /// Categories of work.
    pub categories: Vec<String>,
    /// Suffixes that are allowed; empty = all.
    #[serde(default)]
    pub allow_domains: Vec<String>,
    #[serde(default)]
    /// Suffixes that are refused.
    pub block_domains: Vec<String>,
    /// Application protocols (ALPN ids).
    pub alpn: Vec<String>,
    /// A ClientHello must name its server.
    pub require_sni: bool,
    /// Encrypted ClientHello.
    pub ech: Ech,
}

/// Encrypted ClientHello.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Ech {
    /// Served; the outer name is compared.
    Allow,
    /// Refused.
    Refuse,
}

/// Name of the profile every node knows.
pub const COMPLIANT_DEFAULT: &str = "COMPLIANT_DEFAULT";

impl Profile {
    /// `COMPLIANT_DEFAULT`.
    pub fn compliant_default() -> Profile {
        Profile {
            ports: vec![443],
            categories: vec!["ad_verification".into(), "qa_testing".into()],
            allow_domains: Vec::new(),
            block_domains: Vec::new(),
            alpn: vec!["h2".into(), "http/1.1".into()],
            require_sni: true,
            ech: Ech::Allow,
        }
    }
}
