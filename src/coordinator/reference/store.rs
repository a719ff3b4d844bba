//! The folder the coordinator keeps: `state.log` (records of rows), `bundles/SESSION.log` (each bundle's canonical bytes),
//! and a lock against a second writer.
//!
//! A bundle's bytes are on disk before the record that books it, and that record before the signed answer. So a kill at any
//! byte leaves at most a bundle that nobody was told is booked; the node sends it again.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use super::bounds::OPEN_BUNDLE_FILES;
use super::row::{Row, VERSION};
use super::state::State;
use crate::codec::record::{self, Next, Raw};
use crate::platform::files::{self, Medium};
use crate::platform::record_log::RecordLog;

const LOCK: &str = "lock";
const STATE: &str = "state.log";
const BUNDLES: &str = "bundles";
/// The log is rewritten when it has grown by this much and to twice what it was after the last time: 8 MiB more RAM while
/// it is read back at start.
const COMPACT_AFTER: u64 = 4 * 1024 * 1024;

/// Why the store cannot be used.
#[derive(Debug)]
pub enum StoreError {
    /// Another process holds it.
    Busy(PathBuf),
    /// Reading or writing failed.
    Io(PathBuf, io::Error),
    /// Bytes from there on are no records, and no torn tail either.
    Damaged(PathBuf, u64),
    /// A record this version does not know.
    Foreign(PathBuf),
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StoreError::Busy(path) => write!(f, "{} is in use by a running coordinator", path.display()),
            StoreError::Io(path, e) => write!(f, "{}: {e}", path.display()),
            StoreError::Damaged(path, at) => write!(
                f,
                "{} is damaged at byte {at}; restore it from a backup. If a power cut did it, `truncate -s {at}` drops what follows",
                path.display()
            ),
            StoreError::Foreign(path) => write!(f, "{} was written by another version of the coordinator", path.display()),
        }
    }
}

impl std::error::Error for StoreError {}

/// The store, open for writing by this process alone.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    _lock: Flock<File>,
    log: RecordLog,
    compacted: u64,
    bundles: BTreeMap<String, (RecordLog, u64)>,
    uses: u64,
    medium: Medium,
}

impl Store {
    /// Opens the store in `folder` (made where it is missing), and what it holds.
    pub fn open(folder: &Path, medium: Medium) -> Result<(Store, State), StoreError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |e| StoreError::Io(path, e)
        };
        files::folder(folder, 0o700).map_err(io(folder))?;
        let bundles = folder.join(BUNDLES);
        files::folder(&bundles, 0o700).map_err(io(&bundles))?;
        let lock_path = folder.join(LOCK);
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&lock_path).map_err(io(&lock_path))?;
        let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
            nix::errno::Errno::EWOULDBLOCK => StoreError::Busy(folder.to_owned()),
            other => StoreError::Io(lock_path.clone(), other.into()),
        })?;
        // Judged before the log is opened, because opening cuts off whatever is no record.
        let state = peek(folder)?;
        let path = folder.join(STATE);
        let (log, _) = RecordLog::open(&path, medium, |_| {}).map_err(io(&path))?;
        if medium == Medium::Flash {
            files::sync_folder_of(&path).map_err(io(&path))?; // the file itself, where it was just made
        }
        let compacted = state.all_records().len() as u64;
        Ok((Store { folder: folder.to_owned(), _lock: lock, log, compacted, bundles: BTreeMap::new(), uses: 0, medium }, state))
    }

    /// Makes the rows that changed durable.
    pub fn commit(&mut self, state: &mut State) -> io::Result<()> {
        let Some(bytes) = state.take_record() else { return Ok(()) };
        self.log.append_bytes(&bytes)?;
        if self.log.length() > COMPACT_AFTER + 2 * self.compacted {
            self.compact(state)?;
        }
        Ok(())
    }

    /// Rewrites the log as one record per row, in one step.
    pub fn compact(&mut self, state: &State) -> io::Result<()> {
        let all = state.all_records();
        self.log.rewrite(&all)?;
        self.compacted = all.len() as u64;
        Ok(())
    }

    /// Makes a bundle's canonical bytes durable.
    pub fn keep_bundle(&mut self, session: &str, canonical: &[u8]) -> Result<(), StoreError> {
        let path = bundle_path(&self.folder, session);
        if !self.bundles.contains_key(session) {
            if self.bundles.len() >= OPEN_BUNDLE_FILES {
                let oldest = self.bundles.iter().min_by_key(|(_, (_, used))| *used).map(|(id, _)| id.clone());
                oldest.and_then(|id| self.bundles.remove(&id));
            }
            scan(&path, |_| {})?;
            let (log, _) = RecordLog::open(&path, self.medium, |_| {}).map_err(|e| StoreError::Io(path.clone(), e))?;
            if self.medium == Medium::Flash {
                files::sync_folder_of(&path).map_err(|e| StoreError::Io(path.clone(), e))?;
            }
            self.bundles.insert(session.to_owned(), (log, 0));
        }
        self.uses += 1;
        let Some((log, used)) = self.bundles.get_mut(session) else { return Ok(()) };
        *used = self.uses;
        log.append(VERSION, &canonical.to_vec()).map_err(|e| StoreError::Io(path, e))
    }
}

