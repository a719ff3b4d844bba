//! The coordinator contracts: what travels (`wire`), the node's client, and the reference server.

pub mod client;
#[cfg(feature = "coordinator")]
pub mod reference;
pub mod wire;
