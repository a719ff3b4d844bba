//! `kill -9` at random moments under traffic: the ledger counts nothing twice, and each kill costs the last second at most.

use std::io::{Read as _, Write as _};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use crate::support::buyer::{Door, wish};
use crate::support::world::{RAW, SHOP};
use crate::support::{Plan, World, books, script, until};

/// Sent and got back in one step.
const PIECE: usize = 3000;
/// A hello and the first bytes back, of one tunnel.
const HELLO: u64 = 2048;
/// From counting a byte to the file's new date, on a machine that is busy with other things.
const WRITING: Duration = Duration::from_millis(300);
/// The journal's rhythm is a second; a busy machine may let it wait.
const RHYTHM: Duration = Duration::from_secs(4);

/// Moves pieces there and back until the tunnel breaks: when, and how many bytes by then.
fn echoes(door: Door) -> JoinHandle<Vec<(SystemTime, u64)>> {
    std::thread::spawn(move || {
        let mut wire = script::tunnel(&door, RAW, script::ECHO);
        let mut steps = vec![(SystemTime::now(), 0)];
        let mut back = [0; PIECE];
        for n in 1.. {
            if wire.write_all(&[3; PIECE]).and_then(|()| wire.flush()).and_then(|()| wire.read_exact(&mut back)).is_err() {
                break;
            }
            steps.push((SystemTime::now(), n * PIECE as u64));
        }
        steps
    })
}

/// A sequence of numbers that looks random and can be had again.
pub struct Dice(pub u64);

impl Dice {
    /// A number below `below`.
    pub fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// Kills the node `rounds` times, every third time the coordinator too, and compares what is billed with what was moved.
pub fn rounds(rounds: u64) {
    let mut dice = Dice(u64::from(std::process::id()));
    println!("dice start at {}", dice.0);
    let mut world = World::start(Plan::default());
    script::origin(world.raw());
    let session = world.market.open(&wish());
    // Moved and surely kept; moved; allowed on top.
    let (mut safe, mut moved, mut beside) = (0, 0, 0);
    for round in 0..rounds {
        let doors = [world.door(&session), world.tls_door(&session)];
        until("the session is there", || (doors[0].connect(SHOP).ok()?.0.status == 200).then_some(()));
        let began = SystemTime::now();
        let traffic = doors.map(echoes);
        std::thread::sleep(Duration::from_millis(50 + dice.roll(2500)));
        if round % 3 == 2 {
            world.coordinator_gone();
            world.coordinator_back();
        }
        world.node.running().kill();
        let killed = SystemTime::now();
        let kept = std::fs::metadata(world.node.run_dir.join("journal")).and_then(|m| m.modified()).unwrap();
        let age = killed.duration_since(kept.max(began)).unwrap_or_default();
        assert!(age < RHYTHM, "round {round}: what was counted {age:?} before the kill was not in the journal");
        for steps in traffic.map(|t| t.join().expect("a tunnel opened")) {
            moved += steps.last().unwrap().1;
            safe += steps.iter().rfind(|(at, _)| *at + WRITING < kept).map_or(0, |(_, n)| *n);
            beside += HELLO + PIECE as u64;
        }
        world.node.process = None;
        if round % 4 == 1 {
            // Once more while it starts: what it restored must still be there the next time.
            world.node.launch();
            std::thread::sleep(Duration::from_millis(dice.roll(300)));
            world.node.running().kill();
            world.node.process = None;
        }
        world.node.start();
        let log = world.node.running().log();
        assert!(!log.contains("panicked"), "{log}");
    }
    let bundles = books::settle(&world, &session);
    let (ingress, egress) = books::billed(&bundles);
    let gaps = books::gaps(&bundles);
    println!("{rounds} kills: moved {moved}, safe {safe}, billed {ingress} in, {egress} out, {} gaps stated", gaps.len());
    for billed in [ingress, egress] {
        assert!((safe..=moved + beside).contains(&billed), "billed {billed}; safe {safe}, moved {moved}");
    }
    // Every kill is stated; two in a row may share one bundle.
    assert!(!gaps.is_empty() && gaps.len() as u64 <= rounds * 2, "{gaps:?}");
    assert!(gaps.iter().all(|(from, to)| from <= to), "{gaps:?}");
}

#[test]
fn killed_ten_times_under_traffic_nothing_is_billed_twice_and_each_loses_a_second_at_most() {
    rounds(10);
}
