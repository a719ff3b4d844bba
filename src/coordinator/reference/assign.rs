//! Which node is offered a session: place, reach, presence, room, then reputation and load.

use super::bounds;
use super::row::{Agreed, Node};

/// Node states in which nothing is offered.
const NOT_SERVING: [&str; 6] = ["locked", "stopping", "stopped", "paused", "quarantine", "init"];

/// What is known of a candidate beside its row.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its row.
    pub node: &'a Node,
    /// A heartbeat came lately.
    pub fresh: bool,
    /// The state its last heartbeat told.
    pub state: &'a str,
    /// What it carries.
    pub load: Load,
    /// Reputation, 0..=1000.
    pub score_permille: u64,
}

/// The live sessions at a node.
#[derive(Clone, Copy, Debug, Default)]
pub struct Load {
    /// How many.
    pub sessions: usize,
    /// Their sum of Mbit/s.
    pub mbps: u64,
    /// Their size in a snapshot, bytes.
    pub snapshot_bytes: usize,
}

impl Load {
    /// One more.
    pub fn add(&mut self, mbps: u64, snapshot_bytes: usize) {
        self.sessions += 1;
        self.mbps = self.mbps.saturating_add(mbps);
        self.snapshot_bytes = self.snapshot_bytes.saturating_add(snapshot_bytes);
    }
}

/// The region a node serves a session for: the wanted one where the node's list covers it, or the node's own place inside
/// it. `CC` covers every `CC-Name`; an empty wish is any place.
pub fn region_for(regions: &[String], wanted: &str) -> Option<String> {
    let inside = |name: &str, area: &str| name == area || name.strip_prefix(area).is_some_and(|rest| rest.starts_with('-'));
    if wanted.is_empty() {
        return Some(regions.first().cloned().unwrap_or_default());
    }
    if regions.iter().any(|have| inside(wanted, have)) {
        return Some(wanted.to_owned());
    }
    regions.iter().find(|have| inside(have, wanted)).cloned()
}

/// Whether `c` may be offered `session` of `bytes` in a snapshot; the region it would serve it for.
pub fn fits(c: &Candidate<'_>, session: &Agreed, bytes: usize) -> Option<String> {
    let node = c.node;
    // At the gateway a node has an address only while it is connected there.
    let reachable = node.verified && node.address.is_some() && node.spki.is_some();
    let serving = c.fresh && !node.left && !NOT_SERVING.contains(&c.state) && node.roles.iter().any(|r| r == "proxy");
    let room = c.load.sessions < bounds::SESSIONS_PER_NODE && c.load.snapshot_bytes + bytes <= bounds::SNAPSHOT_BYTES;
    if reachable && serving && room { region_for(&node.regions, &session.region) } else { None }
}

/// The better of two that fit has the larger rank: reputation, weighed by the share of its rate that is free.
pub fn rank(c: &Candidate<'_>) -> u64 {
    let total = c.node.max_mbps.max(1);
    let free = u128::from(total.saturating_sub(c.load.mbps)) * 900 / u128::from(total);
    let per_session = 10 * c.load.sessions as u64;
    (c.score_permille * (100 + u64::try_from(free).unwrap_or(900))).saturating_sub(per_session)
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    #[test]
    fn a_country_covers_its_regions() {
        let have = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        assert_eq!(region_for(&have(&["PH"]), "PH-NCR").as_deref(), Some("PH-NCR"));
        assert_eq!(region_for(&have(&["PH-NCR"]), "PH-NCR").as_deref(), Some("PH-NCR"));
        assert_eq!(region_for(&have(&["PH-Mindanao", "PH-NCR"]), "PH").as_deref(), Some("PH-Mindanao"));
        assert_eq!(region_for(&have(&["PH-NCR"]), "PH-N"), None);
        assert_eq!(region_for(&have(&["P"]), "PH"), None);
        assert_eq!(region_for(&have(&["DE"]), "PH"), None);
        assert_eq!(region_for(&[], "PH"), None);
        assert_eq!(region_for(&[], "").as_deref(), Some(""));
    }

    #[test]
    fn only_a_present_reachable_willing_node_fits() {
        let node = testing::node(1);
        let session = testing::agreed("s", "PH");
        let good = Candidate { node: &node, fresh: true, state: "running", load: Load::default(), score_permille: 500 };
        assert!(fits(&good, &session, 400).is_some());
        assert!(fits(&Candidate { fresh: false, ..good }, &session, 400).is_none());
        assert!(fits(&Candidate { state: "paused", ..good }, &session, 400).is_none());
        assert!(fits(&Candidate { load: Load { sessions: bounds::SESSIONS_PER_NODE, ..Load::default() }, ..good }, &session, 400).is_none());
        assert!(fits(&Candidate { load: Load { snapshot_bytes: bounds::SNAPSHOT_BYTES, ..Load::default() }, ..good }, &session, 400).is_none());
        for spoil in
            [|n: &mut Node| n.verified = false, |n: &mut Node| n.left = true, |n: &mut Node| n.address = None, |n: &mut Node| n.roles.clear()]
        {
            let mut node = node.clone();
            spoil(&mut node);
            assert!(fits(&Candidate { node: &node, ..good }, &session, 400).is_none());
        }
        let busy = Candidate { load: Load { mbps: 10, sessions: 1, ..Load::default() }, ..good };
        assert!(rank(&good) > rank(&busy));
        assert!(rank(&Candidate { score_permille: 900, ..good }) > rank(&good));
    }
}
