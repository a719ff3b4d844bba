//! Where a node stands: its reputation from probes and errors, and what disputes and unannounced purchases have left of it.

use super::engine::Engine;
use super::reputation;
use super::row::Node;
use crate::codec::{NodeId, json};
use crate::coordinator::wire::Reputation;

/// Keys of one node that are followed: more than a month has room for.
const ROTATIONS_MOST: usize = 64;

impl Engine {
    /// The reputation of `node` at `unix` seconds, as it is told and as sessions are assigned by it.
    pub fn standing(&self, node: &Node, unix: u64) -> Reputation {
        let plain = reputation::of(node, unix);
        let left = self.after_disputes(node.id) * self.after_purchases(node.id, unix) / 1000;
        if left == 1000 {
            return plain;
        }
        #[allow(clippy::cast_precision_loss)] // at most 1000
        let score = json::milli(plain.score * left as f64 / 1000.0);
        let tier = if plain.tier == "new" { plain.tier } else { reputation::tier(score).to_owned() };
        Reputation { score, tier }
    }

    /// Whether the node that was `was` is `node` now: a new key takes along what stands against the one before.
    pub(super) fn is_now(&self, was: NodeId, node: NodeId) -> bool {
        let names = std::iter::successors(Some(was), |name| self.state.successors().get(name).copied());
        names.take(ROTATIONS_MOST).any(|name| name == node)
    }
}
