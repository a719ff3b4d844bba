//! The node takes itself out of service, stays so over restarts, and comes back.

use std::path::Path;

use serde_json::json;

use crate::support::buyer::wish;
use crate::support::world::SHOP;
use crate::support::{Plan, World, until};

/// Writes a secret file in place, its mode as it is.
fn overwrite(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_changed_key_file_quarantines_over_restarts_until_the_cool_down_is_over() {
    let mut world = World::start(Plan::default());
    let session = world.market.open(&wish());
    let file = world.node.state_dir.join("identity");
    let good = std::fs::read(&file).unwrap();
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    overwrite(&file, &bad);
    let first = until("it is noticed", || world.node.quarantine());
    assert!(first["reason"].as_str().unwrap().contains(file.to_str().unwrap()), "{first}");
    assert!(first["remedy"].as_str().unwrap().contains("backup"), "{first}");
    until("the session is over", || (world.market.seen(&session)["state"] == "settled").then_some(()));
    overwrite(&file, &good);

    // In good order, and by a kill as soon as the run folder's journal has it.
    world.node.stop();
    world.node.start();
    assert_eq!(world.node.quarantine().as_ref(), Some(&first));
    world.node.running().kill();
    world.node.process = None;
    world.node.start();
    assert_eq!(world.node.quarantine().as_ref(), Some(&first));
    let order = world.market.order(&wish());
    let (answer, _) = world.door(&session).connect(SHOP).unwrap();
    assert_ne!(answer.status, 200);

    // A cool-down counts from its beginning, whichever process it was in.
    world.node.tell("PUT", "/config", &json!({"policy": {"quarantineCooldownSec": 3600}}));
    let until_when = until("its end is known", || Some(world.node.quarantine()?["until"].take()).filter(|u| !u.is_null()));
    assert!(until_when.as_str() > first["since"].as_str());
    assert!(world.node.said(&["status"]).contains("until"));
    world.node.tell("PUT", "/config", &json!({"policy": {"quarantineCooldownSec": 1}}));
    until("the cool-down is over", || world.node.quarantine().is_none().then_some(()));
    until("a session is served again", || (world.market.seen(&order)["state"] == "active").then_some(()));
    assert_eq!(world.door(&order).connect(SHOP).unwrap().0.status, 200);
    world.node.stop();
    world.node.start();
    assert!(world.node.quarantine().is_none(), "its end outlives a restart, too");
}

#[test]
fn a_wider_profile_is_cut_down_and_told() {
    let world = World::start(Plan::default());
    let mut wide = wish();
    wide["profile"] = json!({
        "ports": [22, 8443], "categories": ["qa_testing", "gambling"], "allowDomains": [], "blockDomains": ["blocked.test"],
        "alpn": ["h2", "http/1.1", "smtp"], "requireSni": false, "ech": "allow"
    });
    let session = world.market.open(&wide);
    let effective = &world.market.seen(&session)["effectiveProfile"];
    assert_eq!(
        effective,
        &json!({
            "ports": [8443], "categories": ["qa_testing"], "allowDomains": [], "blockDomains": ["blocked.test"],
            "alpn": ["h2", "http/1.1"], "requireSni": true, "ech": "allow"
        })
    );
    let (answer, _) = world.door(&session).connect("shop.example.test:22").unwrap();
    assert_eq!(answer.header("echomesh-reason"), Some("port-not-allowed"));
}
