//! Nodes come, are heard, and leave: registration, heartbeats, the check of a direct address.

use std::time::Duration;

use super::engine::{At, Check, Engine, Refused, name_ok, names_ok, refused};
use super::row::Node;
use super::{bounds, credits, reputation};
use crate::codec::{Hash, NodeId};
use crate::coordinator::wire::{self, Earnings, Heard, Heartbeat, Register, Registered, SessionHead};

/// Heads in one answer to `register`; each about 180 bytes of the 64 KiB.
const HEADS: usize = 256;
/// First and longest pause between two checks of an address that did not answer as told.
const CHECK_FIRST_SEC: u64 = 5;
const CHECK_MOST_SEC: u64 = 300;
/// The mode of nodes that are reached through the gateway.
const GATEWAY: &str = "gateway";

/// An address to check: a TLS handshake there must show `spki`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressCheck {
    /// Whose.
    pub node: NodeId,
    /// `host:port`.
    pub address: String,
    /// What it must show.
    pub spki: Hash,
    /// The address the node called from, where this process has seen it register.
    pub caller: Option<std::net::IpAddr>,
    /// It is an address of our own gateway: the way there is the node's connection to it.
    pub by_gateway: bool,
}

impl Engine {
    /// `POST /nodes/register`; `caller` is the address the call came from.
    pub fn register(&mut self, register: &Register, caller: Option<std::net::IpAddr>, at: At) -> Result<Registered, Refused> {
        let Register { node_id, boot_id, version, regions, roles, reach, .. } = register;
        let texts = [boot_id.as_str(), version.as_str(), reach.mode.as_str(), reach.address.as_deref().unwrap_or_default()];
        if !texts.into_iter().all(name_ok) || !names_ok(regions) || !names_ok(roles) || boot_id.is_empty() {
            return refused(400, "malformed");
        }
        let answer = |accepted, reason: Option<&str>, sessions| Registered {
            accepted,
            reason: reason.map(str::to_owned),
            protocol: wire::PROTOCOL,
            heartbeat_sec: self.terms.heartbeat_sec,
            gateway: self.terms.gateway.clone().filter(|_| reach.mode == GATEWAY),
            sessions,
        };
        if !register.protocols.contains(&wire::PROTOCOL) {
            return Ok(answer(false, Some("protocol"), Vec::new()));
        }
        if let Err(reason) = self.judge_succession(register) {
            return Ok(answer(false, Some(reason), Vec::new()));
        }
        let before = self.state.nodes().get(node_id);
        if before.is_some_and(|n| n.superseded.contains(boot_id)) {
            return Ok(answer(false, Some("duplicate-identity"), Vec::new()));
        }
        if before.is_none() && self.state.nodes().len() >= bounds::NODES {
            return refused(503, "overload");
        }
        let address = match resolve_address(reach, caller) {
            Ok(None) => self.live(*node_id).and_then(|l| l.at_gateway.clone()),
            Ok(address) => address,
            Err(reason) => return Ok(answer(false, Some(reason), Vec::new())),
        };
        let answer = answer(true, None, self.heads(*node_id));

        let same_place = before.is_some_and(|n| n.verified && n.address == address && n.spki == reach.spki && n.mode == reach.mode);
        let (superseded, days, total, last_probe) = match before {
            Some(n) => {
                let mut superseded = n.superseded.clone();
                if n.boot_id != *boot_id {
                    superseded.push(n.boot_id.clone());
                    if superseded.len() > bounds::SUPERSEDED_BOOTS {
                        superseded.remove(0);
                    }
                }
                (superseded, n.days.clone(), n.credits, n.last_probe.clone())
            }
            None => (Vec::new(), Vec::new(), 0, None),
        };
        let check = if same_place || address.is_none() { Check::Rest } else { Check::Due(at.mono, 0) };
        let mut node = Node {
            id: *node_id,
            boot_id: boot_id.clone(),
            superseded,
            version: version.clone(),
            regions: regions.clone(),
            roles: roles.clone(),
            max_mbps: register.max_mbps,
            mode: reach.mode.clone(),
            address,
            spki: reach.spki,
            verified: same_place,
            left: false,
            registered_at: at.unix,
            credits: total,
            days,
            last_probe,
        };
        self.succeed(register.previous_node_id, &mut node, at);
        self.state.put_node(node);
        let live = self.live_mut(*node_id);
        live.check = check;
        // It has just been heard, but says how it is only with its first heartbeat.
        live.heard = Some(at.mono);
        live.caller = caller;
        self.assign_pending(at);
        Ok(answer)
    }

