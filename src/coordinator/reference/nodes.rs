//! The endpoints nodes call (contracts, "Coordinator endpoints").

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::attest::Judged;
use super::auth::Caller;
use super::engine::{Engine, Refused, refused};
use super::service::{MAX_WAIT_SEC, Outcome, Service};
use crate::codec::envelope::{self, NODE_SIG, context};
use crate::codec::{NodeId, json as strict};
use crate::coordinator::wire::{Accept, Control, Head, HeadAnswer, Heartbeat, Leave, ProbeReport, Refusal, Register};
use crate::net::http::{Request, Response};

/// Every path of this API.
pub const PATHS: [&str; 8] = [
    "/nodes/register",
    "/nodes/heartbeat",
    "/nodes/leave",
    "/sessions/control",
    "/sessions/accept",
    "/probes/request",
    "/probes/report",
    "/attest/metering",
];

/// Answers one authenticated request.
pub async fn answer(service: &Service, caller: &Caller, request: &Request) -> Outcome {
    let node = caller.node;
    let peer = request.peer.map(|p| p.ip().to_canonical());
    match (request.method.as_str(), request.path()) {
        ("POST", "/nodes/register") => {
            let register: Register = signed(request, node, context::REGISTER)?;
            addressed(register.node_id, node)?;
            let registered = service.change(|engine, _, at| engine.register(&register, peer, at))?;
            Ok(Response::json(200, &registered))
        }
        ("POST", "/nodes/heartbeat") => {
            let heartbeat: Heartbeat = typed(tree(request)?)?;
            let heard = service.change(|engine, _, at| {
                engine.seen_from(node, peer);
                engine.heartbeat(node, &heartbeat, at)
            })?;
            Ok(Response::json(200, &heard))
        }
        ("POST", "/nodes/leave") => {
            let leave: Leave = signed(request, node, context::LEAVE)?;
            addressed(leave.node_id, node)?;
            service.change(|engine, _, at| engine.leave(node, at))?;
            Ok(Response::json(200, &json!({})))
        }
        ("GET", "/sessions/control") => control(service, node, request).await,
        ("POST", "/sessions/accept") => {
            let accept: Accept = signed(request, node, context::SESSION_ACCEPT)?;
            addressed(accept.node_id, node)?;
            service.change(|engine, _, at| engine.accept(node, &accept, at))?;
            Ok(Response::json(200, &json!({})))
        }
        ("GET", "/probes/request") => {
            let probe = service.change(|engine, _, at| Ok(engine.probe_request(node, at)))?;
            Ok(probe.map_or_else(|| Response::empty(204), |probe| Response::json(200, &service.signed(context::PROBE_REQUEST, &probe))))
        }
        ("POST", "/probes/report") => {
            let report: ProbeReport = signed(request, node, context::PROBE_REPORT)?;
            addressed(report.node_id, node)?;
            let ack = service.change(|engine, _, at| Ok(engine.probe_report(node, &report, at)))?;
            Ok(Response::json(200, &ack))
        }
        ("POST", "/attest/metering") => attest(service, node, &tree(request)?),
        ("GET", "/attest/metering") => {
            let Some(session_id) = request.query("sessionId") else { return refused(400, "malformed") };
            let head = service.look(|engine| engine.head(node, &session_id));
            head.map_or_else(|| refused(404, "session-unknown"), |head| Ok(Response::json(200, &HeadAnswer { head })))
        }
        _ => refused(405, "method"),
    }
}

async fn control(service: &Service, node: NodeId, request: &Request) -> Outcome {
    let since = request.query("since");
    let wait = request.query("wait").and_then(|w| w.parse::<u64>().ok()).unwrap_or(0).min(MAX_WAIT_SEC);
    let deadline = service.clock().now().plus(Duration::from_secs(wait));
    loop {
        let (stream, events) = service.change(|engine, _, at| Ok(engine.events_since(node, since.as_deref(), at)))?;
        if events.is_empty() && service.wait(&node.to_string(), true, deadline).await {
            continue;
        }
        let events = events.iter().map(|event| service.signed(context::SESSION_EVENT, event)).collect();
        return Ok(Response::json(200, &Control { stream, events }));
    }
}

fn attest(service: &Service, node: NodeId, tree: &Value) -> Outcome {
    service.change(|engine: &mut Engine, store, at| {
        let refusal = |reason: &str| Ok(Response::json(422, &Refusal { reason: reason.to_owned() }));
        let elsewhere = |head: Head| Ok(Response::json(409, &HeadAnswer { head }));
        match engine.judge(node, tree, at) {
            Judged::Next(signed) => {
                // First its bytes, then the booking that names them, then the answer.
                if let Err(e) = store.keep_bundle(&signed.bundle.session_id, &signed.canonical) {
                    log::error!("bundle not stored: {e}");
                    return refused(503, "store-failed");
                }
                Ok(Response::json(200, &engine.book(&signed, at)))
            }
            Judged::Known(ack) => Ok(Response::json(200, &ack)),
            Judged::Elsewhere(head) => elsewhere(head),
            Judged::Refused(fault) => {
                log::warn!("bundle of node {} refused: {fault}", node.short());
                refusal(fault.id())
            }
            Judged::NoSession => refusal("session-unknown"),
        }
    })
}

fn tree(request: &Request) -> Result<Value, Refused> {
    strict::parse(&request.body).map_err(|_| Refused { status: 400, reason: "malformed" })
}

fn typed<T: DeserializeOwned>(tree: Value) -> Result<T, Refused> {
    serde_json::from_value(tree).map_err(|_| Refused { status: 400, reason: "malformed" })
}

/// The body as an object that `node` signed under `context`.
fn signed<T: DeserializeOwned>(request: &Request, node: NodeId, context: &str) -> Result<T, Refused> {
    let tree = tree(request)?;
    let key = node.key().ok_or(Refused { status: 401, reason: "bad-node-id" })?;
    envelope::verify(&tree, NODE_SIG, context, [&key]).map_err(|_| Refused { status: 401, reason: "bad-signature" })?;
    typed(tree)
}

fn addressed(object: NodeId, caller: NodeId) -> Result<(), Refused> {
    if object == caller { Ok(()) } else { refused(401, "other-node") }
}
