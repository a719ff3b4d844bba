//! What follows when the box's way into the Internet changes: another device, another address.

use std::rc::Rc;
use std::time::Duration;

use nix::net::if_::if_nametoindex;

use super::node::Node;
use crate::net::reactor::Timer;
use crate::platform::uplink::{Changes, Uplinks};

/// One change comes as many messages within moments; and one that never ends is looked at no more often than this.
const SETTLE: Duration = Duration::from_secs(1);

/// Runs for ever. Asleep until the kernel tells of a change.
pub async fn keep(node: Rc<Node>) {
    let changes = match Changes::open() {
        Ok(changes) => changes,
        Err(e) => {
            log::warn!("the kernel does not tell when the uplink changes ({e}): a change is found when something fails");
            return;
        }
    };
    let mut before = node.uplinks();
    loop {
        if let Err(e) = changes.next().await {
            log::warn!("the kernel no longer tells when the uplink changes: {e}");
            return;
        }
        Timer::after(SETTLE).await;
        changes.pass_over();
        // A device may have another name.
        node.registry.changed.ring();
        let now = node.uplinks();
        // Most messages are of no concern: a neighbour's route, a lifetime that was renewed.
        if now.is_some() && now != before {
            before = now;
            node.uplink_changed();
        }
    }
}

impl Node {
    fn uplinks(&self) -> Option<Uplinks> {
        let settings = self.settings();
        let named = self.world.devices.as_ref().unwrap_or(&settings.network.uplink);
        Uplinks::now(named).inspect_err(|e| log::warn!("uplinks cannot be listed: {e}")).ok()
    }

    /// The devices that the settings name as uplinks, where the router has none of them: renamed, or a stick that was pulled.
    pub fn missing_uplink(&self) -> Option<String> {
        let settings = self.settings();
        let named = &settings.network.uplink;
        let is_there = |device: &String| if_nametoindex(device.as_str()).is_ok();
        (self.world.devices.is_none() && !named.is_empty() && !named.iter().any(is_there)).then(|| named.join(", "))
    }

    /// The uplink or its address is another: what was believed of routes is forgotten, and the coordinator is told anew,
    /// which looks where the call comes from. The gateway's connection is made anew where its own address is gone.
    fn uplink_changed(&self) {
        log::info!("the uplink changed: telling the coordinator");
        self.engine.addresses.borrow().set_uplinks(self.world.uplinks(&self.settings()));
        self.look_at_machine();
        self.gateway.moved();
        self.link(|link| link.registered = false);
        self.post.ring();
    }
}
