//! Too little room: on flash, on tmpfs, and where it runs out while it is written. In mount namespaces of their own.

use std::process::{Command, Output};

use super::{ready, wrapped};
use crate::support::process::text;
use crate::support::releases::{NEW, OLD};
use crate::support::router::Router;

/// `apply` where `mounts` (shell) changed what it sees; `None` where that is not allowed.
fn apply_with(router: &Router, mounts: &str) -> Option<Output> {
    let allowed = Command::new("unshare").args(["--mount", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    if !allowed.is_ok_and(|o| o.status.success()) {
        println!("SKIPPED: needs root, unshare and mount");
        return None;
    }
    let script = format!("cd {} && {mounts} && exec \"$0\" \"$@\"", router.root.display());
    let arguments = router.arguments(&["apply", "--probation", "1", "--patience", "20"]);
    Some(Command::new("unshare").args(["--mount", "sh", "-c", &script]).arg(router.blue()).args(arguments).output().unwrap())
}

#[test]
fn what_does_not_fit_is_refused_before_anything_happens() {
    let (router, releases, key) = ready();
    releases.publish(NEW, &[wrapped(NEW, ""), vec![b'#'; 900_000]].concat(), &key, |_| ());
    for (what, mounts) in [
        ("flash", "mkdir -p overlay && mount -t tmpfs -o size=1m none overlay"),
        ("tmpfs", "mkdir -p var/run/echomesh-update && mount -t tmpfs -o size=4m,mode=755 none var/run/echomesh-update"),
    ] {
        let Some(output) = apply_with(&router, mounts) else { return };
        let said = text(&output.stderr);
        assert!(output.status.code() == Some(73) && said.starts_with(&format!("echomesh: {what} has")), "{what}: {said}");
    }
    assert_eq!((router.started().len(), router.green(), router.which()), (1, None, router.blue()));
}

#[test]
fn flash_that_is_full_after_all_leaves_what_was_before() {
    let (router, releases, key) = ready();
    releases.publish(NEW, &[wrapped(NEW, ""), vec![b'#'; 900_000]].concat(), &key, |_| ());
    // The overlay says that there is room, and there is none where it is written.
    let Some(output) = apply_with(&router, "mkdir -p overlay && mount -t tmpfs -o size=512k,mode=755 none usr/lib/echomesh") else { return };
    let said = text(&output.stderr);
    assert!(output.status.code() == Some(73) && said.contains("cannot be kept") && said.contains(&format!("{OLD} runs again")), "{said}");
    assert_eq!(router.started().len(), 3, "the trial, and what was before again");
    assert_eq!((router.status().unwrap()["version"].clone(), router.which()), (OLD.into(), router.blue()));
    assert!(router.apply(&[]).status.success(), "with room it is tried again");
}

#[test]
fn where_both_do_not_fit_the_one_before_goes_first() {
    let (router, releases, key) = ready();
    let size = 1_200_000;
    let sized = |version: &str| {
        let program = wrapped(version, "");
        [program.clone(), vec![b'#'; size - program.len()]].concat()
    };
    releases.publish(NEW, &sized(NEW), &key, |_| ());
    // Room for one and a half: all in one namespace, because the file system ends with it.
    let update = format!("{} {}", router.blue().display(), router.arguments(&["apply", "--probation", "1"]).join(" "));
    let mounts = format!(
        "mount -t tmpfs -o size=1900k,mode=755 none usr/lib/echomesh && {update} && cp usr/lib/echomesh/green/record first && touch published && while [ -e published ]; do sleep 0.05; done"
    );
    std::thread::scope(|scope| {
        let router = &router;
        let work = scope.spawn(move || apply_with(router, &mounts));
        // Where namespaces are not allowed the work ends at once.
        crate::support::until("the first is installed", || (work.is_finished() || router.root.join("published").exists()).then_some(()));
        if work.is_finished() {
            let output = work.join().unwrap();
            assert!(output.is_none(), "{output:?}");
            return;
        }
        releases.publish("0.1.8", &sized("0.1.8"), &key, |_| ());
        std::fs::remove_file(router.root.join("published")).unwrap();
        let output = work.join().unwrap().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains(&format!("0.1.8 is in force; {NEW} was before")), "{}", text(&output.stdout));
        assert!(std::fs::read_to_string(router.root.join("first")).unwrap().contains(NEW));
        router.version("0.1.8");
    });
}
