//! What breaks around a node: power, disks, clocks, the process itself. Nothing is counted twice, and what is lost is said.

mod boot;
mod clock;
mod damage;
mod disk;
pub mod kill;
mod liar;
mod power;
mod wire;
