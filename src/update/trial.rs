//! The trial: for how long the program on tmpfs is the one to start.
//!
//! A mark names it. It counts only while the updater that set it holds the lock: whatever ends the updater (kill, crash,
//! power cut) ends the trial with it, and the next start is of a program that is known.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::place::{Place, is_our_program, is_ours};
use super::record::{Record, file_of};
use crate::codec::Hash;
use crate::platform::files::{self, Medium};

/// The mark: the hash of the program under trial.
const MARK: &str = "trial";
/// Where a link is made before it is moved into place; one that was left counts as a broken download.
const LINK: &str = "link.part";
/// Asks the updater that works to go back.
const ABORT: &str = "abort";

/// Path of a program under trial; by the name it will have on flash.
pub fn program(place: &Place, hash: Hash) -> PathBuf {
    place.tmp_file(&file_of(hash))
}

/// The program the service shall start, while a trial lasts.
pub fn running(place: &Place) -> Option<PathBuf> {
    let program = program(place, marked(place)?);
    (place.is_held() && is_our_program(&program)).then_some(program)
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
///
/// A program that is in force by now becomes a link to flash: whoever runs it was started by this path, and is started again by
/// it after a crash.
pub fn tidy(place: &Place, keep: Option<&str>) {
    let _ = unmark(place);
    let in_force = Record::read(place).active.map(|a| a.file());
    let Ok(found) = fs::read_dir(place.tmp()) else { return };
    for entry in found.flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let Some(name) = name.to_str() else { continue };
        if name.starts_with("echomesh-") && in_force.as_deref() == Some(name) {
            if path.is_symlink() {
                continue;
            }
            let link = place.tmp_file(LINK);
            let _ = files::remove(&link);
            if let Err(e) = symlink(place.green_file(name), &link).and_then(|()| fs::rename(&link, &path)) {
                log::warn!("{}: {e}: it stays in RAM until the next start", path.display());
            }
        } else if name.starts_with("echomesh-") || (name.ends_with(".part") && Some(name) != keep) {
            let _ = fs::remove_file(path);
        }
    }
}
