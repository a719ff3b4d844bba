//! Writing to flash: the program once, then the record that puts it in force. The record is the one moment of change.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::place::Place;
use super::record::{Active, Record, file_of};
use super::{Trouble, space, trouble::Id, which};
use crate::platform::files;

/// Puts `program` in force. At any end of power before the record is replaced, what was in force stays so; where flash has no
/// room for both, the program before goes first, and in between it is the packaged one.
pub fn install(place: &Place, program: &Path, active: Active, newest: u64) -> Result<(), Trouble> {
    let failed = |e: io::Error| {
        Trouble::new(Id::Space, format!("{}: {e}; the update cannot be kept, and what was before runs again", place.green().display()))
    };
    let mut record = Record::read(place);
    let size = fs::metadata(program).map_err(failed)?.len();
    files::folder(&place.green(), 0o755).map_err(failed)?;
    remove_others(place, &[Some(&active), record.active.as_ref()]);
    if space::is_tight(place, size) && record.active.take().is_some() {
        record.write(place).map_err(failed)?;
        remove_others(place, &[]);
    }
    let path = place.green_file(&file_of(active.hash));
    files::write(&path, 0o755, &mut |file| io::copy(&mut File::open(program)?, file)).map_err(failed)?;
    // What cannot be read back is not put in force.
    if which::hash(&path).map_err(failed)? != active.hash {
        let _ = fs::remove_file(&path);
        return Err(Trouble::new(Id::System, "what was written to flash does not read back: the flash may be worn out; what was before runs again"));
    }
    record.newest = record.newest.max(newest);
    record.refused.retain(|r| r.hash != active.hash);
    record.active = Some(active);
    record.write(place).map_err(failed)?;
    remove_others(place, &[record.active.as_ref()]);
    Ok(())
}

/// Goes back to the packaged program, and remembers why.
pub fn uninstall(place: &Place, why: &str) -> Result<(), Trouble> {
    let mut record = Record::read(place);
    if let Some(active) = record.active.take() {
        record.refuse(active.hash, why);
        let failed = |e: io::Error| Trouble::new(Id::System, format!("{}: {e}", place.green().display()));
        record.write(place).map_err(failed)?;
    }
    remove_others(place, &[]);
    Ok(())
}

/// Removes programs that are in nobody's use, and what a cut left of one half-written.
fn remove_others(place: &Place, keep: &[Option<&Active>]) {
    for entry in fs::read_dir(place.green()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let kept = keep.iter().flatten().any(|a| name.to_str() == Some(&a.file()));
        if !kept && name.to_str().is_some_and(|n| n.starts_with("echomesh-")) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
