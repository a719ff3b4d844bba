//! The coordinator contracts: what travels (`wire`), the node's client, and the reference server.

pub mod client;
pub mod wire;
