//! Folders that are full or cannot be written. They are small file systems of their own, which only root can mount.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::buyer::wish;
use crate::support::world::SHOP;
use crate::support::{Plan, World, books, until};

/// A tmpfs of its own, unmounted when dropped.
pub struct Small(PathBuf);

impl Small {
    /// Mounts `kib` KiB at `path`; says why and gives `None` where that is not allowed.
    pub fn mount(path: &Path, kib: u32) -> Option<Small> {
        std::fs::create_dir_all(path).unwrap();
        let options = format!("size={kib}k,mode=0700");
        let mounted =
            nix::unistd::geteuid().is_root() && quiet(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "echomesh-test"]).arg(path));
        if !mounted {
            println!("SKIPPED: a small file system needs root, and mount");
            return None;
        }
        Some(Small(path.to_owned()))
    }

    pub fn remount(&self, how: &str) {
        // Not while a file is open for writing.
        until(how, || quiet(Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(&self.0)).then_some(()));
    }

    /// Leaves no byte free.
    pub fn fill(&self) {
        let mut file = std::fs::File::create(self.0.join("filler")).unwrap();
        while file.write(&[0; 1024]).is_ok_and(|n| n > 0) {}
        drop(file);
        let mut rest = std::fs::OpenOptions::new().append(true).open(self.0.join("filler")).unwrap();
        while rest.write(&[0]).is_ok_and(|n| n > 0) {}
    }

    pub fn free(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        quiet(Command::new("umount").arg("-l").arg(&self.0));
    }
}

fn quiet(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

fn integrity(world: &World) -> Option<String> {
    let status = world.node.status();
    let alert = status["alerts"].as_array().unwrap().iter().find(|a| a["id"] == "integrity")?.clone();
    Some(alert["message"].as_str().unwrap().to_owned())
}

#[track_caller]
fn told(world: &World, what: &str) {
    until("the owner is told", || integrity(world).filter(|message| message.contains(what)).map(drop));
}

#[test]
fn on_full_folders_the_node_serves_on_tells_it_and_loses_nothing() {
    let mut world = World::without_node(Plan::default());
    let Some(run) = Small::mount(&world.node.run_dir.clone(), 512) else { return };
    let Some(state) = Small::mount(&world.node.state_dir.clone(), 512) else { return };
    world.node.start();
    let session = world.market.open(&wish());
    let door = world.door(&session);
    world.fetch(&door, 200_000);
    run.fill();
    state.fill();
    // Counters stay in memory, buyers notice nothing. What is new of more sessions does not fit into the last page.
    for _ in 0..8 {
        world.market.open(&wish());
    }
    for _ in 0..3 {
        world.fetch(&door, 300_000);
    }
    told(&world, "the journal cannot be written");
    world.fetch(&door, 50_000);
    let counted = books::counted(&world, &session);
    let (sent, received) = world.origin_counts();
    assert!(counted.0 >= 1_150_000 && counted.0 <= sent && counted.1 <= received, "{counted:?} of {sent}, {received}");
    let log = world.node.running().log();
    let lines = log.lines().filter(|l| l.contains("the journal cannot be written")).count();
    assert!((1..=3).contains(&lines), "it is said once, not every second: {lines} times");
    // What is in no journal is not sent: the session closes, and its bundle waits.
    world.market.close(&session);
    until("the bundle waits", || (world.node.status()["coordinator"]["spooledBundles"] == 1).then_some(()));
    assert_ne!(world.market.seen(&session)["state"], "settled");
    run.free();
    state.free();
    until("with room again the session settles", || (world.market.seen(&session)["state"] == "settled").then_some(()));
    assert_eq!(books::billed(&books::bundles(&world, &session)), counted);
    books::verify(&world);
    until("and the alert goes", || integrity(&world).is_none().then_some(()));
    assert!(!world.node.running().log().contains("panicked"));
}

#[test]
fn a_state_folder_that_turns_read_only_or_full_is_told_and_named() {
    let mut world = World::without_node(Plan::default());
    let Some(state) = Small::mount(&world.node.state_dir.clone(), 512) else { return };
    world.node.start();
    let session = world.market.open(&wish());
    let door = world.door(&session);
    world.fetch(&door, 100_000);
    state.remount("ro");
    world.fetch(&door, 100_000);
    // The owner's stop goes to flash at once.
    world.node.tell("POST", "/control", &serde_json::json!({"action": "stop"}));
    told(&world, "the journal cannot be written");
    world.node.tell("POST", "/control", &serde_json::json!({"action": "start"}));
    until("tunnels open again", || (door.connect(SHOP).ok()?.0.status == 200).then_some(()));
    // SIGTERM all the same ends it at once; the run folder's copy serves.
    let counted = books::counted(&world, &session);
    world.node.running().signal(Signal::SIGTERM);
    world.node.running().ended(Duration::from_secs(10));
    world.node.process = None;
    world.node.start();
    until("the session is back", || (door.connect(SHOP).ok()?.0.status == 200).then_some(()));
    assert_eq!(books::counted(&world, &session), counted);
    state.remount("rw");
    world.node.running().signal(Signal::SIGTERM);
    assert!(world.node.running().ended(Duration::from_secs(10)).success());
    world.node.process = None;

    // Flash says goodbye: what it says must be taken back before anything is sent, so there is no start without it.
    for (how, back, code) in [("ro", "rw", "Read-only"), ("full", "free", "No space left")] {
        if how == "full" {
            state.fill()
        } else {
            state.remount(how)
        }
        world.node.launch();
        let status = world.node.running().ended(Duration::from_secs(10));
        let log = world.node.running().log();
        world.node.process = None;
        assert!(status.code().is_some_and(|c| (64..=78).contains(&c)), "{status}");
        let last = log.lines().last().unwrap();
        assert!(last.contains(world.node.state_dir.to_str().unwrap()) && last.contains(code), "{last}");
        if back == "free" { state.free() } else { state.remount(back) }
    }
    world.node.start();
    world.fetch(&door, 1000);
    let counted = books::counted(&world, &session);
    assert_eq!(books::billed(&books::settle(&world, &session)), counted);
}
