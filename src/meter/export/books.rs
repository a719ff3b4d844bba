//! What an export says, line by line: whether each line can stand where it stands, and the sums of all.

use std::collections::BTreeMap;

use ed25519_dalek::VerifyingKey;
use serde_json::Value;

use super::report::Report;
use super::verify::follows;
use super::{FORMAT, Source};
use crate::codec::envelope::{self, COORDINATOR_SIG, context};
use crate::codec::{Hash, NodeId, json};
use crate::meter::bundle::Head;
use crate::meter::consistent;

/// What is wrong with a line.
#[derive(Clone, Debug)]
pub(super) struct Wrong {
    /// In words.
    pub what: String,
    /// A chunk of the log: the digest it should have, and how many lines before it are its own.
    pub chunk: Option<(Hash, usize)>,
}

fn wrong<T>(what: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { what: what.into(), chunk: None })
}

/// See the module.
pub(super) struct Books {
    node: NodeId,
    keys: Vec<VerifyingKey>,
    source: Option<Source>,
    made_at: Option<String>,
    chains: BTreeMap<String, Chain>,
    /// Bundles of a node's own export, by session and number: it keeps few.
    hashes: BTreeMap<(String, u64), Hash>,
    /// Digests that signed bundles carry, with their session.
    digests: std::collections::BTreeSet<(String, Hash)>,
    /// The log lines since the last digest.
    log: blake3::Hasher,
    open: usize,
    sums: Sums,
}

#[derive(Default)]
struct Sums {
    ingress: u64,
    egress: u64,
    requests: u64,
    bundles: u64,
    receipts: u64,
    lines: u64,
    missing: u64,
    chunks: u64,
    whole: u64,
    signed: u64,
}

#[derive(Default)]
struct Chain {
    head: Option<Head>,
    from_the_first: bool,
    closed: bool,
    ingress: u64,
    egress: u64,
}

impl Books {
    pub(super) fn new(node: NodeId, coordinators: &[NodeId]) -> Books {
        Books {
            node,
            keys: coordinators.iter().filter_map(NodeId::key).collect(),
            source: None,
            made_at: None,
            chains: BTreeMap::new(),
            hashes: BTreeMap::new(),
            digests: std::collections::BTreeSet::new(),
            log: blake3::Hasher::new(),
            open: 0,
            sums: Sums::default(),
        }
    }

    /// Takes the next line.
    pub(super) fn take(&mut self, text: &[u8]) -> Result<(), Wrong> {
        let tree = match json::parse(text) {
            Ok(tree) if json::canonical(&tree) == text => tree,
            Ok(_) => return wrong("not in canonical form"),
            Err(e) => return wrong(e.to_string()),
        };
        if self.source.is_none() {
            return self.header(&tree);
        }
        let is_log = tree.get("host").is_some() && tree.get("t").is_some();
        if self.open > 0 && !is_log && tree.get("chunk").is_none() {
            return wrong("lines of the log before it have no digest line");
        }
        match &tree {
            _ if is_log => {
                self.log.update(text).update(b"\n");
                self.open += 1;
                self.sums.lines += 1;
                Ok(())
            }
            t if t.get("buckets").is_some() => self.bundle(t),
            t if t.get("chunk").is_some() => self.chunk(&t["chunk"]),
            t if t.get("receipt").is_some() => self.receipt(&t["receipt"]),
            t if t.get("ack").is_some() => self.booked(t),
            t if t.get("dropped").is_some() => Ok(()),
            _ => wrong("a line of an unknown kind"),
        }
    }

