//! The probe executor (contracts, "Probe"): fetches what the coordinator asked for from a host the owner listed, and
//! reports what was measured.
//!
//! [`plan`] decides, [`fetch`] does, [`report`] tells. One probe at a time, at most one a minute and 64 MiB a day, in
//! fixed memory, over the same resolver, address guard, rate and caps as buyers' traffic.

pub mod allowance;
pub mod attestation;
pub mod endpoint;
pub mod fetch;
pub mod metered;
pub mod plan;
pub mod report;

pub use allowance::Allowance;
pub use endpoint::Endpoint;
pub use fetch::{Means, ProbeFailure, dial_through, fetch};
pub use metered::ByteBudget;
pub use plan::{Plan, ProbeRefusal, check};
pub use report::{Measured, report};
