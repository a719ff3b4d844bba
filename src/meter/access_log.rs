//! The access log: one line per closed tunnel, no payload, no clear host. Lines live in a bounded ring; the digests
//! that bundles carry stay true whether their lines are still here or not. [`file`] keeps the ring across restarts.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::codec::json::MAX_INTEGER;
use crate::codec::{Hash, json, time};
use crate::core::Reason;
use crate::identity::Identity;

/// Lines kept for export: 2048 × 80 bytes, 160 kB.
pub const LINES_KEPT: usize = 2048;
/// Windows whose digest lines are kept for export: 512 × 150 bytes, 75 kB.
pub const CHUNKS_KEPT: usize = 512;

pub mod file;

/// One closed tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Unix seconds at which it closed.
    pub t: u64,
    /// The host, keyed by node and day: see [`host_hash`].
    pub host_hash: Hash,
    /// Destination port.
    pub port: u16,
    /// Status the buyer saw.
    pub status: u16,
    /// Why it was refused or ended, where that was not an ordinary close.
    #[serde(with = "file::reason_id")]
    pub reason: Option<Reason>,
    /// Bytes accepted from the destination.
    pub ingress: u64,
    /// Bytes sent to it.
    pub egress: u64,
    /// How long it lived.
    pub ms: u64,
}

impl Line {
    /// The line as it is digested and exported: JCS of `{t, host, port, status, reason, in, out, ms}` and a newline.
    pub fn text(&self) -> Vec<u8> {
        let mut bytes = json::canonical(&json!({
            "t": time::rfc3339(self.t),
            "host": self.host_hash.to_string(),
            "port": self.port,
            "status": self.status,
            "reason": self.reason.map(Reason::id),
            "in": self.ingress,
            "out": self.egress,
            "ms": self.ms,
        }));
        bytes.push(b'\n');
        bytes
    }
}

/// The host as the log names it: BLAKE3 keyed with the node's key of the UTC date of `unix`, so that one day can be
/// opened to an auditor without the others.
pub fn host_hash(identity: &Identity, unix: u64, host: &str) -> Hash {
    Hash(blake3::keyed_hash(&identity.log_key(&time::utc_date(unix)), host.as_bytes()).into())
}

/// The lines of a window, counted and digested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logged {
    /// Over all of them; of the empty string without one.
    pub digest: Hash,
    /// How many.
    pub lines: u64,
}

/// Running BLAKE3 over the lines of one window. The hasher (2 kB) exists once there is a line.
#[derive(Clone, Debug, Default)]
pub struct Digest {
    hasher: Option<Box<blake3::Hasher>>,
    lines: u64,
}

impl Digest {
    /// Takes one more line.
    pub fn add(&mut self, line: &Line) {
        self.hasher.get_or_insert_with(Box::default).update(&line.text());
        self.lines += 1;
    }

    /// All lines so far.
    pub fn logged(&self) -> Logged {
        let digest = self.hasher.as_ref().map_or_else(|| Hash::of(b""), |h| Hash(h.finalize().into()));
        Logged { digest, lines: self.lines }
    }
}

/// A window of a session, as it stands after the line it just took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Which window of this process's life it is.
    pub window: u64,
    /// Its first second.
    pub start: u64,
    /// Its lines, that one included.
    pub logged: Logged,
}

/// Recent lines, in chunks: one per window of a session.
#[derive(Clone, Debug, Default)]
pub struct AccessLog {
    chunks: VecDeque<Chunk>,
    lines: usize,
    /// Number of the next chunk.
    next: u64,
    dropped: Dropped,
}

/// Chunks that fell out of the ring whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Dropped {
    chunks: u64,
    lines: u64,
}

#[derive(Clone, Debug)]
struct Chunk {
    /// Its number in the file.
    number: u64,
    session: String,
    /// Which window of this process's life it is; `None` for an earlier process's, which takes no more lines.
    window: Option<u64>,
    start: u64,
    /// All its lines, also those dropped since.
    logged: Logged,
    lines: VecDeque<Line>,
    /// How many of the newest lines the file does not hold.
    fresh: usize,
    /// The file does not hold it as it stands.
    touched: bool,
}

impl AccessLog {
    /// Keeps `line` of a window of `session`, which stands as `at` with it.
    pub fn push(&mut self, session: &str, at: Standing, line: Line) {
        let chunk = match self.chunks.iter().rposition(|c| c.window == Some(at.window) && c.session == session) {
            Some(i) => &mut self.chunks[i],
            None => self.begin(session, Some(at.window)),
        };
        (chunk.start, chunk.logged, chunk.touched) = (at.start, at.logged, true);
        chunk.lines.push_back(line);
        chunk.fresh += 1;
        self.lines += 1;
        self.keep_bounds();
    }

