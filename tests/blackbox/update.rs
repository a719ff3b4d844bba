//! Updates from outside: the real program as updater, as the program before and as the program after; a real HTTPS server;
//! signatures by minisign itself; a service that starts what `update which` names.

mod ends;
mod refusals;
mod room;
mod steps;
mod trials;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::buyer::wish;
use crate::support::process::text;
use crate::support::releases::{Key, NEW, NEWER, OLD, Releases, program};
use crate::support::router::Router;
use crate::support::{Plan, World, until};

/// A small program that is the new version, but for what `and` does first.
fn wrapped(version: &str, and: &str) -> Vec<u8> {
    format!("#!/bin/sh\n{and}\nexec {} \"$@\"\n", program(version).display()).into_bytes()
}

/// A router whose daemon runs, and the server and key of its updates.
fn ready() -> (Router, Releases, Key) {
    let releases = Releases::start();
    let key = releases.key("release");
    let router = Router::new(&releases, &key.public);
    router.start();
    (router, releases, key)
}

#[test]
fn an_update_is_tried_kept_and_taken_back_under_a_live_session() {
    let mut world = World::without_node(Plan::default());
    let releases = Releases::start();
    let (old_key, key) = (releases.key("old"), releases.key("release"));
    let mut settings = world.node.settings.clone();
    settings.add("update", "key", &old_key.public);
    let router = Router::with(&releases, &key.public, settings, "demo part node");
    router.start();
    world.node.run_dir = router.run_dir.clone();
    world.node.state("running");
    let session = world.market.open(&wish());
    world.fetch(&world.door(&session), 100_000);
    releases.release(NEW, &program(NEW), &key);

    let said = router.update(&["check"]);
    assert!(text(&said.stdout).contains(&format!("{NEW} can be installed")) && text(&said.stdout).contains("Faster."), "{}", text(&said.stdout));
    let done = router.apply(&[]);
    assert!(done.status.success(), "{} {:?}", text(&done.stderr), router.last());

    let status = router.status().unwrap();
    assert_eq!((&status["version"], &status["update"]["runs"], &status["update"]["phase"]), (&NEW.into(), &"trial".into(), &"done".into()));
    assert_eq!((&status["state"], &status["coordinator"]["reachable"]), (&"running".into(), &true.into()));
    assert!(!status["alerts"].to_string().contains("update-"), "{}", status["alerts"]);
    world.fetch(&world.door(&session), 100_000);
    let green = router.green().unwrap();
    assert_eq!((router.which(), fs::read(&green).unwrap()), (green.clone(), fs::read(program(NEW)).unwrap()));
    assert_eq!(fs::metadata(&green).unwrap().permissions().mode() & 0o777, 0o755);
    let tried = router.tmp(green.file_name().unwrap().to_str().unwrap());
    assert_eq!(router.started()[1], tried.to_str().unwrap());
    // tmpfs is given back, and a crash of what was started by this path finds the program there.
    assert_eq!((fs::read_link(&tried).unwrap(), router.tmp("trial").exists()), (green.clone(), false));

    router.service("restart");
    router.version(NEW);
    world.node.state("running");
    assert_eq!(router.status().unwrap()["update"]["runs"], "update");
    world.fetch(&world.door(&session), 100_000);
    assert_eq!(router.refused(&[]), (65, "not-newer".into()));

    let back = router.update(&["rollback"]);
    assert!(back.status.success(), "{}", text(&back.stderr));
    assert_eq!((router.status().unwrap()["version"].clone(), router.which(), router.green()), (OLD.into(), router.blue(), None));
    world.node.state("running");
    world.fetch(&world.door(&session), 100_000);
    assert_eq!(router.refused(&[]), (65, "refused".into()), "what the owner went back from does not come back by itself");
    assert!(text(&router.update(&["rollback"]).stdout).contains("packaged program"), "there is nothing left to go back from");
}

