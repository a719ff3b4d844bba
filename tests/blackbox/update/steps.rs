//! Killed at every change it makes to any file system: strace ends the updater at its n-th rename, sync or removal, for every n.

use std::collections::BTreeSet;
use std::process::{Command, Output};

use super::{ready, wrapped};
use crate::support::process::text;
use crate::support::releases::{NEW, OLD};
use crate::support::router::Router;

/// The system calls that change what is on a file system, data apart (what is written has another name until one of these), and
/// how many of them are one step here: most removals are of what is not there.
const CHANGES: [(&str, usize); 4] = [("rename,renameat,renameat2", 1), ("fsync,fdatasync", 1), ("mkdir,mkdirat", 1), ("unlink,unlinkat", 3)];

/// `apply`, killed at the entry of its `n`-th call of these.
fn apply_killed_at(router: &Router, calls: &str, n: usize) -> Output {
    let inject = format!("inject={calls}:signal=KILL:when={n}");
    let mut strace = Command::new("strace");
    strace.args(["-o", "/dev/null", "-e", &format!("trace={calls}"), "-e", &inject]).arg(router.blue());
    strace.args(router.arguments(&["apply", "--probation", "0", "--patience", "20"])).output().unwrap()
}

/// After a kill: a whole program is the next to start, and it does. Gives its version.
fn starts_again(router: &Router, at: &str) -> String {
    assert_eq!(router.told()["busy"], false, "{at}");
    let version = router.which_version();
    let green = router.green().is_some_and(|green| router.which() == green);
    assert!(version == if green { NEW } else { OLD }, "{at}: {version}");
    router.service("restart");
    router.version(&version);
    if green {
        let back = router.update(&["rollback"]);
        assert!(back.status.success(), "{at}: {}", text(&back.stderr));
    }
    let _ = std::fs::remove_dir_all(router.root.join("usr/lib/echomesh/green"));
    version
}

#[test]
fn at_whichever_change_it_is_killed_a_whole_program_is_the_next() {
    if !Command::new("strace").args(["-o", "/dev/null", "true"]).output().is_ok_and(|o| o.status.success()) {
        println!("SKIPPED: needs strace, and to be allowed to trace");
        return;
    }
    let (router, releases, key) = ready();
    releases.publish(NEW, &wrapped(NEW, ""), &key, |_| ());
    let (mut seen, mut kills) = (BTreeSet::new(), 0);
    for (calls, step) in CHANGES {
        for n in (1..).step_by(step) {
            assert!(n < 200, "it never came to its end");
            let output = apply_killed_at(&router, calls, n);
            let phase = router.last()["phase"].as_str().unwrap_or("none").to_owned();
            let ended = output.status.success();
            let at = format!("{calls} {n}, {phase}: {}", text(&output.stderr));
            assert!(!ended || phase == "done", "{at}");
            // Every other time the power is gone, too: tmpfs is empty then.
            if n % 2 == 0 {
                router.power_cut();
            }
            let version = starts_again(&router, &at);
            if ended {
                assert_eq!(version, NEW, "{at}");
                break;
            }
            kills += 1;
            seen.insert((phase, version));
        }
    }
    // It was killed before and after the moment of change, and in every phase.
    let both = |version: &str| seen.iter().any(|(_, v)| v == version);
    assert!(both(OLD) && both(NEW) && kills > 15, "{kills}: {seen:?}");
    for phase in ["checking", "downloading", "verifying", "trial", "probation", "installing"] {
        assert!(seen.iter().any(|(p, _)| p == phase), "{phase}: {seen:?}");
    }
}
