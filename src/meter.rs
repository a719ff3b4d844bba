//! Metering: how a byte that moved becomes a signed, chained bundle that its coordinator acknowledged.
//!
//! `docs/explanation/metering.md` tells it as a story. All decisions here are pure: they take an event and a time in
//! Unix seconds. Only [`journal`] touches files and reads a clock.

pub mod access_log;
pub mod bucket;
pub mod bundle;
pub mod chain;
pub mod consistent;
pub mod export;
pub mod histogram;
pub mod image;
pub mod journal;
pub mod kept;
pub mod ledger;
pub mod periods;
pub mod qos;
pub mod restore;
pub mod sealed;
pub mod series;
pub mod state;
pub mod usage;
pub mod window;

#[cfg(test)]
mod exploration;

pub use journal::Journal;
pub use ledger::Ledger;
