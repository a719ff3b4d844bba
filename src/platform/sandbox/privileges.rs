//! What a process may do for who it is: no_new_privs, capabilities, limits.

use nix::sys::prctl::set_no_new_privs;
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::geteuid;

use crate::platform::sys;

/// Users below this number are the system's own, not people: what they may run at once can be bounded without harm to others.
const FIRST_PERSON: u32 = 1000;
/// Processes and threads of such a user: four threads, the readers of files beside them, a child that derives a key.
const MOST_TASKS: u64 = 64;

/// What is left of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Privileges {
    uid: u32,
    no_new_privs: bool,
    no_capabilities: bool,
    no_core: bool,
    bounded_tasks: bool,
}

impl Privileges {
    /// Gives them up, as far as the kernel lets it.
    pub(super) fn give_up() -> Privileges {
        let uid = geteuid().as_raw();
        let bounded = uid != 0 && uid < FIRST_PERSON;
        Privileges {
            uid,
            no_new_privs: set_no_new_privs().is_ok(),
            no_capabilities: sys::drop_capabilities().is_ok(),
            // A core would hold the keys.
            no_core: setrlimit(Resource::RLIMIT_CORE, 0, 0).is_ok(),
            bounded_tasks: bounded && setrlimit(Resource::RLIMIT_NPROC, MOST_TASKS, MOST_TASKS).is_ok(),
        }
    }

    pub(super) const fn are_given_up(&self) -> bool {
        self.no_new_privs && self.no_capabilities && self.no_core
    }

    pub(super) const fn is_root(&self) -> bool {
        self.uid == 0
    }

    pub(super) fn parts(&self) -> Vec<(String, String)> {
        let word = |done: bool| if done { "on" } else { "off: the kernel refuses" }.to_owned();
        let user = if self.is_root() { "off: it runs as root".to_owned() } else { format!("on, number {}", self.uid) };
        let limits = match (self.no_core, self.bounded_tasks) {
            (false, _) => word(false),
            (true, true) => format!("on, no core file, {MOST_TASKS} tasks"),
            (true, false) => "on, no core file".to_owned(),
        };
        let parts = [
            ("user", user),
            ("noNewPrivs", word(self.no_new_privs)),
            ("capabilities", if self.no_capabilities { "on, none is left".to_owned() } else { word(false) }),
            ("limits", limits),
        ];
        parts.map(|(name, text)| (name.to_owned(), text)).into()
    }

    #[cfg(test)]
    pub(super) const fn known(uid: u32, done: bool) -> Privileges {
        Privileges { uid, no_new_privs: done, no_capabilities: done, no_core: done, bounded_tasks: false }
    }
}
