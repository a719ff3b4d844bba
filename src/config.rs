//! Settings: the UCI file, typed values with defaults, every finding at once, the JSON shape, the difference of two.
//!
//! One table ([`table`]) states every option once; the UCI reader, the JSON shape and its schema, the batch for `uci`,
//! the reload and the reference page are all read from it.

pub mod batch;
pub mod change;
mod cross;
mod field;
pub mod finding;
pub mod form;
pub mod json;
pub mod load;
pub mod presets;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod samples;
pub mod schema;
pub mod settings;
mod syntax;
pub mod table;
pub mod uci;

pub use change::{Change, diff};
pub use finding::{Finding, Severity, any_error};
pub use load::{ConfigError, from_uci, read};
pub use settings::Settings;
