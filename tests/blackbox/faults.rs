//! What breaks around a node: power, disks, clocks, the process itself. Nothing is counted twice, and what is lost is said.

mod damage;
mod disk;
pub mod kill;
mod power;
