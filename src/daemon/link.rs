//! The tie to the coordinator: register, answer assignments, heartbeat, hand in bundles; one thing after the other.

use std::rc::Rc;
use std::time::Duration;

use smol::future::FutureExt as _;

use super::duplicate;
use super::holds::Holds;
use super::node::Node;
use super::state::Turn;
use super::supervisor::random;
use crate::config::settings::Reach;
use crate::coordinator::client::{Attested, CallError, CallKind, Client};
use crate::coordinator::wire;
use crate::core::backoff::Backoff;
use crate::core::{Mono, Reason};
use crate::meter::sealed::Signed;
use crate::net::reactor::Timer;
use crate::session::{End, Event, Session};

/// First and longest pause after a failed call.
const FIRST: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_secs(300);

/// Runs for ever; ends only with the process or when the client is replaced (the task is dropped).
pub async fn keep(node: Rc<Node>, client: Rc<Client>) {
    let mut backoff = Backoff::new(FIRST, MOST);
    let mut holds = Holds::default();
    let mut heartbeat = Duration::from_secs(60);
    let mut next_beat = node.clock.now();
    loop {
        if node.hurry.take() {
            next_beat = node.clock.now();
        }
        let outcome = if !node.link.get().registered {
            register(&node, &client).await.map(|seconds| {
                heartbeat = Duration::from_secs(u64::from(seconds.clamp(1, 3600)));
                next_beat = node.clock.now();
            })
        } else if node.clock.now() >= next_beat {
            next_beat = node.clock.now().plus(heartbeat);
            beat(&node, &client).await
        } else if let Some(session) = node.registry.unanswered().into_iter().next() {
            answer(&node, &client, &session).await
        } else if let Some((id, bundle)) = node.next_bundle(|id| holds.held(id, node.clock.now())) {
            let attested = attest(&node, &client, &id, bundle).await;
            match &attested {
                Ok(true) => holds.done(&id),
                // Nobody heard it: that is no word about this session.
                Err(CallError { kind: CallKind::Unreachable, .. }) => {}
                Ok(false) | Err(_) => holds.missed(&id, node.clock.now(), random()),
            }
            attested.map(drop)
        } else {
            backoff.succeeded();
            let until = [node.next_send(), holds.next(node.clock.now())].into_iter().flatten().fold(next_beat, Mono::min);
            let beat = async {
                Timer::after(until.since(node.clock.now())).await;
            };
            node.post.wait().or(beat).await;
            continue;
        };
        match outcome {
            Ok(()) => {
                backoff.succeeded();
                connected(&node);
            }
            Err(e) => {
                let wait = if duplicate::is_told(&e) {
                    node.stand_back(&client);
                    duplicate::RETRY
                } else {
                    backoff.failed(random())
                };
                failed(&node, &e, wait);
                Timer::after(wait).await;
                node.link(|link| link.retry_at = None);
            }
        }
    }
}

fn connected(node: &Node) {
    let unix = node.clock.unix();
    node.link(|link| {
        link.reachable = true;
        link.last_contact = Some(unix);
        link.away_since = None;
    });
    if node.link.get().registered && !node.registry.gate().stopped {
        node.turn(Turn::Connected, None);
    }
}

fn failed(node: &Node, e: &CallError, wait: Duration) {
    let now = node.clock.now();
    node.link(|link| {
        link.failures = link.failures.saturating_add(1);
        link.retry_at = Some(now.plus(wait));
    });
    match &e.kind {
        // It answers, but not to what we are for it: begin again.
        CallKind::Refused { status: 401 | 404 | 410, .. } | CallKind::Clock => node.link(|link| link.registered = false),
        CallKind::Refused { .. } => {}
        CallKind::Unreachable | CallKind::BadAnswer => {
            node.link(|link| {
                link.reachable = false;
                link.away_since.get_or_insert(now);
            });
            node.turn(Turn::Lost, Some(e.message.clone()));
        }
    }
    log::warn!("coordinator: {e}; next try in {} s", wait.as_secs().max(1));
}

async fn register(node: &Rc<Node>, client: &Client) -> Result<u32, CallError> {
    node.look_for_ntp();
    let settings = node.settings();
    let reach = match settings.proxy.reach {
        Reach::Direct => wire::Reach { mode: "direct".into(), address: Some(node.public_address()), spki: Some(node.spki) },
        Reach::Gateway => wire::Reach { mode: "gateway".into(), address: None, spki: Some(node.spki) },
    };
    let (previous_node_id, previous_sig) = node.previous().await.unzip();
    let request = wire::Register {
        node_id: node.identity.node_id(),
        boot_id: node.boot_id.clone(),
        protocols: vec![wire::PROTOCOL],
        version: env!("CARGO_PKG_VERSION").into(),
        regions: settings.node.region_allow.clone(),
        roles: vec!["proxy".into()],
        max_mbps: settings.network.max_mbps.0.div_ceil(1_000_000),
        reach,
        previous_node_id,
        previous_sig,
        time: node.clock.unix(),
    };
    let registered = client.register(&request).await?;
    if !registered.accepted {
        let reason = registered.reason.unwrap_or_default();
        let message = match reason.as_str() {
            "rotated" => "this node's name was given up in a rotation; restore the latest backup, or run `echomesh identity rotate`".to_owned(),
            _ => format!("the coordinator does not accept this node ({reason}); ask its operator"),
        };
        return Err(CallError { kind: CallKind::Refused { status: 403, reason }, message });
    }
    for session in registered.sessions {
        node.on_head(&session.session_id, session.head);
    }
    ask_heads(node, client).await?;
    if request.previous_node_id.is_some() {
        node.succeeded().await;
    }
    node.set_roster_right();
    node.stand_up();
    node.link(|link| link.registered = true);
    node.gateway.offer(registered.gateway, node.identity.node_id());
    log::debug!("registered with the coordinator");
    let (stream, seq) = node.position();
    client.follow(stream, seq);
    Ok(registered.heartbeat_sec)
}

