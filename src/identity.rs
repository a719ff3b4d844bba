//! The node seed, and what is derived from it: one Ed25519 key per role, the certificate of the listener.

pub mod certificate;
pub mod seed;
pub mod watch;

pub use seed::{Identity, Role};
