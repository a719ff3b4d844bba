//! Policy decisions: which host, port, category and ClientHello a session may use. Pure; every refusal is a `Reason`.

pub mod domains;
pub mod handshake;
pub mod policy;
pub mod profile;

pub use domains::Domains;
pub use policy::{Effective, Owner, Verdict};
