//! The buyers' API: open, look at, close, list. By bearer token; the token's hash alone is stored.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use super::bounds;
use super::engine::{At, Engine, Refused, refused};
use super::lifecycle::OpenRequest;
use super::row::{Buyer, Phase};
use super::service::{MAX_WAIT_SEC, Outcome, Service};
use super::state::Session;
use crate::codec::{Hash, NodeId, base64, json, time};
use crate::coordinator::wire::Profile;
use crate::net::http::{Request, Response};

const TOKEN_CONTEXT: &str = "echomesh buyer token v1";
/// Sessions in one list, newest first: about 40 kB of the answer's 64 KiB.
const LISTED: usize = 64;

/// Answer 201 of `POST /buyers/sessions`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Opened {
    /// UUID.
    pub session_id: String,
    /// The password of the session, told this once.
    pub secret: String,
    /// `pending`, until a node has accepted.
    pub state: String,
}

/// A session as its buyer sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// UUID.
    pub session_id: String,
    /// `pending`, `active`, `closing`, `settled`.
    pub state: String,
    /// Why it ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// Where it is served, once it is active.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub node: Option<NodeView>,
    /// The region it is served for; the one asked for while pending.
    pub region: String,
    /// What for.
    pub category: String,
    /// What the node applies: the buyer's profile intersected with the owner's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub effective_profile: Option<Profile>,
    /// Acknowledged bytes accepted from destinations.
    pub bytes_ingress: u64,
    /// Acknowledged bytes sent to destinations.
    pub bytes_egress: u64,
    /// Tunnels.
    pub requests: u64,
    /// Those that failed for a cause beyond policy.
    pub errors: u64,
    /// Micro-credits.
    pub credits: u64,
    /// Unix seconds; RFC 3339 on the wire.
    #[serde(with = "time::text")]
    pub opened_at: u64,
    /// Unix seconds; RFC 3339 on the wire.
    #[serde(with = "time::text")]
    pub expires_at: u64,
}

/// The node a session is at.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct NodeView {
    /// Its key.
    pub node_id: NodeId,
    /// `host:port` of its proxy.
    pub address: String,
    /// Hash of the SubjectPublicKeyInfo its certificate must show.
    pub spki: Hash,
    /// Whether the coordinator hears it.
    pub online: bool,
}

/// Answer of `GET /buyers/sessions`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Listed {
    /// The newest 64.
    pub sessions: Vec<View>,
}

/// What of a token is stored.
pub fn token_hash(token: &str) -> Hash {
    Hash(blake3::derive_key(TOKEN_CONTEXT, token.as_bytes()))
}

impl Engine {
    /// Adds a buyer; its token, told this once.
    pub fn add_buyer(&mut self, name: &str, at: At) -> Result<String, Refused> {
        let plain = (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if !plain {
            return refused(422, "name");
        }
        if self.state.buyers().contains_key(name) {
            return refused(409, "buyer-exists");
        }
        if self.state.buyers().len() >= bounds::BUYERS {
            return refused(503, "overload");
        }
        let token = base64::url(&self.draw());
        self.state.put_buyer(Buyer { id: name.to_owned(), token_hash: token_hash(&token), added_at: at.unix });
        Ok(token)
    }

    /// Removes a buyer and ends its sessions.
    pub fn remove_buyer(&mut self, name: &str, at: At) -> Result<(), Refused> {
        if !self.state.buyers().contains_key(name) {
            return refused(404, "buyer-unknown");
        }
        self.state.drop_buyer(name);
        let open: Vec<String> = self
            .state
            .sessions()
            .values()
            .filter(|s| s.agreed.buyer_id == name && s.progress.phase.open())
            .map(|s| s.agreed.session_id.clone())
            .collect();
        for id in open {
            self.close(&id, "buyer-removed", at);
        }
        Ok(())
    }

    /// The buyer of a token. Every stored hash is compared, each in constant time.
    pub fn buyer_of(&self, token: &str) -> Option<String> {
        let hash = token_hash(token);
        self.state.buyers().values().filter(|b| bool::from(b.token_hash.0.ct_eq(&hash.0))).map(|b| b.id.clone()).next_back()
    }

    /// A session as its buyer sees it.
    pub fn view(&self, session: &Session, at: At) -> View {
        let (a, p) = (&session.agreed, &session.progress);
        let node = p
            .node
            .filter(|_| p.phase == Phase::Active)
            .and_then(|id| self.state.nodes().get(&id))
            .and_then(|n| Some(NodeView { node_id: n.id, address: n.address.clone()?, spki: n.spki?, online: self.fresh(n.id, at.mono) }));
        View {
            session_id: a.session_id.clone(),
            state: state_text(p.phase).to_owned(),
            reason: p.reason.clone(),
            node,
            region: if p.node.is_some() { p.region.clone() } else { a.region.clone() },
            category: a.category.clone(),
            effective_profile: a.effective.clone(),
            bytes_ingress: p.ingress,
            bytes_egress: p.egress,
            requests: p.requests,
            errors: p.errors,
            credits: p.credits,
            opened_at: a.opened_at,
            expires_at: a.expires_at,
        }
    }

    pub(super) fn of_buyer(&self, buyer: &str, id: &str) -> Result<&Session, Refused> {
        // Another buyer's session looks like none.
        self.state.sessions().get(id).filter(|s| s.agreed.buyer_id == buyer).ok_or(Refused { status: 404, reason: "session-unknown" })
    }
}

const fn state_text(phase: Phase) -> &'static str {
    match phase {
        Phase::Pending | Phase::Offered => "pending",
        Phase::Active => "active",
        Phase::Closing => "closing",
        Phase::Settled => "settled",
    }
}

