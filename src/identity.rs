//! The node seed, and what is derived from it: one Ed25519 key per role, the certificate of the listener. How the seed
//! is kept: in clear or sealed under a passphrase, in a backup, through a rotation.

pub mod attempts;
pub mod backup;
pub mod certificate;
pub mod file;
pub mod kdf;
pub mod passphrase;
pub mod rotate;
pub mod sealed;
pub mod seed;
pub mod watch;

pub use file::{IdentityError, Stored};
pub use passphrase::Passphrase;
pub use seed::{Identity, Role};
