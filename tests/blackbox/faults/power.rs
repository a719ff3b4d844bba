//! A power cut: the run folder is empty, the state folder is as it was at its last sync.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::signal::Signal;

use crate::support::buyer::wish;
use crate::support::world::SHOP;
use crate::support::{Plan, World, books, until};

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

fn unix() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Ends the node and starts it again: after that flash holds all that was counted, and no goodbye. A copy of it is kept.
fn sync(world: &mut World) {
    world.node.running().signal(Signal::SIGTERM);
    assert!(world.node.running().ended(Duration::from_secs(10)).success());
    world.node.process = None;
    world.node.start();
    let synced = world.folder.join("synced");
    let _ = std::fs::remove_dir_all(&synced);
    copy(&world.node.state_dir, &synced);
}

/// The power goes and comes back: flash as at the last [`sync`], with the beginning of a write that did not end.
fn cut(world: &mut World) {
    world.node.running().kill();
    world.node.process = None;
    std::fs::remove_dir_all(&world.node.run_dir).unwrap();
    std::fs::remove_dir_all(&world.node.state_dir).unwrap();
    copy(&world.folder.join("synced"), &world.node.state_dir);
    std::fs::write(world.node.state_dir.join("journal.new"), [0xff; 777]).unwrap();
    world.node.start();
    let log = world.node.running().log();
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn a_power_cut_ends_in_a_stated_gap_and_the_chain_goes_on() {
    let mut world = World::start(Plan::default());
    let session = world.market.open(&wish());
    let door = world.door(&session);
    world.fetch(&door, 1_000_000);
    let first = books::counted(&world, &session);
    sync(&mut world);
    let synced = unix();
    until("the session is back", || (door.connect(SHOP).ok()?.0.status == 200).then_some(()));
    world.fetch(&door, 3_000_000);
    let cut_at = unix();
    cut(&mut world);
    until("the session is back", || (door.connect(SHOP).ok()?.0.status == 200).then_some(()));
    assert_eq!(books::counted(&world, &session), first, "what was not on flash is gone");
    world.fetch(&door, 500_000);
    let counted = books::counted(&world, &session);
    assert!(counted.0 > first.0 + 500_000 && counted.0 < first.0 + 600_000, "{counted:?} after {first:?}");
    let (sent, received) = world.origin_counts();
    let bundles = books::settle(&world, &session);
    assert_eq!(books::billed(&bundles), counted);
    assert!(counted.0 + 3_000_000 <= sent && counted.1 <= received, "the owner loses what the cut took, the buyer pays nothing twice");
    let gaps = books::gaps(&bundles);
    assert!(gaps.iter().any(|&(from, to)| from <= synced && to >= cut_at), "{gaps:?}; synced {synced}, cut {cut_at}");
}

#[test]
fn what_was_billed_before_the_power_cut_is_not_billed_again() {
    let mut world = World::start(Plan::default());
    let session = world.market.open(&wish());
    let door = world.door(&session);
    world.fetch(&door, 400_000);
    sync(&mut world);
    until("the session is back", || (door.connect(SHOP).ok()?.0.status == 200).then_some(()));
    world.fetch(&door, 600_000);
    let billed = books::billed(&books::settle(&world, &session));
    assert!(billed.0 >= 1_000_000);
    // Flash does not know that the session is over.
    cut(&mut world);
    until("nothing waits", || {
        let status = world.node.status();
        (status["coordinator"]["spooledBundles"] == 0 && status["sessions"].as_array().unwrap().is_empty()).then_some(())
    });
    assert_eq!(books::billed(&books::bundles(&world, &session)), billed);
    assert_eq!(world.market.seen(&session)["state"], "settled");
    books::verify(&world);
    let next = world.market.open(&wish());
    world.fetch(&world.door(&next), 100_000);
    assert!(books::billed(&books::settle(&world, &next)).0 >= 100_000);
}
