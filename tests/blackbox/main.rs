//! Black-box tests: the real binary, real sockets, real TLS, real files. One crate, so that it links once.
//!
//! Each test has a world of its own (`support::World`): a /24 of 127.77.0.0/16, folders, and processes that end with it.

#![allow(clippy::unwrap_used, clippy::expect_used)]
// The tests run on the development machine, which has 64-bit atomics.
#![allow(clippy::disallowed_types)]

mod attacks;
mod books;
mod command_line;
mod control_api;
mod coordinator_key;
mod duplicate_identity;
mod faults;
mod flash;
mod gateway;
mod geo;
mod health;
mod hooks;
mod household;
mod keys;
mod lists;
mod long;
mod measure;
mod metering;
mod offload;
mod opt_out;
mod outage;
mod panel;
mod policy;
mod probe;
mod proxy;
mod quarantine;
mod rate;
mod refusals;
mod report;
mod reputation;
mod restart;
mod rpcd;
mod sessions;
mod setup;
mod support;
mod update;
mod uplink;
mod who;
