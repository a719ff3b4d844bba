//! The reference coordinator: the contracts' other side, good for a pilot of 25 nodes and 2 buyers.
//!
//! A pure core ([`engine`]) over durable tables ([`state`]); everything else is a thin shell around it.

pub mod assign;
pub mod attest;
pub mod audit;
pub mod auth;
pub mod bounds;
pub mod buy;
pub mod buyers;
pub mod chain;
pub mod credits;
pub mod endpoint;
pub mod engine;
pub mod export;
pub mod gateway;
pub mod keys;
pub mod lifecycle;
pub mod membership;
pub mod nodes;
#[cfg(test)]
mod openapi;
pub mod operator;
pub mod places;
pub mod policy;
pub mod probing;
pub mod purchase;
pub mod reach;
pub mod reputation;
pub mod rotation;
pub mod row;
pub mod run;
pub mod service;
pub mod standing;
pub mod state;
pub mod store;
pub mod stream;
pub mod succession;
#[cfg(test)]
mod testing;
pub mod usage;
pub mod waiters;

pub use run::{Options, Ready, run};
