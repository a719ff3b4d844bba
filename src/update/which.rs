//! Which program the service shall start: the one under trial, the update in force, or the packaged one.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::place::{Place, is_our_program};
use super::record::Record;
use super::trial;
use super::version::Version;
use crate::codec::Hash;

/// The program to start. Never fails: what is odd about an update makes it the packaged one.
///
/// Reads the whole update, because flash forgets: about a quarter of a second on a slow router, at a start of the service only.
pub fn program(place: &Place) -> PathBuf {
    trial::running(place).or_else(|| update(place)).unwrap_or_else(|| place.blue())
}

/// The update in force, whole and ours.
fn update(place: &Place) -> Option<PathBuf> {
    let active = Record::read(place).active.filter(|a| a.stands_over(Version::own()))?;
    let path = place.green_file(&active.file());
    (is_our_program(&path) && hash(&path).ok() == Some(active.hash)).then_some(path)
}

/// Version of what is installed, trials apart. Does not read the program.
pub fn installed(record: &Record) -> Version {
    let own = Version::own();
    record.active.as_ref().filter(|a| a.stands_over(own)).map_or(own, |a| a.version)
}

/// The hash of a file, read in pieces.
pub fn hash(path: &Path) -> io::Result<Hash> {
    let mut hasher = blake3::Hasher::new();
    io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok(Hash(hasher.finalize().into()))
}
