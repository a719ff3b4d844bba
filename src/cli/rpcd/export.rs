//! `logs_export`: the node's books, by pieces that fit a ubus message. The first call has them written to a file beside the run
//! folder; the next ones read from it, so that all pieces are of one moment.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::{aside, error, object};

/// Bytes of a piece, but for what of its last line does not fit: with its escapes far below a ubus message of 1 MiB.
const PIECE: usize = 64 * 1024;
const FILE: &str = "export-";

/// Without an id: begins an export. With one: the piece at `offset`, and where the next one is; `ready` is false until it is written.
pub(super) fn export(run_dir: &Path, args: &Map<String, Value>) -> Map<String, Value> {
    let done = match args.get("id").and_then(Value::as_str) {
        None => begin(run_dir),
        // Ids are ours; nothing else becomes part of a path.
        Some(id) if id.len() != 16 || !id.bytes().all(|b| b.is_ascii_hexdigit()) => return error("bad-arguments", "there is no export of this id"),
        Some(id) => piece(run_dir, id, args.get("offset").and_then(Value::as_u64).unwrap_or(0)),
    };
    done.unwrap_or_else(|e| error("not-kept", &format!("the export cannot be kept: {e}; free some memory and try again")))
}

fn begin(run_dir: &Path) -> std::io::Result<Map<String, Value>> {
    let folder = aside::folder(run_dir)?;
    for old in fs::read_dir(&folder)?.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(FILE)) {
        fs::remove_file(old.path())?;
    }
    let id = format!("{:016x}", getrandom::u64().map_err(|_| std::io::Error::other("no random bytes"))?);
    let mut program = aside::echomesh(run_dir, &["logs", "export", "--out"])?;
    let name = format!("{FILE}{id}");
    aside::start(run_dir, &name, program.arg(folder.join(&name)))?;
    Ok(object(json!({ "id": id, "ready": false })))
}

fn piece(run_dir: &Path, id: &str, offset: u64) -> std::io::Result<Map<String, Value>> {
    let name = format!("{FILE}{id}");
    let path = aside::folder(run_dir)?.join(&name);
    let all = match fs::read(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            // It says nothing unless it fails.
            let said = aside::printed(run_dir, &name).unwrap_or_else(|| "there is no such export any more; begin another one".into());
            return Ok(if said.is_empty() { object(json!({ "id": id, "ready": false })) } else { error("no-export", &said) });
        }
        read => read?,
    };
    let rest = all.get(usize::try_from(offset).unwrap_or(usize::MAX)..).unwrap_or_default();
    let text = whole_lines(rest);
    let next = (text.len() < rest.len()).then(|| offset + text.len() as u64);
    if next.is_none() {
        fs::remove_file(&path)?;
        fs::remove_file(path.with_extension("log"))?;
    }
    Ok(object(json!({ "id": id, "ready": true, "size": all.len(), "text": String::from_utf8_lossy(text), "next": next })))
}

/// As many whole lines as a piece takes; of a longer line the beginning.
fn whole_lines(rest: &[u8]) -> &[u8] {
    if rest.len() <= PIECE {
        return rest;
    }
    let end = rest[..PIECE].iter().rposition(|b| *b == b'\n').map_or(PIECE, |at| at + 1);
    // Not within a character of several bytes.
    let end = (1..=end).rev().find(|at| rest[*at] & 0xc0 != 0x80).unwrap_or(end);
    &rest[..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn pieces_are_lines_and_come_to_the_whole(lines in prop::collection::vec("[a-zü]{0,3}", 0..40), repeat in 1usize..3000) {
            let text: String = lines.iter().map(|line| format!("{}\n", line.repeat(repeat))).collect();
            let (mut rest, mut all) = (text.as_bytes(), String::new());
            while !rest.is_empty() {
                let piece = whole_lines(rest);
                prop_assert!(!piece.is_empty() && piece.len() <= PIECE);
                all.push_str(std::str::from_utf8(piece).unwrap());
                rest = &rest[piece.len()..];
            }
            prop_assert_eq!(all, text);
        }
    }
}
