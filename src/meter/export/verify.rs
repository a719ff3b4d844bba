//! Checks an export offline: first its frame, then what it says: signatures, chains, totals, digests.

use std::collections::BTreeSet;

use serde_json::Value;

use super::books::{Books, Wrong};
use super::frame::{self, Broken, Line};
use super::report::{Finding, Report};
use super::{BLOCK, search};
use crate::codec::{Hash, NodeId, json};
use crate::meter::consistent;

/// Largest export taken.
pub const MOST_BYTES: u64 = 512 * 1024 * 1024;
/// Lines in which hashes of other lines are looked for: of the newest bundles of a month of one session.
const MOST_KNOWN: usize = 16_384;

/// Checks `file`, the export of `node`; receipts only where `coordinators` names keys: any counts.
pub fn verify(file: &[u8], node: NodeId, coordinators: &[NodeId]) -> Result<Report, Finding> {
    let lines = frame::lines(file).map_err(|broken| tell(file, broken))?;
    let mut books = Books::new(node, coordinators);
    for line in &lines {
        books.take(line.of(file)).map_err(|wrong| locate(file, &lines, line, &books, wrong))?;
    }
    let end = Line { number: 1, start: 0, end: 0 };
    books.finish().map_err(|wrong| Finding::of_line(lines.last().unwrap_or(&end), wrong.what))
}

fn tell(file: &[u8], broken: Broken) -> Finding {
    match broken {
        Broken::Byte { at, was, line } => {
            let mut text = line.of(file).to_vec();
            if let Some(byte) = text.get_mut(at.saturating_sub(line.start)) {
                *byte = was;
            }
            Finding::of_byte(file, &line, at, was, member(&text, at.saturating_sub(line.start)))
        }
        Broken::Line(line) => Finding::of_line(
            &line,
            format!(
                "this line, or one of the {BLOCK} after it, is another than the one written ({}), and by more than one byte",
                name(line.of(file))
            ),
        ),
        Broken::Truncated(line) => Finding::of_line(&line, "the export is truncated: it ends here, before its end line"),
        Broken::Trailing(line) => Finding::of_line(&line, "something follows the end of the export"),
    }
}

/// Names the byte, where one byte explains what is wrong.
fn locate(file: &[u8], lines: &[Line], line: &Line, books: &Books, wrong: Wrong) -> Finding {
    let text = line.of(file);
    let byte = match wrong.chunk {
        Some(digest) => return in_a_chunk(file, lines, line, digest, &wrong.what),
        None => {
            let known = known(file, lines);
            let by_hash = || if known.is_empty() { None } else { search::by_hash(b"", text, b"", |h| known.contains(h.as_bytes())) };
            let sound = |t: &[u8]| json::parse(t).is_ok_and(|tree| json::canonical(&tree) == t && books.is_likely(&tree));
            let signed = |t: &[u8]| json::parse(t).is_ok_and(|tree| books.is_signed(&tree));
            let holds = json::parse(text).is_ok_and(|tree| books.is_signed(&tree));
            // A line whose signature holds is wrong in its place, not in a byte.
            if holds { None } else { by_hash().or_else(|| search::by_signature(text, sound, signed)) }
        }
    };
    match byte {
        Some((at, was)) => {
            let mut restored = text.to_vec();
            restored[at] = was;
            Finding::of_byte(file, line, line.start + at, was, format!("{}; {}", member(&restored, at), wrong.what))
        }
        None => Finding::of_line(line, format!("{}: {}", name(text), wrong.what)),
    }
}

