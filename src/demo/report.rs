//! The result, for people as a table and for programs as one JSON document.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::compare::{Bytes, Row};

/// What a run came to.
pub struct Report {
    /// Seconds of traffic asked for.
    pub seconds: u64,
    /// The two main sessions, and all others together.
    pub rows: Vec<Row>,
    /// Bundles that verified.
    pub bundles_verified: u64,
    /// Probes that the coordinator judged good.
    pub probes_passed: u64,
    /// Each refusal, and whether it was seen.
    pub refusals: BTreeMap<&'static str, bool>,
    /// Refusals that this machine cannot show, and why.
    pub skipped: BTreeMap<&'static str, String>,
    /// Everything that is not as it should be.
    pub faults: Vec<String>,
}

impl Report {
    /// Whether all is as it should be.
    pub fn ok(&self) -> bool {
        self.faults.is_empty()
    }

    /// One JSON document.
    pub fn json(&self) -> Value {
        let sessions: Vec<Value> = self.rows.iter().filter(|row| row.session.is_some() && !row.cut_off).map(row_json).collect();
        let cut_off: Vec<Value> = self.rows.iter().filter(|row| row.cut_off).map(row_json).collect();
        let others: Vec<Value> = self.rows.iter().filter(|row| row.session.is_none()).map(row_json).collect();
        json!({
            "ok": self.ok(),
            "seconds": self.seconds,
            "sessions": sessions,
            "otherSessions": others.first(),
            "cutOffSession": cut_off.first(),
            "bundlesVerified": self.bundles_verified,
            "probesPassed": self.probes_passed,
            "refusals": self.refusals,
            "notTried": self.skipped,
            "coordinatorOutage": "survived",
            "nodeRestart": "survived",
            "faults": self.faults,
        })
    }

    /// The table and what else was found.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing into a String does not fail.
        let _ = writeln!(out, "\n{:<16} {:>26} {:>26} {:>26}", "bytes in / out", "origin (raw sockets)", "node", "ledger");
        for row in &self.rows {
            let node = row.node.map_or_else(|| "–".to_owned(), both);
            let _ = writeln!(out, "{:<16} {:>26} {:>26} {:>26}", row.name, both(row.origin), node, both(row.ledger));
        }
        let seen = self.refusals.values().filter(|seen| **seen).count();
        let _ = writeln!(
            out,
            "\nbundles verified {}   probes passed {}   refusals shown {seen} of {}",
            self.bundles_verified,
            self.probes_passed,
            self.refusals.len()
        );
        for (reason, why) in &self.skipped {
            let _ = writeln!(out, "not tried: {reason} ({why})");
        }
        match self.faults.as_slice() {
            [] => out.push_str("origin, node and ledger agree to the byte\n"),
            faults => faults.iter().for_each(|fault| {
                let _ = writeln!(out, "✗ {fault}");
            }),
        }
        out
    }
}

fn both(bytes: Bytes) -> String {
    format!("{} / {}", bytes.ingress, bytes.egress)
}

fn row_json(row: &Row) -> Value {
    let mut members = serde_json::Map::new();
    members.insert("name".into(), row.name.clone().into());
    if let Some(session) = &row.session {
        members.insert("sessionId".into(), session.clone().into());
    }
    for (name, bytes) in [("origin", Some(row.origin)), ("node", row.node), ("ledger", Some(row.ledger))] {
        let Some(bytes) = bytes else { continue };
        members.insert(format!("{name}Bytes"), bytes.total().into());
        members.insert(format!("{name}BytesIn"), bytes.ingress.into());
        members.insert(format!("{name}BytesOut"), bytes.egress.into());
    }
    members.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_what_the_check_asks_for() {
        let bytes = Bytes { ingress: 3, egress: 4 };
        let row = Row { name: "node-a".into(), session: Some("s".into()), origin: bytes, node: Some(bytes), ledger: bytes, cut_off: false };
        let others = Row { name: "others".into(), session: None, node: None, ..row.clone() };
        let mut report = Report {
            seconds: 1,
            rows: vec![row, others],
            bundles_verified: 5,
            probes_passed: 1,
            refusals: BTreeMap::from([("ech", true)]),
            skipped: BTreeMap::new(),
            faults: Vec::new(),
        };
        let document = report.json();
        assert_eq!(document["sessions"].as_array().unwrap().len(), 1);
        assert_eq!(document["sessions"][0]["originBytes"], 7);
        assert_eq!(document["sessions"][0]["nodeBytesOut"], 4);
        assert_eq!((&document["ok"], &document["refusals"]["ech"]), (&json!(true), &json!(true)));
        report.faults.push("one byte less".into());
        assert_eq!(report.json()["ok"], false);
        assert!(report.text().contains("✗ one byte less"));
    }
}
