//! What the node makes of the machine: seen in the status, and on the wire.

use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;

use nix::sys::signal::Signal;
use rustls::pki_types::ServerName;
use rustls::{CipherSuite, ClientConnection};

use crate::support::process::{self, text};
use crate::support::{Plan, World, trust, until};

/// /proc/cpuinfo of a processor without AES instructions.
const WITHOUT_AES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/offload/mt7628/proc/cpuinfo");

/// The cipher that the node's listener chooses for a client that names AES first.
fn chosen(world: &World) -> CipherSuite {
    let config = trust::client_of(&trust::shown_by(world.node.listen), &[]);
    let first = config.crypto_provider().cipher_suites[0].suite();
    assert!(format!("{first:?}").contains("AES"), "the test's client names {first:?} first");
    let mut client = ClientConnection::new(Arc::clone(&config), ServerName::try_from("echomesh.invalid").unwrap()).unwrap();
    let mut socket = TcpStream::connect(world.node.listen).unwrap();
    while client.is_handshaking() {
        client.complete_io(&mut socket).unwrap();
    }
    client.negotiated_cipher_suite().unwrap().suite()
}

#[test]
fn the_status_says_what_the_machine_brings_and_the_firewall_does() {
    let world = World::start(Plan::default());
    let offload = world.node.status()["offload"].clone();
    let contract: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/contracts/control.openapi.json")).unwrap()).unwrap();
    let listed = contract["components"]["schemas"]["Status"]["properties"]["offload"]["properties"].as_object().unwrap();
    assert_eq!(offload.as_object().unwrap().keys().collect::<Vec<_>>(), listed.keys().collect::<Vec<_>>());
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap();
    let has = cpuinfo.contains(" aes ") && (cpuinfo.contains(" pclmulqdq ") || cpuinfo.contains(" pmull "));
    assert_eq!((&offload["aesInstructions"], &offload["gro"].is_boolean()), (&has.into(), &true), "{offload}");
    assert_eq!(format!("{:?}", chosen(&world)).contains("AES"), has);
    // The init script's word on the firewall; a daemon that may not read the firewall's settings has no other.
    if offload["flowOffloading"].is_null() {
        let word = world.folder.join("flow-offloading");
        for flow in ["software", "hardware", "off"] {
            process::write(&word, &format!("{flow}\n"));
            world.node.process.as_ref().unwrap().signal(Signal::SIGHUP);
            until("the status tells", || (world.node.status()["offload"]["flowOffloading"] == flow).then_some(()));
        }
    }
    let said = process::said(["offload", "--json"]);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["aesInstructions"], offload["aesInstructions"]);
    assert!(process::said(["offload"]).contains(&format!("aesInstructions = {has}\n")));
}

#[test]
fn without_aes_instructions_the_listener_chooses_chacha20() {
    let shell = |script: &str| Command::new("unshare").args(["--user", "--map-root-user", "--mount", "sh", "-c", script]).arg(WITHOUT_AES).output();
    let allowed = shell("mount --bind \"$0\" /proc/cpuinfo && grep -q MIPS /proc/cpuinfo");
    if !allowed.is_ok_and(|o| o.status.success()) {
        println!("SKIPPED: needs unshare, user and mount namespaces");
        return;
    }
    let exe = std::env::current_exe().unwrap();
    let script = "mount --bind \"$0\" /proc/cpuinfo && exec \"$1\" --exact --ignored --nocapture offload::without_aes_instructions_apart";
    let output =
        Command::new("unshare").args(["--user", "--map-root-user", "--mount", "sh", "-c", script]).arg(WITHOUT_AES).arg(exe).output().unwrap();
    let said = text(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{}", text(&output.stderr));
}

#[test]
#[ignore = "needs another processor: run by without_aes_instructions_the_listener_chooses_chacha20"]
fn without_aes_instructions_apart() {
    let world = World::start(Plan::default());
    let offload = world.node.status()["offload"].clone();
    assert_eq!((&offload["aesInstructions"], &offload["cipherFirst"]), (&false.into(), &"chacha20-poly1305".into()));
    assert_eq!(chosen(&world), CipherSuite::TLS13_CHACHA20_POLY1305_SHA256);
}
