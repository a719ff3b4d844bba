//! Bundles that have left, kept for an export: what the owner can show beside the coordinator's receipts, until a restart
//! or newer ones push them out. In memory alone: the receipts are what endures.

use std::collections::VecDeque;

use ed25519_dalek::SigningKey;

use super::bundle::Head;
use super::sealed::{Sealed, Signed};
use crate::codec::{Hash, NodeId};

/// Windows kept: an afternoon of one busy session.
pub const MOST_KEPT: usize = 64;
/// Bytes of them, packed: 128 kB; a window of 300 busy seconds takes 5 kB.
pub const KEPT_BYTES: usize = 128 * 1024;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    windows: VecDeque<Window>,
    bytes: usize,
}

#[derive(Clone, Debug)]
struct Window {
    session_id: String,
    /// What its bundle continued.
    head: Head,
    /// What its bundle hashed to.
    hash: Hash,
    sealed: Sealed,
}

impl Kept {
    /// Keeps the window whose bundle continued `head` and was acknowledged as `hash`.
    pub fn push(&mut self, session_id: &str, head: Head, hash: Hash, sealed: Sealed) {
        self.bytes += sealed.size();
        self.windows.push_back(Window { session_id: session_id.to_owned(), head, hash, sealed });
        while self.windows.len() > MOST_KEPT || self.bytes > KEPT_BYTES {
            let Some(gone) = self.windows.pop_front() else { break };
            self.bytes -= gone.sealed.size();
        }
    }

    /// The bundles, made again as they were sent, oldest first. None of those that an earlier key had signed.
    pub fn bundles(&self, key: &SigningKey, node_id: NodeId) -> impl Iterator<Item = Signed> {
        let again = move |w: &Window| w.sealed.sign(key, node_id, &w.session_id, &w.head);
        self.windows.iter().map(move |w| (w.hash, again(w))).filter(|(hash, signed)| *hash == signed.hash).map(|(_, signed)| signed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::access_log::Logged;
    use super::super::bucket::Bucket;
    use super::*;

    #[test]
    fn what_was_sent_comes_back_to_the_byte_and_the_oldest_go_first() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let id = NodeId::from(&key.verifying_key());
        let buckets: Vec<Bucket> = (0..300).map(|at| Bucket { at, ingress: 1 << 40, egress: 1 << 40, requests: 1 << 20, errors: 0 }).collect();
        let logged = Logged { digest: Hash::of(b""), lines: 0 };
        let (mut kept, mut head, mut sent) = (Kept::default(), Head::NONE, Vec::new());
        for n in 0..100 {
            let sealed = Sealed::pack(n * 300, n * 300 + 300, &buckets, 0, (None, None), logged);
            let signed = sealed.sign(&key, id, "s", &head);
            kept.push("s", head, signed.hash, sealed);
            head = Head { seq: signed.seq, hash: Some(signed.hash) };
            sent.push(signed);
        }
        let again: Vec<Signed> = kept.bundles(&key, id).collect();
        assert!(kept.bytes <= KEPT_BYTES && (20..=MOST_KEPT).contains(&again.len()), "{} {}", kept.bytes, again.len());
        assert_eq!(again, sent[100 - again.len()..]);
        assert_eq!(kept.bundles(&SigningKey::from_bytes(&[2; 32]), id).count(), 0, "another key");
    }
}