    /// Tells of a window that an earlier process closed without warning. Where its last lines did not reach the file,
    /// its chunk counts them as missing, and has the digest that the bundle has.
    pub fn closed_earlier(&mut self, session: &str, window: std::ops::Range<u64>, logged: Logged) {
        let of_session = |c: &Chunk| c.session == session;
        if logged.lines == 0 || self.chunks.iter().any(|c| of_session(c) && c.logged.digest == logged.digest) {
            return;
        }
        // A wobble of the clock may have set the window's start back after its last line.
        let chunk = match self.chunks.iter().rposition(|c| of_session(c) && window.contains(&c.start)) {
            Some(at) if self.chunks[at].logged.lines >= logged.lines => return, // that copy of the journal is the older one
            Some(at) => &mut self.chunks[at],
            // Only while there is room: else it may be one that fell out, and is counted as dropped.
            None if self.chunks.len() < CHUNKS_KEPT => self.begin(session, None),
            None => return,
        };
        (chunk.start, chunk.logged, chunk.touched) = (window.start, logged, true);
    }

    fn begin(&mut self, session: &str, window: Option<u64>) -> &mut Chunk {
        let logged = Logged { digest: Hash::of(b""), lines: 0 };
        let (session, number) = (session.to_owned(), self.next);
        self.next += 1;
        self.chunks.push_back(Chunk { number, session, window, start: 0, logged, lines: VecDeque::new(), fresh: 0, touched: false });
        let last = self.chunks.len() - 1;
        &mut self.chunks[last]
    }

    fn keep_bounds(&mut self) {
        while self.lines > LINES_KEPT {
            let Some(oldest) = self.chunks.iter_mut().find(|c| !c.lines.is_empty()) else { break };
            oldest.lines.pop_front();
            oldest.fresh = oldest.fresh.min(oldest.lines.len());
            self.lines -= 1;
        }
        while self.chunks.len() > CHUNKS_KEPT {
            let Some(chunk) = self.chunks.pop_front() else { break };
            self.lines -= chunk.lines.len();
            self.dropped.chunks = (self.dropped.chunks + 1).min(MAX_INTEGER);
            self.dropped.lines = (self.dropped.lines + chunk.logged.lines).min(MAX_INTEGER);
        }
    }

    /// The lines that are kept, each with its session, oldest chunk first.
    pub fn lines(&self) -> impl Iterator<Item = (&str, &Line)> {
        self.chunks.iter().flat_map(|c| c.lines.iter().map(|line| (c.session.as_str(), line)))
    }

    /// Lines kept now.
    pub fn len(&self) -> usize {
        self.lines
    }

    /// Whether no line is kept.
    pub fn is_empty(&self) -> bool {
        self.lines == 0
    }

    /// For `GET /logs/export`: JSON lines, each chunk's lines and then its digest line
    /// `{"chunk":{sessionId, windowStart, lines, missing, accessLogHash}}`, where `missing` of `lines` fell out of the
    /// ring; first a line `{"dropped":{chunks, lines}}`, where whole chunks did. Without line ends.
    pub fn export(&self) -> impl Iterator<Item = String> {
        let Dropped { chunks, lines } = self.dropped;
        let dropped = (chunks > 0).then(|| text(json!({"dropped": {"chunks": chunks, "lines": lines}})));
        dropped.into_iter().chain(self.chunks.iter().flat_map(|c| {
            let last = text(json!({"chunk": {
                "sessionId": c.session,
                "windowStart": time::rfc3339(c.start),
                "lines": c.logged.lines,
                "missing": c.logged.lines - c.lines.len() as u64,
                "accessLogHash": c.logged.digest.to_string(),
            }}));
            let lines = c.lines.iter().map(|l| String::from_utf8_lossy(l.text().trim_ascii_end()).into_owned());
            lines.chain([last])
        }))
    }
}

