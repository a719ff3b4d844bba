//! What root tells the daemon: a folder beside the run folder, root's to write and the daemon's to read.
//!
//! Root writes nothing in the run folder itself: that one is the daemon's, and whoever took the daemon over could lay a
//! link there for root to follow.
//!
//! ```text
//! /var/run/echomesh-root/          0750 root:echomesh, by the init script
//!   echomesh         the settings in force, a copy that the init script checked
//!   ntp-synced       NTP has set the clock since boot: empty, by its hotplug script
//!   nft-loaded       the nftables table holds: empty, by the init script
//!   uplink-country   two letters, where a modem's script knows its network
//! ```

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The user the daemon runs as on OpenWrt.
pub const USER: &str = "echomesh";
/// File that NTP's hotplug script makes.
pub const NTP_SYNCED: &str = "ntp-synced";
/// Two letters, written where the uplink is a modem that knows its network.
pub const UPLINK_COUNTRY: &str = "uplink-country";
/// The init script's copy of the settings.
const SETTINGS: &str = "echomesh";

/// Root's folder beside `run_dir`.
pub fn folder(run_dir: &Path) -> PathBuf {
    let mut name = run_dir.file_name().unwrap_or(OsStr::new("run")).to_owned();
    name.push("-root");
    run_dir.with_file_name(name)
}

/// Where `name` may lie, root's folder first; in the run folder, where nobody runs an init script.
pub fn places(run_dir: &Path, name: &str) -> [PathBuf; 2] {
    [folder(run_dir).join(name), run_dir.join(name)]
}

/// The copy of the settings that the daemon of `run_dir` is given.
pub fn settings(run_dir: &Path) -> PathBuf {
    folder(run_dir).join(SETTINGS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lies_beside_the_run_folder() {
        assert_eq!(folder(Path::new("/var/run/echomesh")), Path::new("/var/run/echomesh-root"));
        assert_eq!(folder(Path::new("/var/run/echomesh/")), Path::new("/var/run/echomesh-root"));
        assert_eq!(settings(Path::new("r")), Path::new("r-root/echomesh"));
        assert_eq!(folder(Path::new("/")), Path::new("/run-root"), "whatever is said, never a folder of the daemon's");
    }
}
