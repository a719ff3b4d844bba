//! The connection to the coordinator's gateway: dialled where `proxy.reach` says so, and again whenever it is lost.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use smol::LocalExecutor;
use smol::future::FutureExt as _;

use super::node::Node;
use super::supervisor::random;
use crate::codec::NodeId;
use crate::config::settings::Reach;
use crate::control::status::{self, At};
use crate::coordinator::client::Origin;
use crate::coordinator::wire;
use crate::core::backoff::Backoff;
use crate::core::{Mono, Signal};
use crate::net::mux::Link;
use crate::net::reactor::Timer;
use crate::platform::uplink;
use crate::proxy::gateway::{self, Gateway};

/// First and longest pause after a connection that failed or was lost.
const FIRST: Duration = Duration::from_millis(500);
const MOST: Duration = Duration::from_secs(30);
/// A connection that held this long starts the pauses anew.
const HEALTHY: Duration = Duration::from_secs(60);

/// What is known of the gateway.
#[derive(Default)]
pub struct Tie {
    /// What the coordinator's last answer to `register` named.
    offered: RefCell<Option<wire::Gateway>>,
    /// Rings when there is another gateway than before, or none, or the connection must be made anew.
    due: Signal,
    up: RefCell<Option<Up>>,
    error: RefCell<Option<String>>,
    losses: Cell<u32>,
    /// Since when there is none, though one is wanted.
    away: Cell<Option<Mono>>,
}

struct Up {
    link: Link,
    /// Unix seconds.
    since: u64,
    local: Option<IpAddr>,
    /// Whose key was shown.
    node: NodeId,
}

impl Tie {
    /// The coordinator names this gateway, or none, to this node. A connection under a name that was given up since is made anew.
    pub fn offer(&self, offered: Option<wire::Gateway>, node: NodeId) {
        let renamed = self.up.borrow().as_ref().is_some_and(|up| up.node != node);
        if self.offered.replace(offered.clone()) != offered || renamed {
            self.due.ring();
        }
    }

    /// The box's addresses changed: a connection from one that is gone will never hear anything again.
    pub fn moved(&self) {
        let local = self.up.borrow().as_ref().and_then(|up| up.local);
        let gone = |ip: IpAddr| uplink::own_addresses().is_ok_and(|own| !own.contains(&ip));
        // Without a connection the next try need not wait either.
        if local.is_none_or(gone) {
            self.due.ring();
        }
    }

    /// Connections that were lost since start.
    pub fn losses(&self) -> u32 {
        self.losses.get()
    }

    fn ended(&self, error: String) {
        *self.up.borrow_mut() = None;
        *self.error.borrow_mut() = Some(error);
    }
}

/// Runs for ever, as part of the proxy role. Streams are tasks of `group`.
pub async fn keep(node: &Rc<Node>, group: &LocalExecutor<'static>) {
    let mut backoff = Backoff::new(FIRST, MOST);
    node.gateway.away.set(None);
    loop {
        node.gateway_missed();
        let gateway = match node.gateway_wanted() {
            Ok(Some(gateway)) => gateway,
            none => {
                *node.gateway.error.borrow_mut() = none.err();
                node.gateway.due.wait().await;
                continue;
            }
        };
        let began = node.clock.now();
        let why = hold(node, group, &gateway).await;
        let Some(why) = why else { continue };
        log::warn!("gateway {}: {why}", gateway.address);
        node.gateway.ended(why);
        let wait = pause(&mut backoff, began, node.clock.now());
        // It may be elsewhere by now.
        node.link(|link| link.registered = false);
        node.post.ring();
        let rest = async {
            Timer::after(wait).await;
        };
        rest.or(node.gateway.due.wait()).await;
    }
}

/// Holds a connection as long as it can be held; why it ended, or `None` where another is wanted.
async fn hold(node: &Rc<Node>, group: &LocalExecutor<'static>, gateway: &Gateway) -> Option<String> {
    let as_node = node.identity.node_id();
    let connected = match gateway::connect(&node.engine, gateway, node.coordinator_ip()).await {
        Ok(connected) => connected,
        Err(e) => return Some(e.to_string()),
    };
    log::info!("gateway {}: connected", gateway.address);
    *node.gateway.error.borrow_mut() = None;
    node.gateway.away.set(None);
    node.registry.changed.ring();
    *node.gateway.up.borrow_mut() = Some(Up { link: connected.link.clone(), since: node.clock.unix(), local: connected.local, node: as_node });
    let _down = Down(&node.gateway);
    let serve = async { Some(gateway::serve(group, &node.engine, connected).await) };
    let changed = async {
        node.gateway.due.wait().await;
        None
    };
    serve.or(changed).await
}

/// Counts a connection that is over, however it ended.
struct Down<'a>(&'a Tie);

impl Drop for Down<'_> {
    fn drop(&mut self) {
        self.0.losses.set(self.0.losses.get().saturating_add(1));
        *self.0.up.borrow_mut() = None;
    }
}

