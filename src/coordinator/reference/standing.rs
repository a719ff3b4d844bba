//! Where a node stands: its reputation from probes and errors, and what disputes and unannounced purchases have left of it.

use super::engine::Engine;
use super::reputation;
use super::row::Node;
use crate::codec::json;
use crate::coordinator::wire::Reputation;

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
}