/// What the store in `folder` holds, read without the lock: a consistent state, be it a moment old.
pub fn peek(folder: &Path) -> Result<State, StoreError> {
    let path = folder.join(STATE);
    let mut state = State::default();
    let mut foreign = false;
    scan(&path, |raw| match (raw.version, raw.decode::<Vec<Row>>()) {
        (VERSION, Some(rows)) => state.replay(rows),
        _ => foreign = true,
    })?;
    if foreign { Err(StoreError::Foreign(path)) } else { Ok(state) }
}

/// The canonical bytes of a session's bundles in the order they came; empty where there are none.
pub fn bundles_of(folder: &Path, session: &str) -> Result<Vec<Vec<u8>>, StoreError> {
    let path = bundle_path(folder, session);
    let mut out = Vec::new();
    let mut foreign = false;
    scan(&path, |raw| match (raw.version, raw.decode::<Vec<u8>>()) {
        (VERSION, Some(canonical)) => out.push(canonical),
        _ => foreign = true,
    })?;
    if foreign { Err(StoreError::Foreign(path)) } else { Ok(out) }
}

/// The sessions that have a file of bundles, whether or not the table still holds them.
pub fn sessions_with_bundles(folder: &Path) -> Result<Vec<String>, StoreError> {
    let path = folder.join(BUNDLES);
    let mut ids = Vec::new();
    for entry in fs::read_dir(&path).map_err(|e| StoreError::Io(path.clone(), e))? {
        let name = entry.map_err(|e| StoreError::Io(path.clone(), e))?.file_name();
        ids.extend(name.to_str().and_then(|n| n.strip_suffix(".log")).map(str::to_owned));
    }
    ids.sort_unstable();
    Ok(ids)
}

fn bundle_path(folder: &Path, session: &str) -> PathBuf {
    folder.join(BUNDLES).join(format!("{session}.log"))
}

