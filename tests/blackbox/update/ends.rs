//! Killed at what can be seen of its way: the next start is of a known program, and the next update succeeds.

use std::fs;
use std::process::Child;

use super::{ready, wrapped};
use crate::support::process::text;
use crate::support::releases::{NEW, OLD};
use crate::support::router::Router;
use crate::support::until;

fn kill(mut updater: Child) {
    updater.kill().unwrap();
    updater.wait().unwrap();
}

/// After a kill: nothing is held, the packaged program is the one to start, and an update succeeds.
fn recovers(router: &Router, at: &str) {
    let told = router.told();
    assert_eq!((&told["busy"], &told["trial"], &told["installed"]), (&false.into(), &false.into(), &OLD.into()), "{at}");
    assert_eq!(router.which(), router.blue(), "{at}");
    let done = router.apply(&[]);
    assert!(done.status.success(), "{at}: {}", text(&done.stderr));
    assert_eq!(router.which_version(), NEW, "{at}");
    router.version(NEW);
    assert!(router.update(&["rollback"]).status.success(), "{at}");
    fs::remove_dir_all(router.root.join("usr/lib/echomesh/green")).unwrap();
}

#[test]
fn killed_while_it_asks_downloads_restarts_or_watches() {
    let (router, releases, key) = ready();
    releases.publish(NEW, &[wrapped(NEW, ""), vec![b'#'; 400_000]].concat(), &key, |_| ());
    let (name, slow) = (format!("echomesh-{NEW}"), ["apply", "--probation", "1000"]);
    for (at, file) in [("checking", "stable.json"), ("downloading", name.as_str())] {
        releases.stall(file, Some(10));
        let updater = router.update_in_background(&slow);
        router.phase(at);
        kill(updater);
        releases.stall(file, None);
        recovers(&router, at);
    }
    // In the middle of the restart, which goes on without its updater.
    fs::write(router.root.join("hold"), "").unwrap();
    let updater = router.update_in_background(&slow);
    router.phase("trial");
    kill(updater);
    assert_eq!(router.which(), router.blue());
    let started = router.started().len();
    fs::remove_file(router.root.join("hold")).unwrap();
    until("the restart goes on", || (router.started().len() > started).then_some(()));
    router.version(OLD);
    recovers(&router, "trial");
    // While it watches: what runs is the trial, until somebody starts the service or updates again.
    let updater = router.update_in_background(&slow);
    router.phase("probation");
    router.version(NEW);
    kill(updater);
    recovers(&router, "probation");
    let updater = router.update_in_background(&slow);
    router.phase("probation");
    router.version(NEW);
    kill(updater);
    router.power_cut();
    router.service("start");
    router.version(OLD);
    recovers(&router, "a power cut");
}
