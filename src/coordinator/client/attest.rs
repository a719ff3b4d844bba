//! Metering bundles to the coordinator, and its signed receipts.

use serde::{Deserialize, Serialize};

use super::call::{Answer, Caller, Payload};
use super::error::CallError;
use super::fault::Fault;
use super::origin::escaped;
use crate::codec::{Hash, json};
use crate::coordinator::wire::{Ack, Head, HeadAnswer};

const PATH: &str = "/attest/metering";

/// What the coordinator says to a bundle.
#[derive(Clone, Debug)]
pub enum Attested {
    /// It holds this very bundle: the bundle may leave the spool. The receipt is the owner's proof of that.
    Acked(Ack, Receipt),
    /// Seq or previous hash does not continue; the chain goes on from this head.
    Head(Head),
    /// Refused for good, with its reason id.
    Refused(String),
}

/// The coordinator's signed answer as it was, so that the owner can show it: Ed25519 over
/// `echomesh/answer/v1\n200\nNONCE\nHASH-TEXT(body)\nTIME`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Nonce of the request.
    pub nonce: String,
    /// Unix seconds.
    pub time: u64,
    /// JSON of the [`Ack`].
    pub body: String,
    /// Padded base64.
    pub signature: String,
}

impl Caller {
    /// Sends one signed bundle; its bytes are the JSON object with `nodeSig`.
    pub(super) fn attest(&self, bundle: Vec<u8>) -> Result<Attested, CallError> {
        let tree = json::parse(&bundle).map_err(|e| CallError::bad(format!("the bundle to send is damaged: {e}")))?;
        let hash = Hash::of(&json::canonical(&tree));
        let answer = self.timed(PATH, &Payload::Bytes(bundle))?;
        match answer.status {
            200 => {
                let ack: Ack = json::from_slice(&answer.body).map_err(|_| self.shared.fault(Fault::Malformed, PATH))?;
                // An ack of another bundle must not let this one leave.
                let ours = ack.ack == hash
                    && ack.node_id == self.shared.node_id
                    && tree["sessionId"].as_str() == Some(&ack.session_id)
                    && tree["seq"].as_u64() == Some(ack.seq);
                if ours { Ok(Attested::Acked(ack, receipt(answer))) } else { Err(self.shared.fault(Fault::Addressee, PATH)) }
            }
            409 => answer.expect::<HeadAnswer>(409, PATH, &self.shared).map(|a| Attested::Head(a.head)),
            422 => Ok(Attested::Refused(answer.reason())),
            _ => Err(answer.refusal(PATH)),
        }
    }

    /// Where the coordinator's chain of `session_id` stands.
    pub(super) fn head(&self, session_id: &str) -> Result<Head, CallError> {
        let path = format!("{PATH}?sessionId={}", escaped(session_id));
        self.timed(&path, &Payload::None)?.expect::<HeadAnswer>(200, PATH, &self.shared).map(|a| a.head)
    }
}

fn receipt(answer: Answer) -> Receipt {
    let Answer { nonce, time, body, signature, .. } = answer;
    // It parsed as JSON, so it is UTF-8 and nothing is lost.
    Receipt { nonce, time, body: String::from_utf8_lossy(&body).into_owned(), signature }
}
