//! (filled in by its own step)
