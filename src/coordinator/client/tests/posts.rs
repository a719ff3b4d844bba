//! The calls the data plane awaits.

use std::sync::Mutex;

use serde_json::{Value, json};

use super::server::{Reply, Seen, node, object, raw};
use super::*;
use crate::codec::envelope::{Answer, NODE_SIG, verify, verify_text};
use crate::codec::{Hash, base64};

const HEARD: &str = r#"{"time":"2027-01-15T08:00:00Z","geo":{"country":null,"region":null,"confidence":0},
    "earnings":{"creditsToday":5,"bonusForecast":0},"reputation":{"score":0.5,"tier":"new"}}"#;

fn heartbeat() -> Heartbeat {
    Heartbeat { state: "running".into(), boot_id: None, active_sessions: 1, qos: wire::Qos::default(), telemetry: None }
}

fn register(time: u64) -> Register {
    let reach = wire::Reach { mode: "direct".into(), address: Some(":8443".into()), spki: None };
    Register {
        node_id: node(),
        boot_id: base64::url(&[0; 16]),
        protocols: vec![wire::PROTOCOL],
        version: "1".into(),
        regions: vec!["DE".into()],
        roles: vec!["proxy".into()],
        max_mbps: 10,
        reach,
        previous_node_id: None,
        previous_sig: None,
        time,
    }
}

fn registered(protocol: u32) -> String {
    json!({"accepted": true, "protocol": protocol, "heartbeatSec": 30, "sessions": []}).to_string()
}

/// What a heartbeat comes to where the server answers by `answer`.
fn heartbeat_against(answer: impl Fn(&Seen) -> Option<Reply> + Send + Sync + 'static) -> (CallError, Client, Server) {
    let server = Server::start(answer);
    let (client, _) = client(&server, &synced());
    let error = smol::block_on(client.heartbeat(&heartbeat())).unwrap_err();
    (error, client, server)
}

#[test]
fn only_register_is_signed_before_the_time_is_known_and_brings_it() {
    let server = Server::start(|seen| {
        let body = if seen.path == "/nodes/register" { registered(wire::PROTOCOL) } else { HEARD.into() };
        Some(seen.signed(200, &body, NOW))
    });
    let clock = Clock::test(5);
    let (client, _) = client(&server, &clock);
    smol::block_on(async {
        let early = client.heartbeat(&heartbeat()).await.unwrap_err();
        assert_eq!(early.kind, CallKind::Clock);
        assert_eq!(client.last_contact(), None);
        let answer = client.register(&register(5)).await.unwrap();
        assert!(answer.accepted);
        assert_eq!(answer.heartbeat_sec, 30);
        assert!(clock.synced());
        assert_eq!(clock.unix(), NOW);
        assert_eq!(client.heartbeat(&heartbeat()).await.unwrap().earnings.credits_today, 5);
    });
    let seen = server.seen();
    assert_eq!(
        seen.iter().map(|s| (s.method.as_str(), s.path.as_str())).collect::<Vec<_>>(),
        [("POST", "/nodes/register"), ("POST", "/nodes/heartbeat")]
    );
    assert_eq!(verify(&seen[0].json(), NODE_SIG, context::REGISTER, [&server::node_key().verifying_key()]), Ok(()));
    assert_ne!(seen[0].nonce, seen[1].nonce);
    assert!(client.last_contact().is_some());
}

