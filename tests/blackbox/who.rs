//! An abuse letter is answered; one day of the log is opened, and no other; the export names nobody.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::buyer::{wish, wish_with};
use crate::support::wait::SOON;
use crate::support::world::SHOP;
use crate::support::{Plan, World, process, until};

fn now() -> String {
    let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    echomesh::codec::time::rfc3339(unix)
}

fn who(world: &World, args: &[&str]) -> Value {
    let mut all = vec!["logs", "who", "--json"];
    all.extend(args);
    serde_json::from_str(&world.node.said(&all)).unwrap()
}

#[test]
fn a_letter_is_answered_by_session_and_buyer_also_after_a_reboot() {
    let mut world = World::start(Plan::default());
    let before = who(&world, &["--at", &now()]);
    assert_eq!((&before["sessions"], &before["rosterSince"]), (&json!([]), &Value::Null));
    let session = world.market.open(&wish());
    let idle = world.market.open(&wish());
    world.fetch(&world.door(&session), 50_000);
    until("the tunnel is over", || (world.node.tunnels() == 0).then_some(()));

    let at = now();
    let host = SHOP.split(':').next().unwrap();
    let tunnels = |answer: &Value, id: &str| {
        answer["sessions"].as_array().unwrap().iter().find(|s| s["sessionId"] == id).map(|s| (s["buyerId"].clone(), s["tunnels"].clone()))
    };
    let answer = who(&world, &["--at", &at, "--host", host]);
    assert_eq!(tunnels(&answer, &session.id), Some((json!("tester"), json!(1))), "{answer}");
    assert_eq!(tunnels(&answer, &idle.id), Some((json!("tester"), json!(0))), "{answer}");
    let other = who(&world, &["--at", &at, "--host", "www.other.example"]);
    assert_eq!(tunnels(&other, &session.id), Some((json!("tester"), json!(0))), "{other}");
    let long_ago = who(&world, &["--at", "2020-02-02 02:02:02"]);
    assert_eq!(long_ago["sessions"], json!([]));
    assert!(long_ago["message"].as_str().unwrap().contains("no longer held"), "{long_ago}");
    assert_eq!(world.node.cli(&["logs", "who", "--at", "yesterday"]).status.code(), Some(64));

    // A reboot: tmpfs is gone, flash stays.
    world.node.running().signal(Signal::SIGTERM);
    assert!(world.node.running().ended(SOON).success());
    world.node.process = None;
    std::fs::remove_dir_all(&world.node.run_dir).unwrap();
    world.node.start();
    let answer = who(&world, &["--at", &at, "--host", host]);
    assert_eq!(tunnels(&answer, &session.id), Some((json!("tester"), Value::Null)), "{answer}");
    let said = world.node.said(&["logs", "who", "--at", &at, "--host", host]);
    assert!(said.contains(&session.id) && said.contains("do not outlive a reboot"), "{said}");
    world.market.close(&session);
    let closed = until("its end is in the roster", || {
        let answer = who(&world, &["--at", &at]);
        answer["sessions"].as_array()?.iter().find(|s| s["sessionId"] == session.id.as_str() && !s["closed"].is_null()).cloned()
    });
    assert!(closed["opened"].as_str() <= closed["closed"].as_str(), "{closed}");
}

#[test]
fn the_export_names_nobody_and_one_days_key_opens_that_day_alone() {
    let world = World::start(Plan::default());
    let session = world.market.open(&wish_with(&json!({ "buyerAddrs": ["127.0.0.1"] })));
    let door = world.door(&session);
    world.fetch(&door, 50_000);
    assert_eq!(door.connect("www.blocked.test:8443").unwrap().0.status, 403);
    until("the tunnel is over", || (world.node.tunnels() == 0).then_some(()));
    let file = world.folder.join("export");
    world.node.said(&["logs", "export", "--out", file.to_str().unwrap()]);
    let export = std::fs::read_to_string(&file).unwrap();
    assert!(export.contains("\"chunk\"") && export.contains("blocked-domain"), "{export}");
    let host = SHOP.split(':').next().unwrap();
    for secret in [session.secret.as_str(), &world.market.token, host, "example.test", "blocked.test", "127.0.0.1", "127.77.", "tester", "::"] {
        assert!(!export.contains(secret), "{secret} is in\n{export}");
    }
    let state: Vec<Vec<u8>> = ["identity", "listener.key"].iter().map(|n| std::fs::read(world.node.state_dir.join(n)).unwrap()).collect();
    let has_key = state.iter().any(|bytes| export.as_bytes().windows(16).any(|w| bytes.windows(16).any(|k| k == w)));
    assert!(!has_key, "no 16 bytes of a key");

    let line: Value = export.lines().map(|l| serde_json::from_str(l).unwrap()).find(|l: &Value| l["status"] == 200).unwrap();
    let day = &line["t"].as_str().unwrap()[..10];
    let check = |day: &str, host: &str| {
        let key = world.node.said(&["logs", "open-day", day]);
        process::run(["logs", "check", "--key", key.trim(), "--host", host, file.to_str().unwrap()])
    };
    let found = check(day, host);
    assert!(found.status.success() && process::text(&found.stdout).contains(line["host"].as_str().unwrap()));
    assert_eq!(check(day, "www.other.example").status.code(), Some(65));
    assert_eq!(check("2020-02-02", host).status.code(), Some(65), "another day's key opens nothing");
    assert_ne!(world.node.cli(&["logs", "open-day", "soon"]).status.code(), Some(0));
    let key = world.node.said(&["logs", "open-day", day]);
    assert!(!world.node.said(&["logs", "show"]).contains(key.trim()), "it is not logged");
}
