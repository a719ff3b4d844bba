//! What the operator asks for: the same commands on the socket of a running coordinator and on its folder when none runs.

use std::rc::Rc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::engine::{At, Engine, Refused, refused};
use super::places::Observed;
use super::policy::{self, Amendment};
use super::reputation;
use super::rotation::{self, KeyCommand};
use super::service::Service;
use crate::codec::{NodeId, json as strict, time};
use crate::net::http::{Handler, Request, Response};

/// Name of the socket in the coordinator's folder, mode 0600.
pub const SOCKET: &str = "operator.sock";
/// The one path on it.
pub const PATH: &str = "/operator";

/// A command.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Command {
    /// Adds a buyer; answers with its token.
    BuyerAdd {
        /// Its name.
        name: String,
    },
    /// Removes a buyer and ends its sessions.
    BuyerRemove {
        /// Its name.
        name: String,
    },
    /// The buyers.
    Buyers,
    /// The nodes.
    Nodes,
    /// The sessions.
    Sessions,
    /// Credits and bytes by node.
    Ledger,
    /// Windows that buyer and node count differently.
    Disputes,
    /// Unannounced purchases and what came of them.
    Purchases,
    /// Buys from a node now.
    Audit {
        /// From which; from one drawn where none is named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<NodeId>,
    },
    /// Ends a session.
    Close {
        /// Which.
        session: String,
    },
    /// Changes the limits of an open session.
    Policy {
        /// Which.
        session: String,
        /// What is to be other.
        #[serde(flatten)]
        amendment: Amendment,
    },
    /// Sets where a node is observed, or forgets it.
    Geo {
        /// Which.
        node: NodeId,
        /// Where; none = its own claim is told back.
        observed: Option<Observed>,
    },
    /// Looks at the coordinator's key, or changes it.
    Key {
        /// What to do.
        #[serde(flatten)]
        what: KeyCommand,
    },
}

impl Command {
    /// Whether it changes something.
    pub const fn changes(&self) -> bool {
        match self {
            Command::BuyerAdd { .. } | Command::BuyerRemove { .. } | Command::Close { .. } => true,
            Command::Policy { .. } | Command::Geo { .. } | Command::Audit { .. } => true,
            Command::Key { what } => what.changes(),
            Command::Buyers | Command::Nodes | Command::Sessions | Command::Ledger | Command::Disputes | Command::Purchases => false,
        }
    }
}

impl Engine {
    /// Carries out `command`; one about the key takes [`rotation::perform`].
    pub fn perform(&mut self, command: &Command, at: At) -> Result<Value, Refused> {
        match command {
            Command::BuyerAdd { name } => self.add_buyer(name, at).map(|token| json!({ "buyerId": name, "token": token })),
            Command::BuyerRemove { name } => self.remove_buyer(name, at).map(|()| json!({ "buyerId": name })),
            Command::Close { session } => {
                if !self.state.sessions().contains_key(session) {
                    return refused(404, "session-unknown");
                }
                self.close(session, "operator-closed", at);
                Ok(json!({ "sessionId": session }))
            }
            Command::Policy { session, amendment } => self.amend(session, amendment, at),
            Command::Geo { node, observed } => self.observe(*node, observed.as_ref(), at),
            Command::Key { .. } => refused(400, "malformed"),
            Command::Buyers => Ok(self.buyers_view()),
            Command::Nodes => Ok(self.nodes_view(at)),
            Command::Sessions => Ok(self.sessions_view(at)),
            Command::Ledger => Ok(self.ledger_view(at)),
            Command::Purchases => Ok(self.purchases_view()),
            Command::Audit { node } => self.purchase(*node, at).map(|id| json!({ "sessionId": id })),
            Command::Disputes => Ok(self.disputes_view()),
        }
    }

    fn buyers_view(&self) -> Value {
        let row = |b: &super::row::Buyer| {
            let of = self.state.sessions().values().filter(|s| s.agreed.buyer_id == b.id);
            let (open, bytes, credits) = of.fold((0u64, 0u64, 0u64), |(open, bytes, credits), s| {
                let p = &s.progress;
                (open + u64::from(p.phase.open()), bytes.saturating_add(p.bytes()), credits.saturating_add(p.credits))
            });
            json!({ "buyerId": b.id, "addedAt": time::rfc3339(b.added_at), "openSessions": open, "bytes": bytes, "credits": credits,
                "key": self.state.buyer_key(&b.id), "doubtful": self.doubtful(&b.id) })
        };
        json!({ "buyers": self.state.buyers().values().map(row).collect::<Vec<_>>() })
    }

    fn nodes_view(&self, at: At) -> Value {
        let row = |n: &super::row::Node| {
            let reputation = self.standing(n, at.unix);
            let live = self.live(n.id);
            json!({
                "nodeId": n.id, "online": self.fresh(n.id, at.mono), "state": live.map_or("", |l| l.state.as_str()), "left": n.left,
                "reach": n.mode, "address": n.address, "spki": n.spki, "verified": n.verified, "version": n.version,
                "regions": n.regions, "observed": self.state.places().get(&n.id), "maxMbps": n.max_mbps, "activeSessions": live.map_or(0, |l| l.active_sessions),
                "probesPassed": n.days.iter().map(|d| u64::from(d.passed)).sum::<u64>(),
                "probesFailed": n.days.iter().map(|d| u64::from(d.failed)).sum::<u64>(),
                "qos": live.map(|l| &l.qos), "telemetry": live.and_then(|l| l.telemetry.as_ref()), "score": reputation.score, "tier": reputation.tier, "credits": n.credits,
                "registeredAt": time::rfc3339(n.registered_at),
            })
        };
        json!({ "nodes": self.state.nodes().values().map(row).collect::<Vec<_>>() })
    }

