//! The ground floor: time, reasons, counters, back-off, logging, redaction. Knows nothing of the rest.

pub mod backoff;
pub mod clock;
pub mod exit;
pub mod logging;
pub mod reason;
pub mod redact;
pub mod scrub;
pub mod signal;
pub mod sorted;
pub mod zone;

pub use clock::{Clock, Mono};
pub use reason::Reason;
pub use redact::Sensitive;
pub use signal::Signal;
pub use zone::Zone;
