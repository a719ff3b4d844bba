//! A rotation: the node's key of the next epoch, and the word of the key before it that this is its successor.
//!
//! What is on flash at each step, so that a kill anywhere leaves either name whole:
//!
//! ```text
//! 1. succession {from: e}      the identity still says e: the file means nothing and is removed
//! 2. identity {epoch: e + 1}   the new name; it registers with the word of the old one
//! 3. no succession             the coordinator took it
//! ```

use std::io;
use std::path::Path;

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::seed::{Identity, Role};
use crate::codec::envelope::{self, context};
use crate::codec::{NodeId, record};
use crate::platform::files::{self, Medium};

/// The file, while a coordinator has not taken the new name yet. No secret in it.
pub const FILE: &str = "succession";
const VERSION: u8 = 1;
const SIGNATURE: &str = "previousSig";

#[derive(Serialize, Deserialize)]
struct Succession {
    from: u32,
}

/// `previousSig` of `register`: the old key's signature (context `echomesh/rotate/v1`) of `{nodeId, previousNodeId}`. It
/// holds for ever, and names one successor.
pub fn previous_sig(old: &SigningKey, new: NodeId) -> String {
    let mut object = statement(NodeId::from(&old.verifying_key()), new);
    envelope::sign(&mut object, SIGNATURE, context::ROTATE, old);
    object.get(SIGNATURE).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Whether `signature` is the word of `old` that `new` is its successor.
pub fn is_successor(old: NodeId, new: NodeId, signature: &str) -> bool {
    let mut object = statement(old, new);
    object.insert(SIGNATURE.to_owned(), signature.into());
    old.key().is_some_and(|key| envelope::verify(&Value::Object(object), SIGNATURE, context::ROTATE, [&key]).is_ok())
}

fn statement(old: NodeId, new: NodeId) -> Map<String, Value> {
    match json!({ "nodeId": new, "previousNodeId": old }) {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

/// Step 1: remembers that the identity goes from epoch `from` to the next. Blocks for the flash.
///
/// # Errors
/// It cannot be written; nothing has happened.
pub fn begin(state_dir: &Path, from: u32) -> io::Result<()> {
    files::replace(&state_dir.join(FILE), 0o600, &record::encode(VERSION, &Succession { from }), Medium::Flash)
}

/// The old name and its word, while a coordinator has not taken the new one; `None` otherwise. A file that means nothing
/// is removed.
pub fn pending(state_dir: &Path, identity: &Identity) -> Option<(NodeId, String)> {
    let path = state_dir.join(FILE);
    let bytes = std::fs::read(&path).ok()?;
    let from = record::decode_one::<Succession>(VERSION, &bytes).map(|s| s.from);
    let Some(from) = from.filter(|from| *from < identity.epoch()) else {
        let _ = std::fs::remove_file(&path);
        return None;
    };
    let old = identity.turned_to(from);
    Some((old.node_id(), previous_sig(&old.role_key(Role::Proxy), identity.node_id())))
}

/// Step 3: the coordinator took the new name.
///
/// # Errors
/// The file cannot be removed: the new name is told again at the next registration, which changes nothing.
pub fn done(state_dir: &Path) -> io::Result<()> {
    let path = state_dir.join(FILE);
    files::remove(&path).and_then(|()| files::sync_folder_of(&path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_old_key_names_its_one_successor() {
        let identity = Identity::from_seed([1; 32]);
        let (old, old_key) = (identity.node_id(), identity.role_key(Role::Proxy));
        let new = identity.turned_to(1).node_id();
        let word = previous_sig(&old_key, new);
        assert!(is_successor(old, new, &word));
        assert!(!is_successor(old, Identity::from_seed([2; 32]).node_id(), &word));
        assert!(!is_successor(new, old, &word) && !is_successor(old, new, "") && !is_successor(old, new, &word[4..]));
        assert!(!is_successor(old, new, &previous_sig(&identity.turned_to(1).role_key(Role::Proxy), new)));
    }

    #[test]
    fn a_kill_between_the_steps_leaves_one_name_or_the_other() {
        let folder = std::env::temp_dir().join(format!("echomesh-rotate-{}", std::process::id()));
        files::folder(&folder, 0o700).unwrap();
        let identity = Identity::from_seed([1; 32]);
        assert!(pending(&folder, &identity).is_none());
        begin(&folder, 0).unwrap();
        assert!(pending(&folder, &identity).is_none(), "killed before the identity was written: the old name");
        assert!(!folder.join(FILE).exists());
        begin(&folder, 0).unwrap();
        let old = identity.node_id();
        identity.turn_to(1);
        let (previous, word) = pending(&folder, &identity).unwrap();
        assert!(previous == old && is_successor(old, identity.node_id(), &word));
        done(&folder).unwrap();
        done(&folder).unwrap();
        assert!(pending(&folder, &identity).is_none());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
