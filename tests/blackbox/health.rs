//! How the node tells that it is well or not: states, telemetry, metrics, the event stream.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;

use serde_json::Value;

use crate::support::buyer::wish;
use crate::support::wait::SOON;
use crate::support::{Plan, World, http, until};

fn page(name: &str) -> String {
    std::fs::read_to_string(format!("{}/docs/reference/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// First and second column of a page's table whose rows begin with a name in backticks.
fn rows(page: &str) -> BTreeMap<String, String> {
    let rows = page.lines().filter_map(|l| l.strip_prefix("| `")?.split_once("` | "));
    rows.map(|(name, rest)| (name.to_owned(), rest.split(" | ").next().unwrap().to_owned())).collect()
}

/// What the coordinator holds of the node's telemetry.
fn telemetry(world: &World) -> Value {
    world.operator(&["nodes"])["nodes"][0]["telemetry"].clone()
}

#[test]
fn telemetry_arrives_as_documented_and_only_where_the_owner_opted_in() {
    let world = World::start(Plan { probe_host: Some("probe.example.test:8443"), ..Plan::default() });
    let session = world.market.open(&wish());
    let door = world.door(&session);
    world.fetch(&door, 100_000);
    assert_eq!(door.connect("www.blocked.test:8443").unwrap().0.status, 403);
    // Several heartbeats have passed by then, each a second.
    let beats = || world.node.status()["coordinator"]["lastContact"].as_str().unwrap().to_owned();
    let first = beats();
    until("a heartbeat", || (beats() > first).then_some(()));
    assert_eq!(telemetry(&world), Value::Null);

    world.node.said(&["config", "set", "ui.telemetry_opt_in=1"]);
    let told = until("telemetry arrives", || Some(telemetry(&world)).filter(|t| !t.is_null()));
    let members: BTreeSet<String> = told.as_object().unwrap().keys().cloned().collect();
    let documented = rows(&page("telemetry.md"));
    assert_eq!(members, documented.keys().cloned().collect(), "{told}");
    for (name, kind) in &documented {
        let value = &told[name];
        let right = match kind.split(' ').next().unwrap() {
            "string" => value.is_string() || (kind.contains("null") && value.is_null()),
            "integer" => value.is_u64() || (kind.contains("null") && value.is_null()),
            "object" => value.as_object().is_some_and(|o| o.values().all(Value::is_u64)),
            "array" => value.as_array().is_some_and(|a| a.iter().all(Value::is_string)),
            other => panic!("{name}: {other}"),
        };
        assert!(right, "{name} is a {kind}: {value}");
    }
    assert_eq!(told["reasons"]["blocked-domain"], 1);
    assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
    let text = told.to_string();
    for secret in ["example.test", "blocked.test", "127.77.", &session.id, &session.secret, "tester", "ed25519:"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }

    world.node.said(&["config", "set", "ui.telemetry_opt_in=0"]);
    until("telemetry ends", || telemetry(&world).is_null().then_some(()));
}

#[test]
fn the_metrics_are_those_of_the_page_with_their_types() {
    let world = World::start(Plan { probe_host: Some("probe.example.test:8443"), ..Plan::default() });
    let session = world.market.open(&wish());
    world.fetch(&world.door(&session), 100_000);
    until("the node heard the coordinator", || (!world.node.status()["earnings"].is_null()).then_some(()));
    let page = page("metrics.md");
    let listed = rows(&page);
    let shown = || -> BTreeMap<String, String> {
        let text = world.node.get("/metrics").text();
        text.lines().filter_map(|l| l.strip_prefix("# TYPE ")?.split_once(' ')).map(|(n, t)| (n.to_owned(), t.to_owned())).collect()
    };
    for (name, kind) in shown() {
        assert_eq!(listed.get(&name), Some(&kind), "{name} is not in docs/reference/metrics.md as a {kind}");
    }
    // What is absent until it is known comes once it is: latencies, the heartbeat's answer, a probe.
    until("every family of the page is shown, but for the gateway's", || {
        let shown = shown();
        let missing: Vec<&String> = listed.keys().filter(|name| !shown.contains_key(*name) && !name.starts_with("echomesh_gateway_")).collect();
        let row = |name: &String| page.lines().find(|l| l.contains(&format!("`{name}`"))).unwrap();
        for name in &missing {
            assert!(row(name).contains("when known"), "{name} is missing, and the page does not say that it may be");
        }
        // This node is reached directly.
        missing.iter().all(|name| row(name).contains("with `proxy.reach gateway`")).then_some(())
    });
}

#[test]
fn a_role_that_fails_degrades_the_node_until_it_works_again() {
    let mut world = World::start(Plan::default());
    let session = world.market.open(&wish());
    let other = TcpListener::bind((world.ip(102), 8443)).unwrap();
    let address = other.local_addr().unwrap().to_string();
    world.node.said(&["config", "set", &format!("proxy.listen={address}")]);
    world.node.state("degraded");
    let status = world.node.status();
    assert!(status["stateReason"].as_str().unwrap().contains("proxy"), "{status}");
    let role = until("it was tried again", || {
        let role = world.node.status()["roles"]["proxy"].clone();
        (role["restarts"].as_u64()? >= 2).then_some(role)
    });
    assert!(role["error"].as_str().unwrap().contains(&address), "{role}");
    assert_eq!(world.node.status()["state"], "degraded", "trying is not working");
    assert_eq!(world.node.status()["coordinator"]["reachable"], true, "the tie to the coordinator is another matter");
    drop(other);
    world.node.state("running");
    world.node.listen = address.parse().unwrap();
    let session = until("the session is served there", || world.node.session(&session.id).map(|_| session.clone()));
    world.fetch(&world.door(&session), 1000);
    assert_eq!(world.node.status()["roles"]["proxy"]["state"], "running");
}

#[test]
fn the_node_reconnects_and_says_so_on_the_event_stream() {
    let mut world = World::start(Plan::default());
    let mut stream = UnixStream::connect(world.node.run_dir.join("control.sock")).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!(http::read_head(&mut stream).unwrap().status, 200);
    let mut heard = String::new();
    let mut hear = |what: &str| {
        let mut piece = [0; 1024];
        while !heard.contains(what) {
            let n = stream.read(&mut piece).expect(what);
            assert!(n > 0, "the stream ended: {heard}");
            heard.push_str(&String::from_utf8_lossy(&piece[..n]));
        }
        heard.clear();
    };
    world.coordinator_gone();
    hear("\"state\":\"reconnecting\"");
    let status = world.node.status();
    assert_eq!(status["state"], "reconnecting");
    assert!(!status["stateReason"].is_null(), "it says why: {status}");
    world.coordinator_back();
    hear("\"state\":\"running\"");
    assert_eq!(world.node.status()["stateReason"], Value::Null);
    // Nothing happens now; a line comes all the same.
    hear(": alive");
}
