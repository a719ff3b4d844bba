//! Updates of the program: signed manifest, download to tmpfs, trial run, flash written once, instant way back.
//!
//! Root's one-shot work (`echomesh update …`); the daemon only reads what [`progress`] says. The packaged program is never
//! touched: an update is one file beside it, and [`which`] says which of them the init script shall start
//! (docs/explanation/updates.md).

pub mod apply;
pub mod child;
pub mod feed;
pub mod fetch;
pub mod install;
pub mod manifest;
pub mod minisign;
pub mod offer;
pub mod place;
pub mod probation;
pub mod progress;
pub mod record;
pub mod service;
pub mod space;
pub mod trial;
pub mod trouble;
pub mod version;
pub mod which;

pub use place::Place;
pub use trouble::Trouble;
pub use version::Version;
