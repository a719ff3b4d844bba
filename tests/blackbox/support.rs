//! What the tests stand on: processes, a world of them, clients that speak to each.

pub mod books;
pub mod buyer;
pub mod folder;
pub mod http;
pub mod node;
pub mod panel;
pub mod process;
pub mod pty;
pub mod raw;
pub mod releases;
pub mod router;
pub mod script;
pub mod sham;
pub mod trust;
pub mod wait;
pub mod world;

pub use buyer::Session;
pub use wait::{until, within};
pub use world::{Plan, World};
