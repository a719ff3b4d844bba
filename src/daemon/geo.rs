//! What is heard and known of the node's place, brought together at each heartbeat.

use super::node::Node;
use crate::coordinator::wire;
use crate::guard::geo::{Local, Observed, country_of_zone};
use crate::guard::quarantine::Cause;
use crate::net::work;
use crate::platform::place;

impl Node {
    /// Weighs what the coordinator observes with what the router knows itself. A mismatch that lasts ends in quarantine.
    pub async fn weigh_place(&self, geo: &wire::Geo) {
        let run_dir = self.run_dir.clone();
        let local = work::aside(move || Local {
            zone: place::zone_name().and_then(|name| country_of_zone(&name).map(str::to_owned)),
            uplink: place::uplink_country(&run_dir),
        })
        .await;
        let observed = Observed { country: geo.country.clone(), region: geo.region.clone(), confidence: geo.confidence };
        let owner = self.registry.owner();
        let lasting = self.registry.place.borrow_mut().heard(observed, local, owner.regions());
        if let Some(seen) = lasting {
            self.quarantine(Cause::Geo, seen);
        }
        self.registry.changed.ring();
    }
}
