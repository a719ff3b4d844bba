//! One node seed; each role has its own Ed25519 seed, so that roles cannot be linked and are rotated apart.

use std::cell::Cell;

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use crate::codec::{NodeId, record};

const VERSION: u8 = 1;
const ROLE_CONTEXT: &str = "echomesh role key v1";
const LOG_CONTEXT: &str = "echomesh access log v1";

/// Whose key is derived. Part of the derivation: the names never change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// The EchoMesh node; its key is the nodeId.
    Proxy,
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Role::Proxy => "proxy",
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Record {
    seed: [u8; 32],
    /// Epoch of the proxy role's key, one up with each rotation.
    proxy_epoch: u32,
}

impl Drop for Record {
    fn drop(&mut self) {
        self.seed.zeroize();
    }
}

/// The node's secret identity. Lives in memory only while the process does; zeroised on drop.
pub struct Identity {
    seed: Zeroizing<[u8; 32]>,
    /// One up with each rotation, for everyone who holds the identity at once.
    proxy_epoch: Cell<u32>,
}

impl Identity {
    /// A new one.
    ///
    /// # Errors
    /// The system gave no random bytes.
    pub fn generate() -> Result<Identity, getrandom::Error> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut())?;
        Ok(Identity { seed, proxy_epoch: Cell::new(0) })
    }

    /// An identity that lives only in memory, from a given seed.
    pub fn from_seed(seed: [u8; 32]) -> Identity {
        Identity::at_epoch(seed, 0)
    }

    /// The same, after so many rotations.
    pub fn at_epoch(seed: [u8; 32], epoch: u32) -> Identity {
        Identity { seed: Zeroizing::new(seed), proxy_epoch: Cell::new(epoch) }
    }

    /// How often the EchoMesh node's key was rotated.
    pub fn epoch(&self) -> u32 {
        self.proxy_epoch.get()
    }

    /// The same seed at another epoch: a copy for what is to be written before it is in force.
    #[must_use]
    pub fn turned_to(&self, epoch: u32) -> Identity {
        Identity { seed: self.seed.clone(), proxy_epoch: Cell::new(epoch) }
    }

    /// From here on the node's key is that of `epoch`.
    pub fn turn_to(&self, epoch: u32) {
        self.proxy_epoch.set(epoch);
    }

    /// The record that is kept: seed and epochs. All role keys come of it.
    pub fn to_record(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(record::encode(VERSION, &Record { seed: *self.seed, proxy_epoch: self.epoch() }))
    }

    /// The identity of a kept record; `None` where the bytes are anything else.
    pub fn from_record(bytes: &[u8]) -> Option<Identity> {
        let kept: Record = record::decode_one(VERSION, bytes)?;
        Some(Identity::at_epoch(kept.seed, kept.proxy_epoch))
    }

    /// The key of `role`: BLAKE3 derive_key("echomesh role key v1", node seed ‖ role name ‖ epoch as u32 LE).
    pub fn role_key(&self, role: Role) -> SigningKey {
        let epoch = match role {
            Role::Proxy => self.epoch(),
        };
        let mut hasher = blake3::Hasher::new_derive_key(ROLE_CONTEXT);
        hasher.update(self.seed.as_ref()).update(role.name().as_bytes()).update(&epoch.to_le_bytes());
        let derived = Zeroizing::new(<[u8; 32]>::from(hasher.finalize()));
        SigningKey::from_bytes(&derived)
    }

    /// The public name of the EchoMesh node.
    pub fn node_id(&self) -> NodeId {
        NodeId::from(&self.role_key(Role::Proxy).verifying_key())
    }

    /// The access log's key of one UTC date (`2026-01-31`): a day can be opened to an auditor without the others.
    pub fn log_key(&self, utc_date: &str) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key(LOG_CONTEXT);
        hasher.update(self.seed.as_ref()).update(utc_date.as_bytes());
        hasher.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_changes_the_node_and_nothing_of_the_log() {
        let identity = Identity::from_seed([1; 32]);
        let (first, day) = (identity.node_id(), identity.log_key("2026-01-31"));
        let next = identity.turned_to(1);
        identity.turn_to(1);
        assert!(identity.node_id() != first && identity.node_id() == next.node_id());
        assert_eq!(identity.log_key("2026-01-31"), day);
        assert_ne!(identity.log_key("2026-02-01"), day);
    }

    #[test]
    fn the_record_of_the_first_version_is_read() {
        // Length 33, version 1, check, seed, epoch: as written since the first version.
        let identity = Identity::at_epoch([7; 32], 3);
        let bytes = identity.to_record();
        assert_eq!((bytes.len(), &bytes[..5], &bytes[13..45], bytes[45]), (46, &[33, 0, 0, 0, 1][..], &[7; 32][..], 3));
        assert_eq!(Identity::from_record(&bytes).map(|i| i.node_id()), Some(identity.node_id()));
        assert!(Identity::from_record(&bytes[..45]).is_none());
    }
}
