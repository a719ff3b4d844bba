//! New limits for a session that is open: durable first, then told to its node as a `policy` event with the whole session.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::engine::{At, Engine, Refused, refused};
use super::lifecycle::{BURST_MOST_MB, GB_MOST, MBPS_MOST, TTL_MOST_SEC, TUNNELS_MOST};
use super::row::Agreed;
use super::stream::What;
use crate::codec::time;

/// What is to be other than agreed; the rest stays.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct Amendment {
    /// Mbit/s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_mbps: Option<u64>,
    /// MB.
    #[serde(rename = "burstMB", skip_serializing_if = "Option::is_none")]
    pub burst_mb: Option<u64>,
    /// GB.
    #[serde(rename = "maxGB", skip_serializing_if = "Option::is_none")]
    pub max_gb: Option<u64>,
    /// GB.
    #[serde(rename = "maxGBPerDay", skip_serializing_if = "Option::is_none")]
    pub max_gb_per_day: Option<u64>,
    /// Tunnels at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tunnels: Option<u32>,
    /// Seconds from now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u64>,
}

impl Amendment {
    /// Whether it names nothing.
    pub fn is_empty(&self) -> bool {
        *self == Amendment::default()
    }

    /// Whether every value is one that a buyer could have asked for.
    fn in_range(&self) -> bool {
        self.max_mbps.is_none_or(|n| (1..=MBPS_MOST).contains(&n))
            && self.burst_mb.is_none_or(|n| (1..=BURST_MOST_MB).contains(&n))
            && self.max_gb.is_none_or(|n| n <= GB_MOST)
            && self.max_gb_per_day.is_none_or(|n| n <= GB_MOST)
            && self.max_tunnels.is_none_or(|n| (1..=TUNNELS_MOST).contains(&n))
            && self.expires_in.is_none_or(|n| (1..=TTL_MOST_SEC).contains(&n))
    }

    fn apply(&self, to: &Agreed, now: u64) -> Agreed {
        Agreed {
            max_mbps: self.max_mbps.unwrap_or(to.max_mbps),
            burst_mb: self.burst_mb.unwrap_or(to.burst_mb),
            max_gb: self.max_gb.unwrap_or(to.max_gb),
            max_gb_per_day: self.max_gb_per_day.unwrap_or(to.max_gb_per_day),
            max_tunnels: self.max_tunnels.unwrap_or(to.max_tunnels),
            expires_at: self.expires_in.map_or(to.expires_at, |sec| now + sec),
            ..to.clone()
        }
    }
}

impl Engine {
    /// Changes what was agreed for an open session; its limits from now on. What changes nothing is told to nobody.
    pub fn amend(&mut self, id: &str, amendment: &Amendment, at: At) -> Result<Value, Refused> {
        if amendment.is_empty() || !amendment.in_range() {
            return refused(422, "limits");
        }
        let Some(session) = self.state.sessions().get(id) else { return refused(404, "session-unknown") };
        if !session.progress.phase.open() {
            return refused(409, "session-closed");
        }
        let node = session.progress.node;
        let agreed = amendment.apply(&session.agreed, at.unix);
        let changed = agreed != session.agreed;
        let mut said = limits(&agreed);
        said["sessionId"] = id.into();
        said["node"] = json!(node);
        said["changed"] = changed.into();
        if changed {
            self.state.change_agreed(id, |a| *a = agreed);
            // Without a node yet, the offer will carry it.
            if let Some(node) = node {
                self.publish(node, What::Policy, id, at.unix);
            }
        }
        Ok(said)
    }
}

