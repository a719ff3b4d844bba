//! EchoMesh for OpenWrt: one daemon that lets a home router do verifiable, policy-bound work for others.
//!
//! The crate is a house of rooms; each floor uses only the floors below it (`docs/explanation/architecture.md`):
//!
//! ```text
//! cli, demo, panel → daemon → control, update → roles (proxy probe) → session, coordinator → guard, meter
//!           → net → platform, identity, config → codec → core
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod cli;
pub mod codec;
pub mod config;
pub mod control;
pub mod coordinator;
pub mod core;
// The daemon runs roles: a build without any is a client of one.
#[cfg(feature = "proxy")]
pub mod daemon;
#[cfg(feature = "demo")]
pub mod demo;
pub mod guard;
pub mod identity;
pub mod meter;
pub mod net;
#[cfg(feature = "demo")]
pub mod panel;
pub mod platform;
#[cfg(feature = "proxy")]
pub mod probe;
#[cfg(feature = "proxy")]
pub mod proxy;
pub mod session;
pub mod update;
