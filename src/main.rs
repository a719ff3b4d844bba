//! The `echomesh` program.

fn main() {}
