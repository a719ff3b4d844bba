//! The roster on flash: what changed is appended in one write, at most every half minute, off this thread.

use std::cell::{Cell, RefCell};
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use super::node::Node;
use crate::core::{Clock, Signal};
use crate::net::work;
use crate::platform::files::Medium;
use crate::platform::record_log::{RecordLog, Tail};
use crate::session::roster::Roster;

/// Its name in the state folder.
pub const FILE: &str = "roster";
/// A kill or a power cut takes at most what happened within this.
const EVERY: Duration = Duration::from_secs(30);
/// The file is written anew once it is this much longer than it must be.
const SLACK: u64 = 64 * 1024;

/// The roster and its file.
pub struct Book {
    /// Who was served when.
    pub roster: RefCell<Roster>,
    /// `None` while it is being written.
    log: RefCell<Option<RecordLog>>,
    /// The last write failed: the next one replaces the file.
    anew: Cell<bool>,
    changed: Signal,
}

impl Book {
    /// Opens `state_dir`'s; with what is wrong about it.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(state_dir: &Path, clock: &Clock) -> io::Result<(Book, Option<String>)> {
        let mut roster = Roster::default();
        let (mut log, tail) = RecordLog::open_or_read(&state_dir.join(FILE), Medium::Flash, |raw| roster.take(raw))?;
        if clock.synced() {
            roster.prune(clock.unix());
        }
        let all = roster.snapshot();
        if log.length() > 2 * all.len() as u64 + SLACK {
            // Shorter is better, but as it is it serves as well.
            let _ = log.rewrite(&all);
        }
        log.rest();
        let finding = matches!(tail, Tail::Corrupt(_)).then(|| "the roster of sessions is damaged; its end is lost".to_owned());
        let book = Book { roster: RefCell::new(roster), log: RefCell::new(Some(log)), anew: Cell::default(), changed: Signal::default() };
        Ok((book, finding))
    }

    /// Changes the roster.
    pub fn note(&self, change: impl FnOnce(&mut Roster)) {
        change(&mut self.roster.borrow_mut());
        if self.roster.borrow().is_dirty() {
            self.changed.ring();
        }
    }

    /// Writes what is to be written, here and now: at the end of the process.
    pub fn flush(&self) {
        let Some(mut log) = self.log.take() else { return };
        self.written(append(&mut log, self.due()), log);
    }

    /// Whether a write is under way.
    pub fn is_busy(&self) -> bool {
        self.log.borrow().is_none()
    }

    async fn write(&self) {
        let Some(mut log) = self.log.take() else { return };
        let due = self.due();
        let (result, log) = work::aside(move || (append(&mut log, due), log)).await;
        self.written(result, log);
    }

    fn due(&self) -> Due {
        let mut roster = self.roster.borrow_mut();
        let bytes = roster.take_unwritten();
        if self.anew.get() { Due::All(roster.snapshot()) } else { Due::More(bytes) }
    }

    fn written(&self, result: io::Result<()>, mut log: RecordLog) {
        log.rest();
        *self.log.borrow_mut() = Some(log);
        self.anew.set(result.is_err());
        if let Err(e) = result {
            log::warn!("the roster of sessions cannot be written: {e}; it is kept in memory: free some space in the state folder");
        }
    }
}

enum Due {
    More(Vec<u8>),
    All(Vec<u8>),
}

fn append(log: &mut RecordLog, due: Due) -> io::Result<()> {
    match due {
        Due::More(bytes) if bytes.is_empty() => Ok(()),
        Due::More(bytes) => log.append_bytes(&bytes),
        Due::All(bytes) => log.rewrite(&bytes),
    }
}

/// Writes the roster whenever it changed, for ever.
pub async fn keep(node: Rc<Node>) {
    loop {
        node.book.changed.wait().await;
        smol::Timer::after(EVERY).await;
        if !node.gone.get() {
            node.book.write().await;
        }
    }
}

impl Node {
    /// What the roster says is open is what is: after a registration, when node time is known.
    pub fn set_roster_right(&self) {
        let live: Vec<_> = self.registry.all().into_iter().filter(|s| s.phase().name() != "discover" && s.phase().name() != "handshake").collect();
        let names: Vec<(String, String)> = live.iter().map(|s| (s.id.clone(), s.assigned().buyer_id.clone())).collect();
        self.book.note(|roster| roster.reconcile(names.iter().map(|(s, b)| (s.as_str(), b.as_str())), self.clock.unix()));
    }
}