    /// The heads of all its sessions that are not done, newest first.
    fn heads(&self, node: NodeId) -> Vec<SessionHead> {
        let mut open: Vec<_> = self.state.sessions_of(node).filter(|s| s.progress.phase != super::row::Phase::Settled).collect();
        open.sort_by_key(|s| std::cmp::Reverse(s.agreed.opened_at));
        open.iter().take(HEADS).map(|s| SessionHead { session_id: s.agreed.session_id.clone(), head: s.progress.head }).collect()
    }

    /// `POST /nodes/heartbeat`. A superseded boot is told so.
    pub fn heartbeat(&mut self, node: NodeId, heartbeat: &Heartbeat, at: At) -> Result<Heard, Refused> {
        let Some(row) = self.state.nodes().get(&node) else { return refused(401, "unknown-node") };
        if heartbeat.boot_id.as_ref().is_some_and(|b| row.superseded.contains(b)) {
            return refused(409, "duplicate-identity");
        }
        if row.left {
            return refused(409, "left");
        }
        if !name_ok(&heartbeat.state) {
            return refused(400, "malformed");
        }
        let today = reputation::credits_today(row, at.unix);
        let heard = Heard {
            time: at.unix,
            geo: self.geo_of(row),
            earnings: Earnings { credits_today: today, bonus_forecast: credits::forecast(today, at.unix) },
            reputation: self.standing(row, at.unix),
            update: None,
        };
        let live = self.live_mut(node);
        live.heard = Some(at.mono);
        live.state.clone_from(&heartbeat.state);
        live.active_sessions = heartbeat.active_sessions;
        live.qos = heartbeat.qos.clone();
        live.telemetry = heartbeat.telemetry.clone().filter(|t| t.to_string().len() <= bounds::TELEMETRY_BYTES);
        self.assign_pending(at);
        Ok(heard)
    }

    /// Where the node of an active session is reached, what it shows there, and where it calls from.
    pub fn seat(&self, session: &str) -> Option<(String, Hash, Option<std::net::IpAddr>)> {
        let session = self.state.sessions().get(session).filter(|s| s.progress.phase == super::row::Phase::Active)?;
        let node = self.state.nodes().get(&session.progress.node?)?;
        Some((node.address.clone()?, node.spki?, self.live(node.id).and_then(|l| l.caller)))
    }

    /// Where `node` called from: decides which addresses may be dialled for it.
    pub fn seen_from(&mut self, node: NodeId, caller: Option<std::net::IpAddr>) {
        if let Some(live) = self.live.get_mut(&node) {
            live.caller = caller.or(live.caller);
        }
    }

    /// Whether the node registered to be reached through the gateway.
    pub fn may_use_gateway(&self, node: NodeId) -> bool {
        self.state.nodes().get(&node).is_some_and(|n| n.mode == GATEWAY && !n.left)
    }

    /// The node is connected to the gateway; its buyers reach it at `address`. It counts once the node's listener shows its key there.
    pub fn arrived(&mut self, node: NodeId, address: String, at: At) {
        if !self.may_use_gateway(node) {
            return;
        }
        self.state.change_node(node, |n| (n.address, n.verified) = (Some(address.clone()), false));
        let live = self.live_mut(node);
        live.at_gateway = Some(address);
        live.check = Check::Due(at.mono, 0);
    }

    /// The node's connection to the gateway is gone: nobody is sent there.
    pub fn departed(&mut self, node: NodeId) {
        self.live_mut(node).at_gateway = None;
        self.state.change_node(node, |n| {
            if n.mode == GATEWAY {
                (n.address, n.verified) = (None, false);
            }
        });
    }

    /// After a start: addresses that were not verified yet are due again, nobody is at the gateway yet, and purchases are over.
    pub fn resume(&mut self, at: At) {
        let at_gateway: Vec<NodeId> = self.state.nodes().values().filter(|n| n.mode == GATEWAY && n.address.is_some()).map(|n| n.id).collect();
        for node in at_gateway {
            self.state.change_node(node, |n| (n.address, n.verified) = (None, false));
        }
        self.drop_purchases(at);
        let unverified: Vec<NodeId> = self.state.nodes().values().filter(|n| !n.verified && !n.left && n.address.is_some()).map(|n| n.id).collect();
        for node in unverified {
            self.live_mut(node).check = Check::Due(at.mono, 0);
        }
    }

    /// `POST /nodes/leave`: the owner opted out. Its sessions end; it may register again.
    pub fn leave(&mut self, node: NodeId, at: At) -> Result<(), Refused> {
        if self.state.change_node(node, |n| n.left = true).is_none() {
            return refused(401, "unknown-node");
        }
        self.release(node, "node-left", at);
        Ok(())
    }

