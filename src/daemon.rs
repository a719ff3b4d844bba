//! The process: start, wiring, reload, shutdown. Knows every room; no room knows it.

pub mod answers;
pub mod books;
pub mod clockwork;
pub mod distrust;
mod duplicate;
pub mod erase;
pub mod follow;
pub mod gateway;
mod geo;
pub mod giving_way;
mod holds;
pub mod household;
pub mod keys;
pub mod link;
pub mod locked;
pub mod node;
pub mod opt_out;
pub mod pause;
pub mod probing;
mod quarantine;
pub mod reload;
pub mod roles;
pub mod roster;
pub mod rotation;
pub mod run;
pub mod signals;
pub mod snapshot;
pub mod state;
pub mod supervisor;
pub mod telemetry;
pub mod trials;
pub mod uplink;
pub mod who;
pub mod world;

pub use run::{Options, run, run_in};
pub use world::World;
