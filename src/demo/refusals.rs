//! Every refusal of the contracts' table that a loopback can show, provoked for real and checked by what comes back.

pub mod handshakes;
pub mod limits;
pub mod owners;
pub mod requests;
pub mod strangers;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use super::buyer::Access;
use crate::core::Reason;

/// What is shown: every one.
pub const SHOWN: [Reason; 35] = Reason::ALL;

/// What became of one refusal.
#[derive(Debug)]
enum Tried {
    /// It came as it should.
    Came,
    /// What came instead.
    Wrong(String),
    /// This machine cannot show it, and why.
    Skipped(String),
}

/// What became of each refusal.
#[derive(Debug, Default)]
pub struct Refusals(RefCell<BTreeMap<&'static str, Tried>>);

impl Refusals {
    /// `reason` was provoked: it came as it should, or what came instead.
    pub fn note(&self, reason: Reason, came: Result<(), String>) {
        self.0.borrow_mut().insert(reason.id(), came.map_or_else(Tried::Wrong, |()| Tried::Came));
    }

    /// This machine cannot show `reason`.
    pub fn skip(&self, reason: Reason, why: &str) {
        self.0.borrow_mut().insert(reason.id(), Tried::Skipped(why.to_owned()));
    }

    /// What this machine cannot show, and why.
    pub fn skipped(&self) -> BTreeMap<&'static str, String> {
        let book = self.0.borrow();
        let skipped = book.iter().filter_map(|(id, tried)| match tried {
            Tried::Skipped(why) => Some((*id, why.clone())),
            _ => None,
        });
        skipped.collect()
    }

    /// Each reason of [`SHOWN`] that this machine can show, and whether it was seen.
    pub fn seen(&self) -> BTreeMap<&'static str, bool> {
        let book = self.0.borrow();
        let tried = SHOWN.iter().filter(|r| !matches!(book.get(r.id()), Some(Tried::Skipped(_))));
        tried.map(|r| (r.id(), matches!(book.get(r.id()), Some(Tried::Came)))).collect()
    }

    /// What did not come as it should.
    pub fn missing(&self) -> Vec<String> {
        let book = self.0.borrow();
        let missing = SHOWN.iter().filter_map(|r| match book.get(r.id()) {
            Some(Tried::Came | Tried::Skipped(_)) => None,
            Some(Tried::Wrong(instead)) => Some(format!("refusal {r}: {instead}")),
            None => Some(format!("refusal {r}: was not tried")),
        });
        missing.collect()
    }
}

/// Whether a refusal before the 200 came as the contracts' table says.
pub async fn before(reason: Reason, access: &Access, head: &str) -> Result<(), String> {
    let (answer, _) = access.ask(head).await.map_err(|e| format!("no answer: {e}"))?;
    let want = reason.status().unwrap_or(0);
    if answer.status == want && answer.reason.as_deref() == Some(reason.id()) {
        return Ok(());
    }
    Err(format!("wanted {want}, got {} {}", answer.status, answer.reason.unwrap_or_default()))
}

/// The same access from a loopback address of its own, so that its failures count for nobody else.
pub fn from(access: &Access, last: u8) -> Access {
    Access { source: Some(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last))), ..access.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_tried_is_nothing_shown() {
        let refusals = Refusals::default();
        assert_eq!((refusals.missing().len(), refusals.seen().len()), (SHOWN.len(), SHOWN.len()));
        refusals.note(Reason::Ech, Ok(()));
        refusals.note(Reason::Alpn, Err("wanted 120".into()));
        assert_eq!((refusals.seen()["ech"], refusals.seen()["alpn"]), (true, false));
        assert!(refusals.missing().contains(&"refusal alpn: wanted 120".to_owned()));
        refusals.skip(Reason::Insecure, "only loopback here");
        assert!(!refusals.seen().contains_key("insecure") && refusals.skipped().contains_key("insecure"));
        assert_eq!(refusals.missing().len(), SHOWN.len() - 2);
    }
}
