//! The owner's scripts: which they are, and running them, one after another.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::news::News;
use super::queue::Queue;
use crate::platform::errand::{Errands, Outcome};
use crate::platform::trusted;

/// What a script has to be done within.
const LIMIT: Duration = Duration::from_secs(2);
/// Scripts that are run; more are passed over. With [`LIMIT`] an event takes half a minute at the very most.
const MOST: usize = 16;
/// Entries of the folder that are looked at.
const MOST_ENTRIES: usize = 256;
/// What package managers and editors leave beside a file.
const LEFT_BESIDE: [&str; 7] = ["-opkg", ".apk-new", ".dpkg-new", ".dpkg-old", ".bak", ".orig", "~"];

/// The folder of scripts.
pub struct Scripts {
    dir: PathBuf,
    user: u32,
    /// What was last said of a script, or of the folder (under its own name): said once, until it changes.
    said: BTreeMap<OsString, String>,
}

impl Scripts {
    /// Those in `dir`, as long as none but root and `user` can change them.
    pub fn new(dir: PathBuf, user: u32) -> Scripts {
        Scripts { dir, user, said: BTreeMap::new() }
    }

    /// Runs them for whatever comes. For ever.
    pub fn serve(&mut self, queue: &Queue, errands: &Errands) {
        loop {
            let (news, dropped) = queue.next();
            self.run(&news, dropped, errands);
        }
    }

    fn run(&mut self, news: &News, dropped: u32, errands: &Errands) {
        let mut env = news.environment();
        env.push(("ECHOMESH_DROPPED", dropped.to_string()));
        let names = self.names();
        for name in &names {
            let path = self.dir.join(name);
            let runs = trusted::program(&path, self.user);
            let outcome = match runs {
                Ok(true) => match errands.run(&path, &[news.kind()], &env, LIMIT) {
                    Outcome::Done => None,
                    Outcome::Over => return,
                    other => Some(format!("{}: {other}", path.display())),
                },
                Ok(false) => None,
                Err(why) => Some(format!("a script is passed over: {why}")),
            };
            self.say(name.clone(), outcome);
        }
        let dir = self.dir.as_os_str();
        self.said.retain(|name, _| name == dir || names.contains(name));
    }

    /// The scripts by name; none where the folder is not trusted.
    fn names(&mut self) -> Vec<OsString> {
        let found = match trusted::folder(&self.dir, self.user) {
            // No folder: nobody wants anything to be run.
            Err(trusted::Distrust::Io(_, e)) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(why) => Err(format!("no script is run: {why}")),
            Ok(()) => fs::read_dir(&self.dir).map_err(|e| format!("no script is run: {}: {e}", self.dir.display())).map(|entries| {
                let mut names: Vec<OsString> = entries.take(MOST_ENTRIES).filter_map(|e| Some(e.ok()?.file_name())).filter(is_script).collect();
                names.sort_unstable();
                names
            }),
        };
        let (mut names, why) = match found {
            Ok(names) if names.len() > MOST => {
                let why = format!("{} has {} scripts; those after the first {MOST} are not run", self.dir.display(), names.len());
                (names, Some(why))
            }
            Ok(names) => (names, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        names.truncate(MOST);
        self.say(self.dir.clone().into(), why);
        names
    }

    /// Says what is new.
    fn say(&mut self, name: OsString, what: Option<String>) {
        match what {
            Some(what) if self.said.get(&name) != Some(&what) => {
                log::warn!("{what}");
                self.said.insert(name, what);
            }
            Some(_) => {}
            None => {
                if self.said.remove(&name).is_some() {
                    log::info!("{}: all is well again", name.display());
                }
            }
        }
    }
}

fn is_script(name: &OsString) -> bool {
    let Some(name) = name.to_str() else { return false };
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-~".contains(&b));
    plain && !name.starts_with('.') && !LEFT_BESIDE.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_left_beside_is_no_script() {
        for name in ["10-vendor", "20_x.sh", "a"] {
            assert!(is_script(&name.into()), "{name}");
        }
        for name in [".hidden", "10-vendor-opkg", "10-vendor.apk-new", "x~", "x.bak", "a b", "ü", ""] {
            assert!(!is_script(&name.into()) || name.is_empty(), "{name}");
        }
    }
}