    fn header(&mut self, tree: &Value) -> Result<(), Wrong> {
        let Some(header) = tree.get("export") else { return wrong("this is no export: its first line is missing") };
        if header["format"] != FORMAT {
            return wrong(format!("the format is {}, and this program reads {FORMAT}", header["format"]));
        }
        let node = header["nodeId"].as_str().unwrap_or_default();
        if node != self.node.to_string() {
            return wrong(format!("it is the export of node {node}"));
        }
        self.source = header["source"].as_str().and_then(Source::from_id);
        self.made_at = header["madeAt"].as_str().map(str::to_owned);
        if self.source.is_some() { Ok(()) } else { wrong("source is node or coordinator") }
    }

    fn bundle(&mut self, tree: &Value) -> Result<(), Wrong> {
        let signed = consistent::signed(tree, self.node).or_else(|f| wrong(f.id()))?;
        consistent::consistent(&signed.bundle).or_else(|f| wrong(f.id()))?;
        let bundle = signed.bundle;
        let chain = self.chains.entry(bundle.session_id.clone()).or_default();
        let next = chain.head.map_or(1, |h| h.seq + 1);
        // A node keeps only some; a coordinator has booked them all.
        let may_miss = self.source == Some(Source::Node) && bundle.seq > next;
        let follows = match chain.head {
            _ if may_miss => true,
            None => bundle.seq == 1 && bundle.prev_hash.is_none() || self.source == Some(Source::Node),
            Some(head) => consistent::continues(&bundle, head),
        };
        if !follows {
            return wrong(format!("does not continue bundle {} of its session", next - 1));
        }
        if chain.closed {
            return wrong("follows the session's last bundle");
        }
        chain.from_the_first = if bundle.seq == 1 { true } else { chain.from_the_first && !may_miss };
        chain.head = Some(Head { seq: bundle.seq, hash: Some(signed.hash) });
        chain.closed = bundle.is_final;
        chain.ingress = chain.ingress.saturating_add(bundle.bytes_ingress);
        chain.egress = chain.egress.saturating_add(bundle.bytes_egress);
        let s = &mut self.sums;
        s.ingress = s.ingress.saturating_add(bundle.bytes_ingress);
        s.egress = s.egress.saturating_add(bundle.bytes_egress);
        s.requests = s.requests.saturating_add(bundle.requests);
        s.bundles += 1;
        if self.source == Some(Source::Node) {
            self.digests.insert((bundle.session_id.clone(), bundle.access_log_hash));
            self.hashes.insert((bundle.session_id, bundle.seq), signed.hash);
        }
        Ok(())
    }

    fn chunk(&mut self, chunk: &Value) -> Result<(), Wrong> {
        let (here, hash) = (self.open, Hash(self.log.finalize().into()));
        self.log.reset();
        self.open = 0;
        let (Some(lines), Some(missing)) = (chunk["lines"].as_u64(), chunk["missing"].as_u64()) else {
            return wrong("lines and missing are numbers");
        };
        let Some(said) = chunk["accessLogHash"].as_str().and_then(|h| h.parse::<Hash>().ok()) else { return wrong("accessLogHash is no hash") };
        if lines.checked_sub(missing) != Some(here as u64) {
            return wrong(format!("{here} lines stand before it, where {lines} less {missing} should"));
        }
        if missing == 0 && said != hash {
            return Err(Wrong { what: "the lines do not hash to the digest".into(), chunk: Some((said, here)) });
        }
        let session = chunk["sessionId"].as_str().unwrap_or_default().to_owned();
        self.sums.chunks += 1;
        self.sums.whole += u64::from(missing == 0);
        self.sums.missing = self.sums.missing.saturating_add(missing);
        self.sums.signed += u64::from(self.digests.contains(&(session, said)));
        Ok(())
    }

