//! The ring's file in the run folder: what is new is appended with each write of the journal, so that `kill -9` loses
//! at most the last second of lines. Once it has grown past twice what the ring held it is written anew.
//!
//! It is written after the journal, never before: so it holds no line that no bundle will cover, and what it lacks
//! after a kill in between, the journal's count of lines tells.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{AccessLog, CHUNKS_KEPT, Chunk, Dropped, LINES_KEPT, Line, Logged};
use crate::codec::json::MAX_INTEGER;
use crate::codec::record::{self, Raw};
use crate::meter::image::MOST_ID;
use crate::meter::state::{Unsound, sound};
use crate::platform::files::Medium;
use crate::platform::record_log::{RecordLog, Tail};

/// Version byte of the file's records.
const VERSION: u8 = 1;
/// A full ring takes at most 2048 × 100 + 512 × 220 bytes, about 310 kB of RAM while it is written anew; typically
/// half of that.
const MOST_RING: u64 = (LINES_KEPT * 100 + CHUNKS_KEPT * 220) as u64;
/// The file is written anew once it has grown past twice the ring as last written and this.
const SLACK: u64 = 64 * 1024;
/// The file at its largest, before a last addition (at most one ring more): 700 kB of tmpfs.
pub const MOST_BYTES: u64 = 2 * MOST_RING + SLACK;

/// Chunks are numbered up from 0: a number above this was not.
const MAX_NUMBER: u64 = MAX_INTEGER / 2;

/// One record of the file.
#[derive(Debug, Serialize, Deserialize)]
enum Entry {
    /// What fell out of the ring whole, so far. Stands first in a file that was written anew.
    Dropped(Dropped),
    /// News of one window.
    Chunk(News),
}

#[derive(Debug, Serialize, Deserialize)]
struct News {
    number: u64,
    session: String,
    start: u64,
    /// As the window stands with these lines.
    logged: Logged,
    /// New ones; fewer than were counted where the ring has lost some.
    lines: Vec<Line>,
}

/// The file, open.
#[derive(Debug)]
pub struct LogFile {
    log: RecordLog,
    /// Bytes of the ring when it was last written anew.
    ring: u64,
    /// What stands there is not to be added to.
    anew: bool,
}

impl LogFile {
    /// Opens or creates the file at `path` and reads the ring from it. A record that was cut off is dropped. `false`:
    /// it was damaged, and the ring starts empty.
    pub fn open(path: &Path) -> io::Result<(LogFile, AccessLog, bool)> {
        let mut ring = AccessLog::default();
        let mut sound = true;
        let (mut log, tail) = RecordLog::open(path, Medium::Tmpfs, |raw| sound = sound && ring.take(raw).is_ok())?;
        sound &= !matches!(tail, Tail::Corrupt(_));
        if !sound {
            ring = AccessLog::default();
            log.rewrite(&[])?;
        }
        Ok((LogFile { log, ring: 0, anew: false }, ring, sound))
    }

    /// Writes what is new in `ring`. What could not be written is written with the next call.
    pub fn write(&mut self, ring: &mut AccessLog) -> io::Result<()> {
        if !ring.chunks.iter().any(|c| c.touched) {
            return Ok(());
        }
        let written = if self.anew || self.log.length() > 2 * self.ring + SLACK {
            let bytes = ring.whole();
            self.log.rewrite(&bytes).map(|()| self.ring = bytes.len() as u64)
        } else {
            self.log.append_bytes(&ring.news())
        };
        self.anew = written.is_err();
        written?;
        ring.chunks.iter_mut().for_each(|c| (c.fresh, c.touched) = (0, false));
        Ok(())
    }
}

impl AccessLog {
    /// Reads the ring from the bytes of a file, as [`LogFile::open`] does; `None` where they are damaged.
    pub fn read(bytes: &[u8]) -> Option<AccessLog> {
        let mut ring = AccessLog::default();
        let mut rest = bytes;
        loop {
            match record::next(rest) {
                record::Next::Record(raw, used) => {
                    ring.take(raw).ok()?;
                    rest = &rest[used..];
                }
                record::Next::End => return Some(ring),
                record::Next::Corrupt => return None,
            }
        }
    }