/// After a power cut only the coordinator knows how far a chain got: where its answer to `register` did not say, it is asked.
async fn ask_heads(node: &Rc<Node>, client: &Client) -> Result<(), CallError> {
    let unsure: Vec<String> = {
        let ledger = node.registry.ledger.borrow();
        ledger.sessions().filter(|(_, chain)| chain.is_unsure()).map(|(id, _)| id.to_owned()).collect()
    };
    for id in unsure {
        match client.head(&id).await {
            Ok(head) => node.on_head(&id, head),
            // It does not know the session: its events will say so, and there is no chain to continue.
            Err(CallError { kind: CallKind::Refused { status: 404, .. }, .. }) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

async fn beat(node: &Rc<Node>, client: &Client) -> Result<(), CallError> {
    let (state, ..) = node.state();
    let qos = node.qos();
    let sessions = node.registry.all().len();
    let heartbeat = wire::Heartbeat {
        state: if node.registry.gate().quarantine { "quarantine" } else { state.name() }.into(),
        boot_id: Some(node.boot_id.clone()),
        active_sessions: u32::try_from(sessions).unwrap_or(u32::MAX),
        qos: wire::Qos { latency_ms_p50: qos.latency_ms_p50, latency_ms_p95: qos.latency_ms_p95, error_rate_pct: qos.error_rate_pct },
        telemetry: node.telemetry(),
    };
    let heard = client.heartbeat(&heartbeat).await?;
    node.weigh_place(&heard.geo).await;
    node.watch_key().await;
    *node.heard.borrow_mut() = Some(heard);
    node.registry.renew();
    Ok(())
}

async fn answer(node: &Rc<Node>, client: &Client, session: &Rc<Session>) -> Result<(), CallError> {
    node.registry.answering(&session.id);
    let decision = match node.registry.gate().refuses(node.clock.now()) {
        Some(reason @ (Reason::Stopped | Reason::Quarantine)) => Err(reason),
        _ => session.effective().and_then(|effective| {
            let region = session.assigned().region.clone();
            node.registry.judge_place(&region).map(|()| effective).map_err(|rule| {
                log::info!("session {} is refused: {rule}", session.id);
                Reason::Geo
            })
        }),
    };
    let accept = wire::Accept {
        node_id: node.identity.node_id(),
        session_id: session.id.clone(),
        accepted: decision.is_ok(),
        reason: decision.as_ref().err().map(|r| r.id().to_owned()),
        effective_profile: decision.as_ref().ok().map(|e| e.profile.clone()),
        time: node.clock.unix(),
    };
    match client.accept(&accept).await {
        Ok(()) => {
            node.registry.on(&session.id, Event::Answered(decision.is_ok()));
            // The quarantine may have come while the answer was on its way.
            if node.registry.gate().quarantine {
                node.registry.end(&session.id, End::Quarantine);
            }
        }
        // It no longer knows the session: there is nothing to serve.
        Err(CallError { kind: CallKind::Refused { status: 404 | 409 | 410, .. }, .. }) => node.registry.end(&session.id, End::Closed),
        Err(e) => return Err(e),
    }
    Ok(())
}

/// Hands in one bundle; whether it is settled, as taken or as refused for good.
async fn attest(node: &Rc<Node>, client: &Client, id: &str, bundle: Signed) -> Result<bool, CallError> {
    let (seq, hash) = (bundle.seq, bundle.hash);
    match client.attest(bundle.body).await? {
        Attested::Acked(_, receipt) => node.acked(id, seq, hash, &receipt),
        Attested::Head(head) => {
            node.on_head(id, head);
            return Ok(false);
        }
        Attested::Refused(reason) => node.bundle_refused(id, seq, &reason),
    }
    Ok(true)
}

impl Node {
    /// The address buyers reach us at: the listener's own where it names one, else the port alone.
    fn public_address(&self) -> String {
        match self.listening.borrow().first() {
            Some(addr) if !addr.ip().is_unspecified() => addr.to_string(),
            Some(addr) => format!(":{}", addr.port()),
            None => ":8443".into(),
        }
    }
}
