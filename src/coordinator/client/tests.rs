//! The client against a real TLS server in this process, which plays good and bad coordinators.

mod events;
mod posts;
mod server;

use std::time::Duration;

use super::*;
use crate::codec::NodeId;
use server::{Server, coordinator_key, node_key};

/// 2027-01-15T08:00:00Z: within the certificates' life.
const NOW: u64 = 1_800_000_000;

const PATIENCE: Patience = Patience { wait_sec: 25, first: Duration::from_millis(2), most: Duration::from_millis(4), pause: Duration::ZERO };

fn access(server: &Server, clock: &Clock) -> Access {
    let keys = Keyring::new(&[NodeId::from(&coordinator_key().verifying_key())], &[]);
    Access { url: server.url.clone(), keys, roots: server.roots(), key: node_key(), clock: clock.clone(), version: "1".into() }
}

/// A clock something vouched for.
fn synced() -> Clock {
    let clock = Clock::test(NOW);
    clock.vouch_ntp();
    clock
}

fn client(server: &Server, clock: &Clock) -> (Client, Events) {
    Client::start_with(access(server, clock), Duration::from_secs(20), PATIENCE).unwrap()
}

#[test]
fn what_cannot_start_says_so() {
    let server = Server::start(|_| None);
    let good = || access(&server, &synced());
    let url = Client::start(Access { url: "http://plain.example".into(), ..good() }).err().unwrap();
    assert!(url.to_string().contains("http://plain.example"), "{url}");
    let key = Client::start(Access { keys: Keyring::new(&[], &[]), ..good() }).err().unwrap();
    assert!(key.to_string().contains("option key"), "{key}");
}
