//! Deletes what a node is: keys, counters, roster, settings. Finished at the next start where a kill came between.
//!
//! ```text
//! 1. `leaving` in the state folder     from here on it is decided: no start uses what is left
//! 2. every other file of ours          keys first
//! 3. the settings, back to all off     by whoever may write them: the daemon, or root, whose copy for the daemon goes, too
//! 4. `leaving` itself
//! ```

use std::io;
use std::path::Path;

use crate::config::{self, Settings, batch};
use crate::platform::files::{self, Medium};
use crate::platform::given;

/// The mark that it was decided. Empty.
const MARK: &str = "leaving";
/// Every file this program keeps in the state folder, keys first.
const STATE_FILES: [&str; 6] = ["identity", "succession", "listener.key", "journal", "roster", "coordinator-keys"];
/// The vendor's scripts in the state folder, which the package made: to be kept, and no news.
const SCRIPTS: &str = "offload.d";
/// And in the run folder, but for its sockets.
const RUN_FILES: [&str; 3] = ["journal", "access.log", "failed"];

/// Whether it was decided here and is not finished.
pub fn is_begun(state_dir: &Path) -> bool {
    state_dir.join(MARK).exists()
}

/// Step 1. Blocks for the flash, as all here.
///
/// # Errors
/// It cannot be written; nothing has happened.
pub fn begin(state_dir: &Path) -> io::Result<()> {
    files::replace(&state_dir.join(MARK), 0o600, b"", Medium::Flash)
}

/// Step 2. The names of what else lies in the state folder: not this program's, so not its to delete.
///
/// # Errors
/// The first file that cannot be deleted; all others are.
pub fn files(run_dir: &Path, state_dir: &Path) -> io::Result<Vec<String>> {
    let state = STATE_FILES.iter().map(|name| state_dir.join(name));
    let failed = state.chain(RUN_FILES.iter().map(|name| run_dir.join(name))).filter_map(|path| {
        let removed = files::remove(&path);
        removed.err().map(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))
    });
    // All of them are tried before the first fault is told.
    let failed: Vec<io::Error> = failed.collect();
    files::sync_folder_of(&state_dir.join(MARK))?;
    if let Some(first) = failed.into_iter().next() {
        return Err(first);
    }
    let names = std::fs::read_dir(state_dir)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter(|name| name != MARK && name != SCRIPTS).collect())
}

/// What step 3 makes of `now`: every option at its default, which is off. Only the state folder stays where it is: a
/// kill before step 4 must find the mark again.
pub fn off(now: &Settings) -> Settings {
    let mut off = Settings::default();
    off.node.state_dir.clone_from(&now.node.state_dir);
    off
}

/// Step 3, in the UCI file at `config`. The copy that the daemon of `run_dir` was given goes with it: a daemon that procd
/// starts again would make a new node of what it says.
///
/// # Errors
/// The file has errors, or cannot be written.
pub fn settings(config: &Path, run_dir: &Path) -> io::Result<()> {
    let (now, _) = config::read(config).map_err(|e| io::Error::other(e.to_string()))?;
    batch::commit(config, &now, &off(&now))?;
    files::remove(&given::settings(run_dir))
}

/// Step 4.
///
/// # Errors
/// The mark cannot be deleted.
pub fn end(state_dir: &Path) -> io::Result<()> {
    let path = state_dir.join(MARK);
    files::remove(&path).and_then(|()| files::sync_folder_of(&path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_ours_goes_and_what_is_not_ours_is_named() {
        let folder = std::env::temp_dir().join(format!("echomesh-erase-{}", std::process::id()));
        let (run, state) = (folder.join("run"), folder.join("state"));
        for dir in [&run, &state] {
            files::folder(dir, 0o700).unwrap();
        }
        for name in STATE_FILES {
            std::fs::write(state.join(name), b"x").unwrap();
        }
        std::fs::write(state.join("identity.new"), b"half written").unwrap();
        std::fs::write(run.join("journal"), b"x").unwrap();
        std::fs::write(state.join("diary"), b"not ours").unwrap();
        assert!(!is_begun(&state));
        begin(&state).unwrap();
        assert!(is_begun(&state));
        for _ in 0..2 {
            assert_eq!(files(&run, &state).unwrap(), ["diary"]);
        }
        end(&state).unwrap();
        let left: Vec<_> = std::fs::read_dir(&state).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!((left.len(), is_begun(&state), std::fs::read_dir(&run).unwrap().count()), (1, false, 0));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn settings_go_back_to_all_off() {
        let path = std::env::temp_dir().join(format!("echomesh-erase-{}.config", std::process::id()));
        std::fs::write(
            &path,
            "config node 'node'\n\toption enabled '1'\n\tlist region_allow 'PH'\n\nconfig network 'network'\n\toption max_mbps '3'\n",
        )
        .unwrap();
        settings(&path, &path.with_extension("run")).unwrap();
        assert_eq!(config::read(&path).unwrap().0, Settings::default());
        std::fs::remove_file(&path).unwrap();
    }
}
