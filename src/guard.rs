//! What the node may do: which host, port, category and ClientHello a session may use, where the node stands, whom it
//! must not annoy, and when it takes itself out of service. Pure; every refusal is a `Reason`.

pub mod breach;
pub mod domains;
pub mod geo;
pub mod handshake;
pub mod policy;
pub mod profile;
pub mod quarantine;
pub mod reputation;

pub use domains::Domains;
pub use policy::{Effective, Owner, Verdict};
pub use quarantine::Quarantine;
pub use reputation::Reputation;
