//! The local control API and the client commands, against a node at work.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use crate::support::buyer::wish;
use crate::support::wait::SOON;
use crate::support::world::SHOP;
use crate::support::{Plan, World, http, process, until};

#[test]
fn the_control_api_and_its_client_tell_and_do_what_the_contracts_say() {
    let world = World::start(Plan::default());
    let session = world.market.open(&wish());
    world.fetch(&world.door(&session), 200_000);
    until("the tunnel is over", || (world.node.tunnels() == 0).then_some(()));

    status_has_every_member(&world, &session.id);
    wrong_calls_get_named_answers(&world);
    metrics_are_prometheus_text(&world);
    explanations_name_the_rule(&world, &session.id);
    events_tell_of_a_pause(&world);
    logs_name_no_host(&world);
    the_settings_are_shown_and_set(&world);
    let series = world.node.get("/series").json();
    for name in ["bitsIn", "bitsOut", "sessions", "p95", "errors"] {
        assert_eq!(series[name].as_array().map(Vec::len), Some(300), "{name} in {series}");
    }
    let shown = world.node.said(&["status", "--once"]);
    assert!(shown.contains(&session.id[..8]) && shown.contains("running"), "{shown}");
}

#[track_caller]
fn has(value: &Value, members: &str) {
    for name in members.split_whitespace() {
        assert!(value.get(name).is_some(), "no {name} in {value}");
    }
}

fn status_has_every_member(world: &World, session: &str) {
    let status: Value = serde_json::from_str(&world.node.said(&["status", "--json"])).unwrap();
    has(
        &status,
        "version nodeId state stateReason stateSince paused quarantine uptimeSec clockSynced roles sessions qos caps earnings reputation coordinator sandbox offload memory flash update alerts",
    );
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert!(status["nodeId"].as_str().unwrap().starts_with("ed25519:"));
    assert_eq!((&status["state"], &status["clockSynced"]), (&json!("running"), &json!(true)));
    has(&status["qos"], "latencyMsP50 latencyMsP95 errorRatePct bitsInPerSec bitsOutPerSec probePassRatePct geoConfidence");
    has(&status["caps"], "maxMbps effectiveMbps yielding maxGBPerDay usedTodayBytes maxGBPerMonth usedMonthBytes resetsAt");
    has(&status["coordinator"], "reachable lastContact retryInSec spooledBundles");
    let one = status["sessions"].as_array().unwrap().iter().find(|s| s["sessionId"] == session).unwrap().clone();
    has(&one, "state openedAt expiresAt leaseUntil tunnels bytesIngress bytesEgress latencyMsP50 latencyMsP95 errorRatePct tls");
    assert_eq!(one["state"], "active");
    assert!(one["latencyMsP50"].is_u64() && one["bytesIngress"].as_u64().unwrap() > 200_000);
    let socket = std::fs::metadata(world.node.run_dir.join("control.sock")).unwrap();
    assert_eq!(socket.permissions().mode() & 0o777, 0o660);
}

