//! Every reason of the contracts' table that this version can give, provoked by a real client.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::buyer::{Door, patient, wish, wish_with};
use crate::support::http::Answer;
use crate::support::world::{RAW, SHOP};
use crate::support::{Plan, Session, World, script, trust, until};

/// Status, header, RFC 9209 and body of a refusal agree.
#[track_caller]
fn refused(answer: &Answer, status: u16, reason: &str) {
    let told = answer.header("echomesh-reason");
    assert_eq!((answer.status, told), (status, Some(reason)), "{:?} {}", answer.headers, answer.text());
    let proxy_status = answer.header("proxy-status").unwrap_or_else(|| panic!("{reason}: no Proxy-Status in {:?}", answer.headers));
    assert!(proxy_status.contains("error=") && proxy_status.contains(reason), "{proxy_status}");
    let body = answer.json();
    assert_eq!(body["reason"], reason);
    assert!(body["message"].as_str().is_some_and(|m| m.len() > 10), "{body}");
    assert_eq!(answer.text().trim_end().lines().count(), 1, "one line");
    assert_eq!(answer.header("proxy-authenticate").is_some(), status == 407);
}

#[track_caller]
fn connect(door: &Door, target: &str, status: u16, reason: &str) {
    refused(&door.connect(target).unwrap().0, status, reason);
}

#[test]
fn every_refusal_before_the_200_has_its_status_reason_and_body() {
    let world = World::start(Plan::default());
    let session = world.market.open(&wish());
    for door in [world.door(&session), world.tls_door(&session)] {
        // The right secret goes with it: who has none learns less.
        let head = door.head("x.test:1");
        let secret = head.lines().find(|l| l.starts_with("Proxy-Auth")).unwrap();
        let ask = |line: &str| door.from(10).ask(format!("{line}\r\n{secret}\r\n\r\n").as_bytes()).unwrap().0;
        let long = format!("CONNECT {}.test:8443 HTTP/1.1", "a".repeat(300));
        let two_hosts = "CONNECT shop.example.test:8443 HTTP/1.1\r\nHost: other.example.test";
        for line in ["CONNECT shop.example.test HTTP/1.1", "CONNECT shop.example.test:99999 HTTP/1.1", &long, two_hosts] {
            refused(&ask(line), 400, "malformed");
        }
        for line in ["GET http://shop.example.test/ HTTP/1.1", "POST / HTTP/1.1", "OPTIONS * HTTP/1.1"] {
            let answer = ask(&format!("{line}\r\nHost: shop.example.test"));
            refused(&answer, 405, "https-only");
            assert_eq!(answer.header("allow"), Some("CONNECT"));
        }
        connect(&door, "shop.example.test:22", 403, "port-not-allowed");
        connect(&door, "shop.example.test:443", 403, "port-not-allowed");
        for literal in ["127.77.0.1:8443", "[2001:db8::1]:8443", "2130706433:8443", "0x7f.1:8443", "192.168.1.1:8443"] {
            connect(&door, literal, 403, "ip-literal");
        }
        for private in ["home", "loop", "mapped", "meta"] {
            connect(&door, &format!("{private}.example.test:8443"), 403, "private-address");
        }
        for private in ["router.lan:8443", "a.local:8443", "b.internal:8443", "c.home.arpa:8443", "x.onion:8443", "localhost:8443"] {
            connect(&door, private, 403, "private-address");
        }
        connect(&door, "www.blocked.test:8443", 403, "blocked-domain");
        connect(&door, "WWW.Blocked.Test.:8443", 403, "blocked-domain");
        connect(&door, "alias.example.test:8443", 403, "blocked-domain");
        connect(&door, "nothing.example.test:8443", 502, "dns-failed");
        connect(&door, "nobody.example.test:8443", 502, "dial-failed");
        connect(&door, "silent.example.test:8443", 504, "timed-out");
    }
    // A name with one public and one private address is dialled at the public one alone.
    let (answer, _) = world.door(&session).connect("both.example.test:8443").unwrap();
    assert_eq!(answer.status, 200);
    assert!(world.node.refusals("private-address") >= 20 && world.node.refusals("blocked-domain") >= 6);
}