/// Hands each record of the file to `each`. A torn tail is passed over; anything else that is no record is damage.
fn scan(path: &Path, mut each: impl FnMut(Raw<'_>)) -> Result<(), StoreError> {
    let bytes = match fs::read(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(StoreError::Io(path.to_owned(), e)),
        Ok(bytes) => bytes,
    };
    let mut at = 0;
    loop {
        match record::next(&bytes[at..]) {
            Next::Record(raw, used) => {
                each(raw);
                at += used;
            }
            // A write that was cut off has nothing after it; a flipped length would make whole records look like a tail.
            Next::End if !a_record_follows(&bytes[at..]) => return Ok(()),
            // Blocks that the file system had given the file but not yet filled.
            Next::Corrupt if bytes[at..].iter().all(|b| *b == 0) => return Ok(()),
            Next::End | Next::Corrupt => return Err(StoreError::Damaged(path.to_owned(), at as u64)),
        }
    }
}

fn a_record_follows(tail: &[u8]) -> bool {
    (1..tail.len()).any(|at| tail.get(at + 4) == Some(&VERSION) && matches!(record::next(&tail[at..]), Next::Record(..)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, Folder, at};
    use super::*;
    use crate::coordinator::reference::engine::Engine;
    use crate::coordinator::reference::row::Phase;

    fn log(folder: &Folder) -> PathBuf {
        folder.0.join(STATE)
    }

    /// A life with every kind of row, committed step by step; the file's length after each.
    fn life(folder: &Folder) -> (Vec<u64>, Engine) {
        let (mut store, state) = Store::open(&folder.0, Medium::Tmpfs).unwrap();
        let mut e = Engine::new(state, testing::terms(), [1; 32]);
        let mut lengths = vec![0];
        let mut commit = |e: &mut Engine| {
            store.commit(&mut e.state).unwrap();
            lengths.push(store.log.length());
        };
        testing::join(&mut e, 1);
        commit(&mut e);
        e.state.put_buyer(crate::coordinator::reference::row::Buyer { id: "b".into(), token_hash: crate::codec::Hash::of(b"t"), added_at: 1 });
        commit(&mut e);
        let (id, _) = e.open("b", &testing::open_request(), at(0)).unwrap();
        commit(&mut e);
        e.accept(testing::id(1), &testing::accept(1, &id, true), at(1)).unwrap();
        commit(&mut e);
        let tree = testing::signed_bundle(1, &testing::bundle(1, &id, 1, None, testing::START));
        let super::super::attest::Judged::Next(signed) = e.judge(testing::id(1), &tree, at(300)) else { panic!("continues") };
        e.book(&signed, at(300));
        commit(&mut e);
        e.close(&id, "buyer-closed", at(301));
        commit(&mut e);
        e.state.drop_buyer("b");
        commit(&mut e);
        (lengths, e)
    }

    /// Money and tables agree with each other.
    fn assert_consistent(state: &State) {
        for session in state.sessions().values() {
            let p = &session.progress;
            assert_eq!(p.head.seq == 0, p.bytes() == 0);
            assert_eq!(p.phase == Phase::Pending, p.node.is_none());
            if let Some(node) = p.node {
                assert_eq!(state.nodes()[&node].credits, p.credits, "bundle and credits are one change");
            }
        }
    }

    #[test]
    fn a_kill_at_any_byte_leaves_whole_changes() {
        let folder = Folder::new("kill");
        let (lengths, engine) = life(&folder);
        let whole = fs::read(log(&folder)).unwrap();
        assert_eq!(*lengths.last().unwrap(), whole.len() as u64);
        for cut in 0..=whole.len() {
            fs::write(log(&folder), &whole[..cut]).unwrap();
            let state = peek(&folder.0).unwrap();
            assert_consistent(&state);
            if lengths.contains(&(cut as u64)) {
                let (mut store, mut state) = Store::open(&folder.0, Medium::Tmpfs).unwrap();
                state.put_node(testing::node(9));
                store.commit(&mut state).unwrap();
                assert_eq!(peek(&folder.0).unwrap().nodes().len(), state.nodes().len());
            }
        }
        fs::write(log(&folder), &whole).unwrap();
        let state = peek(&folder.0).unwrap();
        assert_eq!(state.all_records(), engine.state.all_records());
        let mut zeros = whole.clone();
        zeros.extend([0; 100]);
        fs::write(log(&folder), &zeros).unwrap();
        assert_eq!(peek(&folder.0).unwrap().all_records(), engine.state.all_records());
    }

    #[test]
    fn a_flipped_byte_is_damage_not_a_torn_tail() {
        let folder = Folder::new("flip");
        let (lengths, _) = life(&folder);
        let whole = fs::read(log(&folder)).unwrap();
        let last = lengths[lengths.len() - 2];
        for at in (0..last as usize).step_by(3) {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x10;
            fs::write(log(&folder), &flipped).unwrap();
            assert!(matches!(Store::open(&folder.0, Medium::Tmpfs), Err(StoreError::Damaged(..))), "{at}");
        }
    }

    #[test]
    fn compacting_keeps_everything_and_the_lock_keeps_others_out() {
        let folder = Folder::new("compact");
        let (_, engine) = life(&folder);
        let before = fs::metadata(log(&folder)).unwrap().len();
        let (mut store, state) = Store::open(&folder.0, Medium::Tmpfs).unwrap();
        assert!(matches!(Store::open(&folder.0, Medium::Tmpfs), Err(StoreError::Busy(_))));
        store.compact(&state).unwrap();
        assert!(store.log.length() < before);
        drop(store);
        assert_eq!(peek(&folder.0).unwrap().all_records(), engine.state.all_records());
    }

    #[test]
    fn bundles_come_back_byte_for_byte() {
        let folder = Folder::new("bundles");
        let (mut store, _) = Store::open(&folder.0, Medium::Tmpfs).unwrap();
        for n in 0..OPEN_BUNDLE_FILES + 3 {
            store.keep_bundle(&format!("s{n}"), format!("{n}").as_bytes()).unwrap();
        }
        store.keep_bundle("s0", b"again").unwrap();
        assert_eq!(store.bundles.len(), OPEN_BUNDLE_FILES);
        assert_eq!(bundles_of(&folder.0, "s0").unwrap(), [b"0".to_vec(), b"again".to_vec()]);
        assert_eq!(bundles_of(&folder.0, "none").unwrap(), Vec::<Vec<u8>>::new());
        assert_eq!(sessions_with_bundles(&folder.0).unwrap().len(), OPEN_BUNDLE_FILES + 3);
    }
}
