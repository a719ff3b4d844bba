//! Real HTTPS through the node, by curl and by rustls, to the byte.

use std::io::{Read as _, Write as _};
use std::process::Command;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use crate::support::buyer::{Door, wish};
use crate::support::world::{OWN, RAW};
use crate::support::{Plan, World, http, process, raw, script, trust, until};

/// Large enough to need every buffer many times over.
const LARGE: u64 = 24_000_000;

fn request_of(body: &[u8]) -> Vec<u8> {
    http::request("POST", "/0", "own.example.test", &[], body)
}

#[test]
fn large_bodies_arrive_unchanged_by_curl_and_rustls_over_plain_and_tls() {
    let world = World::start(Plan::default());
    let (server, pem) = trust::server(&["own.example.test"]);
    raw::hashing(world.own(), server);
    let session = world.market.open(&wish());
    let sent = raw::bytes(LARGE);
    let ca = world.folder.join("own.pem");
    process::write(&ca, &pem);
    let body = world.folder.join("body");
    std::fs::write(&body, &sent).unwrap();
    let node_ca = world.folder.join("node.pem");
    process::write(&node_ca, &trust::shown_by(world.node.listen));

    for scheme in ["http", "https"] {
        let proxy = format!("{scheme}://{}", world.node.listen);
        let user = format!("{}:{}", session.id, session.secret);
        let curl = |more: &[&str]| {
            let mut curl = Command::new("curl");
            curl.args(["-sS", "--fail", "--max-time", "120", "--noproxy", "", "--proxy", &proxy, "--proxy-user", &user, "--cacert"]).arg(&ca);
            curl.arg("--proxy-cacert").arg(&node_ca).args(more);
            let out = curl.output().expect("curl is installed");
            assert!(out.status.success(), "{scheme}: {}", process::text(&out.stderr));
            out.stdout
        };
        let data = format!("@{}", body.display());
        let told = curl(&["--data-binary", &data, &format!("https://{OWN}/0")]);
        assert_eq!(process::text(&told), raw::hash(&sent), "{scheme} up");
        let got = curl(&[&format!("https://{OWN}/{LARGE}")]);
        assert_eq!(raw::hash(&got), raw::hash(&sent), "{scheme} down");
    }

    let own = trust::client_of(&pem, &["http/1.1"]);
    for door in [world.door(&session), world.tls_door(&session)] {
        let told = door.https(&own, OWN, &request_of(&sent)).unwrap();
        assert_eq!(told.text(), raw::hash(&sent));
        let got = door.https(&own, OWN, &http::request("GET", &format!("/{LARGE}"), "own.example.test", &[], b"")).unwrap();
        assert_eq!(raw::hash(&got.body), raw::hash(&sent));
    }

    let seen = world.node.session(&session.id).unwrap();
    assert!(seen["bytesIngress"].as_u64().unwrap() > 4 * LARGE && seen["bytesEgress"].as_u64().unwrap() > 4 * LARGE, "{seen}");
    assert!(seen["tls"]["version"].as_str().unwrap().ends_with("1.3"), "{seen}");
    assert_eq!(seen["errorRatePct"].as_f64().unwrap(), 0.0);
    until("no tunnel is left", || (world.node.tunnels() == 0).then_some(()));
    let memory = &world.node.status()["memory"];
    assert!(memory["poolBytes"].as_u64().unwrap() <= memory["poolBudgetBytes"].as_u64().unwrap(), "{memory}");
}

#[test]
fn half_close_early_hello_tiny_pieces_many_tunnels_and_a_stalled_reader() {
    let world = World::start(Plan::default());
    let told = script::origin(world.raw());
    let (server, pem) = trust::server(&["own.example.test"]);
    raw::hashing(world.own(), server);
    let session = world.market.open(&wish());
    let own = trust::client_of(&pem, &["http/1.1"]);
    for door in [world.door(&session), world.tls_door(&session)] {
        the_buyer_ends_first(&door);
        the_origin_ends_first(&door, &told);
        the_hello_comes_with_the_connect(&door, &own);
        the_hello_comes_byte_by_byte(&door, &own);
        a_reset_of_the_origin_ends_the_tunnel(&door);
    }
    many_at_once(&world, &world.door(&session));
    a_stalled_reader_delays_nobody(&world, &world.door(&session), &own);
}

