//! A coordinator that lies: wrong acknowledgements, wrong heads, refusals, wrong numbers in its stream.

use std::time::{Duration, Instant};

use echomesh::codec::NodeId;
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};

use crate::support::sham::{Reply, Sham, hash_of};
use crate::support::world::SHOP;
use crate::support::{Plan, World, books, until};

fn dropped(world: &World) -> f64 {
    world.node.metric("echomesh_coordinator_dropped_total")
}

fn spooled(world: &World) -> u64 {
    world.node.status()["coordinator"]["spooledBundles"].as_u64().unwrap()
}

fn restart(world: &mut World) {
    world.node.running().kill();
    world.node.process = None;
    world.node.start();
}

fn integrity(world: &World) -> String {
    let status = world.node.status();
    let alert = status["alerts"].as_array().unwrap().iter().find(|a| a["id"] == "integrity").cloned();
    alert.map_or_else(String::new, |a| a["message"].as_str().unwrap().to_owned())
}

/// One chain from 1 on that sums up to `counted`.
#[track_caller]
fn holds(chain: &[Value], counted: (u64, u64)) {
    let seqs: Vec<u64> = chain.iter().map(|b| b["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=chain.len() as u64).collect::<Vec<_>>());
    for pair in chain.windows(2) {
        assert_eq!(pair[1]["prevHash"], hash_of(&pair[0]));
    }
    assert_eq!(books::billed(chain), counted);
}

/// The acknowledgement of `bundle`, one member changed.
fn ack(bundle: &Value, changed: &str, to: Value) -> Value {
    let mut ack = json!({"ack": hash_of(bundle), "nodeId": bundle["nodeId"], "sessionId": bundle["sessionId"], "seq": bundle["seq"]});
    ack["time"] = json!("2026-01-01T00:00:00Z");
    ack[changed] = to;
    ack
}

#[test]
fn an_acknowledgement_that_is_not_for_the_bundle_does_not_let_it_leave() {
    let mut world = World::without_node(Plan::default());
    let sham = Sham::instead(&mut world);
    world.node.start();
    let session = sham.opened(&world);
    world.fetch(&world.door(&session), 100_000);
    let counted = books::counted(&world, &session);
    type Lie = fn(&Value, &mut Reply);
    let lies: [(&str, Lie); 8] = [
        ("another hash", |b, r| r.say(200, &ack(b, "ack", json!(format!("b3:{}", "0".repeat(64)))))),
        ("another node", |b, r| r.say(200, &ack(b, "nodeId", json!(NodeId::from(&SigningKey::from_bytes(&[8; 32]).verifying_key()))))),
        ("another session", |b, r| r.say(200, &ack(b, "sessionId", json!("00000000-0000-4000-8000-000000000000")))),
        ("another number", |b, r| r.say(200, &ack(b, "seq", json!(7)))),
        ("another key", |b, r| {
            r.say(200, &ack(b, "seq", b["seq"].clone()));
            r.signer = Some(SigningKey::from_bytes(&[9; 32]));
        }),
        ("no signature", |b, r| {
            r.say(200, &ack(b, "seq", b["seq"].clone()));
            r.signer = None;
        }),
        ("nothing in it", |_, r| r.say(200, &json!({}))),
        ("no JSON", |_, r| (r.status, r.body) = (200, b"<html>".to_vec())),
    ];
    for (n, (what, lie)) in lies.into_iter().enumerate() {
        let before = sham.handed_in();
        sham.bend(move |asked, reply| {
            if asked.is_bundle() {
                lie(&asked.body, reply)
            }
        });
        if n == 0 {
            sham.close(&session);
        } else {
            // A new start tries at once.
            world.node.running().kill();
            world.node.process = None;
            world.node.launch();
            until("it is up", || world.node.call("GET", "/status", "").ok());
        }
        until("the bundle is handed in", || (sham.handed_in() > before).then_some(()));
        until("the lie is noticed", || (dropped(&world) >= 1.0).then_some(()));
        assert!(spooled(&world) >= 1, "{what}");
        assert!(sham.chain(&session).is_empty());
    }
    sham.straight();
    restart(&mut world);
    until("the bundle leaves", || (spooled(&world) == 0 && sham.is_settled(&session)).then_some(()));
    holds(&sham.chain(&session), counted);
}

#[test]
fn a_bundle_refused_for_good_is_kept_aside_and_told_and_the_next_takes_its_number() {
    let mut world = World::without_node(Plan::default());
    let sham = Sham::instead(&mut world);
    world.node.start();
    let session = sham.opened(&world);
    world.fetch(&world.door(&session), 100_000);
    let first = books::counted(&world, &session);
    sham.bend(|asked, reply| {
        if asked.is_bundle() {
            reply.say(422, &json!({"reason": "bad-window"}))
        }
    });
    // Its clock is ahead: node time follows, and the window ends.
    sham.ahead(700);
    until("the bundle is refused", || integrity(&world).contains("bad-window").then_some(()));
    sham.straight();
    world.fetch(&world.door(&session), 200_000);
    let all = books::counted(&world, &session);
    sham.close(&session);
    until("the rest leaves", || sham.is_settled(&session).then_some(()));
    holds(&sham.chain(&session), (all.0 - first.0, all.1 - first.1));
    assert_eq!(world.node.metric("echomesh_bundles_total{result=\"refused\"}"), 1.0);
}

#[test]
fn heads_that_are_made_up_neither_lose_a_byte_nor_make_the_node_busy() {
    let mut world = World::without_node(Plan::default());
    let sham = Sham::instead(&mut world);
    world.node.start();
    let (session, other) = (sham.opened(&world), sham.opened(&world));
    for session in [&session, &other] {
        world.fetch(&world.door(session), 100_000);
    }
    let (counted, of_other) = (books::counted(&world, &session), books::counted(&world, &other));
    let victim = session.id.clone();
    sham.bend(move |asked, reply| {
        if asked.is_bundle() && asked.body["sessionId"] == victim.as_str() {
            let seq = if asked.number.is_multiple_of(3) { 9_007_199_254_740_991 } else { asked.number };
            reply.say(409, &json!({"head": {"seq": seq, "hash": format!("b3:{}", blake3::hash(&asked.number.to_be_bytes()).to_hex())}}));
        }
    });
    let (began, before) = (Instant::now(), sham.handed_in());
    sham.close(&session);
    until("it is handed in again and again", || (sham.handed_in() >= before + 3).then_some(()));
    // Sessions do not wait for each other.
    sham.close(&other);
    until("the other session's bundle leaves", || sham.is_settled(&other).then_some(()));
    holds(&sham.chain(&other), of_other);
    until("some time has passed", || (began.elapsed() > Duration::from_secs(4)).then_some(()));
    let asked = sham.handed_in() - before;
    let allowed = began.elapsed().as_secs() * 2 + 4;
    assert!(asked <= allowed, "{asked} times in {:?}", began.elapsed());
    assert!(spooled(&world) >= 1);
    sham.straight();
    until("told the truth, the bundle leaves", || sham.is_settled(&session).then_some(()));
    holds(&sham.chain(&session), counted);
}

#[test]
fn a_coordinator_restored_from_a_backup_gets_no_byte_twice_and_the_chain_goes_on() {
    let mut world = World::without_node(Plan::default());
    let sham = Sham::instead(&mut world);
    world.node.start();
    let session = sham.opened(&world);
    for round in 1..=3u64 {
        world.fetch(&world.door(&session), 100_000 * round);
        books::counted(&world, &session);
        sham.ahead(i64::try_from(round).unwrap() * 700);
        until("the window leaves", || (sham.chain(&session).len() as u64 >= round && spooled(&world) == 0).then_some(()));
    }
    let lost = sham.forget(&session, 2);
    world.fetch(&world.door(&session), 50_000);
    let counted = books::counted(&world, &session);
    sham.close(&session);
    until("the last bundle leaves", || (sham.chain(&session).len() >= 2 && sham.is_settled(&session)).then_some(()));
    // What the coordinator acknowledged and lost is for its receipts to show: the node does not bill it again.
    let gone = books::billed(&lost);
    holds(&sham.chain(&session), (counted.0 - gone.0, counted.1 - gone.1));
}

#[test]
fn replayed_and_skipped_numbers_of_the_stream_are_not_obeyed() {
    let mut world = World::without_node(Plan::default());
    let sham = Sham::instead(&mut world);
    world.node.start();
    let node: NodeId = world.node.status()["nodeId"].as_str().unwrap().parse().unwrap();
    let (first, second) = (sham.opened(&world), sham.opened(&world));
    let sends = |event: Value| {
        until("the node stands where it should", || (sham.position() == "sham:2").then_some(()));
        let before = dropped(&world);
        let once = std::sync::atomic::AtomicBool::new(true);
        sham.bend(move |asked, reply| {
            if asked.path == "/sessions/control" && once.swap(false, std::sync::atomic::Ordering::SeqCst) {
                reply.say(200, &json!({"stream": "sham", "events": [event]}));
            }
        });
        until("it is dropped", || (dropped(&world) > before).then_some(()));
        sham.straight();
    };
    let close = json!({"kind": "close", "session": {"sessionId": first.id}});
    // An old number, a number too far, a snapshot of before, another node's, an unknown kind.
    sends(sham.event(1, node, &close));
    sends(sham.event(1, node, &json!({"kind": "snapshot", "sessions": []})));
    sends(sham.event(7, node, &close));
    sends(sham.event(3, NodeId::from(&SigningKey::from_bytes(&[8; 32]).verifying_key()), &close));
    sends(sham.event(3, node, &json!({"kind": "dance", "session": {"sessionId": first.id}})));
    let mut unsigned = sham.event(3, node, &close);
    unsigned.as_object_mut().unwrap().remove("coordinatorSig");
    sends(unsigned);
    let mut changed = sham.event(3, node, &close);
    changed["session"]["sessionId"] = json!(second.id);
    sends(changed);
    for session in [&first, &second] {
        assert_eq!(world.node.session(&session.id).unwrap()["state"], "active");
        assert_eq!(world.door(session).connect(SHOP).unwrap().0.status, 200);
    }
    // And the stream itself goes on.
    sham.close(&first);
    until("the true word counts", || (world.door(&first).connect(SHOP).ok()?.0.status == 407).then_some(()));
    assert_eq!(world.door(&second).connect(SHOP).unwrap().0.status, 200);
}
