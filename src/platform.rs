//! What is OpenWrt's or Linux's: files, system facts, uplinks, the few system calls no crate offers.

pub mod abilities;
pub mod counters;
pub mod errand;
pub mod facts;
pub mod files;
pub mod given;
pub mod offload;
pub mod place;
pub mod reach;
pub mod record_log;
pub mod resolvers;
pub mod sandbox;
pub mod sys;
pub mod trusted;
pub mod uplink;
pub mod zone;
