//! Settings: the UCI file, typed values with defaults, every finding at once, the JSON shape, the difference of two.

pub mod settings;

pub use settings::Settings;