    /// The address checks that are due, marked as running: at most as many as may run at once.
    pub fn take_checks(&mut self, at: At) -> Vec<AddressCheck> {
        let running = self.live.values().filter(|l| matches!(l.check, Check::Running(_))).count();
        let room = bounds::ADDRESS_CHECKS.saturating_sub(running);
        let due: Vec<NodeId> =
            self.live.iter().filter(|(_, l)| matches!(l.check, Check::Due(when, _) if when <= at.mono)).map(|(id, _)| *id).take(room).collect();
        let mut checks = Vec::new();
        for node in due {
            let found = self.state.nodes().get(&node).and_then(|n| Some((n.address.clone()?, n.spki?, n.mode == GATEWAY)));
            let live = self.live_mut(node);
            live.check = match (live.check, &found) {
                (Check::Due(_, failures), Some(_)) => Check::Running(failures),
                _ => Check::Rest,
            };
            if let Some((address, spki, by_gateway)) = found {
                checks.push(AddressCheck { node, address, spki, caller: live.caller, by_gateway });
            }
        }
        checks
    }

    /// What a check found. Ignored where the node has told another address since.
    pub fn checked(&mut self, check: &AddressCheck, showed: bool, at: At) {
        let current = self.state.nodes().get(&check.node).is_some_and(|n| n.address.as_ref() == Some(&check.address) && n.spki == Some(check.spki));
        let live = self.live_mut(check.node);
        let Check::Running(failures) = live.check else { return };
        if !current {
            live.check = Check::Due(at.mono, 0);
            return;
        }
        if showed {
            live.check = Check::Rest;
            self.state.change_node(check.node, |n| n.verified = true);
            self.assign_pending(at);
        } else {
            let pause = (CHECK_FIRST_SEC << failures.min(10)).min(CHECK_MOST_SEC);
            live.check = Check::Due(at.mono.plus(Duration::from_secs(pause)), failures.saturating_add(1));
        }
    }
}

