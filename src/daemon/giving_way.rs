//! Watches the uplinks while our own bytes move, and slows us down while the household needs the line. Asleep while
//! nothing of ours moves.

use std::rc::Rc;

use super::node::Node;
use crate::session::give_way::{EVERY, GiveWay, Line, Reading};

/// Readings without a byte of ours, 5 s, after which nobody looks any more.
const QUIET: u32 = 10;

/// Runs for ever.
pub async fn keep(node: Rc<Node>) {
    loop {
        node.registry.traffic.wait().await;
        watch(&node).await;
    }
}

async fn watch(node: &Node) {
    let (mut quiet, mut before) = (0, node.own_bytes());
    while let Some(line) = node.watched_line().filter(|_| quiet < QUIET) {
        node.look_at_the_line(line);
        smol::Timer::after(EVERY).await;
        let own = node.own_bytes();
        quiet = if own == before { quiet + 1 } else { 0 };
        before = own;
    }
    if node.watched_line().is_some() {
        node.household.way.borrow_mut().rest(node.clock.now());
        node.registry.watched.set(false);
    } else {
        // Nothing is watched before the settings say so: see `Node::watch_the_line`.
        *node.household.way.borrow_mut() = GiveWay::default();
    }
    node.apply_rate();
}

impl Node {
    /// The line to watch; `None` where the owner does not want that, or has not said how fast it is.
    pub fn watched_line(&self) -> Option<Line> {
        let settings = self.settings();
        let network = &settings.network;
        let rate = network.line_mbps.filter(|_| network.yield_to_household)?.bytes_per_sec();
        Some(Line { rate, above_pct: network.yield_above_pct })
    }

    /// The settings may want the line watched now: the next byte wakes who does.
    pub fn watch_the_line(&self) {
        if self.watched_line().is_some() {
            self.registry.watched.set(false);
        }
    }

    /// Bytes of our own since start, each of which goes over the uplink in either direction.
    fn own_bytes(&self) -> u64 {
        let (ingress, egress) = self.registry.relayed();
        ingress.saturating_add(egress).saturating_add(self.household.probed.get())
    }

    fn look_at_the_line(&self, line: Line) {
        let devices = self.engine.addresses.borrow().uplinks().unwrap_or_default();
        let counted = self.world.counters.read(&devices);
        if self.household.blind.replace(counted.is_none()) != counted.is_none() {
            match counted {
                None => log::warn!("the counters of the uplinks {devices:?} cannot be read: the rate does not give way to the household"),
                Some(_) => log::info!("the counters of the uplinks can be read again"),
            }
        }
        let Some(counted) = counted else { return };
        let reading =
            Reading { at: self.clock.now(), received: counted.received, sent: counted.sent, own: self.own_bytes(), devices: counted.devices };
        let gave_way = self.household.gives_way(self.clock.now());
        self.household.way.borrow_mut().take(line, reading);
        self.apply_rate();
        match (gave_way, self.household.gives_way(self.clock.now())) {
            (false, true) => log::debug!("the household uses the line: a quarter of the rate"),
            (true, false) => log::debug!("the line is calm: the whole rate"),
            _ => {}
        }
    }
}
