//! What a restart finds in the run and state folders: the journal's two copies and the access log, as arbitrary bytes
//! and as records whose checks hold around arbitrary content.
#![no_main]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use echomesh::codec::{NodeId, json, record};
use echomesh::core::Clock;
use echomesh::meter::bundle::Bundle;
use echomesh::meter::{Journal, restore};
use ed25519_dalek::SigningKey;
use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::ser::{SerializeTuple as _, Serializer};

const NOW: u64 = 1_766_152_800;
const FILES: [&str; 3] = ["run/journal", "state/journal", "run/access.log"];

/// On tmpfs where there is one: an execution writes a few small files.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let shm = Path::new("/dev/shm");
    let above = if shm.is_dir() { shm.to_owned() } else { std::env::temp_dir() };
    let folder = above.join(format!("echomesh-fuzz-journal-{}", std::process::id()));
    for part in ["run", "state"] {
        fs::create_dir_all(folder.join(part)).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    }
    folder
});

// The first byte says which file holds the rest, and whether as it is or as records.
fuzz_target!(|bytes: &[u8]| {
    let Some((&kind, rest)) = bytes.split_first() else { return };
    for name in FILES {
        let _ = fs::remove_file(FOLDER.join(name));
    }
    let content = if kind & 4 == 0 { rest.to_vec() } else { checked(rest) };
    let path = FOLDER.join(FILES[usize::from(kind & 3) % FILES.len()]);
    fs::write(&path, content).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    live();
});

/// `bytes` cut into records, each led by its length, so that what is read has passed every check.
fn checked(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let [low, high, rest @ ..] = bytes {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
        out.extend(record::encode(restore::VERSION, &Verbatim(&rest[..length])));
        bytes = &rest[length..];
    }
    out
}

/// Whatever is restored can be counted into, signed, exported and written; the next start finds it whole.
fn live() {
    let clock = Clock::test(NOW);
    let open = || Journal::open(&FOLDER.join("run"), &FOLDER.join("state"), &clock).unwrap_or_else(|e| panic!("{e}"));
    let (mut journal, mut ledger, _) = open();
    let key = SigningKey::from_bytes(&[1; 32]);
    let id = NodeId::from(&key.verifying_key());
    let sessions: Vec<String> = ledger.sessions().map(|(id, _)| id.to_owned()).collect();
    for session in &sessions {
        ledger.add(session, NOW + 600, 1, 1);
        ledger.finish(session, NOW + 700);
    }
    journal.close(&mut ledger, &clock).unwrap_or_else(|e| panic!("{e}"));
    for session in &sessions {
        if let Some(signed) = ledger.next_bundle(session, &key, id) {
            let bundle: Bundle = json::from_slice(&signed.body).unwrap_or_else(|e| panic!("{e}"));
            assert!(bundle.window_start < bundle.window_end);
        }
    }
    let exported: Vec<String> = ledger.export().collect();
    drop(journal);
    let (_journal, ledger, restored) = open();
    assert!(restored.clean && restored.findings.is_empty(), "{:?}", restored.findings);
    assert!(ledger.sessions().map(|(id, _)| id).eq(sessions.iter().map(String::as_str)));
    assert_eq!(ledger.export().collect::<Vec<_>>(), exported);
}

struct Verbatim<'a>(&'a [u8]);

impl Serialize for Verbatim<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut tuple = s.serialize_tuple(self.0.len())?;
        self.0.iter().try_for_each(|b| tuple.serialize_element(b))?;
        tuple.end()
    }
}
