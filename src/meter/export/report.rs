//! What a check of an export says: the sums that hold, or the first thing that does not.

use serde::Serialize;

use super::frame::Line;
use crate::codec::NodeId;

/// All holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whose books.
    pub node_id: NodeId,
    /// `node` or `coordinator`: who wrote the export.
    pub source: String,
    /// When, as the writer says.
    pub made_at: Option<String>,
    /// Sessions with bundles.
    pub sessions: u64,
    /// Those whose bundles are here from the first to the last.
    pub complete: u64,
    /// Bundles, each signed by the node, and each the successor of the one before.
    pub bundles: u64,
    /// Sum of their buckets, from destinations.
    pub bytes_ingress: u64,
    /// Sum of their buckets, to destinations.
    pub bytes_egress: u64,
    /// Tunnels.
    pub requests: u64,
    /// The coordinator's acknowledgements.
    pub receipts: u64,
    /// Of them, those whose signature was checked: all where a key was given, else none.
    pub receipts_checked: u64,
    /// Lines of the access log.
    pub log_lines: u64,
    /// Lines that the log's digests count and that are not here.
    pub log_lines_missing: u64,
    /// Chunks of the log whose lines are all here and hash to their digest.
    pub chunks_whole: u64,
    /// Of all chunks, those whose digest stands in a signed bundle of this export.
    pub chunks_signed: u64,
    /// All chunks.
    pub chunks: u64,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Report { node_id, source, made_at, sessions, complete, bundles, bytes_ingress, bytes_egress, .. } = self;
        writeln!(f, "node {node_id}, written by the {source}, {}", made_at.as_deref().unwrap_or("at a time it did not know"))?;
        writeln!(f, "bundles   {bundles} of {sessions} sessions ({complete} complete), signed by the node; chains and totals hold")?;
        writeln!(f, "bytes     {bytes_ingress} in, {bytes_egress} out, {} tunnels", self.requests)?;
        let by = if self.receipts_checked == self.receipts { "signed by the coordinator" } else { "signature not checked: give --coordinator KEY" };
        writeln!(f, "receipts  {}, {by}", self.receipts)?;
        let Report { log_lines, log_lines_missing, chunks, chunks_whole, chunks_signed, .. } = self;
        writeln!(
            f,
            "log       {log_lines} lines in {chunks} chunks, {log_lines_missing} missing; {chunks_whole} chunks recomputed, {chunks_signed} in a bundle here"
        )?;
        writeln!(f, "every byte is as it was written")
    }
}

/// The first thing that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The line, from 1.
    pub line: u64,
    /// Byte of the file, from 0: the changed one where it is named, else the first of the line.
    pub offset: usize,
    /// Byte of the line, from 0.
    pub column: usize,
    /// The changed byte as it stands, where exactly one explains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is: Option<u8>,
    /// The byte as it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<u8>,
    /// What is wrong, and with what.
    pub what: String,
}

impl Finding {
    /// Something of `line`.
    pub fn of_line(line: &Line, what: impl Into<String>) -> Finding {
        Finding { line: line.number, offset: line.start, column: 0, is: None, was: None, what: what.into() }
    }

    /// This very byte.
    pub fn of_byte(file: &[u8], line: &Line, at: usize, was: u8, what: impl Into<String>) -> Finding {
        let column = at.saturating_sub(line.start);
        Finding { line: line.number, offset: at, column, is: file.get(at).copied(), was: Some(was), what: what.into() }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Finding { line, offset, column, what, .. } = self;
        match (self.is, self.was) {
            (Some(is), Some(was)) => {
                let (is, was) = (shown(is), shown(was));
                write!(f, "line {line}, byte {offset} (byte {column} of the line): {is} stands where {was} was written: {what}")
            }
            _ => write!(f, "line {line}, from byte {offset}: {what}"),
        }
    }
}

fn shown(byte: u8) -> String {
    if byte.is_ascii_graphic() { format!("'{}'", char::from(byte)) } else { format!("0x{byte:02x}") }
}
