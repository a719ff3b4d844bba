//! The trial: for how long the program on tmpfs is the one to start.
//!
//! A mark names it. It counts only while the updater that set it holds the lock: whatever ends the updater (kill, crash,
//! power cut) ends the trial with it, and the next start is of a program that is known.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::place::{Place, is_our_program, is_ours};
use crate::codec::Hash;
use crate::platform::files::{self, Medium};

/// The mark: the hash of the program under trial.
const MARK: &str = "trial";
/// The program under trial.
const PROGRAM: &str = "echomesh";
/// Asks the updater that works to go back.
const ABORT: &str = "abort";

/// Path of the program under trial.
pub fn program(place: &Place) -> PathBuf {
    place.tmp_file(PROGRAM)
}

/// The program the service shall start, while a trial lasts.
pub fn running(place: &Place) -> Option<PathBuf> {
    let program = program(place);
    (marked(place).is_some() && place.is_held() && is_our_program(&program)).then_some(program)
}

/// What a mark says, whoever set it.
pub fn marked(place: &Place) -> Option<Hash> {
    let path = place.tmp_file(MARK);
    if !is_ours(place.tmp()) || !is_ours(&path) {
        return None;
    }
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Begins the trial.
pub fn mark(place: &Place, hash: Hash) -> io::Result<()> {
    files::replace(&place.tmp_file(MARK), 0o644, format!("{hash}\n").as_bytes(), Medium::Tmpfs)
}

/// Ends it: the next start is of what is installed.
pub fn unmark(place: &Place) -> io::Result<()> {
    files::remove(&place.tmp_file(MARK))
}

/// Asks the updater at work to go back.
pub fn ask_to_abort(place: &Place) -> io::Result<()> {
    files::replace(&place.tmp_file(ABORT), 0o600, b"", Medium::Tmpfs)
}

/// Whether it was asked to.
pub fn is_aborted(place: &Place) -> bool {
    place.tmp_file(ABORT).exists()
}

/// For the next updater: what was asked of the one before does not concern it.
pub fn forget_abort(place: &Place) {
    let _ = files::remove(&place.tmp_file(ABORT));
}

/// Removes what former updaters left, but for a download of `keep` that can be continued.
pub fn tidy(place: &Place, keep: Option<&str>) {
    for name in [PROGRAM, MARK] {
        let _ = files::remove(&place.tmp_file(name));
    }
    let Ok(found) = fs::read_dir(place.tmp()) else { return };
    for entry in found.flatten() {
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| name.ends_with(".part") && Some(name) != keep) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