    fn take(&mut self, raw: Raw<'_>) -> Result<(), Unsound> {
        sound(raw.version == VERSION)?;
        match raw.decode().ok_or(Unsound)? {
            Entry::Dropped(dropped) => {
                sound(dropped.chunks <= MAX_INTEGER && dropped.lines <= MAX_INTEGER)?;
                self.dropped = dropped;
            }
            Entry::Chunk(news) => self.add(news)?,
        }
        Ok(())
    }

    fn add(&mut self, news: News) -> Result<(), Unsound> {
        let lines = news.lines.len() as u64;
        let sizes = |l: &Line| l.ingress.max(l.egress).max(l.ms) <= MAX_INTEGER;
        sound(news.session.len() <= MOST_ID && news.logged.lines <= MAX_INTEGER && news.lines.iter().all(sizes))?;
        let chunk = match self.chunks.iter().rposition(|c| c.number == news.number) {
            Some(i) => &mut self.chunks[i],
            None => {
                sound((self.next..MAX_NUMBER).contains(&news.number))?;
                self.next = news.number;
                self.begin(&news.session, None)
            }
        };
        sound(chunk.session == news.session && news.logged.lines.checked_sub(lines).is_some_and(|before| before >= chunk.logged.lines))?;
        (chunk.start, chunk.logged) = (news.start, news.logged);
        chunk.lines.extend(news.lines);
        self.lines += lines as usize; // a record is at most 4 MB
        self.keep_bounds();
        Ok(())
    }

    /// What the file does not hold.
    fn news(&self) -> Vec<u8> {
        self.chunks.iter().filter(|c| c.touched).flat_map(|c| c.entry(c.fresh)).collect()
    }

    /// All of it.
    fn whole(&self) -> Vec<u8> {
        let dropped = record::encode(VERSION, &Entry::Dropped(self.dropped));
        self.chunks.iter().fold(dropped, |mut out, c| {
            out.extend(c.entry(c.lines.len()));
            out
        })
    }
}

impl Chunk {
    /// With its newest `lines`.
    fn entry(&self, lines: usize) -> Vec<u8> {
        let lines = self.lines.iter().skip(self.lines.len() - lines).copied().collect();
        let (session, start, logged) = (self.session.clone(), self.start, self.logged);
        record::encode(VERSION, &Entry::Chunk(News { number: self.number, session, start, logged, lines }))
    }
}

/// A reason by its stable id.
pub(super) mod reason_id {
    use serde::{Deserialize, Deserializer, Serialize as _, Serializer, de};

    use crate::core::Reason;

