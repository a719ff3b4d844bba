//! Every refusal of the contracts' table that a loopback can show, provoked for real and checked by what comes back.

pub mod handshakes;
pub mod owners;
pub mod requests;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use super::buyer::Access;
use crate::core::Reason;

/// What is shown. Not here: geo, schedule, opt-out, the owner's caps, quarantine and the gateway.
pub const SHOWN: [Reason; 27] = [
    Reason::Malformed,
    Reason::HttpsOnly,
    Reason::BadCredentials,
    Reason::SessionUnknown,
    Reason::SessionExpired,
    Reason::PortNotAllowed,
    Reason::IpLiteral,
    Reason::BlockedDomain,
    Reason::NotAllowedDomain,
    Reason::Category,
    Reason::PrivateAddress,
    Reason::SessionCap,
    Reason::TunnelCap,
    Reason::RateTableFull,
    Reason::DnsFailed,
    Reason::DialFailed,
    Reason::TimedOut,
    Reason::Paused,
    Reason::Stopped,
    Reason::LeaseExpired,
    Reason::Overload,
    Reason::NotTls,
    Reason::SniMissing,
    Reason::SniMismatch,
    Reason::Alpn,
    Reason::Ech,
    Reason::NodeRestart,
];

/// What became of each refusal.
#[derive(Debug, Default)]
pub struct Refusals(RefCell<BTreeMap<&'static str, Result<(), String>>>);

impl Refusals {
    /// `reason` was provoked: it came as it should, or what came instead.
    pub fn note(&self, reason: Reason, came: Result<(), String>) {
        self.0.borrow_mut().insert(reason.id(), came);
    }

    /// Each reason of [`SHOWN`], and whether it was seen.
    pub fn seen(&self) -> BTreeMap<&'static str, bool> {
        let book = self.0.borrow();
        SHOWN.iter().map(|r| (r.id(), matches!(book.get(r.id()), Some(Ok(()))))).collect()
    }

    /// What did not come as it should.
    pub fn missing(&self) -> Vec<String> {
        let book = self.0.borrow();
        let missing = SHOWN.iter().filter_map(|r| match book.get(r.id()) {
            Some(Ok(())) => None,
            Some(Err(instead)) => Some(format!("refusal {r}: {instead}")),
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
    }
}
