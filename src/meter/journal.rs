//! The journal's two files: the run folder's copy every second while something changes, the state folder's (flash)
//! rarely. Formats are in [`super::restore`]. With the run folder's copy goes the access log, in a file of its own.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::access_log::file::LogFile;
use super::ledger::Ledger;
use super::restore::{self, End, Reader, Restored, Side, Stamp};
use crate::core::{Clock, Mono};
use crate::platform::files::{self, Medium};
use crate::platform::record_log::{self, RecordLog, Tail};

const FILE: &str = "journal";
const LOG_FILE: &str = "access.log";
/// The run folder's copy is at most this old while something changes.
const RUN_EVERY: Duration = Duration::from_secs(1);
/// The state folder's copy is at most this old while something changes.
const FLASH_EVERY: Duration = Duration::from_secs(30 * 60);
/// Sessions that end one after the other share one write to flash.
const FLASH_SPACING: Duration = Duration::from_secs(30);
/// The run folder's copy is written anew once it has grown past twice the snapshot and this.
const SLACK: u64 = 64 * 1024;

/// Removes what a journal keeps in the two folders, for good. No process may hold it.
///
/// # Errors
/// A file cannot be removed.
pub fn discard(run_dir: &Path, state_dir: &Path) -> io::Result<()> {
    for path in [state_dir.join(FILE), run_dir.join(FILE), run_dir.join(LOG_FILE)] {
        files::remove(&path)?;
    }
    files::sync_folder_of(&state_dir.join(FILE))
}

/// The journal, open.
#[derive(Debug)]
pub struct Journal {
    run: RecordLog,
    log: LogFile,
    /// The access log's last write failed.
    log_fails: bool,
    /// The run folder's copy: so did its last write.
    run_fails: bool,
    /// The state folder's: as well.
    flash_fails: bool,
    /// That the access log cannot be written has not been told yet.
    log_fault: Option<io::Error>,
    state_path: PathBuf,
    generation: u64,
    /// Bytes of the run folder's last snapshot; 0 = the next write is one.
    snapshot: u64,
    written: Option<Mono>,
    flash_generation: u64,
    opened: Mono,
    flash_tried: Option<Mono>,
    /// A job is on its way.
    flash_busy: bool,
    /// Flash says that the process ended in good order, which holds only until something changes.
    flash_is_clean: bool,
}

fn end(tail: Tail) -> End {
    match tail {
        Tail::Whole => End::Whole,
        Tail::Torn(_) => End::Torn,
        Tail::Corrupt(_) => End::Corrupt,
    }
}

/// A write to flash, to be run where blocking is allowed (`smol::unblock`).
#[must_use]
#[derive(Debug)]
pub struct FlashJob {
    path: PathBuf,
    generation: u64,
    bytes: Vec<u8>,
}

/// What became of a [`FlashJob`]; goes to [`Journal::flashed`].
#[must_use]
#[derive(Debug)]
pub struct FlashDone {
    generation: u64,
    result: io::Result<()>,
}

impl FlashJob {
    /// Writes. Blocks for as long as the flash needs.
    pub fn run(self) -> FlashDone {
        FlashDone { generation: self.generation, result: files::replace(&self.path, 0o600, &self.bytes, Medium::Flash) }
    }
}

