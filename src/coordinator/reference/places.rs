//! Where nodes are seen: what the operator, or a geo database of the operator's, says of a node's address. Without a
//! word on a node it is told its own claim back.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::engine::{At, Engine, Refused, refused};
use super::row::Node;
use crate::codec::NodeId;
use crate::codec::json::milli;
use crate::coordinator::wire::Geo;

/// What stands behind a place that only the node itself claims.
const CLAIMED_CONFIDENCE: f64 = 0.5;

/// What is observed of a node. About 100 bytes; one a node at most.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Observed {
    /// `CC` or `CC-Name`.
    pub place: String,
    /// 0..=1.
    pub confidence: f64,
}

impl Engine {
    /// Sets what is observed of `node`, or forgets it; told with its next heartbeat's answer.
    pub fn observe(&mut self, node: NodeId, observed: Option<&Observed>, _at: At) -> Result<Value, Refused> {
        if !self.state.nodes().contains_key(&node) {
            return refused(404, "node-unknown");
        }
        if observed.is_some_and(|o| !well_formed(o)) {
            return refused(422, "place");
        }
        let rounded = observed.map(|o| Observed { place: o.place.clone(), confidence: milli(o.confidence) });
        self.state.set_place(node, rounded.clone());
        Ok(json!({ "nodeId": node, "place": rounded.as_ref().map(|o| &o.place), "confidence": rounded.as_ref().map(|o| o.confidence) }))
    }

    /// The `geo` of a heartbeat's answer to `node`.
    pub(super) fn geo_of(&self, node: &Node) -> Geo {
        match self.state.places().get(&node.id) {
            Some(observed) => geo(&observed.place, observed.confidence),
            None => node.regions.first().map_or_else(Geo::default, |claimed| geo(claimed, CLAIMED_CONFIDENCE)),
        }
    }
}

fn geo(place: &str, confidence: f64) -> Geo {
    let (country, region) = place.split_once('-').map_or((place, None), |(country, region)| (country, Some(region.to_owned())));
    Geo { country: Some(country.to_owned()), region, confidence }
}

fn well_formed(o: &Observed) -> bool {
    let (country, region) = o.place.split_once('-').map_or((o.place.as_str(), None), |(c, r)| (c, Some(r)));
    country.len() == 2
        && country.bytes().all(|b| b.is_ascii_uppercase())
        && region.is_none_or(|r| (1..=64).contains(&r.len()) && !r.chars().any(char::is_control))
        && (0.0..=1.0).contains(&o.confidence)
}

#[cfg(test)]
mod tests {
    use super::super::state::State;
    use super::super::testing::{self, at};
    use super::*;
    use crate::codec::record;

    fn told(e: &mut Engine) -> (Option<String>, Option<String>, f64) {
        let geo = e.heartbeat(testing::id(1), &testing::heartbeat(), at(1)).unwrap().geo;
        (geo.country, geo.region, geo.confidence)
    }

    #[test]
    fn the_operators_word_takes_the_place_of_the_nodes_claim_and_is_durable() {
        let mut e = testing::engine();
        testing::join(&mut e, 1);
        assert_eq!(told(&mut e), (Some("PH".into()), None, 0.5));
        e.state.take_record();
        let observed = Observed { place: "DE-Bayern".into(), confidence: 0.91249 };
        assert_eq!(e.observe(testing::id(1), Some(&observed), at(2)).unwrap()["confidence"], 0.912);
        assert_eq!(told(&mut e), (Some("DE".into()), Some("Bayern".into()), 0.912));
        let log = e.state.take_record().unwrap();
        let mut state = State::default();
        for bytes in [log, e.state.all_records()] {
            let mut rest = bytes.as_slice();
            while let record::Next::Record(raw, used) = record::next(rest) {
                state.replay(raw.decode().unwrap());
                rest = &rest[used..];
            }
            assert_eq!(state.places().get(&testing::id(1)).map(|o| o.place.as_str()), Some("DE-Bayern"));
        }
        e.observe(testing::id(1), None, at(3)).unwrap();
        assert_eq!(told(&mut e), (Some("PH".into()), None, 0.5));
    }

    #[test]
    fn what_is_no_place_is_refused() {
        let mut e = testing::engine();
        testing::join(&mut e, 1);
        for (place, confidence) in [("de", 0.5), ("D", 0.5), ("DE-", 0.5), ("DEU", 0.5), ("DE", 1.1), ("DE", -0.1), ("DE", f64::NAN), ("", 0.0)] {
            let observed = Observed { place: place.into(), confidence };
            assert_eq!(e.observe(testing::id(1), Some(&observed), at(2)).unwrap_err().reason, "place", "{place} {confidence}");
        }
        assert_eq!(e.observe(testing::id(2), None, at(2)).unwrap_err().reason, "node-unknown");
    }
}
