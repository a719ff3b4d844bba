//! The EchoMesh proxy engine: HTTPS-only CONNECT egress for assigned sessions.
//!
//! The way of one request: listener → head → authentication → guard → resolve → dial → ClientHello → relay → log line.

pub mod callers;
pub mod engine;
pub mod gateway;
pub mod listener;
pub mod request;
pub mod tally;
pub mod visit;

pub use engine::{Engine, Parts};
