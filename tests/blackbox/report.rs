//! `echomesh report` and `GET /report`: what a person pastes into an issue names nobody.

use serde_json::Value;

use crate::support::buyer::wish_with;
use crate::support::node::Node;
use crate::support::world::{OWN, SHOP};
use crate::support::{Plan, World, process, until};

#[test]
fn a_report_helps_and_holds_no_secret_host_address_or_key() {
    let mut world =
        World::start(Plan { probe_host: Some("probe.example.test:8443"), settings: vec![("network", "odd", "odd.example.test")], ..Plan::default() });
    let list = world.folder.join("hobby.list");
    process::write(&list, "hobby.test\n");
    let list = format!("network.block_file={}", list.display());
    world.node.said(&["config", "set", &list, "network.block_domain=hobby.example"]);
    let session = world.market.open(&wish_with(&serde_json::json!({"buyerAddrs": ["127.0.0.1"]})));
    let door = world.door(&session);
    world.fetch(&door, 100_000);
    assert_eq!(door.connect("www.blocked.test:8443").unwrap().0.status, 403);
    assert_ne!(door.connect(OWN).unwrap().0.status, 200, "nobody is there");
    // An address and a reason with it come into status, log and alerts.
    world.coordinator_gone();
    world.node.state("reconnecting");
    until("the log tells of the failure", || world.node.said(&["logs", "show"]).contains(&world.ip(1).to_string()).then_some(()));

    let text = world.node.said(&["report"]);
    let pasted = world.node.get("/report?text=1").text();
    let json: Value = serde_json::from_str(&world.node.said(&["report", "--json"])).unwrap();
    let whole = world.node.get("/report").text();
    for part in ["EchoMesh 0.1.0 report", "== system", "network.block_domain = (set)", "state = reconnecting", "blocked-domain = 1", "[address]"] {
        assert!(text.contains(part) && pasted.contains(part), "{part}: {text}");
    }
    assert_eq!(json["status"]["state"], "reconnecting");
    assert!(json["log"].as_array().unwrap().len() > 3, "{json}");
    assert!(json["findings"].to_string().contains("network.odd"), "what is odd about the settings is told: {json}");

    let node_id = world.node.status()["nodeId"].as_str().unwrap().to_owned();
    let coordinator_key = world.node.settings.text();
    let coordinator_key = coordinator_key.lines().find_map(|l| l.split('\'').nth(1).filter(|v| v.starts_with("ed25519:"))).unwrap().to_owned();
    let state: Vec<Vec<u8>> = std::fs::read_dir(&world.node.state_dir).unwrap().map(|e| std::fs::read(e.unwrap().path()).unwrap()).collect();
    let pem: Vec<String> =
        state.iter().filter_map(|b| String::from_utf8(b.clone()).ok()).flat_map(|t| t.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    let mut secrets = vec![
        session.id.clone(),
        session.secret.clone(),
        world.market.token.clone(),
        node_id[8..].to_owned(),
        coordinator_key[8..].to_owned(),
        SHOP.split(':').next().unwrap().to_owned(),
        OWN.split(':').next().unwrap().to_owned(),
        "blocked.test".into(),
        "example.test".into(),
        "hobby".into(),
        "127.77.".into(),
        "127.0.0.1".into(),
        "tester".into(),
        world.folder.path().display().to_string(),
    ];
    secrets.extend(pem.into_iter().filter(|l| l.len() >= 16 && !l.contains("-----")));
    for secret in &secrets {
        for said in [&text, &pasted, &json.to_string(), &whole] {
            assert!(!said.contains(secret.as_str()), "{secret} is in\n{said}");
        }
    }
    let key = state.iter().any(|bytes| bytes.len() >= 32 && whole.as_bytes().windows(32).any(|w| bytes.windows(32).any(|k| k == w)));
    assert!(!key, "no 32 bytes of any file of the state folder");

    let out = world.folder.join("report");
    world.node.said(&["report", "--out", out.to_str().unwrap()]);
    assert!(std::fs::read_to_string(out).unwrap().contains("== last lines of the log"));
}

#[test]
fn a_report_is_made_without_a_daemon_too() {
    let world = World::without_node(Plan::default());
    let node: &Node = &world.node;
    let said = node.said(&["report", "--config", node.config.to_str().unwrap()]);
    assert!(said.contains("no daemon is running") && said.contains("proxy.enabled = 1"), "{said}");
    for secret in ["127.77.", "ed25519:", "example.test"] {
        assert!(!said.contains(secret), "{secret}: {said}");
    }
}