fn text(value: Value) -> String {
    String::from_utf8(json::canonical(&value)).unwrap_or_default()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::meter) fn line(n: u64) -> Line {
        Line {
            t: 1_766_152_800 + n,
            host_hash: Hash::of(b"h"),
            port: 443,
            status: 200,
            reason: (n == 1).then_some(Reason::TimedOut),
            ingress: n,
            egress: 2,
            ms: 3,
        }
    }

    #[test]
    fn a_line_is_canonical_json_without_the_host() {
        let identity = Identity::from_seed([1; 32]);
        let mut l = line(1);
        l.host_hash = host_hash(&identity, l.t, "example.org");
        let want =
            format!(r#"{{"host":"{}","in":1,"ms":3,"out":2,"port":443,"reason":"timed-out","status":200,"t":"2025-12-19T14:00:01Z"}}"#, l.host_hash);
        assert_eq!(String::from_utf8(l.text()).unwrap(), want + "\n");
        assert_ne!(l.host_hash, host_hash(&identity, l.t + 86_400, "example.org"), "another day, another key");
        assert_eq!(l.host_hash, host_hash(&identity, l.t + 3600, "example.org"));
    }

    /// Pushes lines as windows do, each window with its running digest.
    #[derive(Default)]
    pub(super) struct Windows(std::collections::BTreeMap<(String, u64), Digest>);

    impl Windows {
        pub(super) fn push(&mut self, log: &mut AccessLog, session: &str, window: u64, line: Line) {
            let digest = self.0.entry((session.to_owned(), window)).or_default();
            digest.add(&line);
            log.push(session, Standing { window, start: line.t, logged: digest.logged() }, line);
        }
    }

    /// Checks every chunk that claims to be whole by its digest line; how many there were, and what others miss.
    pub(in crate::meter) fn check(export: impl Iterator<Item = String>) -> (usize, u64) {
        let (mut hasher, mut lines) = (blake3::Hasher::new(), 0);
        let (mut whole, mut missing) = (0, 0);
        for text in export {
            let tree = json::parse(text.as_bytes()).unwrap();
            if let Some(chunk) = tree.get("chunk") {
                assert_eq!(chunk["lines"].as_u64().unwrap(), lines + chunk["missing"].as_u64().unwrap());
                if chunk["missing"] == 0 {
                    assert_eq!(chunk["accessLogHash"], Hash(hasher.finalize().into()).to_string());
                    whole += 1;
                }
                missing += chunk["missing"].as_u64().unwrap();
                hasher.reset();
                lines = 0;
            } else if tree.get("dropped").is_none() {
                hasher.update(text.as_bytes()).update(b"\n");
                lines += 1;
            }
        }
        (whole, missing)
    }

    #[test]
    fn an_exported_chunk_is_checked_by_its_digest_line() {
        let (mut log, mut windows) = (AccessLog::default(), Windows::default());
        for n in 0..4 {
            windows.push(&mut log, if n % 2 == 0 { "a" } else { "b" }, 1, line(n));
        }
        assert_eq!(check(log.export()), (2, 0));
    }

    #[test]
    fn lines_fall_out_of_the_ring_and_the_digest_stays() {
        let (mut log, mut windows) = (AccessLog::default(), Windows::default());
        for n in 0..LINES_KEPT as u64 + 3 {
            windows.push(&mut log, "a", 1, line(n));
        }
        assert_eq!(log.len(), LINES_KEPT);
        let digest = windows.0[&("a".to_owned(), 1)].logged().digest;
        let last = log.export().last().unwrap();
        assert!(last.contains(r#""missing":3"#) && last.contains(&digest.to_string()), "{last}");
        for w in 0..CHUNKS_KEPT as u64 {
            windows.push(&mut log, "b", w, line(w));
        }
        let first = log.export().next().unwrap();
        assert_eq!(first, format!(r#"{{"dropped":{{"chunks":1,"lines":{}}}}}"#, LINES_KEPT + 3));
        assert_eq!(log.len(), CHUNKS_KEPT);
        // The window whose chunk is gone goes on: its lines of before are missing, not forgotten.
        windows.push(&mut log, "a", 1, line(9));
        let last = log.export().last().unwrap();
        assert!(last.contains(&format!(r#""missing":{}"#, LINES_KEPT + 3)), "{last}");
    }

    #[test]
    fn what_an_earlier_process_could_not_write_is_missing() {
        let (mut log, mut windows) = (AccessLog::default(), Windows::default());
        windows.push(&mut log, "a", 1, line(5));
        log.chunks[0].window = None;
        let whole = log.chunks[0].logged;
        let more = Logged { digest: Hash::of(b"more"), lines: 3 };
        let start = line(0).t;
        log.closed_earlier("a", start..start + 300, Logged { lines: 0, ..whole });
        log.closed_earlier("a", start..start + 300, whole);
        assert_eq!(check(log.export()), (1, 0), "nothing to tell");
        log.closed_earlier("a", start..start + 300, more);
        assert_eq!((log.chunks.len(), check(log.export())), (1, (0, 2)));
        assert!(log.export().last().unwrap().contains(&more.digest.to_string()));
        log.closed_earlier("a", start..start + 300, whole);
        assert_eq!(check(log.export()), (0, 2), "an older copy of the journal changes nothing");
        log.closed_earlier("a", start + 300..start + 600, Logged { digest: Hash::of(b"other"), lines: 4 });
        assert_eq!((log.chunks.len(), check(log.export())), (2, (0, 6)), "a window of which no line is left");
    }
}