impl Journal {
    /// Opens the journal of the two folders and restores the ledger from the newer usable copy.
    pub fn open(run_dir: &Path, state_dir: &Path, clock: &Clock) -> io::Result<(Journal, Ledger, Restored)> {
        let state_path = state_dir.join(FILE);
        let mut reader = Reader::default();
        let (run, tail) = RecordLog::open(&run_dir.join(FILE), Medium::Tmpfs, |raw| reader.take(raw))?;
        let run_copy = reader.finish(end(tail));
        let state_copy = match File::open(&state_path) {
            Ok(mut file) => {
                let mut reader = Reader::default();
                let (bytes, tail) = record_log::scan(&mut file, |raw| reader.take(raw))?;
                // It is replaced in one step, hence never empty; the run folder's copy is made empty.
                reader.finish(if bytes == 0 { End::Corrupt } else { end(tail) })
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Side::None,
            Err(e) => return Err(e),
        };
        let (mut ledger, mut restored) = restore::choose(run_copy, state_copy, clock.unix());
        let (log_file, log, sound) = LogFile::open(&run_dir.join(LOG_FILE))?;
        if !sound {
            restored.findings.push("the access log in the run folder is damaged and starts anew; what bundles say of it stays true".into());
        }
        ledger.take_log(log);
        let mut journal = Journal {
            run,
            log: log_file,
            log_fails: false,
            run_fails: false,
            flash_fails: false,
            log_fault: None,
            state_path,
            generation: restored.generation,
            snapshot: 0,
            written: None,
            flash_generation: restored.state_generation,
            opened: clock.now(),
            flash_tried: None,
            flash_busy: false,
            flash_is_clean: restored.state_clean,
        };
        if journal.flash_is_clean && ledger.sessions().next().is_some() {
            // From here on a stop without warning must not look like the good one before.
            journal.flush(&mut ledger, clock)?;
        } else if tail != Tail::Whole || (restored.clean && !restored.state_clean && ledger.sessions().next().is_some()) {
            // Opening has cut the damage off: what is left must not be taken for whole by another start. Nor may a
            // goodbye that only this copy holds, as where flash could not be written at the end.
            journal.write(&mut ledger, clock, false)?;
        }
        Ok((journal, ledger, restored))
    }

    /// Whether there is something the run folder's copy does not hold.
    pub fn dirty(&self, ledger: &Ledger) -> bool {
        ledger.is_dirty()
    }

    /// Whether a write to flash is under way.
    pub fn is_busy(&self) -> bool {
        self.flash_busy
    }

    /// When [`Journal::tick`] has something to do next; `None` while nothing changes.
    pub fn next_tick(&self, ledger: &Ledger) -> Option<Mono> {
        let run = ledger.is_dirty().then(|| self.written.map_or(Mono(0), |at| at.plus(RUN_EVERY)));
        let flash = (self.generation > self.flash_generation && !self.flash_busy).then(|| self.flash_at(ledger));
        [run, flash].into_iter().flatten().min()
    }

    /// Writes what is due; cheap where nothing is. The job it may return is to be run and told to [`Journal::flashed`].
    pub fn tick(&mut self, ledger: &mut Ledger, clock: &Clock) -> io::Result<Option<FlashJob>> {
        let now = clock.now();
        if ledger.is_dirty() && self.written.is_none_or(|at| now >= at.plus(RUN_EVERY)) {
            self.commit(ledger, clock)?;
        }
        if self.generation <= self.flash_generation || self.flash_busy || now < self.flash_at(ledger) {
            return Ok(None);
        }
        // Both copies of one number hold the same, so that after a kill the run folder's is the one that counts.
        self.commit(ledger, clock)?;
        (self.flash_tried, self.flash_busy) = (Some(now), true);
        ledger.flashed();
        Ok(Some(self.flash_job(ledger, clock, false, self.generation)))
    }

    /// Writes the run folder's copy now. What was sealed before may be sent after it.
    pub fn commit(&mut self, ledger: &mut Ledger, clock: &Clock) -> io::Result<()> {
        if self.flash_is_clean {
            return self.flush(ledger, clock);
        }
        if ledger.is_dirty() { self.write(ledger, clock, false) } else { Ok(()) }
    }

    /// Writes both copies now. Blocks for as long as the flash needs.
    pub fn flush(&mut self, ledger: &mut Ledger, clock: &Clock) -> io::Result<()> {
        self.write_both(ledger, clock, false)
    }

    /// Writes both copies and marks that the process ends in good order; what changes after it un-marks it. A
    /// [`FlashJob`] still on its way must have ended.
    pub fn close(&mut self, ledger: &mut Ledger, clock: &Clock) -> io::Result<()> {
        self.write_both(ledger, clock, true)
    }

    /// Whether the last write of each file succeeded.
    pub fn is_well(&self) -> bool {
        !(self.log_fails || self.run_fails || self.flash_fails)
    }

    /// Why the access log's lines did not reach their file; told once until they do. They are kept in memory as far as
    /// the ring goes, and written with the journal's next change. Metering does not wait for them.
    pub fn log_fault(&mut self) -> Option<io::Error> {
        self.log_fault.take()
    }

    /// Takes note of what became of a write to flash; gives its error back. It is tried again half an hour later, or
    /// with the next session that ends.
    pub fn flashed(&mut self, done: FlashDone) -> io::Result<()> {
        self.flash_busy = false;
        self.flash_fails = done.result.is_err();
        done.result?;
        self.flash_generation = self.flash_generation.max(done.generation);
        Ok(())
    }

    fn write_both(&mut self, ledger: &mut Ledger, clock: &Clock, clean: bool) -> io::Result<()> {
        if self.flash_is_clean {
            // The run folder's copy allows sending, and by then flash must not hold an older goodbye.
            self.write_flash(ledger, clock, clean, self.generation + 1)?;
            return self.write(ledger, clock, clean);
        }
        let run = self.write(ledger, clock, clean);
        let generation = self.generation + u64::from(run.is_err());
        self.write_flash(ledger, clock, clean, generation).and(run)
    }

    fn write_flash(&mut self, ledger: &mut Ledger, clock: &Clock, clean: bool, generation: u64) -> io::Result<()> {
        let job = self.flash_job(ledger, clock, clean, generation);
        self.flash_tried = Some(clock.now());
        self.flashed(job.run())?;
        self.flash_is_clean = clean;
        ledger.flashed();
        Ok(())
    }

    fn flash_job(&self, ledger: &Ledger, clock: &Clock, clean: bool, generation: u64) -> FlashJob {
        let stamp = Stamp { generation, unix: clock.unix(), clean };
        FlashJob { path: self.state_path.clone(), generation, bytes: restore::encode(stamp, true, ledger.snapshot()) }
    }

    fn flash_at(&self, ledger: &Ledger) -> Mono {
        if ledger.wants_flash() {
            return self.flash_tried.map_or(Mono(0), |at| at.plus(FLASH_SPACING));
        }
        self.flash_tried.unwrap_or(self.opened).plus(FLASH_EVERY)
    }

    fn write(&mut self, ledger: &mut Ledger, clock: &Clock, clean: bool) -> io::Result<()> {
        let stamp = Stamp { generation: self.generation + 1, unix: clock.unix(), clean };
        self.written = Some(clock.now());
        let anew = self.snapshot == 0 || self.run.length() > 2 * self.snapshot + SLACK;
        let written = if anew {
            let bytes = restore::encode(stamp, true, ledger.snapshot());
            self.run.rewrite(&bytes).map(|()| self.snapshot = bytes.len() as u64)
        } else {
            self.run.append_bytes(&restore::encode(stamp, false, ledger.delta()))
        };
        self.run_fails = written.is_err();
        if self.run_fails {
            self.snapshot = 0; // whatever stands there now, the next write replaces it
        }
        written?;
        self.generation += 1;
        ledger.journaled();
        self.write_log(ledger);
        Ok(())
    }

    fn write_log(&mut self, ledger: &mut Ledger) {
        let fault = self.log.write(ledger.access_log()).err();
        let failed = std::mem::replace(&mut self.log_fails, fault.is_some());
        self.log_fault = fault.filter(|_| !failed).or(self.log_fault.take());
    }
}

#[cfg(test)]
mod tests {
    use super::super::access_log::Line;
    use super::super::access_log::tests::{check, line};
    use super::restore::Source;
    use super::*;