fn the_buyer_ends_first(door: &Door) {
    let sent = raw::bytes(1_000_000);
    let mut wire = script::tunnel(door, RAW, script::UP);
    wire.write_all(&sent).unwrap();
    script::no_more(&mut wire);
    let answer = wire.rest();
    assert_eq!(String::from_utf8_lossy(&answer), raw::hash(&sent), "the answer after the end of the question");
}

fn the_origin_ends_first(door: &Door, told: &std::sync::mpsc::Receiver<String>) {
    let mut wire = script::tunnel(door, RAW, script::DOWN);
    let got = wire.rest();
    assert_eq!(raw::hash(&got), raw::hash(&raw::bytes(script::DOWN_BYTES)));
    let sent = raw::bytes(700_000);
    wire.write_all(&sent).unwrap();
    script::no_more(&mut wire);
    let heard = told.recv_timeout(crate::support::wait::SOON).expect("the origin read to the end");
    assert_eq!(heard, raw::hash(&sent), "what was sent after the origin's end");
}

fn the_hello_comes_with_the_connect(door: &Door, own: &std::sync::Arc<rustls::ClientConfig>) {
    let mut client = ClientConnection::new(own.clone(), ServerName::try_from("own.example.test").unwrap()).unwrap();
    let mut bytes = door.head(OWN).into_bytes();
    client.write_tls(&mut bytes).unwrap();
    let (answer, wire) = door.ask(&bytes).unwrap();
    assert_eq!(answer.status, 200);
    let mut tls = StreamOwned::new(client, wire);
    let answer = http::exchange(&mut tls, &request_of(b"early")).unwrap();
    assert_eq!(answer.text(), raw::hash(b"early"));
}

fn the_hello_comes_byte_by_byte(door: &Door, own: &std::sync::Arc<rustls::ClientConfig>) {
    let mut client = ClientConnection::new(own.clone(), ServerName::try_from("own.example.test").unwrap()).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    let mut wire = door.reach().unwrap();
    for byte in door.head(OWN).bytes() {
        wire.write_all(&[byte]).unwrap();
        wire.flush().unwrap();
    }
    assert_eq!(http::read_head(&mut wire).unwrap().status, 200);
    for byte in hello {
        wire.write_all(&[byte]).unwrap();
        wire.flush().unwrap();
    }
    let mut tls = StreamOwned::new(client, wire);
    let answer = http::exchange(&mut tls, &request_of(b"tiny")).unwrap();
    assert_eq!(answer.text(), raw::hash(b"tiny"));
}

fn a_reset_of_the_origin_ends_the_tunnel(door: &Door) {
    let mut wire = script::tunnel(door, RAW, script::RESET);
    assert_eq!(wire.rest(), b"");
}

fn many_at_once(world: &World, door: &Door) {
    const MANY: u64 = 200;
    until("earlier tunnels are over", || (world.node.tunnels() == 0).then_some(()));
    let mut wires: Vec<_> = (0..MANY).map(|_| script::tunnel(door, RAW, script::ECHO)).collect();
    assert_eq!(world.node.tunnels(), MANY);
    for (n, wire) in wires.iter_mut().enumerate() {
        wire.write_all(&raw::bytes(10_000 + n as u64)).unwrap();
    }
    for (n, wire) in wires.iter_mut().enumerate() {
        let mut back = vec![0; 10_000 + n];
        wire.read_exact(&mut back).unwrap();
        assert_eq!(raw::hash(&back), raw::hash(&raw::bytes(10_000 + n as u64)), "tunnel {n}");
    }
    drop(wires);
    until("the tunnels are over", || (world.node.tunnels() == 0).then_some(()));
}

fn a_stalled_reader_delays_nobody(world: &World, door: &Door, own: &std::sync::Arc<rustls::ClientConfig>) {
    // Nobody ever reads from these.
    let stalled: Vec<_> = (0..8).map(|_| script::tunnel(door, RAW, script::FLOOD)).collect();
    let sent = raw::bytes(LARGE);
    let told = door.https(own, OWN, &request_of(&sent)).unwrap();
    assert_eq!(told.text(), raw::hash(&sent));
    assert_eq!(world.node.tunnels(), 8, "the stalled ones are still there");
    let memory = &world.node.status()["memory"];
    assert!(memory["poolBytes"].as_u64().unwrap() <= memory["poolBudgetBytes"].as_u64().unwrap(), "{memory}");
    drop(stalled);
    until("the stalled tunnels are over", || (world.node.tunnels() == 0).then_some(()));
}
