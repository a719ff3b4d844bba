//! Slow, half-open, broken-off, oversized and doubled requests, and a ClientHello in the smallest pieces.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::buyer::{Door, Wire, wish};
use crate::support::world::{RAW, SHOP};
use crate::support::{Plan, World, http, raw, script, until, within};

fn open_files(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// Says its head one byte at a time until it is cut off; how long it could.
fn loris(door: Door, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<Duration> {
    std::thread::spawn(move || {
        let began = Instant::now();
        let Ok(Wire::Plain(mut stream)) = door.reach() else { return began.elapsed() };
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        for byte in b"CONNECT shop.example.test:8443 HTTP/1.1\r\nX: ".iter().chain(std::iter::repeat(&b'x')) {
            if stop.load(Ordering::Relaxed) || stream.write_all(&[*byte]).is_err() {
                break;
            }
            match stream.read(&mut [0; 512]) {
                Ok(0) => break,
                Err(e) if !matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => break,
                _ => {}
            }
        }
        began.elapsed()
    })
}

#[test]
fn sixty_slow_heads_from_strangers_do_not_lock_a_buyer_out_and_are_cut_off() {
    let world = World::start(Plan::default());
    let session = world.market.open(&wish());
    let door = world.door(&session);
    world.fetch(&door, 1000);
    let stop = Arc::new(AtomicBool::new(false));
    // Each source may bring eight; together they may not take the buyers' part.
    let slow: Vec<_> = (0..60).map(|n| loris(door.from(20 + n / 8), stop.clone())).collect();
    // Of sixty, twelve find no place.
    until("strangers find no place", || (world.node.refusals("rate-table-full") >= 1).then_some(()));
    for _ in 0..10 {
        assert_eq!(door.connect(SHOP).unwrap().0.status, 200);
    }
    within(Duration::from_secs(60), "they are cut off", || slow.iter().all(std::thread::JoinHandle::is_finished).then_some(()));
    stop.store(true, Ordering::Relaxed);
    for lasted in slow.into_iter().map(|t| t.join().unwrap()) {
        // A head has 10 s, and each look at the answer takes 200 ms.
        assert!(lasted < Duration::from_secs(30), "{lasted:?}");
    }
    until("strangers are served again", || (door.from(90).connect(SHOP).ok()?.0.status == 200).then_some(()));
}

fn reset(stream: &TcpStream) {
    nix::sys::socket::setsockopt(stream, nix::sys::socket::sockopt::Linger, &nix::libc::linger { l_onoff: 1, l_linger: 0 }).unwrap();
}

#[test]
fn whatever_breaks_off_wherever_leaves_nothing_behind() {
    let mut world = World::start(Plan::default());
    script::origin(world.raw());
    let session = world.market.open(&wish());
    let doors = [world.door(&session), world.tls_door(&session)];
    world.fetch(&doors[0], 1000);
    until("quiet", || (world.node.tunnels() == 0).then_some(()));
    let pid = world.node.running().pid();
    let files = open_files(pid);
    let hello = script::hello(RAW, &[]);
    for door in &doors {
        let head = door.head(&format!("{RAW}:8443")).into_bytes();
        let whole = [head.clone(), hello.clone(), vec![script::ECHO], vec![9; 3000]].concat();
        let cuts = [0, 1, 20, head.len() - 1, head.len(), head.len() + 3, head.len() + hello.len() / 2, head.len() + hello.len(), whole.len()];
        for (number, cut) in cuts.into_iter().enumerate() {
            for how in 0..3 {
                let mut wire = door.reach().unwrap();
                wire.write_all(&whole[..cut]).unwrap();
                wire.flush().unwrap();
                if number.is_multiple_of(2) {
                    // Let it come further before it breaks.
                    wire.socket().set_read_timeout(Some(Duration::from_millis(30))).unwrap();
                    let _ = wire.read(&mut [0; 64]);
                }
                match how {
                    0 => {
                        wire.socket().shutdown(Shutdown::Write).unwrap();
                        wire.socket().set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                        wire.rest();
                    }
                    1 => reset(wire.socket()),
                    _ => {}
                }
            }
        }
    }
    until("no tunnel is left", || (world.node.tunnels() == 0).then_some(()));
    until("no socket is left", || (open_files(pid) <= files + 4).then_some(()));
    assert_eq!(world.node.status()["state"], "running");
}

#[test]
fn doubled_and_oversized_heads_dial_nobody_and_cost_no_memory() {
    let world = World::start(Plan::default());
    let dialled = raw::serve(world.own(), drop);
    script::origin(world.raw());
    let session = world.market.open(&wish());
    let doors = [world.door(&session), world.tls_door(&session)];
    world.fetch(&doors[0], 1000);
    // A second request in the same breath is bytes of the tunnel, and no ClientHello: nobody is dialled for it.
    for door in &doors {
        let twice = door.head(&format!("{RAW}:8443")) + &door.head("own.example.test:8443");
        let mut wire = door.reach().unwrap();
        wire.write_all(twice.as_bytes()).unwrap();
        wire.flush().unwrap();
        assert_eq!(http::read_head(&mut wire).unwrap().status, 200);
        assert_eq!(wire.rest(), b"", "closed without a word");
    }
    assert_eq!(dialled.load(Ordering::SeqCst), 0);
    assert_eq!(world.node.refusals("not-tls"), 2);

    // Heads beyond 8 KiB, by length, by number, and without an end.
    let quiet = world.node.status()["memory"]["rssBytes"].as_u64().unwrap();
    let start = doors[0].head(SHOP);
    let start = start.trim_end_matches("\r\n");
    let long = [
        format!("{start}\r\nX: {}\r\n\r\n", "x".repeat(9000)),
        format!("{start}\r\n{}\r\n", "X: y\r\n".repeat(2000)),
        format!("CONNECT {}", "a".repeat(4 << 20)),
        "\r\n".repeat(1 << 20),
        "\0".repeat(1 << 20),
    ];
    for head in long {
        let mut wire = doors[0].from(30).reach().unwrap();
        // It is cut off while it still speaks.
        let _ = wire.write_all(head.as_bytes());
        let told = wire.rest();
        assert!(told.is_empty() || told.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&told));
    }
    let grown = world.node.status()["memory"]["rssBytes"].as_u64().unwrap().saturating_sub(quiet);
    assert!(grown < 4 << 20, "{grown} bytes more");
    assert_eq!(doors[0].connect(SHOP).unwrap().0.status, 200);
}

/// The handshake message of `hello` in records of one byte each.
fn splintered(hello: &[u8]) -> Vec<u8> {
    hello[5..].iter().flat_map(|byte| [22, 3, 1, 0, 1, *byte]).collect()
}

#[test]
fn a_client_hello_in_records_and_segments_of_one_byte_is_judged_as_a_whole() {
    let world = World::start(Plan::default());
    script::origin(world.raw());
    let session = world.market.open(&wish());
    for door in [world.door(&session), world.tls_door(&session)] {
        // The right name passes, the wrong one meets the alert, however it is cut.
        for (name, passes) in [(RAW, true), ("other.example.test", false)] {
            let mut wire = door.tunnel(&format!("{RAW}:8443"));
            for byte in splintered(&script::hello(name, &[])) {
                // Refused before the last byte is no fault of the sender's.
                if wire.write_all(&[byte]).and_then(|()| wire.flush()).is_err() {
                    break;
                }
            }
            let mut first = [0; 1];
            wire.read_exact(&mut first).unwrap();
            assert_eq!(first[0], if passes { 22 } else { 21 }, "{name}");
        }
    }
    assert_eq!(world.node.refusals("sni-mismatch"), 2);
}

/// How long 48 MiB take.
fn took(door: &Door) -> Duration {
    let mut wire = script::tunnel(door, RAW, script::FLOOD);
    let began = Instant::now();
    let mut piece = vec![0; 1 << 20];
    for _ in 0..48 {
        wire.read_exact(&mut piece).unwrap();
    }
    began.elapsed()
}

#[test]
fn beside_sixty_four_stalled_readers_one_tunnel_keeps_its_rate() {
    let world = World::start(Plan::default());
    script::origin(world.raw());
    let session = world.market.open(&wish());
    let door = world.door(&session);
    took(&door);
    let alone = took(&door).min(took(&door));
    // Nobody reads from these, and their origin sends for ever.
    let stalled: Vec<_> = (0..64).map(|_| script::tunnel(&door, RAW, script::FLOOD)).collect();
    until("they stand", || (world.node.tunnels() >= 64).then_some(()));
    let beside = took(&door).min(took(&door));
    println!("48 MiB alone {alone:?}, beside 64 stalled readers {beside:?}");
    assert!(beside < alone * 4 + Duration::from_millis(500), "alone {alone:?}, beside them {beside:?}");
    let memory = world.node.status()["memory"].clone();
    assert!(memory["poolBytes"].as_u64().unwrap() <= memory["poolBudgetBytes"].as_u64().unwrap(), "{memory}");
    assert!(world.node.tunnels() >= 64, "and none of them was ended for it");
    drop(stalled);
    until("they are over", || (world.node.tunnels() == 0).then_some(()));
}
