//! Damaged files: flipped bytes, cut off, emptied, replaced. The node names the file and stops, or tells the owner and goes
//! on; it never panics, and never counts twice.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::kill::Dice;
use crate::support::buyer::wish;
use crate::support::{Plan, World, books, until, within};

fn damaged(good: &[u8], how: u64, dice: &mut Dice) -> Vec<u8> {
    let mut bad = good.to_vec();
    match how {
        _ if good.is_empty() => bad = vec![7; 64],
        0 => bad.clear(),
        1 => bad.truncate(usize::try_from(dice.roll(good.len() as u64)).unwrap()),
        2 => bad = (0..good.len().max(64)).map(|_| dice.roll(256) as u8).collect(),
        3 => bad.extend([0; 4096]),
        _ => {
            for _ in 0..1 + dice.roll(8) {
                let at = usize::try_from(dice.roll(bad.len() as u64)).unwrap();
                bad[at] ^= 1 << dice.roll(8);
            }
        }
    }
    bad
}

fn stop(world: &mut World, signal: Signal) {
    world.node.running().signal(signal);
    world.node.running().ended(Duration::from_secs(10));
    world.node.process = None;
}

/// What became of a start: the message it ended with, or the integrity alert that stands (empty: none).
#[track_caller]
fn start(world: &mut World) -> Result<String, String> {
    world.node.launch();
    let log = world.folder.join("node.log");
    let before = std::fs::metadata(&log).map_or(0, |m| m.len());
    let came_up = within(Duration::from_secs(30), "it starts or says why not", || {
        if let Ok(answer) = world.node.call("GET", "/status", "")
            && answer.status == 200
        {
            return Some(Ok(answer.json()));
        }
        world.node.running().exited().map(Err)
    });
    let text = String::from_utf8_lossy(&std::fs::read(&log).unwrap()[usize::try_from(before).unwrap().saturating_sub(400)..]).into_owned();
    assert!(!text.contains("panicked"), "{text}");
    match came_up {
        Ok(status) => {
            let alert = status["alerts"].as_array().unwrap().iter().find(|a| a["id"] == "integrity").map(|a| a["message"].to_string());
            Ok(alert.unwrap_or_default())
        }
        Err(status) => {
            world.node.process = None;
            assert!(status.code().is_some_and(|c| (64..=78).contains(&c)), "{status}: {text}");
            Err(text.lines().last().unwrap_or_default().to_owned())
        }
    }
}

#[test]
fn a_damaged_file_is_named_and_nothing_is_billed_twice() {
    let mut dice = Dice(u64::from(std::process::id()));
    println!("dice start at {}", dice.0);
    let mut world = World::start(Plan::default());
    let mut sessions = vec![world.market.open(&wish())];
    let mut door = world.door(&sessions[0]);
    // A successor of the coordinator's key, so that there is such a file.
    world.operator(&["key", "rotate"]);
    let (run, state) = (world.node.run_dir.clone(), world.node.state_dir.clone());
    until("the successor is kept", || state.join("coordinator-keys").exists().then_some(()));
    let files: [PathBuf; 6] = [
        state.join("identity"),
        state.join("listener.key"),
        state.join("coordinator-keys"),
        state.join("journal"),
        run.join("journal"),
        run.join("access.log"),
    ];
    for (number, path) in files.iter().enumerate() {
        for how in 0..6 {
            world.fetch(&door, 20_000);
            until("the journal is written", || path.exists().then_some(()));
            stop(&mut world, if (number as u64 + how).is_multiple_of(2) { Signal::SIGTERM } else { Signal::SIGKILL });
            one(&mut world, path, how, &mut dice);
            if world.node.quarantine().is_some() {
                // Nothing whole was left of the journal: the sessions end, and the owner has to look.
                assert!(path.ends_with("journal"), "{how} {}", path.display());
                let before = sessions.last().unwrap();
                until("the session is over", || (world.market.seen(before)["state"] == "settled").then_some(()));
                world.node.said(&["control", "clear-quarantine"]);
                sessions.push(world.market.open(&wish()));
                door = world.door(sessions.last().unwrap());
            }
            // Asked of the node itself: a buyer who comes before the session is known again would be taken for a stranger.
            until("the session is there", || {
                world.node.session(&sessions.last().unwrap().id).filter(|s| s["state"] == "active" || s["state"] == "probing")
            });
        }
    }
    let (sent, received) = world.origin_counts();
    let (last, over) = sessions.split_last().unwrap();
    let mut bundles: Vec<_> = over.iter().flat_map(|session| books::bundles(&world, session)).collect();
    bundles.extend(books::settle(&world, last));
    let (ingress, egress) = books::billed(&bundles);
    assert!(ingress <= sent && egress <= received, "billed {ingress}, {egress}; moved {sent}, {received}");
    // Both copies of the journal were never damaged at once: of 36 rounds most must have been billed.
    assert!(ingress >= sent / 2, "billed {ingress} of {sent}");
}

/// Damages the file, starts, and leaves a node that runs.
fn one(world: &mut World, path: &Path, how: u64, dice: &mut Dice) {
    let good = std::fs::read(path).unwrap();
    let bad = damaged(&good, how, dice);
    std::fs::write(path, &bad).unwrap();
    let same = bad == good;
    let name = path.file_name().unwrap().to_str().unwrap();
    let in_state = path.starts_with(&world.node.state_dir);
    match (start(world), name) {
        // Who the node is cannot be guessed: it does not start, and the evidence stays.
        (Err(said), "identity" | "listener.key") => {
            assert!(said.contains(path.to_str().unwrap()), "{how}: {said}");
            assert_eq!(std::fs::read(path).unwrap(), bad);
            std::fs::write(path, &good).unwrap();
            start(world).unwrap();
        }
        (Ok(_), "identity") => panic!("{how}: it started with a damaged identity"),
        // A flipped bit may leave a key that can be read: then it is another, and pinned clients refuse it.
        (Ok(_), "listener.key") => {}
        (Ok(alert), "coordinator-keys") => assert!(same || alert.contains(name), "{how}: {alert}"),
        (Ok(alert), "access.log") => assert!(how != 2 || alert.contains("access log"), "{how}: {alert}"),
        (Ok(alert), _) => {
            // The run folder's copy may be empty or end anywhere after a kill; a hole in it cannot be told from that.
            let must_tell = in_state || how >= 2;
            assert!(same || !must_tell || alert.contains("journal"), "{how} {}: {alert:?}", path.display());
        }
        (Err(said), _) => panic!("{how} {}: it does not start: {said}", path.display()),
    }
    world.node.state("running");
}
