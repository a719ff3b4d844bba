//! The daemon confines itself: what it can give up it gives up, before the first byte from outside. Each part that the kernel
//! has is put on whatever the settings say; they say only whether less than [`Level::Strict`] is enough to serve.
//!
//! Landlock holds the thread that asks and what it starts, so [`confine`] comes before any other thread.

mod calls;
mod files;
mod outside;
mod privileges;

use std::collections::BTreeMap;
use std::path::PathBuf;

use privileges::Privileges;

/// What the process needs of the file system. Fixed from [`confine`] on; a path that is not there is passed over.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// Folders it keeps files in.
    pub keeps: Vec<PathBuf>,
    /// Folders it reads, with all that is beneath them.
    pub reads: Vec<PathBuf>,
    /// Files it reads. They may be replaced, so what lies beside them can be read, too.
    pub files: Vec<PathBuf>,
}

/// How far the process is confined.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// It could do what root can, or come to it.
    None,
    /// No capability, no way to gain one, no core dump.
    Standard,
    /// The same, as a user of its own, who sees few of the system's files: by Landlock, or in a jail.
    Strict,
}

impl Level {
    /// As in `status`.
    pub const fn name(self) -> &'static str {
        match self {
            Level::None => "none",
            Level::Standard => "standard",
            Level::Strict => "strict",
        }
    }
}

/// What was reached.
#[derive(Clone, Debug)]
pub struct Sandbox {
    privileges: Privileges,
    landlock: Result<u32, String>,
    seccomp: Result<usize, String>,
    jail: bool,
}

/// Gives up what can be given up. For the only thread there is.
pub fn confine(needs: &Needs) -> Sandbox {
    let privileges = Privileges::give_up();
    let jail = outside::in_jail();
    let landlock = files::confine(needs);
    Sandbox { privileges, landlock, seccomp: calls::confine(), jail }
}

impl Sandbox {
    /// How far.
    pub fn level(&self) -> Level {
        if !self.privileges.are_given_up() {
            Level::None
        } else if self.privileges.is_root() || !self.files_are_hidden() {
            Level::Standard
        } else {
            Level::Strict
        }
    }

    const fn files_are_hidden(&self) -> bool {
        self.jail || self.landlock.is_ok()
    }

    /// What keeps it from [`Level::Strict`], and what helps.
    pub fn short_of_strict(&self) -> Option<String> {
        let why = if !self.privileges.are_given_up() {
            "the kernel does not let it give up its privileges; start it as a user of its own"
        } else if self.privileges.is_root() {
            "it runs as root; start it as a user of its own, as the init script does"
        } else if !self.files_are_hidden() {
            "it sees all files of the system; install procd-ujail (or a kernel with Landlock) and start it again"
        } else {
            return None;
        };
        Some(format!(
            "the sandbox reaches {}, and security.sandbox_mode strict asks for more: {why}, or set the mode to standard",
            self.level().name()
        ))
    }

    /// Each part with `on`, or why not; a word more where it tells something. Asks the kernel about what is outside this process.
    pub fn parts(&self) -> BTreeMap<String, String> {
        let mut parts = self.privileges.parts();
        let mut tell = |name: &str, text: String| parts.push((name.to_owned(), text));
        tell("jail", if self.jail { "on".into() } else { "off: no file system of its own; OpenWrt makes one where procd-ujail is installed".into() });
        tell("landlock", self.landlock.as_ref().map_or_else(Clone::clone, |version| format!("on, version {version}")));
        tell("seccomp", self.seccomp.as_ref().map_or_else(Clone::clone, |calls| format!("on, {calls} system calls")));
        tell("nftables", outside::nftables());
        parts.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_is_that_of_the_weakest_part() {
        let of = |privileges, landlock: Result<u32, String>, jail| Sandbox { privileges, landlock, seccomp: Err("absent".into()), jail };
        let absent = || Err("absent: this kernel has none".to_owned());
        let (user, root, whole) = (Privileges::known(453, true), Privileges::known(0, true), Privileges::known(453, false));
        for (privileges, landlock, jail, level, word) in [
            (user, absent(), true, Level::Strict, ""),
            (user, Ok(3), false, Level::Strict, ""),
            (user, absent(), false, Level::Standard, "procd-ujail"),
            (root, Ok(3), true, Level::Standard, "as root"),
            (whole, Ok(3), true, Level::None, "privileges"),
        ] {
            let sandbox = of(privileges, landlock, jail);
            assert_eq!(sandbox.level(), level);
            assert_eq!(sandbox.short_of_strict().is_none(), level == Level::Strict);
            assert!(sandbox.short_of_strict().unwrap_or_default().contains(word), "{sandbox:?}");
        }
    }
}