/// The limits of a session, by the names they have on the wire.
pub(super) fn limits(agreed: &Agreed) -> Value {
    json!({
        "maxMbps": agreed.max_mbps, "burstMB": agreed.burst_mb, "maxGB": agreed.max_gb, "maxGBPerDay": agreed.max_gb_per_day,
        "maxTunnels": agreed.max_tunnels, "expiresAt": time::rfc3339(agreed.expires_at),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, at};
    use super::*;
    use crate::coordinator::wire::{EventKind, Session, SessionEvent};

    fn rate(mbps: u64) -> Amendment {
        Amendment { max_mbps: Some(mbps), ..Amendment::default() }
    }

    fn policies(events: Vec<SessionEvent>) -> Vec<Session> {
        let policy = |e: SessionEvent| if let EventKind::Policy { session } = e.kind { Some(session) } else { None };
        events.into_iter().filter_map(policy).collect()
    }

    #[test]
    fn a_change_is_durable_and_told_once_with_the_whole_session() {
        let mut e = testing::engine();
        testing::join(&mut e, 1);
        let (id, _) = e.open("buyer", &testing::open_request(), at(0)).unwrap();
        e.accept(testing::id(1), &testing::accept(1, &id, true), at(1)).unwrap();
        let (stream, events) = e.events_since(testing::id(1), None, at(1));
        let position = format!("{stream}:{}", events.last().unwrap().seq);
        e.state.take_record();

        let amendment = Amendment { max_mbps: Some(7), max_tunnels: Some(3), expires_in: Some(60), ..Amendment::default() };
        let said = e.amend(&id, &amendment, at(2)).unwrap();
        assert_eq!((&said["maxMbps"], &said["changed"]), (&json!(7), &json!(true)));
        assert!(e.state.take_record().is_some(), "a row to be committed before the node is woken");
        assert!(e.take_woken().0.contains(&testing::id(1)));
        let told = policies(e.events_since(testing::id(1), Some(&position), at(2)).1);
        assert_eq!(told.len(), 1);
        let before = e.state.sessions()[&id].agreed.clone();
        assert_eq!((told[0].max_mbps, told[0].max_tunnels, told[0].expires_at), (7, 3, testing::START + 62));
        assert_eq!((told[0].max_gb, told[0].secret_hash), (before.max_gb, before.secret_hash), "the rest stays");

        let again = e.amend(&id, &rate(7), at(3)).unwrap();
        assert_eq!(again["changed"], false);
        assert!(e.state.take_record().is_none());
        assert_eq!(policies(e.events_since(testing::id(1), Some(&position), at(3)).1).len(), 1, "told once");
        e.tick(at(62));
        assert_eq!(e.state.sessions()[&id].progress.reason.as_deref(), Some("session-expired"), "the new end counts");
    }

    #[test]
    fn a_session_without_a_node_is_offered_as_amended() {
        let mut e = testing::engine();
        let (id, _) = e.open("buyer", &testing::open_request(), at(0)).unwrap();
        e.amend(&id, &rate(3), at(1)).unwrap();
        testing::join(&mut e, 1);
        let (_, events) = e.events_since(testing::id(1), None, at(2));
        assert!(matches!(&events[0].kind, EventKind::Snapshot { sessions } if sessions[0].max_mbps == 3), "{events:?}");
    }

    #[test]
    fn what_is_over_unknown_or_out_of_range_is_refused() {
        let mut e = testing::engine();
        let (id, _) = e.open("buyer", &testing::open_request(), at(0)).unwrap();
        let mut reason = |id: &str, amendment| e.amend(id, &amendment, at(1)).map(|_| ()).map_err(|r| r.reason);
        assert_eq!(reason(&id, Amendment::default()), Err("limits"));
        assert_eq!(reason(&id, rate(0)), Err("limits"));
        assert_eq!(reason(&id, Amendment { expires_in: Some(u64::MAX), ..Amendment::default() }), Err("limits"));
        assert_eq!(reason(&id, Amendment { max_tunnels: Some(TUNNELS_MOST + 1), ..Amendment::default() }), Err("limits"));
        assert_eq!(reason("none", rate(1)), Err("session-unknown"));
        e.close(&id, "buyer-closed", at(2));
        assert_eq!(e.amend(&id, &rate(1), at(3)).unwrap_err().reason, "session-closed");
    }
}
