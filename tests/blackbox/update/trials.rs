//! Trials that fail: what was before runs again, and what failed is not tried again.

use std::fs;

use super::{ready, wrapped};
use crate::support::process::text;
use crate::support::releases::{NEW, NEWER, OLD};
use crate::support::until;

#[test]
fn a_new_version_that_is_not_healthy_is_taken_back() {
    let (router, releases, key) = ready();
    let old = router.started()[0].clone();
    for (version, patience, and, why) in [
        (NEW, "3", "[ \"$1\" = run ] && exit 1", "does not answer"),
        ("0.1.2", "3", "[ \"$1\" = run ] && exec sleep 60", "does not answer"),
        // Healthy at first, then gone and back: a crash loop that has only begun.
        ("0.1.3", "30", "if [ \"$1\" = run ]; then $0-real \"$@\" & sleep 3; kill -9 $!; rm -f $5/pid; $0-real \"$@\" & wait; exit 1; fi", "again"),
    ] {
        let real = format!("ln -sf {} $0-real 2>/dev/null", crate::support::releases::program(version).display());
        releases.publish(version, &wrapped(version, &format!("{real}\n{and}")), &key, |_| ());
        let output = router.update(&["apply", "--probation", "20", "--patience", patience]);
        assert_eq!(output.status.code(), Some(70), "{version}: {}", text(&output.stdout));
        let said = text(&output.stderr);
        assert!(said.contains(why) && said.contains(&format!("{OLD} runs again")), "{version}: {said}");
        assert_eq!(router.last()["reason"], "unhealthy");
        assert_eq!((router.status().unwrap()["version"].clone(), router.which(), router.green()), (OLD.into(), router.blue(), None));
        assert_eq!(router.started().last(), Some(&old));
        let alerts = router.status().unwrap()["alerts"].clone();
        assert!(alerts.as_array().unwrap().iter().any(|a| a["id"] == "update-failed"), "{alerts}");
        assert_eq!(router.refused(&[]), (65, "refused".into()), "it is not tried again by itself");
    }
    // The same version, built anew, is another program.
    releases.publish(NEW, &wrapped(NEW, ": better"), &key, |_| ());
    assert!(router.apply(&[]).status.success());
    router.version(NEW);
    // And where an update is in force, it is what runs again.
    releases.publish(NEWER, &wrapped(NEWER, "[ \"$1\" = run ] && exit 1"), &key, |_| ());
    let output = router.update(&["apply", "--probation", "1", "--patience", "3"]);
    assert_eq!(output.status.code(), Some(70));
    assert_eq!((router.status().unwrap()["version"].clone(), router.which_version().as_str()), (NEW.into(), NEW));
    let output = router.apply(&["--again"]);
    assert_eq!(output.status.code(), Some(70), "the owner may see for themselves");
}

#[test]
fn the_owner_ends_a_trial() {
    let (router, releases, key) = ready();
    releases.publish(NEW, &wrapped(NEW, ""), &key, |_| ());
    let apply = router.update_in_background(&["apply", "--probation", "1000"]);
    router.phase("probation");
    router.version(NEW);
    assert_eq!((router.which().parent(), router.told()["trial"].clone()), (Some(router.tmp("").as_path()), true.into()));
    let back = router.update(&["rollback"]);
    assert!(back.status.success(), "{}", text(&back.stderr));
    let apply = apply.wait_with_output().unwrap();
    assert!(apply.status.code() == Some(65) && text(&apply.stderr).contains("the owner ended it"), "{}", text(&apply.stderr));
    assert_eq!((router.status().unwrap()["version"].clone(), router.which()), (OLD.into(), router.blue()));
    // It was not the program's fault.
    assert!(router.apply(&[]).status.success());
}

#[test]
fn an_update_that_no_longer_comes_up_is_gone_back_from() {
    let (router, releases, key) = ready();
    let broken = router.folder().join("broken");
    releases.publish(NEW, &wrapped(NEW, &format!("[ \"$1\" = run ] && [ -e {} ] && exit 1", broken.display())), &key, |_| ());
    assert!(router.apply(&[]).status.success());
    let rescue = |expected: &str| {
        let output = router.update(&["rescue"]);
        assert!(output.status.success() && text(&output.stdout).contains(expected), "{} {}", text(&output.stdout), text(&output.stderr));
    };
    rescue("nothing to do");
    fs::write(&broken, "").unwrap();
    router.kill();
    router.service("start");
    rescue("back to");
    assert_eq!((router.status().unwrap()["version"].clone(), router.which()), (OLD.into(), router.blue()));
    rescue("nothing to go back from");
    assert_eq!(router.refused(&[]), (65, "refused".into()));
}

#[test]
fn a_service_that_does_not_restart_changes_nothing_for_long() {
    let (router, releases, key) = ready();
    releases.publish(NEW, &wrapped(NEW, ""), &key, |_| ());
    fs::write(router.root.join("no-restart"), "").unwrap();
    assert_eq!(router.refused(&[]), (71, "system".into()));
    assert_eq!((router.which(), router.status().unwrap()["version"].clone()), (router.blue(), OLD.into()));
    fs::remove_file(router.root.join("no-restart")).unwrap();
    assert!(router.apply(&[]).status.success(), "that was no fault of the program's");
    until("it runs", || (router.status()?["version"] == NEW).then_some(()));
}
