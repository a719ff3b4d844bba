//! Nothing of an answer is believed before this said yes (contracts, "Common rules").

use ed25519_dalek::VerifyingKey;
use serde_json::Value;

use super::fault::Fault;
use crate::codec::envelope::{self, COORDINATOR_SIG};
use crate::codec::{NodeId, json};

/// An answer as it came, nothing of it believed yet.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// HTTP status.
    pub status: u16,
    /// Header `Echomesh-Time`.
    pub time: Option<&'a str>,
    /// Header `Echomesh-Signature`.
    pub signature: Option<&'a str>,
    /// At most 64 KiB.
    pub body: &'a [u8],
}

impl Received<'_> {
    /// Verifies it as the answer to the request with `nonce`, under any of `keys`; its signed time in Unix seconds.
    pub fn verify(&self, nonce: &str, keys: &[VerifyingKey]) -> Result<u64, Fault> {
        if self.body.len() > json::MAX_BODY {
            return Err(Fault::Oversize);
        }
        let (Some(time), Some(signature)) = (self.time, self.signature) else { return Err(Fault::Unsigned) };
        // Digits only: the signed text holds the number, and another spelling of it must not pass.
        let time: u64 = Some(time).filter(|t| t.bytes().all(|b| b.is_ascii_digit())).and_then(|t| t.parse().ok()).ok_or(Fault::Unsigned)?;
        let text = envelope::Answer { status: self.status, nonce, body: self.body, time }.text();
        envelope::verify_text(&text, signature, keys).map(|()| time).map_err(|_| Fault::BadAnswer)
    }
}

/// Verifies an object the coordinator signs, on the tree as received: signature under `context`, then addressee.
pub fn object(tree: &Value, context: &str, node_id: NodeId, keys: &[VerifyingKey]) -> Result<(), Fault> {
    envelope::verify(tree, COORDINATOR_SIG, context, keys).map_err(|_| Fault::BadObject)?;
    let addressee = tree.get("nodeId").and_then(Value::as_str).and_then(|id| id.parse::<NodeId>().ok());
    if addressee == Some(node_id) { Ok(()) } else { Err(Fault::Addressee) }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use proptest::prelude::*;

    use super::*;
    use crate::codec::envelope::{Answer, context, sign, sign_text};

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[5; 32])
    }

    fn signature(status: u16, nonce: &str, body: &[u8], time: u64) -> String {
        sign_text(&Answer { status, nonce, body, time }.text(), &key())
    }

    #[test]
    fn only_the_answer_to_this_request_under_a_known_key_counts() {
        let keys = [SigningKey::from_bytes(&[6; 32]).verifying_key(), key().verifying_key()];
        let sig = signature(200, "n1", b"{}", 1_700_000_000);
        let good = Received { status: 200, time: Some("1700000000"), signature: Some(&sig), body: b"{}" };
        assert_eq!(good.verify("n1", &keys), Ok(1_700_000_000));
        assert_eq!(good.verify("n2", &keys), Err(Fault::BadAnswer), "an old answer played again");
        assert_eq!(good.verify("n1", &keys[..1]), Err(Fault::BadAnswer), "an unknown key");
        assert_eq!(good.verify("n1", &[]), Err(Fault::BadAnswer));
        assert_eq!(Received { status: 409, ..good }.verify("n1", &keys), Err(Fault::BadAnswer));
        assert_eq!(Received { body: b"{ }", ..good }.verify("n1", &keys), Err(Fault::BadAnswer));
        assert_eq!(Received { time: Some("1700000001"), ..good }.verify("n1", &keys), Err(Fault::BadAnswer));
        assert_eq!(Received { time: Some("+1700000000"), ..good }.verify("n1", &keys), Err(Fault::Unsigned));
        assert_eq!(Received { time: None, ..good }.verify("n1", &keys), Err(Fault::Unsigned));
        assert_eq!(Received { signature: None, ..good }.verify("n1", &keys), Err(Fault::Unsigned));
        assert_eq!(Received { body: &[0; json::MAX_BODY + 1], ..good }.verify("n1", &keys), Err(Fault::Oversize));
    }

    #[test]
    fn an_object_counts_only_for_its_addressee() {
        let me = NodeId::from(&SigningKey::from_bytes(&[1; 32]).verifying_key());
        let other = NodeId::from(&SigningKey::from_bytes(&[2; 32]).verifying_key());
        let mut map = json::parse(format!(r#"{{"nodeId":"{me}","size":1}}"#).as_bytes()).unwrap().as_object().unwrap().clone();
        sign(&mut map, COORDINATOR_SIG, context::PROBE_REQUEST, &key());
        let mut tree = Value::Object(map);
        let keys = [key().verifying_key()];
        assert_eq!(object(&tree, context::PROBE_REQUEST, me, &keys), Ok(()));
        assert_eq!(object(&tree, context::PROBE_REQUEST, other, &keys), Err(Fault::Addressee));
        assert_eq!(object(&tree, context::SESSION_EVENT, me, &keys), Err(Fault::BadObject));
        tree["size"] = 2.into();
        assert_eq!(object(&tree, context::PROBE_REQUEST, me, &keys), Err(Fault::BadObject));
        assert_eq!(object(&Value::Null, context::PROBE_REQUEST, me, &keys), Err(Fault::BadObject));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_the_coordinator_did_not_sign_never_counts(
            status in any::<u16>(), time in "[0-9]{0,12}|\\PC{0,8}", sig in "[A-Za-z0-9+/]{86}==|\\PC{0,90}",
            body in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let received = Received { status, time: Some(&time), signature: Some(&sig), body: &body };
            prop_assert!(received.verify("nonce", &[key().verifying_key()]).is_err());
        }
    }
}