    fn sessions_view(&self, at: At) -> Value {
        let row = |s: &super::state::Session| {
            let mut row = strict::object(&self.view(s, at));
            row.remove("effectiveProfile");
            row.extend(strict::object(&policy::limits(&s.agreed)));
            row.insert("buyerId".into(), s.agreed.buyer_id.clone().into());
            row.insert("phase".into(), json!(s.progress.phase));
            row.insert("node".into(), json!(s.progress.node));
            row.insert("bundles".into(), s.progress.head.seq.into());
            row.insert(
                "refusals".into(),
                json!(s.progress.refusals.iter().map(|(n, why, _)| json!({ "nodeId": n, "reason": why })).collect::<Vec<_>>()),
            );
            Value::Object(row)
        };
        json!({ "sessions": self.state.sessions().values().map(row).collect::<Vec<_>>() })
    }

    fn ledger_view(&self, at: At) -> Value {
        let mut total = (0u64, 0u64);
        let mut rows = Vec::new();
        for n in self.state.nodes().values() {
            let (ingress, egress) = self
                .state
                .sessions_of(n.id)
                .fold((0u64, 0u64), |(i, e), s| (i.saturating_add(s.progress.ingress), e.saturating_add(s.progress.egress)));
            total = (total.0.saturating_add(ingress.saturating_add(egress)), total.1.saturating_add(n.credits));
            rows.push(json!({
                "nodeId": n.id, "bytesIngress": ingress, "bytesEgress": egress, "credits": n.credits,
                "creditsToday": reputation::credits_today(n, at.unix),
            }));
        }
        let session = |s: &super::state::Session| {
            let p = &s.progress;
            json!({
                "sessionId": s.agreed.session_id, "buyerId": s.agreed.buyer_id, "nodeId": p.node, "seq": p.head.seq, "hash": p.head.hash,
                "bytesIngress": p.ingress, "bytesEgress": p.egress, "credits": p.credits, "final": p.sealed,
            })
        };
        let sessions: Vec<Value> = self.state.sessions().values().filter(|s| s.progress.head.seq > 0).map(session).collect();
        json!({ "nodes": rows, "sessions": sessions, "totalBytes": total.0, "totalCredits": total.1 })
    }
}

/// Serves the operator's socket.
pub struct Operator(pub Rc<Service>);

impl Handler for Operator {
    async fn handle(&self, request: Request) -> Response {
        if (request.method.as_str(), request.path()) != ("POST", PATH) {
            return Response::json(404, &json!({ "reason": "not-found" }));
        }
        let Ok(command) = strict::from_slice::<Command>(&request.body) else { return Response::json(400, &json!({ "reason": "malformed" })) };
        let said = match command {
            Command::Key { what } => self.0.change_keys(|engine, keys, at| rotation::perform(engine, keys, what, at)),
            command => self.0.change(|engine, _, at| engine.perform(&command, at)),
        };
        match said {
            Ok(value) => Response::json(200, &value),
            Err(Refused { status, reason }) => Response::json(status, &json!({ "reason": reason })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, at};
    use super::*;

    #[test]
    fn commands_travel_as_json_and_views_name_everything() {
        let add: Command = serde_json::from_str(r#"{"command":"buyer-add","name":"shop"}"#).unwrap();
        assert_eq!(add, Command::BuyerAdd { name: "shop".into() });
        let policy: Command = serde_json::from_str(r#"{"command":"policy","session":"s","maxMbps":5,"maxGBPerDay":0}"#).unwrap();
        let amendment = Amendment { max_mbps: Some(5), max_gb_per_day: Some(0), ..Amendment::default() };
        assert_eq!(policy, Command::Policy { session: "s".into(), amendment });
        assert_eq!(serde_json::from_value::<Command>(serde_json::to_value(&policy).unwrap()).unwrap(), policy);
        let mut e = testing::engine();
        assert_eq!(e.perform(&add, at(0)).unwrap()["buyerId"], "shop");
        testing::join(&mut e, 1);
        let (id, _) = e.open("shop", &testing::open_request(), at(0)).unwrap();
        assert_eq!(e.perform(&Command::Nodes, at(1)).unwrap()["nodes"][0]["online"], true);
        assert_eq!(e.perform(&Command::Sessions, at(1)).unwrap()["sessions"][0]["phase"], "offered");
        assert_eq!(e.perform(&Command::Buyers, at(1)).unwrap()["buyers"][0]["openSessions"], 1);
        e.perform(&Command::Close { session: id.clone() }, at(1)).unwrap();
        assert_eq!(e.state.sessions()[&id].progress.reason.as_deref(), Some("operator-closed"));
        assert_eq!(e.perform(&Command::Close { session: "x".into() }, at(1)).unwrap_err().status, 404);
        assert_eq!(e.perform(&Command::Ledger, at(1)).unwrap()["totalCredits"], 0);
    }
}
