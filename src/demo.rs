//! The demonstration: everything as separate processes on loopback with real TLS, real traffic, every refusal, an
//! outage, and a comparison of what origin, node and ledger counted. Never in router packages.

pub mod broker;
pub mod buyer;
pub mod call;
pub mod compare;
pub mod doh;
pub mod flow;
pub mod gateway;
mod guarded;
pub mod hello;
pub mod keep;
pub mod names;
pub mod node;
pub mod origin;
pub mod outage;
pub mod pages;
pub mod part;
pub mod play;
pub mod process;
pub mod refusals;
pub mod report;
pub mod restart;
pub mod sessions;
pub mod show;
pub mod stage;
pub mod tamper;
pub mod wait;
