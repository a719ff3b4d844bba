//! An append-only file of records that survives `kill -9` at any byte: a torn tail is cut off at the next open.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::files::{self, Medium};
use crate::codec::record::{self, Next, Raw};

/// What opening found at the end of the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tail {
    /// The last record is whole.
    Whole,
    /// A record was cut off by a kill; `0` bytes of it were dropped.
    Torn(u64),
    /// A record failed its check at this offset: everything from there was dropped.
    Corrupt(u64),
}

/// What is read of a file at once.
const PIECE: u64 = 64 * 1024;

/// The log, open for appending.
#[derive(Debug)]
pub struct RecordLog {
    path: PathBuf,
    /// `None` while it rests.
    file: Option<File>,
    length: u64,
    medium: Medium,
}

impl RecordLog {
    /// Opens or creates `path` (0600), hands each whole record to `each`, and cuts off what follows the last one.
    pub fn open(path: &Path, medium: Medium, each: impl FnMut(Raw<'_>)) -> io::Result<(RecordLog, Tail)> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let (at, tail) = scan(&mut file, each)?;
        if tail != Tail::Whole {
            file.set_len(at)?;
            file.sync_all()?;
        }
        file.seek(SeekFrom::Start(at))?;
        Ok((RecordLog { path: path.to_owned(), file: Some(file), length: at, medium }, tail))
    }

    /// As [`RecordLog::open`]; where the file system is read-only now, what stands there is read, and an append tries again.
    pub fn open_or_read(path: &Path, medium: Medium, mut each: impl FnMut(Raw<'_>)) -> io::Result<(RecordLog, Tail)> {
        match RecordLog::open(path, medium, &mut each) {
            Err(e) if e.kind() == io::ErrorKind::ReadOnlyFilesystem => {}
            opened => return opened,
        }
        let (length, tail) = match File::open(path) {
            Ok(mut file) => scan(&mut file, each)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => (0, Tail::Whole),
            Err(e) => return Err(e),
        };
        Ok((RecordLog { path: path.to_owned(), file: None, length, medium }, tail))
    }

    /// Appends one record; on flash it is synced before this returns.
    pub fn append<T: Serialize>(&mut self, version: u8, value: &T) -> io::Result<()> {
        self.append_bytes(&record::encode(version, value))
    }

    /// Appends records already encoded, in one write.
    pub fn append_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        let durable = self.medium == Medium::Flash;
        let length = self.length;
        let file = self.awake()?;
        if let Err(e) = file.write_all(bytes).and_then(|()| if durable { file.sync_data() } else { Ok(()) }) {
            // A half-written record must not stand before the next one.
            let _ = file.set_len(length);
            let _ = file.seek(SeekFrom::Start(length));
            return Err(e);
        }
        self.length += bytes.len() as u64;
        if self.medium == Medium::Flash {
            files::count(bytes.len());
        }
        Ok(())
    }

    /// Replaces the whole log by `bytes` (encoded records) in one step.
    pub fn rewrite(&mut self, bytes: &[u8]) -> io::Result<()> {
        files::replace(&self.path, 0o600, bytes, self.medium)?;
        self.file = None;
        self.length = bytes.len() as u64;
        self.awake().map(drop)
    }

    /// Closes the file until the next append: for logs that are written rarely, whose file system could not be made
    /// read-only while a file on it is open for writing.
    pub fn rest(&mut self) {
        self.file = None;
    }

    fn awake(&mut self) -> io::Result<&mut File> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => {
                let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&self.path)?;
                file.set_len(self.length)?;
                file
            }
        };
        file.seek(SeekFrom::Start(self.length))?;
        Ok(self.file.insert(file))
    }

    /// Bytes in the log.
    pub fn length(&self) -> u64 {
        self.length
    }
}

/// Hands each whole record of `source` to `each`; how many bytes they take, and what follows them. However much there
/// is to read, memory holds one record and a piece: at most 4 MiB and 64 KiB, where the file is ours a few KiB.
pub fn scan(source: &mut impl io::Read, mut each: impl FnMut(Raw<'_>)) -> io::Result<(u64, Tail)> {
    let (mut held, mut from, mut whole) = (Vec::new(), 0, 0u64);
    loop {
        match record::next(&held[from..]) {
            Next::Record(raw, used) => {
                each(raw);
                (from, whole) = (from + used, whole + used as u64);
            }
            Next::Corrupt => return Ok((whole, Tail::Corrupt(whole))),
            Next::End => {
                held.drain(..from);
                from = 0;
                if source.take(PIECE).read_to_end(&mut held)? == 0 {
                    let left = held.len() as u64;
                    return Ok((whole, if left == 0 { Tail::Whole } else { Tail::Torn(left) }));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_in_pieces_finds_what_stands_in_the_whole() {
        // One record longer than a piece, many short ones, one that ends just at a piece's end.
        let long = record::encode(1, &vec![7u8; 200_000]);
        let short: Vec<u8> = (0..9000u32).flat_map(|n| record::encode(1, &n)).collect();
        let bytes = [long.clone(), short, long].concat();
        for (cut, tail) in [(0, Tail::Whole), (1, Tail::Torn(200_015))] {
            let mut seen = 0;
            let (whole, found) = scan(&mut &bytes[..bytes.len() - cut], |_| seen += 1).unwrap();
            assert_eq!(found, tail);
            assert_eq!((seen, whole), (9002 - cut, if cut == 0 { bytes.len() as u64 } else { (bytes.len() - 200_016) as u64 }));
        }
        let mut flipped = bytes.clone();
        flipped[300_000] ^= 1;
        let (whole, found) = scan(&mut &flipped[..], |_| {}).unwrap();
        assert!(found == Tail::Corrupt(whole) && whole <= 300_000);
    }

    #[test]
    fn a_torn_tail_is_dropped_and_appending_goes_on() {
        let folder = std::env::temp_dir().join(format!("echomesh-record-log-{}", std::process::id()));
        files::folder(&folder, 0o700).unwrap();
        let path = folder.join("log");
        let (mut log, _) = RecordLog::open(&path, Medium::Tmpfs, |_| {}).unwrap();
        log.append(1, &1u32).unwrap();
        log.append(1, &2u32).unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        let mut seen = Vec::new();
        let (mut log, tail) = RecordLog::open(&path, Medium::Tmpfs, |r| seen.push(r.decode::<u32>().unwrap())).unwrap();
        assert!(matches!(tail, Tail::Torn(_)));
        log.append(1, &3u32).unwrap();
        seen.clear();
        let (_, tail) = RecordLog::open(&path, Medium::Tmpfs, |r| seen.push(r.decode::<u32>().unwrap())).unwrap();
        assert_eq!((tail, seen), (Tail::Whole, vec![1, 3]));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
