//! Asks for probes while a session is active, makes them, and reports what they measured.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::node::Node;
use crate::codec::NodeId;
use crate::coordinator::client::{CallError, Client};
use crate::coordinator::wire::ProbeRequest;
use crate::net::reactor::Timer;
use crate::probe::{self, ByteBudget, Means, Plan};
use crate::session::{Event, Phase};

/// At most one question a minute (contracts).
const ASK_EVERY: Duration = Duration::from_secs(60);
/// After a session opened, the first question comes soon: a coordinator wants to know whom it sends buyers to.
const SETTLE: Duration = Duration::from_secs(2);

/// Runs for ever.
pub async fn keep(node: Rc<Node>, client: Rc<Client>) {
    loop {
        node.session_active().await;
        Timer::after(SETTLE).await;
        match client.probe_request().await {
            Ok(Some(request)) => serve(&node, &client, &request).await,
            Ok(None) => {}
            Err(e) => log::debug!("no probe asked for: {e}"),
        }
        Timer::after(ASK_EVERY).await;
    }
}

async fn serve(node: &Rc<Node>, client: &Client, request: &ProbeRequest) {
    let (now, unix) = (node.clock.now(), node.clock.unix());
    let node_id = node.identity.node_id();
    let planned = probe::check(request, &node.settings().policy, node_id, unix).and_then(|plan| {
        node.probe_allowance.borrow_mut().grant(&plan, now, unix)?;
        Ok(plan)
    });
    let plan = match planned {
        Ok(plan) if node.registry.get(&plan.session_id).is_some_and(|s| s.phase() == Phase::Active) => plan,
        Ok(_) => {
            log::info!("a probe for a session that is not active is not made");
            return;
        }
        Err(refusal) => {
            log::warn!("a probe is refused: {refusal}");
            return;
        }
    };
    node.registry.on(&plan.session_id, Event::ProbeStarted);
    let spent = Spent { node, bytes: Cell::new(0) };
    let outcome = make(node, &plan, &spent).await;
    node.probe_allowance.borrow_mut().ended(&plan, spent.bytes.get(), node.clock.unix());
    node.registry.on(&plan.session_id, Event::ProbeEnded);
    let reported = match outcome {
        Ok(measured) => report(node, client, &plan, &measured, node_id).await,
        Err(why) => {
            log::warn!("probe of {}: {why}", plan.target.host);
            false
        }
    };
    let mut probes = node.probes.get();
    probes.ended(reported);
    node.probes.set(probes);
    node.registry.changed.ring();
}

async fn report(node: &Node, client: &Client, plan: &Plan, measured: &probe::Measured, node_id: NodeId) -> bool {
    match client.probe_report(&probe::report(plan, measured, node_id, node.clock.unix())).await {
        Ok(answer) => {
            if let Some(follow_up) = &answer.follow_up {
                log::warn!("the coordinator judges a probe as failed: {follow_up}");
            }
            answer.ack && answer.follow_up.is_none()
        }
        Err(CallError { message, .. }) => {
            log::warn!("the probe's report was not taken: {message}");
            false
        }
    }
}

async fn make(node: &Rc<Node>, plan: &Plan, budget: &Spent<'_>) -> Result<probe::Measured, String> {
    let settings = node.settings();
    let tls = node.roots.borrow().client_config(&[b"http/1.1"], &node.clock).map_err(|e| e.to_string())?;
    // A share of its own at the owner's rate: fair beside the sessions.
    let rate = settings.network.max_mbps.bytes_per_sec();
    let share = node.limiter.share(rate, rate);
    let means = Means { tls, clock: &node.clock, pace: &*share, budget };
    let (resolver, guard) = (node.engine.resolver.borrow().clone(), node.engine.addresses.borrow().clone());
    let way = async |host: &str, port| probe::dial_through(&resolver, &guard, &node.clock, host, port).await;
    probe::fetch(plan, way, &means).await.map_err(|e| e.to_string())
}

/// Counts a probe's bytes on the uplink; they count once.
struct Spent<'n> {
    node: &'n Node,
    bytes: Cell<u64>,
}

impl ByteBudget for Spent<'_> {
    fn spend(&self, bytes: u64) -> bool {
        self.bytes.set(self.bytes.get().saturating_add(bytes));
        self.node.household.probed.set(self.node.household.probed.get().saturating_add(bytes));
        let (mut ledger, unix) = self.node.registry.ledger_now();
        ledger.probed(unix, bytes);
        drop(ledger);
        self.node.registry.noted();
        self.node.registry.volume_left()
    }
}

impl Node {
    /// Waits until a session is active and work is allowed.
    async fn session_active(&self) {
        while !self.registry.all().iter().any(|s| s.phase() == Phase::Active) || self.registry.gate().refuses(self.clock.now()).is_some() {
            self.probe_due.wait().await;
        }
    }
}