#[test]
fn auto_does_what_the_owner_allowed() {
    let (mut router, releases, key) = ready();
    let auto = |router: &Router| {
        let output = router.update(&["auto"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    releases.publish(NEW, &wrapped(NEW, ""), &key, |m| m["rollout"] = 0.into());
    assert!(auto(&router).contains("auto_update is 0"));
    assert!(releases.asked().is_empty(), "nobody was asked");
    router.settings.set("update", "auto_update", "1");
    router.write_settings();
    assert!(auto(&router).contains("0 %"), "a rollout elsewhere is no failure");
    until("the owner hears that there is something", || {
        let alerts = router.status()?["alerts"].clone();
        alerts.as_array()?.iter().any(|a| a["id"] == "update-available").then_some(())
    });
    releases.drop_all();
    assert_eq!(router.update(&["auto"]).status.code(), Some(69), "no server is one");
}

#[test]
fn the_status_tells_how_far_it_is_and_a_second_updater_waits_for_none() {
    let (router, releases, key) = ready();
    let bytes = [wrapped(NEW, ""), vec![b'#'; 400_000]].concat();
    releases.publish(NEW, &bytes, &key, |_| ());
    let name = format!("echomesh-{NEW}");
    releases.stall(&name, Some(200_000));
    let first = router.update_in_background(&["apply", "--probation", "1"]);
    until("half of it is here", || (router.last()["bytes"].as_u64()? > 100_000).then_some(()));
    let told = router.told();
    assert_eq!((&told["busy"], &told["trial"], &told["last"]["phase"]), (&true.into(), &false.into(), &"downloading".into()));
    assert_eq!((&told["last"]["size"], &told["last"]["version"]), (&bytes.len().into(), &NEW.into()));
    let status = router.status().unwrap();
    assert_eq!((&status["update"]["phase"], &status["update"]["available"]), (&"downloading".into(), &NEW.into()));
    assert_eq!(router.apply(&[]).status.code(), Some(69), "busy");
    assert_eq!(router.last()["phase"], "downloading", "the second says nothing about the first");
    releases.stall(&name, None);
    let first = first.wait_with_output().unwrap();
    assert!(first.status.success(), "{}", text(&first.stderr));
    router.version(NEW);
}

#[test]
fn what_breaks_off_is_continued() {
    let (router, releases, key) = ready();
    let bytes = [wrapped(NEW, ""), vec![b'#'; 500_000]].concat();
    let name = format!("echomesh-{NEW}");
    releases.publish(NEW, &bytes, &key, |_| ());
    releases.cut(&name, 300_000);
    assert!(router.apply(&[]).status.success());
    let asked: Vec<String> = releases.asked().into_iter().filter(|a| a.contains(&name)).collect();
    assert_eq!(asked.len(), 2, "{asked:?}");
    let from: usize = asked[1].rsplit(' ').next().unwrap().parse().unwrap();
    assert!((1..=300_000).contains(&from), "{asked:?}");

    // What an updater that was killed left is continued, too; and where it is rubbish, it comes anew.
    let newer = [wrapped(NEWER, ""), vec![b'#'; 500_000]].concat();
    releases.publish(NEWER, &newer, &key, |_| ());
    let part = router.tmp(&format!("{}.part", &blake3::hash(&newer).to_hex()[..32]));
    fs::write(&part, vec![0; 400_000]).unwrap();
    fs::write(router.tmp("0123.part"), "of another program").unwrap();
    let done = router.apply(&[]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let asked: Vec<String> = releases.asked().into_iter().filter(|a| a.contains(&format!("echomesh-{NEWER}"))).collect();
    assert!(asked.len() == 2 && asked[0].ends_with("from 400000") && !asked[1].contains("from"), "{asked:?}");
    assert!(!router.tmp("0123.part").exists());
    assert_eq!((router.which_version().as_str(), fs::read(router.which()).unwrap()), (NEWER, newer));
}

#[test]
fn which_believes_only_what_is_whole_and_root_s() {
    let (router, releases, key) = ready();
    releases.publish(NEW, &wrapped(NEW, ""), &key, |_| ());
    assert!(router.apply(&[]).status.success());
    let green = router.green().unwrap();
    let record = green.with_file_name("record");
    let (bytes, said) = (fs::read(&green).unwrap(), fs::read(&record).unwrap());
    let mode = |path: &std::path::Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let expect = |what: &str, path: &std::path::Path| assert_eq!(router.which(), path, "{what}");
    expect("as it was installed", &green);
    fs::write(&green, [&bytes[..bytes.len() - 1], b" "].concat()).unwrap();
    expect("a changed byte", &router.blue());
    fs::write(&green, &bytes).unwrap();
    mode(&green, 0o775);
    expect("others can write it", &router.blue());
    mode(&green, 0o644);
    expect("it cannot be run", &router.blue());
    mode(&green, 0o755);
    mode(green.parent().unwrap(), 0o777);
    expect("others can write the folder", &router.blue());
    mode(green.parent().unwrap(), 0o755);
    fs::rename(&green, router.folder().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(router.folder().join("elsewhere"), &green).unwrap();
    expect("a link", &router.blue());
    fs::remove_file(&green).unwrap();
    expect("it is gone", &router.blue());
    fs::rename(router.folder().join("elsewhere"), &green).unwrap();
    for (what, bytes) in [("cut off", &said[..said.len() / 2]), ("empty", b"".as_slice()), ("nonsense", b"\xff\x00{}".as_slice())] {
        fs::write(&record, bytes).unwrap();
        expect(what, &router.blue());
    }
    fs::write(&record, &said).unwrap();
    expect("as it was again", &green);
    // A mark nobody stands by starts no trial, whatever lies there.
    fs::write(router.tmp("trial"), format!("b3:{}", blake3::hash(&bytes).to_hex())).unwrap();
    let tried = router.tmp(green.file_name().unwrap().to_str().unwrap());
    fs::remove_file(&tried).unwrap();
    fs::copy(&green, &tried).unwrap();
    expect("a trial without an updater", &green);
    // A package that became newer takes over.
    fs::remove_file(router.blue()).unwrap();
    fs::copy(program(NEWER), router.blue()).unwrap();
    expect("a newer package", &router.blue());
}