    const W: u64 = 1_766_152_800;

    struct Folders(PathBuf);

    impl Folders {
        fn new(name: &str) -> Folders {
            let folder = std::env::temp_dir().join(format!("echomesh-journal-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&folder);
            for part in ["run", "state"] {
                std::fs::create_dir_all(folder.join(part)).unwrap();
            }
            Folders(folder)
        }

        fn run(&self) -> PathBuf {
            self.0.join("run")
        }

        fn state(&self) -> PathBuf {
            self.0.join("state")
        }

        fn open(&self, clock: &Clock) -> (Journal, Ledger, Restored) {
            Journal::open(&self.run(), &self.state(), clock).unwrap()
        }

        fn written(&self) -> (u64, u64) {
            let size = |folder: PathBuf| std::fs::metadata(folder.join(FILE)).map_or(0, |m| m.len());
            (size(self.run()), size(self.state()))
        }
    }

    impl Drop for Folders {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn tick(journal: &mut Journal, ledger: &mut Ledger, clock: &Clock) -> bool {
        let job = journal.tick(ledger, clock).unwrap();
        let flashed = job.is_some();
        if let Some(job) = job {
            journal.flashed(job.run()).unwrap();
        }
        flashed
    }

    fn bytes_of(ledger: &Ledger) -> u64 {
        ledger.session("s").map_or(0, |c| c.totals().ingress)
    }

    #[test]
    fn an_idle_node_writes_nothing() {
        let folders = Folders::new("idle");
        let clock = Clock::test(W);
        let (mut journal, mut ledger, restored) = folders.open(&clock);
        assert_eq!(restored.source, Source::Fresh);
        assert_eq!((journal.dirty(&ledger), journal.next_tick(&ledger)), (false, None));
        clock.advance(FLASH_EVERY * 3);
        assert!(!tick(&mut journal, &mut ledger, &clock));
        journal.commit(&mut ledger, &clock).unwrap();
        assert_eq!(folders.written(), (0, 0));
    }

    #[test]
    fn run_copy_every_second_flash_every_half_hour_and_at_a_sessions_end() {
        let folders = Folders::new("cadence");
        let clock = Clock::test(W);
        let (mut journal, mut ledger, _) = folders.open(&clock);
        ledger.open("s", Vec::new(), W).unwrap();
        let mut sizes = Vec::new();
        for n in 0..4 {
            ledger.add("s", clock.unix(), 1, 0);
            assert!(!tick(&mut journal, &mut ledger, &clock), "{n}");
            sizes.push(folders.written().0);
            clock.advance(Duration::from_millis(500));
        }
        assert!(sizes[0] > 0 && sizes[1] == sizes[0] && sizes[2] > sizes[1] && sizes[3] == sizes[2], "{sizes:?}");
        assert_eq!(journal.next_tick(&ledger), Some(Mono(2000)));
        clock.advance(RUN_EVERY);
        assert!(!tick(&mut journal, &mut ledger, &clock));
        assert_eq!(journal.next_tick(&ledger), Some(Mono(0).plus(FLASH_EVERY)), "one timer is left");
        clock.advance(FLASH_EVERY);
        assert!(tick(&mut journal, &mut ledger, &clock));
        assert_eq!(journal.next_tick(&ledger), None);
        clock.advance(FLASH_SPACING);
        ledger.finish("s", clock.unix());
        assert!(tick(&mut journal, &mut ledger, &clock));
        assert_eq!(journal.next_tick(&ledger), None);
    }

    #[test]
    fn a_kill_costs_a_second_a_power_cut_goes_back_to_flash_and_a_goodbye_costs_nothing() {
        let folders = Folders::new("stops");
        let clock = Clock::test(W);
        let (mut journal, mut ledger, _) = folders.open(&clock);
        ledger.open("s", b"session".to_vec(), W).unwrap();
        ledger.add("s", W, 1, 0);
        journal.flush(&mut ledger, &clock).unwrap();
        clock.advance(RUN_EVERY);
        ledger.add("s", W + 1, 2, 0);
        tick(&mut journal, &mut ledger, &clock);
        ledger.add("s", W + 1, 4, 0);
        drop((journal, ledger)); // kill -9

        clock.advance(Duration::from_secs(9));
        let (mut journal, mut ledger, restored) = folders.open(&clock);
        assert_eq!((restored.source, restored.clean, restored.lost), (Source::Run, false, Some((W + 1, W + 10))));
        assert_eq!(bytes_of(&ledger), 3);
        assert_eq!(ledger.session("s").unwrap().definition(), b"session");
        tick(&mut journal, &mut ledger, &clock);
        drop((journal, ledger));

        std::fs::remove_file(folders.run().join(FILE)).unwrap(); // a power cut empties the run folder
        let (mut journal, mut ledger, restored) = folders.open(&clock);
        assert_eq!((restored.source, restored.lost), (Source::State, Some((W, W + 10))));
        assert_eq!(bytes_of(&ledger), 1);
        ledger.seal_all(clock.unix());
        journal.close(&mut ledger, &clock).unwrap();
        drop((journal, ledger));

        std::fs::remove_file(folders.run().join(FILE)).unwrap(); // an orderly reboot does, too
        let (journal, ledger, restored) = folders.open(&clock);
        assert_eq!((restored.source, restored.clean, bytes_of(&ledger)), (Source::State, true, 1));
        drop((journal, ledger)); // killed before anything changed: the goodbye before must not count for this one
        let (_, _, restored) = folders.open(&clock);
        assert!(!restored.clean);
    }

    #[test]
    fn the_goodbye_of_an_empty_node_is_taken_back_with_the_first_change() {
        let folders = Folders::new("goodbye");
        let clock = Clock::test(W);
        let (mut journal, mut ledger, _) = folders.open(&clock);
        ledger.set_stopped(true);
        journal.close(&mut ledger, &clock).unwrap();
        drop((journal, ledger));
        let before = folders.written();
        let (mut journal, mut ledger, restored) = folders.open(&clock);
        assert!(restored.clean && ledger.stopped());
        assert_eq!(folders.written(), before, "an idle start writes nothing");
        ledger.open("s", Vec::new(), W).unwrap();
        tick(&mut journal, &mut ledger, &clock);
        std::fs::remove_file(folders.run().join(FILE)).unwrap();
        let (_, ledger, restored) = folders.open(&clock);
        assert!(!restored.clean && ledger.session("s").is_some());
    }

    #[test]
    fn damage_is_told_once_and_does_not_pass_for_whole_afterwards() {
        let folders = Folders::new("damage");
        let clock = Clock::test(W);
        let (mut journal, mut ledger, _) = folders.open(&clock);
        ledger.open("s", Vec::new(), W).unwrap();
        for n in 0..3 {
            ledger.add("s", W + n, 1, 0);
            clock.advance(RUN_EVERY);
            tick(&mut journal, &mut ledger, &clock);
        }
        drop((journal, ledger));
        let path = folders.run().join(FILE);
        let mut bytes = std::fs::read(&path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let (_, ledger, restored) = folders.open(&clock);
        assert_eq!((restored.findings.len(), bytes_of(&ledger)), (1, 2));
        assert!(ledger.session("s").unwrap().is_unsure());
        let (_, ledger, restored) = folders.open(&clock);
        assert!(restored.findings.is_empty());
        assert!(ledger.session("s").unwrap().is_unsure(), "opening has cut the damage off; what it meant stays known");
    }

    #[test]
    fn the_run_copy_is_compacted() {
        let folders = Folders::new("compact");
        let clock = Clock::test(W);
        let (mut journal, mut ledger, _) = folders.open(&clock);
        for n in 0..40 {
            ledger.open(&format!("s{n}"), vec![1; 100], W).unwrap();
        }
        let mut most = 0;
        for n in 0..60 {
            for s in 0..40 {
                ledger.add(&format!("s{s}"), W + n, 1, 1);
            }
            clock.advance(RUN_EVERY);
            tick(&mut journal, &mut ledger, &clock);
            most = most.max(folders.written().0);
        }
        let (_, ledger, _) = folders.open(&clock);
        assert_eq!(ledger.session("s7").unwrap().totals().ingress, 60);
        assert!(most < 2 * 40_000 + SLACK + 10_000 && most > SLACK, "{most}");
        assert!(folders.written().0 < most, "it was written anew in between");
    }

    #[test]
    fn a_write_that_fails_lets_nothing_leave_and_is_made_up_for() {
        let folders = Folders::new("fails");
        let clock = Clock::test(W);
        let (mut journal, mut ledger, _) = folders.open(&clock);
        ledger.open("s", Vec::new(), W).unwrap();
        std::fs::rename(folders.run(), folders.0.join("away")).unwrap();
        assert!(journal.commit(&mut ledger, &clock).is_err());
        assert!(journal.dirty(&ledger) && !ledger.session("s").unwrap().journaled());
        std::fs::rename(folders.0.join("away"), folders.run()).unwrap();
        journal.commit(&mut ledger, &clock).unwrap();
        assert!(ledger.session("s").unwrap().journaled());
        let (_, ledger, _) = folders.open(&clock);
        assert!(ledger.session("s").is_some());
    }

    /// One tunnel of `s` that closed now.
    fn close_tunnel(ledger: &mut Ledger, clock: &Clock) {
        ledger.closed("s", Line { t: clock.unix(), ..line(2) });
    }

    /// The digests of the bundles of `s` that wait, oldest first.
    fn digests(ledger: &Ledger) -> Vec<String> {
        ledger.session("s").map_or(Vec::new(), |c| c.state.spool.iter().map(|s| s.log.digest.to_string()).collect())
    }

    fn exports(ledger: &Ledger, digest: &str) -> bool {
        ledger.export().any(|text| text.contains(digest))
    }

    #[test]
    fn lines_outlive_a_kill_but_for_the_last_second() {
        let folders = Folders::new("lines");
        let clock = Clock::test(W);
        let (mut journal, mut ledger, _) = folders.open(&clock);
        ledger.open("s", Vec::new(), W).unwrap();
        for _ in 0..3 {
            close_tunnel(&mut ledger, &clock);
            clock.advance(RUN_EVERY);
            tick(&mut journal, &mut ledger, &clock);
        }
        assert!(journal.log_fault().is_none());
        close_tunnel(&mut ledger, &clock);
        drop((journal, ledger)); // kill -9 within the second

        let (mut journal, mut ledger, _) = folders.open(&clock);
        assert_eq!((check(ledger.export()), ledger.export().count()), ((1, 0), 3 + 1));
        // The session goes on in the same 300 seconds, in a window and a chunk of its own.
        close_tunnel(&mut ledger, &clock);
        ledger.finish("s", clock.unix());
        tick(&mut journal, &mut ledger, &clock);
        assert_eq!((check(ledger.export()), ledger.export().count()), ((2, 0), 4 + 2));
        let before: Vec<String> = ledger.export().collect();
        drop((journal, ledger));
        let (_, ledger, _) = folders.open(&clock);
        assert!(ledger.export().eq(before));
        let digests = digests(&ledger);
        assert_eq!(digests.len(), 2);
        assert!(digests.iter().all(|d| exports(&ledger, d)), "each bundle's lines can be checked");
    }

    #[test]
    fn a_kill_between_the_two_files_leaves_a_chunk_that_says_what_is_missing() {
        for (lines, seals) in [(1, false), (2, false), (2, true)] {
            let folders = Folders::new("between");
            let clock = Clock::test(W);
            let (mut journal, mut ledger, _) = folders.open(&clock);
            ledger.open("s", Vec::new(), W).unwrap();
            close_tunnel(&mut ledger, &clock);
            tick(&mut journal, &mut ledger, &clock);
            let path = folders.run().join(LOG_FILE);
            let before = std::fs::read(&path).unwrap();
            (0..lines).for_each(|_| close_tunnel(&mut ledger, &clock));
            if seals {
                // The next window begins, and its first line is lost together with those of the one before.
                clock.advance(Duration::from_secs(300));
                close_tunnel(&mut ledger, &clock);
            }
            clock.advance(RUN_EVERY);
            tick(&mut journal, &mut ledger, &clock);
            drop((journal, ledger));
            std::fs::write(&path, &before).unwrap();

            let (mut journal, mut ledger, _) = folders.open(&clock);
            let missing = lines + u64::from(seals);
            assert_eq!(check(ledger.export()), (0, missing));
            assert!(digests(&ledger).iter().all(|d| exports(&ledger, d)), "every chunk has its bundle's digest");
            tick(&mut journal, &mut ledger, &clock);
            drop((journal, ledger));
            assert_eq!(check(folders.open(&clock).1.export()), (0, missing), "and keeps it");
        }
    }

    #[test]
    fn a_power_cut_takes_the_lines_and_the_export_says_so() {
        let folders = Folders::new("lines-gone");
        let clock = Clock::test(W);
        let (mut journal, mut ledger, _) = folders.open(&clock);
        ledger.open("s", Vec::new(), W).unwrap();
        close_tunnel(&mut ledger, &clock);
        journal.flush(&mut ledger, &clock).unwrap();
        drop((journal, ledger));
        for name in [FILE, LOG_FILE] {
            std::fs::remove_file(folders.run().join(name)).unwrap();
        }
        let (_, ledger, _) = folders.open(&clock);
        assert_eq!((check(ledger.export()), ledger.export().count()), ((0, 1), 1));
    }

    #[test]
    fn a_damaged_access_log_starts_anew_and_costs_no_counter() {
        let folders = Folders::new("log-damage");
        let clock = Clock::test(W);
        let (mut journal, mut ledger, _) = folders.open(&clock);
        ledger.open("s", Vec::new(), W).unwrap();
        ledger.add("s", W, 5, 0);
        close_tunnel(&mut ledger, &clock);
        tick(&mut journal, &mut ledger, &clock);
        drop((journal, ledger));
        std::fs::write(folders.run().join(LOG_FILE), b"not a record, by far").unwrap();
        let (_, ledger, restored) = folders.open(&clock);
        assert_eq!((restored.findings.len(), bytes_of(&ledger), check(ledger.export())), (1, 5, (0, 1)));
        assert!(folders.open(&clock).2.findings.is_empty(), "told once");
    }

    #[test]
    fn lines_that_cannot_be_written_hold_nothing_up() {
        let folders = Folders::new("log-fails");
        let clock = Clock::test(W);
        let (mut journal, mut ledger, _) = folders.open(&clock);
        ledger.open("s", Vec::new(), W).unwrap();
        // Where the file is to be written anew, something is in the way.
        std::fs::create_dir(folders.run().join("access.log.new")).unwrap();
        let many = |ledger: &mut Ledger| (0..1500).for_each(|_| close_tunnel(ledger, &clock));
        let mut faults = 0;
        for _ in 0..3 {
            many(&mut ledger);
            clock.advance(RUN_EVERY);
            tick(&mut journal, &mut ledger, &clock);
            assert!(!journal.dirty(&ledger));
            faults += usize::from(journal.log_fault().is_some());
        }
        assert_eq!(faults, 1, "told once");
        std::fs::remove_dir(folders.run().join("access.log.new")).unwrap();
        many(&mut ledger);
        clock.advance(RUN_EVERY);
        tick(&mut journal, &mut ledger, &clock);
        let before: Vec<String> = ledger.export().collect();
        drop((journal, ledger));
        assert!(folders.open(&clock).1.export().eq(before));
    }
}