#[test]
fn a_wrong_clock_is_corrected_by_the_signed_refusal_and_tried_once_more() {
    let server = Server::start(|seen| {
        let skewed = seen.time.abs_diff(NOW) > 120;
        Some(if skewed { seen.signed(401, r#"{"reason":"skew"}"#, NOW) } else { seen.signed(200, &registered(wire::PROTOCOL), NOW) })
    });
    let clock = Clock::test(5);
    let (client, _) = client(&server, &clock);
    smol::block_on(client.register(&register(5))).unwrap();
    let seen = server.seen();
    assert_eq!(seen.iter().map(|s| s.time).collect::<Vec<_>>(), [5, NOW]);
    assert_ne!(seen[0].nonce, seen[1].nonce);
    assert_eq!(seen[1].json()["time"], "2027-01-15T08:00:00Z", "the signed member follows the corrected clock");
    assert_eq!(verify(&seen[1].json(), NODE_SIG, context::REGISTER, [&server::node_key().verifying_key()]), Ok(()));
}

#[test]
fn a_time_a_little_before_the_coordinators_start_is_tried_once_more_with_its_time() {
    let server = Server::start(|seen| {
        let started = NOW + 3;
        let early = seen.time < started;
        Some(if early { seen.signed(401, r#"{"reason":"before-start"}"#, started) } else { seen.signed(200, HEARD, started) })
    });
    let clock = synced();
    let (client, _) = client(&server, &clock);
    smol::block_on(client.heartbeat(&heartbeat())).unwrap();
    let seen = server.seen();
    assert_eq!(seen.iter().map(|s| s.time).collect::<Vec<_>>(), [NOW, NOW + 3]);
    assert_ne!(seen[0].nonce, seen[1].nonce);
    assert_eq!(clock.unix(), NOW, "NTP outranks it");
}

#[test]
fn a_refusal_that_only_says_before_start_is_not_repeated_for_ever() {
    let (error, _, server) = heartbeat_against(|seen| Some(seen.signed(401, r#"{"reason":"before-start"}"#, seen.time + 1)));
    assert_eq!(error.kind, CallKind::Refused { status: 401, reason: "before-start".into() });
    assert_eq!(server.seen().len(), 2);
}

#[test]
fn where_ntp_and_coordinator_disagree_the_owner_is_told() {
    let (error, _, server) = heartbeat_against(|seen| Some(seen.signed(401, r#"{"reason":"skew"}"#, NOW + 3600)));
    assert_eq!(error.kind, CallKind::Clock);
    assert!(error.message.contains("3600 s apart"), "{error}");
    assert_eq!(server.seen().len(), 1, "no second try with the same wrong time");
}

#[test]
fn nothing_is_believed_that_is_not_signed_for_this_request() {
    type Bad = fn(&Seen) -> Reply;
    let cases: [(Fault, Bad); 6] = [
        (Fault::Unsigned, |_| raw(200, &[], HEARD.as_bytes())),
        (Fault::BadAnswer, |seen| {
            // The right bytes, changed after they were signed.
            let mut reply = seen.signed(200, HEARD, NOW);
            let last = reply.iter().rposition(|b| *b == b'5').unwrap();
            reply[last] = b'6';
            reply
        }),
        (Fault::BadAnswer, |seen| Seen { nonce: "AAAAAAAAAAAAAAAAAAAAAA".into(), ..seen.clone() }.signed(200, HEARD, NOW)),
        (Fault::BadAnswer, |seen| {
            let forged = crate::codec::envelope::sign_text(
                &Answer { status: 200, nonce: &seen.nonce, body: b"{}", time: NOW }.text(),
                &SigningKey::from_bytes(&[9; 32]),
            );
            raw(200, &[("Echomesh-Time", &NOW.to_string()), ("Echomesh-Signature", &forged)], b"{}")
        }),
        (Fault::Oversize, |seen| seen.signed(200, &" ".repeat(json::MAX_BODY + 1), NOW)),
        (Fault::Malformed, |seen| seen.signed(200, "[1,2", NOW)),
    ];
    for (fault, bad) in cases {
        let (error, client, _) = heartbeat_against(move |seen| Some(bad(seen)));
        assert_eq!(error.kind, CallKind::BadAnswer, "{fault:?}");
        assert_eq!(client.faults().of(fault), 1, "{fault:?}");
    }
}

#[test]
fn a_redirect_is_not_followed_and_an_unsigned_answer_moves_no_clock() {
    let (error, client, server) = heartbeat_against(|_| Some(raw(302, &[("Location", "/elsewhere"), ("Echomesh-Time", "5")], b"")));
    assert_eq!(error.kind, CallKind::BadAnswer);
    assert_eq!(server.seen().len(), 1);
    assert_eq!(client.last_contact(), None);
}

#[test]
fn a_signed_refusal_keeps_its_reason() {
    let (error, client, _) = heartbeat_against(|seen| Some(seen.signed(409, r#"{"reason":"duplicate-identity"}"#, NOW)));
    assert_eq!(error.kind, CallKind::Refused { status: 409, reason: "duplicate-identity".into() });
    assert!(client.last_contact().is_some());
    let (error, ..) = heartbeat_against(|seen| Some(seen.signed(503, "", NOW)));
    assert_eq!(error.kind, CallKind::Refused { status: 503, reason: String::new() });
}

#[test]
fn what_cannot_be_reached_says_why() {
    let (held, release) = std::sync::mpsc::channel::<()>();
    let release = Mutex::new(release);
    let slow = Server::start(move |_| {
        let _ = release.lock().unwrap().recv();
        None
    });
    let (client, _events) = Client::start_with(access(&slow, &synced()), Duration::from_millis(300), PATIENCE).unwrap();
    let error = smol::block_on(client.heartbeat(&heartbeat())).unwrap_err();
    assert_eq!(error.kind, CallKind::Unreachable);
    assert!(error.message.contains("did not answer in time"), "{error}");
    drop(held);

    let (error, ..) = heartbeat_against(|_| None);
    assert_eq!(error.kind, CallKind::Unreachable);

    let other = Server::start(|_| None);
    let (client, _events) = Client::start(Access { roots: other.roots(), ..access(&slow, &synced()) }).unwrap();
    let error = smol::block_on(client.heartbeat(&heartbeat())).unwrap_err();
    assert_eq!(error.kind, CallKind::Unreachable);
    assert!(error.message.contains("ca_file"), "{error}");
}

#[test]
fn a_bundle_leaves_only_with_a_signed_ack_of_its_own_hash() {
    let bundle = json!({"nodeId": node().to_string(), "sessionId": "s 1", "seq": 3, "nodeSig": "x"});
    let hash = Hash::of(&json::canonical(&bundle));
    let ack = move |hash: Hash, seq: u64| {
        json!({"ack": hash.to_string(), "nodeId": node().to_string(), "sessionId": "s 1", "seq": seq, "time": "2027-01-15T08:00:00Z"}).to_string()
    };
    let tries = Mutex::new(0);
    let server = Server::start(move |seen| {
        let head = json!({"head": {"seq": 2, "hash": hash.to_string()}}).to_string();
        if seen.method == "GET" {
            return Some(seen.signed(200, &head, NOW));
        }
        *tries.lock().unwrap() += 1;
        Some(match *tries.lock().unwrap() {
            1 => seen.signed(200, &ack(hash, 3), NOW),
            2 => seen.signed(200, &ack(Hash::of(b"another"), 3), NOW),
            3 => seen.signed(200, &ack(hash, 4), NOW),
            4 => seen.signed(409, &head, NOW),
            5 => seen.signed(422, r#"{"reason":"totals"}"#, NOW),
            _ => seen.signed(503, "", NOW),
        })
    });
    let (client, _events) = client(&server, &synced());
    let attest = || smol::block_on(client.attest(bundle.to_string().into_bytes()));

    let Ok(Attested::Acked(acked, receipt)) = attest() else { panic!("not acked") };
    assert_eq!((acked.ack, acked.seq), (hash, 3));
    let text = Answer { status: 200, nonce: &receipt.nonce, body: receipt.body.as_bytes(), time: receipt.time }.text();
    assert_eq!(verify_text(&text, &receipt.signature, [&server::coordinator_key().verifying_key()]), Ok(()), "a receipt stands on its own");
    for _ in 0..2 {
        assert_eq!(attest().unwrap_err().kind, CallKind::BadAnswer);
    }
    assert!(matches!(attest(), Ok(Attested::Head(Head { seq: 2, hash: Some(h) })) if h == hash));
    assert!(matches!(attest(), Ok(Attested::Refused(reason)) if reason == "totals"));
    assert!(matches!(attest().unwrap_err().kind, CallKind::Refused { status: 503, .. }));
    assert_eq!(smol::block_on(client.head("s 1")).unwrap().seq, 2);
    assert_eq!(server.seen().last().unwrap().path, "/attest/metering?sessionId=s%201");
    assert_eq!(client.faults().of(Fault::Addressee), 2);
}

#[test]
fn a_probe_request_counts_only_when_signed_for_this_node() {
    let request = |to: NodeId| {
        let unsigned = json!({"nodeId": to.to_string(), "sessionId": "s", "endpoint": "https://p.example/probe", "size": 1000,
            "nonce": "n", "ttl": 60, "issuedAt": "2027-01-15T08:00:00Z"});
        object(unsigned, context::PROBE_REQUEST)
    };
    let mut forged: Value = request(node());
    forged["size"] = 8_000_000.into();
    let other = NodeId::from(&SigningKey::from_bytes(&[7; 32]).verifying_key());
    let bodies = Mutex::new(vec![forged.to_string(), request(other).to_string(), request(node()).to_string()]);
    let server = Server::start(move |seen| {
        Some(match bodies.lock().unwrap().pop() {
            Some(body) => seen.signed(200, &body, NOW),
            None => seen.signed(204, "", NOW),
        })
    });
    let (client, _events) = client(&server, &synced());
    let ask = || smol::block_on(client.probe_request());
    assert_eq!(ask().unwrap().unwrap().size, 1000);
    assert_eq!(ask().unwrap_err().kind, CallKind::BadAnswer);
    assert_eq!(ask().unwrap_err().kind, CallKind::BadAnswer);
    assert!(ask().unwrap().is_none());
    assert_eq!((client.faults().of(Fault::Addressee), client.faults().of(Fault::BadObject)), (1, 1));
}

#[test]
fn what_the_node_signs_carries_its_context() {
    let server = Server::start(|seen| {
        let body = if seen.path == "/probes/report" { r#"{"ack":true}"# } else { "{}" };
        Some(seen.signed(200, body, NOW))
    });
    let (client, _events) = client(&server, &synced());
    let accept = Accept { node_id: node(), session_id: "s".into(), accepted: true, reason: None, effective_profile: None, time: 0 };
    smol::block_on(async {
        client.accept(&accept).await.unwrap();
        client.leave().await.unwrap();
    });
    let seen = server.seen();
    let key = server::node_key().verifying_key();
    for (seen, context) in seen.iter().zip([context::SESSION_ACCEPT, context::LEAVE]) {
        assert_eq!(verify(&seen.json(), NODE_SIG, context, [&key]), Ok(()));
        assert_eq!(seen.json()["time"], "2027-01-15T08:00:00Z");
    }
}

#[test]
fn a_coordinator_of_another_protocol_is_not_followed() {
    let server = Server::start(|seen| Some(seen.signed(200, &registered(99), NOW)));
    let (client, _events) = client(&server, &synced());
    let error = smol::block_on(client.register(&register(0))).unwrap_err();
    assert!(error.message.contains("protocol 99"), "{error}");
}

#[test]
fn a_call_nobody_awaits_any_more_is_not_made() {
    let (go, held) = std::sync::mpsc::channel::<()>();
    let held = Mutex::new(held);
    let server = Server::start(move |seen| {
        held.lock().unwrap().recv().ok()?;
        Some(seen.signed(200, HEARD, NOW))
    });
    let (client, _events) = client(&server, &synced());
    let beat = heartbeat();
    smol::block_on(async {
        let mut first = Box::pin(client.heartbeat(&beat));
        let mut dropped = Box::pin(client.heartbeat(&beat));
        assert!(smol::future::poll_once(&mut first).await.is_none());
        assert!(smol::future::poll_once(&mut dropped).await.is_none());
        drop(dropped);
        go.send(()).unwrap();
        first.await.unwrap();
        go.send(()).unwrap();
        client.heartbeat(&beat).await.unwrap();
    });
    assert_eq!(server.seen().len(), 2);
}
