//! A coordinator that is slow, flaps, sends too much, sends elsewhere, or is not who it says.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::sham::Sham;
use crate::support::wait::PROMPTLY;
use crate::support::world::{RAW, SHOP};
use crate::support::{Plan, World, books, process, raw, script, trust, until, within};

fn rss(world: &World) -> u64 {
    world.node.status()["memory"]["rssBytes"].as_u64().unwrap()
}

#[test]
fn while_the_coordinator_drips_or_flaps_tunnels_and_the_owner_are_served() {
    let mut world = World::without_node(Plan::default());
    let sham = Sham::instead(&mut world);
    script::origin(world.raw());
    world.node.start();
    let session = sham.opened(&world);
    let door = world.door(&session);
    let mut tunnel = script::tunnel(&door, RAW, script::ECHO);
    let mut works = |world: &World| {
        let began = Instant::now();
        tunnel.write_all(&[5; 10_000]).unwrap();
        tunnel.read_exact(&mut [0; 10_000]).unwrap();
        assert_eq!(door.connect(SHOP).unwrap().0.status, 200);
        assert_eq!(world.node.status()["sessions"][0]["state"], "active");
        // Not the 20 s that a call may take.
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    };
    let before = sham.asked();
    sham.bend(|_, reply| reply.drip = Some(Duration::from_millis(100)));
    until("both threads hang on its lips", || (sham.asked() >= before + 2).then_some(()));
    for _ in 0..5 {
        works(&world);
    }
    sham.straight();
    world.node.state("running");

    // Every second connection breaks, at another place each.
    let before = sham.asked();
    sham.bend(|asked, reply| match asked.number % 4 {
        0 => reply.instead = Some(Vec::new()),
        1 => reply.instead = Some(b"HTTP/1.1 200 OK\r\nContent-Le".to_vec()),
        _ => {}
    });
    until("it has asked a while", || {
        works(&world);
        (sham.asked() >= before + 8).then_some(())
    });
    sham.straight();
    world.node.state("running");
    drop(tunnel);
    let counted = books::counted(&world, &session);
    sham.close(&session);
    until("its last bundle leaves", || sham.is_settled(&session).then_some(()));
    assert_eq!(books::billed(&sham.chain(&session)), counted);

    // A stop does not wait for a word that never ends.
    sham.bend(|_, reply| reply.drip = Some(Duration::from_millis(100)));
    let before = sham.asked();
    until("it hangs again", || (sham.asked() > before).then_some(()));
    let began = Instant::now();
    world.node.running().signal(Signal::SIGTERM);
    assert!(world.node.running().ended(Duration::from_secs(10)).success());
    assert!(began.elapsed() < PROMPTLY * 2, "{:?}", began.elapsed());
    world.node.process = None;
}

#[test]
fn bodies_without_end_and_redirects_are_refused_in_little_memory() {
    let mut world = World::without_node(Plan::default());
    let sham = Sham::instead(&mut world);
    world.node.start();
    let session = sham.opened(&world);
    let elsewhere = SocketAddr::from((world.ip(40), 8443));
    let touched = raw::serve(elsewhere, drop);
    let quiet = rss(&world);
    let dropped = || world.node.metric("echomesh_coordinator_dropped_total");
    let huge: [fn() -> Vec<u8>; 4] = [
        || [b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n".to_vec(), vec![b'['; 8 << 20]].concat(),
        || {
            let mut all = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            (0..2000).for_each(|_| all.extend_from_slice(&[&b"1000\r\n"[..], &[b'['; 4096], b"\r\n"].concat()));
            all
        },
        || [b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'x'; 4 << 20]].concat(),
        || [b"HTTP/1.1 200 OK\r\n".to_vec(), b"X: y\r\n".repeat(100_000)].concat(),
    ];
    for make in huge {
        let before = sham.asked();
        sham.bend(move |_, reply| reply.instead = Some(make()));
        until("it was asked, and answered too much", || (sham.asked() >= before + 2).then_some(()));
        assert_eq!(world.door(&session).connect(SHOP).unwrap().0.status, 200);
        sham.straight();
        world.node.state("running");
    }
    let grown = rss(&world).saturating_sub(quiet);
    assert!(grown < 4 << 20, "{grown} bytes more");

    for status in [301, 302, 307, 308] {
        let before = (dropped(), sham.asked());
        sham.bend(move |_, reply| {
            reply.status = status;
            reply.signer = None;
            reply.headers = format!("Location: https://{elsewhere}/nodes/heartbeat\r\n");
        });
        until("the redirect is not believed", || (dropped() > before.0).then_some(()));
        sham.straight();
        world.node.state("running");
    }
    assert_eq!(touched.load(Ordering::SeqCst), 0, "nobody follows it");
    assert_eq!(world.door(&session).connect(SHOP).unwrap().0.status, 200);
}

#[test]
fn with_the_wrong_certificate_not_one_request_is_made() {
    let mut world = World::without_node(Plan::default());
    let addr = SocketAddr::from((world.ip(3), 8443));
    // The right name of an authority nobody trusts; and a trusted one for another name.
    let strange = trust::server(&[&addr.ip().to_string()]);
    let (other, pem) = trust::server(&["127.77.0.9"]);
    let ca = world.folder.join("ca.pem");
    process::write(&ca, &(std::fs::read_to_string(&ca).unwrap() + &pem));
    for (n, config) in [strange.0, other].into_iter().enumerate() {
        let addr = SocketAddr::from((addr.ip(), 8443 + n as u16));
        let sham = Sham::serve(addr, config);
        let settings = &mut world.node.settings;
        settings.set("coordinator", "url", &format!("https://{addr}")).drop("coordinator", "key").add("coordinator", "key", &sham.id().to_string());
        world.node.write_settings();
        world.node.launch();
        until("it has tried", || {
            world.node.call("GET", "/status", "").ok()?;
            (world.node.metric("echomesh_coordinator_failures_total") >= 2.0).then_some(())
        });
        let status = world.node.status();
        assert_eq!((status["coordinator"]["reachable"].as_bool(), status["clockSynced"].as_bool()), (Some(false), Some(false)));
        assert!(status["stateReason"].as_str().unwrap_or_default().contains("certificate") || world.node.running().log().contains("certificate"));
        assert_eq!(sham.asked(), 0);
        within(PROMPTLY * 4, "it ends", || {
            world.node.running().signal(Signal::SIGTERM);
            world.node.running().exited()
        });
        world.node.process = None;
    }
}