fn pause(backoff: &mut Backoff, began: Mono, now: Mono) -> Duration {
    if now.since(began) >= HEALTHY {
        backoff.succeeded();
    }
    backoff.failed(random())
}

impl Node {
    /// The gateway to hold a connection to, if any; else what is wrong with the one that is named.
    fn gateway_wanted(&self) -> Result<Option<Gateway>, String> {
        if self.settings().proxy.reach != Reach::Gateway || self.registry.gate().duplicate {
            return Ok(None);
        }
        let offered = self.gateway.offered.borrow();
        let Some(wire::Gateway { address, spki }) = &*offered else {
            return if self.link.get().registered { Err("the coordinator offers no gateway; ask its operator".into()) } else { Ok(None) };
        };
        match address.parse() {
            Ok(address) => Ok(Some(Gateway { address, spki: *spki })),
            Err(_) => Err(format!("the coordinator names its gateway as {address:?}, which is no IP address with a port; ask its operator")),
        }
    }

    /// There is no connection: the alert about it has a deadline of its own.
    fn gateway_missed(&self) {
        if self.settings().proxy.reach != Reach::Gateway {
            self.gateway.away.set(None);
        } else if self.gateway.away.get().is_none() {
            self.gateway.away.set(Some(self.clock.now()));
            self.registry.changed.ring();
        }
    }

    /// Since when buyers cannot come, where they come through the gateway and the node works at all.
    pub fn gateway_away(&self) -> Option<Mono> {
        let settings = self.settings();
        let wanted = settings.node.enabled && settings.proxy.enabled && settings.proxy.reach == Reach::Gateway;
        self.gateway.away.get().filter(|_| wanted && !self.registry.gate().stopped)
    }

    /// What went wrong with the gateway last.
    pub fn gateway_error(&self) -> Option<String> {
        self.gateway.error.borrow().clone()
    }

    /// The coordinator's address, where the owner's settings name it as one.
    fn coordinator_ip(&self) -> Option<IpAddr> {
        Some(Origin::parse(&self.settings().coordinator.url)?.address()?.ip())
    }

    /// The gateway's part of the status; `None` where buyers come directly.
    pub fn gateway_view(&self) -> Option<status::Gateway> {
        if self.settings().proxy.reach != Reach::Gateway {
            return None;
        }
        let up = self.gateway.up.borrow();
        Some(status::Gateway {
            address: self.gateway.offered.borrow().as_ref().map(|g| g.address.clone()),
            connected: up.is_some(),
            since: up.as_ref().map(|up| At(up.since)),
            streams: up.as_ref().map_or(0, |up| u32::try_from(up.link.streams()).unwrap_or(u32::MAX)),
            losses: self.gateway.losses(),
            error: self.gateway.error.borrow().clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Hash;

    fn rung(tie: &Tie) -> bool {
        smol::block_on(smol::future::poll_once(tie.due.wait())).is_some()
    }

    #[test]
    fn only_another_gateway_makes_a_new_connection() {
        let tie = Tie::default();
        let gateway = |address: &str| Some(wire::Gateway { address: address.into(), spki: Hash::of(b"key") });
        let node = NodeId([1; 32]);
        tie.offer(None, node);
        assert!(!rung(&tie));
        for (offer, rings) in [(gateway("192.0.2.1:1"), true), (gateway("192.0.2.1:1"), false), (gateway("192.0.2.1:2"), true), (None, true)] {
            tie.offer(offer, node);
            assert_eq!(rung(&tie), rings);
        }
    }

    #[test]
    fn a_connection_from_an_address_that_is_gone_is_made_anew() {
        let tie = Tie::default();
        let up = |local: &str| Up { link: Link::new(crate::net::mux::Side::Dialler), since: 0, local: local.parse().ok(), node: NodeId([1; 32]) };
        *tie.up.borrow_mut() = Some(up("127.0.0.1"));
        tie.moved();
        assert!(!rung(&tie), "it is still there");
        *tie.up.borrow_mut() = Some(up("192.0.2.77"));
        tie.moved();
        assert!(rung(&tie));
    }

    #[test]
    fn a_connection_under_another_name_is_made_anew() {
        let tie = Tie::default();
        *tie.up.borrow_mut() = Some(Up { link: Link::new(crate::net::mux::Side::Dialler), since: 0, local: None, node: NodeId([1; 32]) });
        tie.offer(None, NodeId([1; 32]));
        assert!(!rung(&tie));
        tie.offer(None, NodeId([2; 32]));
        assert!(rung(&tie));
    }

    #[test]
    fn pauses_grow_until_a_connection_held() {
        let mut backoff = Backoff::new(FIRST, MOST);
        let second = Mono(1000);
        let short: Vec<Duration> = (0..4).map(|_| pause(&mut backoff, Mono(0), second)).collect();
        assert!(short.windows(2).all(|w| w[0] <= w[1] * 2) && short[3] > FIRST);
        assert!(pause(&mut backoff, Mono(0), Mono(60_000)) <= FIRST);
    }
}