#[test]
fn who_has_not_authenticated_learns_nothing_of_policy_and_is_refused_after_three_tries() {
    let world = World::start(Plan::default());
    let session = world.market.open(&wish());
    let door = world.door(&session);
    // A blocked name, a bad port, an address: with the wrong secret the answer is the same for all.
    for (last, target) in [(1, "www.blocked.test:8443"), (2, "shop.example.test:22"), (3, "10.0.0.1:8443"), (4, SHOP)] {
        connect(&door.with_secret("wrong").from(last), target, 407, "bad-credentials");
    }
    let (answer, _) = door.from(5).ask(format!("CONNECT {SHOP} HTTP/1.1\r\nHost: {SHOP}\r\n\r\n").as_bytes()).unwrap();
    refused(&answer, 407, "bad-credentials");
    let stranger = Session { id: "00000000-0000-4000-8000-000000000000".into(), ..session.clone() };
    connect(&world.door(&stranger).from(6), SHOP, 407, "session-unknown");
    // The right secret wipes the slate; three wrong ones in a row refuse the source, and no other.
    let here = door.from(7);
    for _ in 0..2 {
        connect(&here.with_secret("wrong"), SHOP, 407, "bad-credentials");
    }
    assert_eq!(here.connect(SHOP).unwrap().0.status, 200);
    for _ in 0..3 {
        connect(&here.with_secret("wrong"), SHOP, 407, "bad-credentials");
    }
    connect(&here, SHOP, 429, "rate-table-full");
    assert_eq!(door.from(8).connect(SHOP).unwrap().0.status, 200);
    // To ask without credentials, as browsers do for the challenge, is no failure however often.
    let asking = door.from(12);
    for _ in 0..5 {
        let (answer, _) = asking.ask(format!("CONNECT {SHOP} HTTP/1.1\r\nHost: {SHOP}\r\n\r\n").as_bytes()).unwrap();
        refused(&answer, 407, "bad-credentials");
        assert!(answer.header("proxy-authenticate").unwrap().starts_with("Basic "));
    }
    assert_eq!(asking.connect(SHOP).unwrap().0.status, 200);
    // Nor is the right secret of a session that is over: its buyer's other sessions go on.
    let over = world.market.open(&wish());
    let over = Door { session: over.clone(), ..door.from(13) };
    world.market.close(&over.session);
    until("it is over", || (over.connect(SHOP).ok()?.0.status == 407).then_some(()));
    for _ in 0..5 {
        connect(&over, SHOP, 407, "session-expired");
    }
    assert_eq!(door.from(13).connect(SHOP).unwrap().0.status, 200);
    // Who showed a right secret may come with many at once, as browsers do.
    let wires: Vec<_> = (0..30).map(|_| door.from(13).reach().unwrap()).collect();
    assert_eq!(door.from(13).connect(SHOP).unwrap().0.status, 200);
    drop(wires);
    // Eight that say nothing from one source: the ninth is refused, other sources are served.
    let silent: Vec<_> = (0..8).map(|_| door.from(9).reach().unwrap()).collect();
    until("the ninth is refused", || (door.from(9).connect(SHOP).ok()?.0.status == 429).then_some(()));
    assert_eq!(door.from(8).connect(SHOP).unwrap().0.status, 200);
    drop(silent);
    until("its places are free again", || (door.from(9).connect(SHOP).ok()?.0.status == 200).then_some(()));
}

#[test]
fn caps_categories_lists_and_the_owners_word_refuse() {
    let world = World::start(Plan { settings: vec![("network", "max_tunnels", "3")], ..Plan::default() });
    script::origin(world.raw());
    let open = |change: Value| world.door(&world.market.open(&wish_with(&change)));
    let profile = |change: Value| {
        let mut profile = wish()["profile"].clone();
        for (name, value) in change.as_object().unwrap() {
            profile[name] = value.clone();
        }
        json!({ "profile": profile })
    };
    connect(&open(profile(json!({"categories": ["ad_verification"]}))), SHOP, 403, "category");
    let allowed = open(profile(json!({"allowDomains": ["example.test"]})));
    assert_eq!(allowed.connect(SHOP).unwrap().0.status, 200);
    connect(&allowed, "www.elsewhere.test:8443", 403, "not-allowed-domain");
    connect(&open(json!({"maxGBPerDay": 0})), SHOP, 429, "session-cap");

    let narrow = open(json!({"maxTunnels": 1}));
    let held = script::tunnel(&narrow, RAW, script::ECHO);
    connect(&narrow, SHOP, 429, "tunnel-cap");
    let wide = open(json!({}));
    let more: Vec<_> = (0..2).map(|_| script::tunnel(&wide, RAW, script::ECHO)).collect();
    connect(&wide, SHOP, 503, "overload");
    drop((held, more));
    until("the tunnels are over", || (world.node.tunnels() == 0).then_some(()));

    // The owner's own list comes before everything the session may do.
    world.node.tell("PUT", "/config", &json!({"network": {"blocklistDomains": ["example.test"]}}));
    connect(&wide, SHOP, 403, "blocked-domain");
    world.node.tell("PUT", "/config", &json!({"network": {"blocklistDomains": []}}));
    world.node.tell("POST", "/control", &json!({"action": "pause", "seconds": 600}));
    connect(&wide, SHOP, 503, "paused");
    world.node.tell("POST", "/control", &json!({"action": "stop"}));
    connect(&wide, SHOP, 503, "stopped");
    world.node.tell("POST", "/control", &json!({"action": "start"}));
    assert_eq!(wide.connect(SHOP).unwrap().0.status, 200);
    for reason in ["category", "not-allowed-domain", "session-cap", "tunnel-cap", "overload", "blocked-domain", "paused", "stopped"] {
        assert_eq!(world.node.refusals(reason), 1, "{reason}");
    }
}

