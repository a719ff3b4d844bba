//! The one format in which books leave a node or a coordinator (`docs/contracts`, "Export"): JSON lines, each in canonical
//! form, that anyone can check offline against the node's key. [`verify`] does.
//!
//! Every 64 lines, and before the last, stands a line of checks: digests of the lines before it, and of the checks before it.
//! They find damage and name the byte. They bind nobody, as whoever wrote the file can write them anew: what binds is signed.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::sealed::Signed;
use super::state::Receipt;
use crate::codec::{NodeId, json as strict, time};

mod books;
pub mod frame;
mod mend;
pub mod report;
mod search;
pub mod verify;

/// Name and version of the format.
pub const FORMAT: &str = "echomesh/export/v1";
/// Lines between two lines of checks.
pub const BLOCK: usize = 64;
/// Longest line: a body of the contracts with its line end.
pub const MOST_LINE: usize = 64 * 1024 + 1;
/// Hex digits of a digest in a line of checks: 64 bits, against damage.
const DIGITS: usize = 16;

/// Who wrote an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The node itself: what it still keeps.
    Node,
    /// A coordinator: all it booked of the node, or of one session.
    Coordinator,
}

impl Source {
    /// As the first line says it.
    pub const fn id(self) -> &'static str {
        match self {
            Source::Node => "node",
            Source::Coordinator => "coordinator",
        }
    }

    /// The one of that name.
    pub fn from_id(id: &str) -> Option<Source> {
        [Source::Node, Source::Coordinator].into_iter().find(|s| s.id() == id)
    }
}

/// The first line: `{"export":{format, madeAt, nodeId, source, version}}`. `made_at`: Unix seconds, where they are known.
pub fn header(node: NodeId, source: Source, made_at: Option<u64>) -> String {
    text(&json!({ "export": {
        "format": FORMAT, "nodeId": node, "source": source.id(), "madeAt": made_at.map(time::rfc3339), "version": env!("CARGO_PKG_VERSION"),
    }}))
}

/// A bundle as it was signed.
pub fn bundle(signed: &Signed) -> String {
    String::from_utf8_lossy(&signed.body).into_owned()
}

/// A receipt: `{"receipt":{body, nonce, sessionId, signature, time}}`, the coordinator's signed answer as it came. `None`
/// where the answer was too long to be kept.
pub fn receipt(session: &str, receipt: &Receipt) -> Option<String> {
    let Ok(Value::Object(mut answer)) = strict::parse(&receipt.evidence) else { return None };
    answer.insert("sessionId".into(), session.into());
    Some(text(&json!({ "receipt": answer })))
}

/// `lines` with checks among them and the end after them. Lines come and go without line ends.
pub fn checked(lines: impl Iterator<Item = String>) -> impl Iterator<Item = String> {
    let mut lines = lines.fuse();
    let (mut after, mut digests, mut written, mut ended) = (digest(b""), Vec::with_capacity(BLOCK), 0u64, false);
    std::iter::from_fn(move || {
        if ended {
            return None;
        }
        if digests.len() < BLOCK
            && let Some(line) = lines.next()
        {
            digests.push(digest(line.as_bytes()));
            written += 1;
            return Some(line);
        }
        if digests.is_empty() {
            ended = true;
            return Some(end(&after, written));
        }
        let line = checks(&after, &digests);
        digests.clear();
        after = digest(line.as_bytes());
        written += 1;
        Some(line)
    })
}

/// The first digits of a line's BLAKE3.
fn digest(line: &[u8]) -> String {
    let mut text = blake3::hash(line).to_hex().to_string();
    text.truncate(DIGITS);
    text
}

/// A line of checks; `after`: the digest of the one before.
fn checks(after: &str, digests: &[String]) -> String {
    let mut line = String::with_capacity(64 + digests.len() * (DIGITS + 3));
    let _ = write!(line, "{CHECKS}{after}\",\"lines\":[");
    for (n, digest) in digests.iter().enumerate() {
        let _ = write!(line, "{}\"{digest}\"", if n > 0 { "," } else { "" });
    }
    line.push_str("]}}");
    line
}

/// How a line of checks begins.
const CHECKS: &str = "{\"checks\":{\"after\":\"";
/// How the last line begins.
const END: &str = "{\"end\":{";

/// The last line; `lines` stand before it.
fn end(after: &str, lines: u64) -> String {
    format!("{END}\"after\":\"{after}\",\"lines\":{lines}}}}}")
}

fn text(value: &Value) -> String {
    String::from_utf8(strict::canonical(value)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