/// The lines of a chunk do not hash to its digest: a byte of one of them, or of the digest.
fn in_a_chunk(file: &[u8], lines: &[Line], chunk: &Line, digest: (Hash, usize), what: &str) -> Finding {
    let (wanted, count) = digest;
    let here = lines.iter().position(|l| l == chunk).unwrap_or_default();
    let log = lines.get(here.saturating_sub(count)..here).unwrap_or_default();
    let whole: Vec<u8> = log.iter().flat_map(|l| [l.of(file), b"\n"].concat()).collect();
    let is = chunk.of(file);
    let expected = Hash::of(&whole).to_string();
    let text = wanted.to_string();
    if let Some(at) = is.windows(text.len()).position(|w| w == text.as_bytes())
        && let Some((off, was)) = search::one_off(text.as_bytes(), expected.as_bytes())
    {
        return Finding::of_byte(file, chunk, chunk.start + at + off, was, format!("accessLogHash; {what}"));
    }
    let mut start = 0;
    for line in log {
        let text = line.of(file);
        let (before, after) = (whole.get(..start).unwrap_or_default(), whole.get(start + text.len()..).unwrap_or_default());
        if let Some((at, was)) = search::by_hash(before, text, after, |h| h.as_bytes() == &wanted.0) {
            return Finding::of_byte(file, line, line.start + at, was, format!("{}; {what}", member(text, at)));
        }
        start += text.len() + 1;
    }
    Finding::of_line(
        log.first().unwrap_or(chunk),
        format!("{what}: one of these {count} lines, or the digest after them, is another than the one written"),
    )
}

/// Hashes of bundles that other lines name.
fn known(file: &[u8], lines: &[Line]) -> BTreeSet<[u8; 32]> {
    let mut found = BTreeSet::new();
    for line in lines.iter().rev().take(MOST_KNOWN) {
        let Ok(tree) = json::parse(line.of(file)) else { continue };
        let body = tree.pointer("/receipt/body").and_then(Value::as_str).and_then(|b| json::parse(b.as_bytes()).ok());
        let named = [tree.get("prevHash"), tree.get("ack"), body.as_ref().and_then(|b| b.get("ack"))];
        found.extend(named.into_iter().flatten().filter_map(|v| v.as_str()?.parse::<Hash>().ok()).map(|h| h.0));
    }
    found
}

/// What a line is, for a message.
fn name(text: &[u8]) -> String {
    let Ok(tree) = json::parse(text) else { return "no JSON".into() };
    let word = |at: &str| tree.pointer(at).and_then(Value::as_str).unwrap_or("?").to_owned();
    match () {
        () if tree.get("buckets").is_some() => format!("bundle {} of session {}", tree["seq"], word("/sessionId")),
        () if tree.get("receipt").is_some() => format!("receipt of session {}", word("/receipt/sessionId")),
        () if tree.get("ack").is_some() => format!("acknowledgement of session {}", word("/sessionId")),
        () if tree.get("chunk").is_some() => format!("digest of session {}, window {}", word("/chunk/sessionId"), word("/chunk/windowStart")),
        () if tree.get("host").is_some() => format!("log line of {}", word("/t")),
        () if tree.get("export").is_some() => "first line".into(),
        () if tree.get("checks").is_some() => "checks".into(),
        () if tree.get("end").is_some() => "end".into(),
        () => "a line of an unknown kind".into(),
    }
}

/// The line, and the member of it that holds the byte `at`.
fn member(text: &[u8], at: usize) -> String {
    let (mut depth, mut quoted, mut escaped, mut begin, mut inside) = (0u32, false, false, 0, None);
    for (n, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' if depth == 1 => {
                if n >= at {
                    break;
                }
                begin = n;
            }
            _ => {}
        }
        if n >= at && inside.is_none() {
            inside = Some(begin);
        }
    }
    let rest = text.get(inside.unwrap_or(begin) + 1..).unwrap_or_default();
    let key = rest.strip_prefix(b"\"").and_then(|r| r.split(|b| *b == b'"').next()).map(String::from_utf8_lossy);
    match key {
        Some(key) if !matches!(&*key, "receipt" | "chunk" | "export" | "checks" | "end") => format!("{key} of {}", name(text)),
        _ => name(text),
    }
}

/// Whether the totals and other figures of a bundle follow from it.
pub(super) fn follows(tree: &Value) -> bool {
    json::read(tree).is_ok_and(|bundle| consistent::consistent(&bundle).is_ok())
}
