//! The life of sessions: a pure state machine each, the bounded table of all, and who may open a tunnel.

pub mod entry;
pub mod gate;
pub mod give_way;
pub mod machine;
pub mod registry;
pub mod roster;
pub mod schedule;
pub mod secret;
pub mod tunnel;

pub use entry::Session;
pub use gate::Gate;
pub use machine::{Action, End, Event, Machine, Phase};
pub use registry::Registry;
pub use schedule::Schedule;
pub use tunnel::Tunnel;

#[cfg(test)]
mod exploration;