    pub(in super::super) fn serialize<S: Serializer>(reason: &Option<Reason>, s: S) -> Result<S::Ok, S::Error> {
        reason.map(Reason::id).serialize(s)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Reason>, D::Error> {
        let id = Option::<String>::deserialize(d)?;
        id.map(|id| Reason::from_id(&id).ok_or_else(|| de::Error::custom("an unknown reason"))).transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::super::tests::{Windows, check, line};
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let folder = std::env::temp_dir().join(format!("echomesh-access-log-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder).unwrap();
            Folder(folder)
        }

        fn path(&self) -> PathBuf {
            self.0.join("access.log")
        }

        fn open(&self) -> (LogFile, AccessLog, bool) {
            LogFile::open(&self.path()).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn export(log: &AccessLog) -> Vec<String> {
        log.export().collect()
    }

    #[test]
    fn a_restart_finds_what_was_written_and_begins_chunks_of_its_own() {
        let folder = Folder::new("restart");
        let (mut file, mut log, sound) = folder.open();
        assert!(sound && log.is_empty());
        let mut windows = Windows::default();
        for n in 0..6 {
            windows.push(&mut log, ["a", "b"][n as usize % 2], 1, line(n));
            if n % 3 == 2 {
                file.write(&mut log).unwrap();
            }
        }
        let before = export(&log);
        assert_eq!(check(log.export()), (2, 0));
        windows.push(&mut log, "a", 1, line(6)); // in the last second
        drop((file, log)); // kill -9

        let (mut file, mut log, sound) = folder.open();
        assert!(sound);
        assert_eq!(export(&log), before);
        let size = fs::metadata(folder.path()).unwrap().len();
        file.write(&mut log).unwrap();
        assert_eq!(fs::metadata(folder.path()).unwrap().len(), size, "nothing is new");
        // The same session, and again the first window of a process.
        let mut windows = Windows::default();
        windows.push(&mut log, "a", 1, line(7));
        file.write(&mut log).unwrap();
        let (_, log, _) = folder.open();
        assert_eq!((check(log.export()), log.len()), ((3, 0), 7));
    }

    #[test]
    fn a_torn_record_is_dropped_and_damage_starts_empty() {
        let folder = Folder::new("damage");
        let (mut file, mut log, _) = folder.open();
        let mut windows = Windows::default();
        let mut ends = vec![0];
        for n in 0..3 {
            windows.push(&mut log, "a", 1, line(n));
            file.write(&mut log).unwrap();
            ends.push(file.log.length() as usize);
        }
        let bytes = fs::read(folder.path()).unwrap();
        for cut in 0..=bytes.len() {
            let whole = ends.iter().filter(|&&end| end > 0 && end <= cut).count();
            let log = AccessLog::read(&bytes[..cut]).unwrap();
            assert_eq!((log.len(), check(log.export())), (whole, (usize::from(whole > 0), 0)), "{cut}");
        }
        fs::write(folder.path(), &bytes[..bytes.len() - 1]).unwrap();
        assert_eq!((folder.open().1.len(), folder.open().2), (2, true));
        for at in [4, 20, ends[1] + 30, bytes.len() - 1] {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            fs::write(folder.path(), &flipped).unwrap();
            let (_, log, sound) = folder.open();
            assert!(!sound && log.is_empty(), "{at}");
            assert!(folder.open().2, "told once");
        }
    }

    #[test]
    fn the_file_stays_bounded_and_tells_what_the_ring_does() {
        let folder = Folder::new("bounded");
        let (mut file, mut log, _) = folder.open();
        let mut windows = Windows::default();
        let mut most = 0;
        for n in 0..3 * LINES_KEPT as u64 {
            windows.push(&mut log, &"s".repeat(MOST_ID), n / 5, line(n));
            if n % 3 == 0 {
                file.write(&mut log).unwrap();
                most = most.max(fs::metadata(folder.path()).unwrap().len());
            }
        }
        file.write(&mut log).unwrap();
        assert!(most > SLACK && most < MOST_BYTES && log.whole().len() as u64 <= MOST_RING, "{most}, ring {}", log.whole().len());
        assert!(log.dropped.chunks > 0);
        let (_, again, sound) = folder.open();
        assert!(sound);
        assert_eq!(export(&again), export(&log));
    }

    #[test]
    fn a_write_that_fails_is_made_up_for() {
        let folder = Folder::new("fails");
        let (mut file, mut log, _) = folder.open();
        let mut windows = Windows::default();
        windows.push(&mut log, "a", 1, line(1));
        file.anew = true;
        let obstacle = folder.0.join("access.log.new");
        fs::create_dir(&obstacle).unwrap();
        assert!(file.write(&mut log).is_err());
        windows.push(&mut log, "a", 1, line(2));
        fs::remove_dir(&obstacle).unwrap();
        file.write(&mut log).unwrap();
        assert_eq!(export(&folder.open().1), export(&log));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Some(log) = AccessLog::read(&bytes) {
                prop_assert!(log.is_empty(), "no check can be met by chance");
            }
        }

        /// Sound records in any order with any numbers: read or refused, and what is read keeps the bounds.
        #[test]
        fn records_that_nobody_wrote_are_refused_or_kept_within_bounds(
            parts in prop::collection::vec((0u64..4, 0usize..4, prop_oneof![0u64..8, any::<u64>()], any::<u64>()), 0..12),
        ) {
            let mut bytes = Vec::new();
            for (number, lines, total, start) in parts {
                let logged = Logged { digest: crate::codec::Hash::of(b"x"), lines: total };
                let news = News { number, session: "s".into(), start, logged, lines: vec![line(1); lines] };
                bytes.extend(record::encode(VERSION, &Entry::Chunk(news)));
            }
            if let Some(log) = AccessLog::read(&bytes) {
                for text in log.export() {
                    prop_assert!(crate::codec::json::parse(text.as_bytes()).is_ok(), "{}", text);
                }
                let again = AccessLog::read(&log.whole()).map(|l| export(&l));
                prop_assert_eq!(again, Some(export(&log)));
            }
        }
    }
}