/// The buyer whose token a request carries.
pub(super) fn bearer(service: &Service, request: &Request) -> Result<String, Refused> {
    let token = request.header("authorization").and_then(|h| h.strip_prefix("Bearer "));
    token.and_then(|t| service.look(|e| e.buyer_of(t))).ok_or(Refused { status: 401, reason: "bad-token" })
}

/// Answers one request below `/buyers/sessions`.
pub async fn answer(service: &Service, request: &Request) -> Outcome {
    let buyer = bearer(service, request)?;
    let rest = request.path().strip_prefix("/buyers/sessions").unwrap_or_default();
    let parts: Vec<&str> = rest.split('/').skip(1).collect();
    match (request.method.as_str(), parts.as_slice()) {
        ("POST", []) => {
            let open: OpenRequest = json::from_slice(&request.body).map_err(|_| Refused { status: 400, reason: "malformed" })?;
            let (session_id, secret) = service.change(|engine, _, at| engine.open(&buyer, &open, at))?;
            Ok(Response::json(201, &Opened { session_id, secret, state: "pending".into() }).with("Cache-Control", "no-store"))
        }
        ("GET", []) => Ok(Response::json(200, &service.look(|engine| list(engine, &buyer, service.at())))),
        ("GET", [id]) => {
            let wait = request.query("wait").and_then(|w| w.parse::<u64>().ok()).unwrap_or(0).min(MAX_WAIT_SEC);
            let deadline = service.clock().now().plus(Duration::from_secs(wait));
            loop {
                let view = service.look(|engine| engine.of_buyer(&buyer, id).map(|s| engine.view(s, service.at())))?;
                if view.state == "pending" && service.wait(id, false, deadline).await {
                    continue;
                }
                return Ok(Response::json(200, &view));
            }
        }
        ("POST", [id, "close"]) => service.change(|engine, _, at| {
            engine.of_buyer(&buyer, id)?;
            engine.close(id, "buyer-closed", at);
            Ok(Response::json(200, &engine.view(engine.of_buyer(&buyer, id)?, at)))
        }),
        (_, [] | [_] | [_, "close"]) => refused(405, "method"),
        _ => refused(404, "not-found"),
    }
}

fn list(engine: &Engine, buyer: &str, at: At) -> Listed {
    let mut own: Vec<&Session> = engine.state.sessions().values().filter(|s| s.agreed.buyer_id == buyer).collect();
    own.sort_by_key(|s| std::cmp::Reverse(s.agreed.opened_at));
    // The effective profile is in the single view: it could make the list large.
    Listed { sessions: own.iter().take(LISTED).map(|s| View { effective_profile: None, ..engine.view(s, at) }).collect() }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, at};
    use super::*;

    #[test]
    fn a_token_is_told_once_and_kept_as_a_hash() {
        let mut e = testing::engine();
        let token = e.add_buyer("shop", at(0)).unwrap();
        assert_eq!(base64::from_url(&token).unwrap().len(), 32);
        assert_eq!(e.buyer_of(&token).as_deref(), Some("shop"));
        assert_eq!(e.buyer_of("other"), None);
        assert!(!e.state.all_records().windows(token.len()).any(|w| w == token.as_bytes()), "the token is not in the store");
        assert_eq!(e.add_buyer("shop", at(0)).unwrap_err().reason, "buyer-exists");
        assert_eq!(e.add_buyer("a b", at(0)).unwrap_err().reason, "name");
        let (id, _) = e.open("shop", &testing::open_request(), at(0)).unwrap();
        e.remove_buyer("shop", at(1)).unwrap();
        assert_eq!(e.buyer_of(&token), None);
        assert_eq!(e.state.sessions()[&id].progress.reason.as_deref(), Some("buyer-removed"));
    }

    #[test]
    fn the_address_is_shown_once_the_node_has_accepted() {
        let mut e = testing::engine();
        testing::join(&mut e, 1);
        let (id, _) = e.open("shop", &testing::open_request(), at(0)).unwrap();
        let view = |e: &Engine| e.view(&e.state.sessions()[&id], at(1));
        assert_eq!((view(&e).state.as_str(), view(&e).node), ("pending", None));
        e.accept(testing::id(1), &testing::accept(1, &id, true), at(1)).unwrap();
        let seen = view(&e);
        assert_eq!((seen.state.as_str(), seen.node.unwrap().address.as_str()), ("active", "127.0.0.1:8443"));
        assert!(seen.effective_profile.is_some());
        assert!(e.of_buyer("other", &id).is_err());
    }
}
