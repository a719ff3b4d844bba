//! Two nodes with one identity: the coordinator believes the one that started later, and the other stands back.

use std::time::Duration;

use super::node::Node;
use super::state::Turn;
use crate::coordinator::client::{CallError, CallKind, Client};

/// Between two questions whether the identity is ours again.
pub const RETRY: Duration = Duration::from_secs(60);

/// Whether the coordinator refused because another node runs with our identity.
pub fn is_told(e: &CallError) -> bool {
    matches!(&e.kind, CallKind::Refused { reason, .. } if reason == "duplicate-identity")
}

impl Node {
    /// Serves nobody under this identity: live tunnels end, sessions are halted, and events are left to the other node.
    pub fn stand_back(&self, client: &Client) {
        let unix = self.clock.unix();
        self.link(|link| {
            link.registered = false;
            link.reachable = true;
            link.last_contact = Some(unix);
            link.away_since = None;
        });
        client.rest();
        if !self.registry.gate().duplicate {
            log::error!("another node runs with this identity, and the coordinator believes that one: this node serves nobody");
            self.gate(|gate| gate.duplicate = true);
        }
        let why = "another node runs with this identity; stop it and restart this one, or give this one an identity of its own";
        self.turn(Turn::Fault, Some(why.into()));
    }

    /// The coordinator took our registration: the identity is ours.
    pub fn stand_up(&self) {
        if self.registry.gate().duplicate {
            log::info!("the coordinator takes this node for its identity again");
            self.gate(|gate| gate.duplicate = false);
            self.turn(Turn::Mended, None);
        }
    }
}
