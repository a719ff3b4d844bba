//! The keys that sign for the coordinator: those the owner configured, and the successors it named.

use std::sync::{Arc, Mutex, PoisonError};

use ed25519_dalek::VerifyingKey;

use crate::codec::NodeId;

/// Keys kept of each kind: 2 × 16 × about 200 bytes.
pub(super) const MAX_KEYS: usize = 16;

/// Shared handle; cheap to clone, any thread. Any of its keys verifies.
#[derive(Clone, Debug)]
pub struct Keyring(Arc<Mutex<Keys>>);

#[derive(Debug, Default)]
struct Keys {
    configured: Vec<VerifyingKey>,
    successors: Vec<VerifyingKey>,
}

impl Keyring {
    /// The owner's `configured` keys, and the successors remembered from an earlier run.
    pub fn new(configured: &[NodeId], successors: &[NodeId]) -> Keyring {
        Keyring(Arc::new(Mutex::new(Keys { configured: keys(configured), successors: keys(successors) })))
    }

    /// All that verify now.
    pub fn all(&self) -> Vec<VerifyingKey> {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.configured.iter().chain(&keys.successors).copied().collect()
    }

    /// A verified `keys` event names new successors; they take the place of the ones named before.
    ///
    /// The configured keys stay: they are the owner's decision, and a restart must find the same coordinator.
    pub fn succeed(&self, successors: &[NodeId]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).successors = keys(successors);
    }

    /// The owner changed the settings.
    pub fn configure(&self, configured: &[NodeId]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).configured = keys(configured);
    }
}

fn keys(ids: &[NodeId]) -> Vec<VerifyingKey> {
    ids.iter().filter_map(NodeId::key).take(MAX_KEYS).collect()
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::*;

    fn id(n: u8) -> NodeId {
        NodeId::from(&SigningKey::from_bytes(&[n; 32]).verifying_key())
    }

    #[test]
    fn successors_replace_successors_and_leave_the_owners_keys() {
        let ring = Keyring::new(&[id(1)], &[id(2)]);
        let other = ring.clone();
        other.succeed(&[id(3), id(4)]);
        let now: Vec<NodeId> = ring.all().iter().map(NodeId::from).collect();
        assert_eq!(now, [id(1), id(3), id(4)]);
        ring.configure(&[id(5)]);
        assert_eq!(other.all().len(), 3);
    }

    #[test]
    fn a_list_without_end_is_cut() {
        let ring = Keyring::new(&[], &[]);
        ring.succeed(&[id(9); 1000]);
        assert_eq!(ring.all().len(), MAX_KEYS);
    }
}