/// The address buyers will use: as told, or `:port` at the address the node called from.
fn resolve_address(reach: &wire::Reach, caller: Option<std::net::IpAddr>) -> Result<Option<String>, &'static str> {
    match reach.mode.as_str() {
        GATEWAY => Ok(None),
        "direct" => {
            let told = reach.address.as_deref().filter(|_| reach.spki.is_some()).ok_or("bad-address")?;
            let (host, port) = told.rsplit_once(':').ok_or("bad-address")?;
            let port: u16 = port.parse().ok().filter(|p| *p > 0).ok_or("bad-address")?;
            if host.is_empty() {
                let ip = caller.ok_or("bad-address")?.to_canonical();
                return Ok(Some(std::net::SocketAddr::new(ip, port).to_string()));
            }
            let literal = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).is_some_and(|h| h.parse::<std::net::Ipv6Addr>().is_ok());
            let name = host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
            if literal || name { Ok(Some(format!("{host}:{port}"))) } else { Err("bad-address") }
        }
        _ => Err("reach"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, at};
    use super::*;

    fn registered(engine: &mut Engine, n: u8, boot: &str) -> Registered {
        engine.register(&testing::register(n, boot), Some([127, 0, 0, 1].into()), at(0)).unwrap()
    }

    #[test]
    fn the_newest_boot_wins_and_the_older_is_told() {
        let mut e = testing::engine();
        assert!(registered(&mut e, 1, "a").accepted);
        assert!(registered(&mut e, 1, "a").accepted, "a retry");
        assert!(registered(&mut e, 1, "b").accepted);
        let older = registered(&mut e, 1, "a");
        assert_eq!((older.accepted, older.reason.as_deref()), (false, Some("duplicate-identity")));
        assert!(registered(&mut e, 1, "b").accepted);
        let beat = |boot: Option<&str>| Heartbeat { boot_id: boot.map(str::to_owned), ..testing::heartbeat() };
        assert_eq!(e.heartbeat(testing::id(1), &beat(Some("a")), at(1)).unwrap_err().reason, "duplicate-identity");
        assert!(e.heartbeat(testing::id(1), &beat(Some("b")), at(1)).is_ok());
        assert!(e.heartbeat(testing::id(1), &beat(None), at(1)).is_ok(), "a node that does not say");
    }

    #[test]
    fn another_protocol_or_address_is_refused() {
        let mut e = testing::engine();
        let mut register = testing::register(1, "a");
        register.protocols = vec![2];
        assert_eq!(e.register(&register, None, at(0)).unwrap().reason.as_deref(), Some("protocol"));
        for (address, caller, want) in [
            (Some("[::1]:8443"), None, Some("[::1]:8443")),
            (Some("node.example:8443"), None, Some("node.example:8443")),
            (Some(":8443"), Some("192.0.2.7"), Some("192.0.2.7:8443")),
            (Some(":8443"), Some("::ffff:192.0.2.7"), Some("192.0.2.7:8443")),
            (Some(":8443"), None, None),
            (Some("node.example:0"), None, None),
            (Some("node.example"), None, None),
            (Some("a b:1"), None, None),
            (None, None, None),
        ] {
            let reach = wire::Reach { mode: "direct".into(), address: address.map(str::to_owned), spki: Some(Hash::of(b"x")) };
            let got = resolve_address(&reach, caller.map(|c| c.parse().unwrap()));
            assert_eq!(got.ok().flatten().as_deref(), want, "{address:?}");
        }
    }

    #[test]
    fn an_address_counts_only_after_the_handshake_there() {
        let mut e = testing::engine();
        registered(&mut e, 1, "a");
        let checks = e.take_checks(at(0));
        assert_eq!(checks.len(), 1);
        assert_eq!(e.take_checks(at(0)), [], "one at a time");
        e.checked(&checks[0], false, at(1));
        assert!(!e.state.nodes()[&testing::id(1)].verified);
        assert_eq!(e.take_checks(at(2)), [], "a pause after a failure");
        let again = e.take_checks(at(6));
        e.checked(&again[0], true, at(7));
        assert!(e.state.nodes()[&testing::id(1)].verified);
        registered(&mut e, 1, "b");
        assert!(e.state.nodes()[&testing::id(1)].verified, "the same place");
        let mut moved = testing::register(1, "c");
        moved.reach.address = Some("127.0.0.1:9999".into());
        e.register(&moved, None, at(8)).unwrap();
        assert!(!e.state.nodes()[&testing::id(1)].verified, "another place");
        let checks = e.take_checks(at(8));
        registered(&mut e, 1, "d");
        e.checked(&checks[0], true, at(9));
        assert!(!e.state.nodes()[&testing::id(1)].verified, "the check was of the place before");
    }

    #[test]
    fn a_node_at_the_gateway_is_reached_while_it_is_there() {
        let mut e = testing::engine();
        let gateway = wire::Gateway { address: "192.0.2.1:8444".into(), spki: Hash::of(b"gateway") };
        e.terms.gateway = Some(gateway.clone());
        assert_eq!(registered(&mut e, 1, "a").gateway, None, "a direct node is sent to none");
        assert!(!e.may_use_gateway(testing::id(1)));
        let mut register = testing::register(1, "a");
        register.reach = wire::Reach { mode: "gateway".into(), address: None, spki: Some(Hash::of(b"spki")) };
        let node = |e: &Engine| e.state.nodes()[&testing::id(1)].clone();
        assert_eq!(e.register(&register, None, at(0)).unwrap().gateway, Some(gateway));
        assert_eq!((node(&e).address, e.take_checks(at(0))), (None, Vec::new()));
        e.arrived(testing::id(1), "192.0.2.1:9000".into(), at(1));
        let checks = e.take_checks(at(1));
        assert!(checks[0].by_gateway && !node(&e).verified);
        e.checked(&checks[0], true, at(2));
        assert!(node(&e).verified);
        e.register(&register, None, at(3)).unwrap();
        assert_eq!((node(&e).address.as_deref(), node(&e).verified), (Some("192.0.2.1:9000"), true), "registering again changes nothing");
        e.departed(testing::id(1));
        assert_eq!((node(&e).address, node(&e).verified), (None, false));
        e.arrived(testing::id(1), "192.0.2.1:9000".into(), at(4));
        e.resume(at(5));
        assert_eq!(node(&e).address, None, "after a start nobody is connected");
    }

    #[test]
    fn a_node_that_turned_direct_keeps_its_address_when_its_old_connection_ends() {
        let mut e = testing::engine();
        let mut register = testing::register(1, "a");
        register.reach.mode = "gateway".into();
        e.register(&register, None, at(0)).unwrap();
        e.arrived(testing::id(1), "192.0.2.1:9000".into(), at(1));
        registered(&mut e, 1, "a");
        e.departed(testing::id(1));
        assert_eq!(e.state.nodes()[&testing::id(1)].address.as_deref(), Some("127.0.0.1:8443"));
    }

    #[test]
    fn a_full_table_refuses() {
        let mut e = testing::engine();
        for n in 0..bounds::NODES {
            let mut node = testing::node(1);
            node.id = NodeId(*blake3::hash(&n.to_le_bytes()).as_bytes());
            e.state.put_node(node);
        }
        assert_eq!(e.register(&testing::register(1, "a"), None, at(0)).unwrap_err().status, 503);
    }
}