fn wrong_calls_get_named_answers(world: &World) {
    let status = |method: &str, target: &str, body: &str| {
        let answer = world.node.call(method, target, body).unwrap();
        if answer.status >= 400 {
            has(&answer.json(), "reason message");
        }
        (answer.status, answer.header("allow").map(str::to_owned))
    };
    assert_eq!(status("GET", "/nowhere", "").0, 404);
    assert_eq!(status("POST", "/status", "{}"), (405, Some("GET".into())));
    assert_eq!(status("DELETE", "/config", ""), (405, Some("GET, PUT".into())));
    for body in ["", "{", "[]", r#"{"action":"fly"}"#, r#"{"action":"pause","seconds":"1"}"#, r#"{"action":"stop","action":"start"}"#] {
        assert_eq!(status("POST", "/control", body).0, 400, "{body}");
    }
    assert_eq!(status("POST", "/sessions/close", r#"{"sessionId":"none"}"#).0, 404);
    assert_eq!(status("POST", "/control", r#"{"action":"clear-quarantine"}"#).0, 409);
    assert_eq!(status("PUT", "/config", "7").0, 400);

    // A declared gigabyte is refused unread, and delays nobody.
    let mut stream = UnixStream::connect(world.node.run_dir.join("control.sock")).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(b"PUT /config HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n{").unwrap();
    assert_eq!(http::read_head(&mut stream).unwrap().status, 413);
    // Seven that say half a head and no more: the eighth is served.
    let slow: Vec<_> = (0..7)
        .map(|_| {
            let mut stream = UnixStream::connect(world.node.run_dir.join("control.sock")).unwrap();
            stream.write_all(b"GET /status HT").unwrap();
            stream
        })
        .collect();
    drop(stream);
    until("a call gets through", || (world.node.call("GET", "/status", "").ok()?.status == 200).then_some(()));
    drop(slow);
    for (bytes, want) in [
        ("GET /status HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501),
        ("POST /control HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
        ("nonsense\r\n\r\n", 400),
    ] {
        let answer = until("an answer", || {
            let mut stream = UnixStream::connect(world.node.run_dir.join("control.sock")).ok()?;
            stream.set_read_timeout(Some(SOON)).ok()?;
            http::exchange(&mut stream, bytes.as_bytes()).ok().filter(|a| a.status != 503)
        });
        assert_eq!(answer.status, want, "{bytes}");
    }
}

fn metrics_are_prometheus_text(world: &World) {
    let answer = world.node.get("/metrics");
    assert!(answer.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    let text = answer.text();
    let mut typed = std::collections::BTreeSet::new();
    let mut samples = std::collections::BTreeSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(typed.insert(name.to_owned()), "{name} twice");
        } else if !line.starts_with('#') {
            let (sample, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
            value.parse::<f64>().unwrap_or_else(|_| panic!("no number: {line}"));
            let name = sample.split('{').next().unwrap();
            assert!(typed.contains(name), "{name} has no type");
            assert!(sample.ends_with('}') || !sample.contains('{'), "{line}");
            assert!(samples.insert(sample.to_owned()), "{sample} twice");
        }
    }
    for name in ["echomesh_ingress_bytes_total", "echomesh_sessions", "echomesh_state{state=\"running\"}", "echomesh_tunnels"] {
        assert!(samples.contains(name), "{name}\n{text}");
    }
    assert!(!text.contains("example.test"), "no host in a label");
}

fn explanations_name_the_rule(world: &World, session: &str) {
    let explain = |args: &[&str]| {
        let mut all = vec!["policy", "explain", "--json"];
        all.extend(args);
        serde_json::from_str::<Value>(&world.node.said(&all)).unwrap()
    };
    assert_eq!(explain(&["shop.example.test", "--port", "8443", "--session", session])["allowed"], true);
    let refused = explain(&["www.blocked.test", "--port", "8443", "--session", session]);
    assert_eq!((&refused["allowed"], &refused["reason"]), (&json!(false), &json!("blocked-domain")));
    assert!(refused["rule"].as_str().unwrap().contains("blocked.test"), "{refused}");
    assert_eq!(explain(&["shop.example.test", "--port", "22"])["reason"], "port-not-allowed");
    assert_eq!(explain(&["192.168.1.1"])["reason"], "ip-literal");
    assert_eq!(explain(&["printer.lan"])["reason"], "private-address");
    let unknown = world.node.cli(&["policy", "explain", "a.example", "--session", "none"]);
    assert!(!unknown.status.success() && process::text(&unknown.stderr).contains("session"));
}

fn events_tell_of_a_pause(world: &World) {
    let mut stream = UnixStream::connect(world.node.run_dir.join("control.sock")).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!(http::read_head(&mut stream).unwrap().status, 200);
    world.node.said(&["control", "pause", "--seconds", "60"]);
    let mut heard = String::new();
    let mut piece = [0; 1024];
    while !heard.contains("\"paused\":true") {
        let n = stream.read(&mut piece).expect("an event");
        assert!(n > 0, "the stream ended: {heard}");
        heard.push_str(&String::from_utf8_lossy(&piece[..n]));
    }
    assert!(heard.contains("data: {") && heard.contains("\"kind\":\"state\""), "{heard}");
    world.node.said(&["control", "start"]);
}

fn logs_name_no_host(world: &World) {
    let shown = world.node.said(&["logs", "show"]);
    assert!(shown.lines().count() > 3, "{shown}");
    let (answer, _) = world.door(&world.market.open(&wish())).connect("www.blocked.test:8443").unwrap();
    assert_eq!(answer.status, 403);
    let above_debug: String = world.node.said(&["logs", "show"]).lines().filter(|l| !l.contains("DEBUG")).collect();
    assert!(!above_debug.contains("blocked.test") && !above_debug.contains("shop.example"), "{above_debug}");
    let out = world.folder.join("export");
    world.node.said(&["logs", "export", "--out", out.to_str().unwrap()]);
    assert_eq!(std::fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
    let export = std::fs::read_to_string(&out).unwrap();
    assert!(export.contains("\"chunk\"") && export.contains("blocked-domain") && !export.contains("blocked.test"), "{export}");
}

fn the_settings_are_shown_and_set(world: &World) {
    let shown = world.node.said(&["config", "show"]);
    assert!(shown.contains("network.port=8443"), "{shown}");
    world.node.said(&["config", "set", "network.max_mbps=1234", "network.block_domain=shop.example.test"]);
    let door = world.door(&world.market.open(&wish()));
    until("the list is in force", || (door.connect(SHOP).ok()?.0.header("echomesh-reason")? == "blocked-domain").then_some(()));
    assert_eq!(world.node.status()["caps"]["maxMbps"].as_f64(), Some(1234.0));
    let bad = world.node.cli(&["config", "set", "network.max_mbps=fast"]);
    assert_eq!(bad.status.code(), Some(78));
    assert!(process::text(&bad.stderr).contains("max_mbps"), "{}", process::text(&bad.stderr));
    assert_eq!(world.node.status()["caps"]["maxMbps"].as_f64(), Some(1234.0));
    world.node.said(&["config", "set", "network.block_domain="]);
    until("the list is gone", || (door.connect(SHOP).ok()?.0.status == 200).then_some(()));
}