    fn receipt(&mut self, receipt: &Value) -> Result<(), Wrong> {
        let body = receipt["body"].as_str().unwrap_or_default();
        let Ok(ack) = json::parse(body.as_bytes()) else { return wrong("the receipt's body is no JSON") };
        if !self.keys.is_empty() && !self.is_receipt_signed(receipt) {
            return wrong("no key given made this signature");
        }
        let session = receipt["sessionId"].as_str().unwrap_or_default();
        if ack["nodeId"] != self.node.to_string().as_str() || ack["sessionId"] != session {
            return wrong("the receipt is another's");
        }
        let hash = ack["ack"].as_str().and_then(|h| h.parse::<Hash>().ok());
        let (Some(hash), Some(seq)) = (hash, ack["seq"].as_u64()) else { return wrong("the receipt names no bundle") };
        if self.hashes.get(&(session.to_owned(), seq)).is_some_and(|bundle| *bundle != hash) {
            return wrong(format!("the coordinator acknowledged another bundle {seq} than the one here"));
        }
        self.sums.receipts += 1;
        Ok(())
    }

    fn booked(&mut self, booked: &Value) -> Result<(), Wrong> {
        if !self.keys.is_empty() && !self.is_booking_signed(booked) {
            return wrong("no key given made this signature");
        }
        let Some(chain) = booked["sessionId"].as_str().and_then(|id| self.chains.get(id)) else { return wrong("no bundle of its session is here") };
        let hash = booked["ack"].as_str().and_then(|h| h.parse::<Hash>().ok());
        if booked["nodeId"] != self.node.to_string().as_str() || chain.head != booked["seq"].as_u64().map(|seq| Head { seq, hash }) {
            return wrong("it acknowledges another bundle than the last one of its session here");
        }
        if (booked["bytesIngress"].as_u64(), booked["bytesEgress"].as_u64()) != (Some(chain.ingress), Some(chain.egress)) {
            return wrong(format!("the bundles hold {} bytes in and {} out", chain.ingress, chain.egress));
        }
        self.sums.receipts += 1;
        Ok(())
    }

    /// The end of the file.
    pub(super) fn finish(self) -> Result<Report, Wrong> {
        let Some(source) = self.source else { return wrong("this is no export: its first line is missing") };
        if self.open > 0 {
            return wrong("the last lines of the log have no digest line");
        }
        let s = self.sums;
        Ok(Report {
            node_id: self.node,
            source: source.id().to_owned(),
            made_at: self.made_at,
            sessions: self.chains.len() as u64,
            complete: self.chains.values().filter(|c| c.from_the_first && c.closed).count() as u64,
            bundles: s.bundles,
            bytes_ingress: s.ingress,
            bytes_egress: s.egress,
            requests: s.requests,
            receipts: s.receipts,
            receipts_checked: if self.keys.is_empty() { 0 } else { s.receipts },
            log_lines: s.lines,
            log_lines_missing: s.missing,
            chunks_whole: s.whole,
            chunks_signed: s.signed,
            chunks: s.chunks,
        })
    }

    /// Whether a line may be what was signed, cheaply.
    pub(super) fn is_likely(&self, tree: &Value) -> bool {
        tree.get("buckets").is_none() || follows(tree)
    }

    /// Whether its signature holds; `false` for what has none, or one of a key that was not given.
    pub(super) fn is_signed(&self, tree: &Value) -> bool {
        match tree {
            t if t.get("buckets").is_some() => consistent::signed(t, self.node).is_ok(),
            t if t.get("receipt").is_some() => self.is_receipt_signed(&t["receipt"]),
            t => t.get("ack").is_some() && self.is_booking_signed(t),
        }
    }

    fn is_receipt_signed(&self, receipt: &Value) -> bool {
        let text = |name: &str| receipt[name].as_str().unwrap_or_default();
        let Some(time) = receipt["time"].as_u64() else { return false };
        let answer = envelope::Answer { status: 200, nonce: text("nonce"), body: text("body").as_bytes(), time };
        envelope::verify_text(&answer.text(), text("signature"), &self.keys).is_ok()
    }

    fn is_booking_signed(&self, booked: &Value) -> bool {
        envelope::verify(booked, COORDINATOR_SIG, context::BOOKED, &self.keys).is_ok()
    }
}
