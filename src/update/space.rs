//! Whether flash, tmpfs and RAM have room for a program.

use std::path::{Path, PathBuf};

use nix::sys::statfs::statfs;
use nix::sys::statvfs::statvfs;

use super::place::Place;
use super::{Trouble, trouble::Id};
use crate::platform::facts;

/// Left on flash for settings, identity and journal.
const FLASH_LEFT: u64 = 256 * 1024;
/// Left on tmpfs, and of RAM for the daemon that is restarted and for the rest of the router.
const RAM_LEFT: u64 = 4 * 1024 * 1024;
/// File systems of flash that compress (`statfs(2)`): JFFS2, UBIFS. A program needs about half there; three fifths are asked for.
const COMPRESSING: [u64; 2] = [0x72b6, 0x2405_1905];

/// Refuses a program of `size` bytes, of which `have` are on tmpfs already.
pub fn check(place: &Place, size: u64, have: u64) -> Result<(), Trouble> {
    let more = size.saturating_sub(have);
    for (what, free) in [("tmpfs", free(place.tmp())), ("RAM", facts::available_bytes())] {
        refuse(what, free, more + RAM_LEFT, "free some memory, or install the package by opkg or apk")?;
    }
    flash(place, size)
}

/// Refuses where flash has no room for a program of `size` bytes.
pub fn flash(place: &Place, size: u64) -> Result<(), Trouble> {
    let medium = medium(place);
    // A program that is replaced is removed before where both do not fit: the packaged one stands behind it.
    let old = std::fs::read_dir(place.green()).into_iter().flatten().flatten();
    let old: u64 = old.filter_map(|e| e.metadata().ok()).map(|m| m.len()).sum();
    let stored = |bytes: u64| if compresses(&medium) { bytes / 5 * 3 } else { bytes };
    refuse(
        "flash",
        free(&medium).map(|f| f + stored(old)),
        stored(size) + FLASH_LEFT,
        "remove a package you do not need, or install the new package by opkg or apk",
    )
}

/// Whether the program before must go first.
pub fn is_tight(place: &Place, size: u64) -> bool {
    let medium = medium(place);
    let needed = if compresses(&medium) { size / 5 * 3 } else { size };
    free(&medium).is_some_and(|free| free < needed + FLASH_LEFT)
}

/// Where the green folder's bytes go: the overlay itself, whose figures overlayfs does not pass on.
fn medium(place: &Place) -> PathBuf {
    let overlay = place.system("/overlay");
    if overlay.is_dir() {
        return overlay;
    }
    let green = place.green();
    green.ancestors().find(|p| p.is_dir()).unwrap_or(Path::new("/")).to_owned()
}

fn refuse(what: &str, free: Option<u64>, needed: u64, remedy: &str) -> Result<(), Trouble> {
    match free {
        Some(free) if free < needed => {
            let kib = |bytes: u64| bytes.div_ceil(1024);
            Err(Trouble::new(Id::Space, format!("{what} has {} KiB left, and the update needs {}: {remedy}", kib(free), kib(needed))))
        }
        _ => Ok(()),
    }
}

fn free(path: &Path) -> Option<u64> {
    let fs = statvfs(path).ok()?;
    // Their widths differ by system.
    #[allow(clippy::useless_conversion)]
    let (blocks, size) = (u64::from(fs.blocks_available()), u64::from(fs.fragment_size()));
    blocks.checked_mul(size)
}

fn compresses(path: &Path) -> bool {
    // Its width and sign differ by system.
    #[allow(clippy::useless_conversion)]
    let kind = statfs(path).ok().and_then(|fs| u64::try_from(fs.filesystem_type().0).ok());
    kind.is_some_and(|kind| COMPRESSING.contains(&kind))
}