/// A fatal alert of this description, and the end; or nothing but the end.
#[track_caller]
fn after_200(door: &Door, hello: &[u8], alert: Option<u8>) {
    let mut wire = door.tunnel(SHOP);
    patient(wire.socket(), Duration::from_secs(15));
    wire.write_all(hello).unwrap();
    wire.flush().unwrap();
    let got = wire.rest();
    match alert {
        None => assert_eq!(got, b"", "no alert to who does not speak TLS"),
        Some(description) => {
            assert_eq!((got[0], &got[3..]), (21, &[0, 2, 2, description][..]), "{got:?}");
        }
    }
}

#[test]
fn what_the_client_hello_says_is_refused_by_alert_or_close_and_counted() {
    let world = World::start(Plan::default());
    let session = world.market.open(&wish());
    let mut profile = wish()["profile"].clone();
    profile["ech"] = json!("refuse");
    let no_ech = world.market.open(&wish_with(&json!({ "profile": profile })));
    let before = world.origin_counts();
    for door in [world.door(&session), world.tls_door(&session)] {
        after_200(&door, b"GET / HTTP/1.1\r\n\r\n", None);
        after_200(&door, b"SSH-2.0-x\r\n", None);
        after_200(&door, &script::hello("other.example.test", &[]), Some(112));
        after_200(&door, &without_sni(), Some(109));
        after_200(&door, &script::hello("shop.example.test", &["acme-tls/1"]), Some(120));
        after_200(&door, &script::hello("shop.example.test", &["http/1.1", "acme-tls/1"]), Some(120));
    }
    after_200(&world.door(&no_ech), &with_ech(), Some(49));
    for (reason, times) in [("not-tls", 4), ("sni-mismatch", 2), ("sni-missing", 2), ("alpn", 4), ("ech", 1)] {
        assert_eq!(world.node.refusals(reason), times, "{reason}");
    }
    // Neither allowed protocol is refused, nor is none at all; and of all the refused nothing reached the origin.
    assert_eq!(world.origin_counts(), before);
    assert_eq!(world.node.metric("echomesh_egress_bytes_total"), 0.0);
    for alpn in [&["h2", "http/1.1"][..], &[]] {
        let mut wire = world.door(&session).tunnel(SHOP);
        wire.write_all(&script::hello("shop.example.test", alpn)).unwrap();
        let mut first = [0; 1];
        wire.read_exact(&mut first).unwrap();
        assert_eq!(first, [22], "a handshake record of the origin");
    }
}

/// rustls leaves the name out for an address.
fn without_sni() -> Vec<u8> {
    let config = trust::client_of("", &[]);
    let name = rustls::pki_types::ServerName::IpAddress(std::net::IpAddr::from([192, 0, 2, 1]).into());
    let mut client = rustls::ClientConnection::new(config, name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

/// A ClientHello with extension 0xfe0d, type outer, put behind the others.
fn with_ech() -> Vec<u8> {
    let mut hello = script::hello("shop.example.test", &[]);
    let extension = [0xfe, 0x0d, 0, 12, 0, 0, 1, 0, 1, 7, 0, 1, 9, 0, 1, 9];
    // Record header 5, handshake header 4, version 2, random 32, then session id, suites and compression by length.
    let mut at = 5 + 4 + 2 + 32;
    at += 1 + usize::from(hello[at]);
    at += 2 + usize::from(u16::from_be_bytes([hello[at], hello[at + 1]]));
    at += 1 + usize::from(hello[at]);
    // The pre-shared key extension must come last, so ours goes first.
    hello.splice(at + 2..at + 2, extension);
    let add = |bytes: &mut [u8]| {
        let value = u16::from_be_bytes([bytes[0], bytes[1]]) + 16;
        bytes.copy_from_slice(&value.to_be_bytes());
    };
    add(&mut hello[3..5]);
    add(&mut hello[7..9]);
    add(&mut hello[at..at + 2]);
    hello
}
