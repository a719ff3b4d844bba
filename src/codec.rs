//! Bytes to meaning and back: strict JSON, signatures over it, hash text, keys as text, records, time as text.
//!
//! Contracts, "Common rules". Nothing here does I/O.

pub mod base64;
pub mod envelope;
pub mod hash;
pub mod json;
pub mod keys;
pub mod record;
pub mod time;

pub use hash::Hash;
pub use keys::NodeId;
