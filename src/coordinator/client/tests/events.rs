//! The long poll.

use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};

use serde_json::{Value, json};

use super::server::{Reply, Seen, node, object};
use super::*;

/// How the server answers the next poll.
type Step = Box<dyn FnOnce(&Seen) -> Option<Reply> + Send>;

/// A server that holds each poll until the test names a step.
fn stepped() -> (Server, Sender<Step>) {
    let (steps, answer) = by_steps();
    (Server::start(answer), steps)
}

fn by_steps() -> (Sender<Step>, impl Fn(&Seen) -> Option<Reply> + Send + Sync) {
    let (steps, next) = channel::<Step>();
    let next = Mutex::new(next);
    (steps, move |seen: &Seen| {
        let step = next.lock().unwrap().recv().ok()?;
        step(seen)
    })
}

fn event(seq: u64, kind: &str, rest: Value) -> Value {
    let mut tree = json!({"seq": seq, "nodeId": node().to_string(), "kind": kind, "issuedAt": "2027-01-15T08:00:00Z"});
    tree.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    object(tree, context::SESSION_EVENT)
}

fn snapshot(seq: u64) -> Value {
    event(seq, "snapshot", json!({"sessions": []}))
}

fn close(seq: u64) -> Value {
    event(seq, "close", json!({"session": {"sessionId": "a"}}))
}

fn answer(stream: &str, events: &[Value]) -> Step {
    let body = json!({"stream": stream, "events": events}).to_string();
    Box::new(move |seen| Some(seen.signed(200, &body, NOW)))
}

fn next(events: &Events) -> Event {
    smol::block_on(events.next()).unwrap()
}

fn batch(events: &Events) -> Batch {
    match next(events) {
        Event::Batch(batch) => batch,
        Event::Link(link) => panic!("{link:?}"),
    }
}

fn seqs(batch: &Batch) -> Vec<u64> {
    batch.events.iter().map(|e| e.seq).collect()
}

#[test]
fn a_cold_start_brings_a_snapshot_and_a_gap_brings_another() {
    let (server, steps) = stepped();
    let (client, events) = client(&server, &synced());
    client.follow(None, 0);
    steps.send(answer("s1", &[snapshot(4)])).unwrap();
    assert!(matches!(next(&events), Event::Link(Link::Up)));
    let first = batch(&events);
    assert_eq!((first.stream.as_deref(), first.seq, seqs(&first)), (Some("s1"), 4, vec![4]));

    steps.send(answer("s1", &[])).unwrap();
    steps.send(answer("s1", &[close(5), close(7)])).unwrap();
    let gap = batch(&events);
    assert_eq!((gap.stream.clone(), seqs(&gap), gap.dropped.clone()), (None, vec![5], vec![Fault::Gap]));

    steps.send(answer("s2", &[snapshot(9), close(10)])).unwrap();
    let healed = batch(&events);
    assert_eq!((healed.stream.as_deref(), healed.seq, seqs(&healed)), (Some("s2"), 10, vec![9, 10]));
    let asked: Vec<String> = server.seen().into_iter().map(|s| s.path).take(4).collect();
    let want = ["none:0", "s1:4", "s1:4", "none:0"].map(|since| format!("/sessions/control?since={since}&wait=25"));
    assert_eq!(asked, want);
    assert_eq!(client.faults().of(Fault::Gap), 1);
}

#[test]
fn an_event_for_another_node_or_with_a_bad_signature_never_arrives() {
    let (server, steps) = stepped();
    let (client, events) = client(&server, &synced());
    client.follow(Some("s1".into()), 1);
    let mut elsewhere = close(2);
    elsewhere["nodeId"] = NodeId::from(&SigningKey::from_bytes(&[7; 32]).verifying_key()).to_string().into();
    let resigned = object(elsewhere.clone(), context::SESSION_EVENT);
    steps.send(answer("s1", &[elsewhere, resigned])).unwrap();
    assert!(matches!(next(&events), Event::Link(Link::Up)));
    let dropped = batch(&events);
    assert_eq!((seqs(&dropped), dropped.dropped), (vec![], vec![Fault::BadObject, Fault::Addressee, Fault::Gap]));
}

#[test]
fn an_answer_played_again_is_down_and_not_believed() {
    let (server, steps) = stepped();
    let (client, events) = client(&server, &synced());
    client.follow(Some("s1".into()), 1);
    let (kept, old) = channel();
    let body = json!({"stream": "s1", "events": [close(2)]}).to_string();
    steps
        .send(Box::new(move |seen| {
            let reply = seen.signed(200, &body, NOW);
            kept.send(reply.clone()).unwrap();
            Some(reply)
        }))
        .unwrap();
    assert!(matches!(next(&events), Event::Link(Link::Up)));
    assert_eq!(seqs(&batch(&events)), [2]);
    steps.send(Box::new(move |_| old.recv().ok())).unwrap();
    let Event::Link(Link::Down { error, .. }) = next(&events) else { panic!("believed") };
    assert_eq!(error.kind, CallKind::BadAnswer);
    assert_eq!(client.faults().of(Fault::BadAnswer), 1);
}

#[test]
fn an_outage_is_told_and_the_stream_goes_on_where_it_stood() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    drop(listener);
    // Only for its roots: the real one starts later, on the port that refuses now.
    let elsewhere = Server::start(|_| None);
    let clock = synced();
    let (client, events) = Client::start_with(Access { url: format!("https://{at}"), ..access(&elsewhere, &clock) }, CALL, PATIENCE).unwrap();
    client.follow(Some("s1".into()), 6);
    for _ in 0..2 {
        let Event::Link(Link::Down { error, retry_in }) = next(&events) else { panic!("reached nobody") };
        assert_eq!(error.kind, CallKind::Unreachable);
        assert!(error.message.contains(&at.to_string()), "{error}");
        assert!(retry_in <= PATIENCE.most);
    }
    // A server of the same certificate comes up there.
    let (steps, by) = by_steps();
    elsewhere.again_at(TcpListener::bind(at).unwrap(), by);
    steps.send(answer("s1", &[close(7)])).unwrap();
    while let Event::Link(link) = next(&events) {
        if matches!(link, Link::Up) {
            break;
        }
    }
    let batch = batch(&events);
    assert_eq!((batch.seq, seqs(&batch)), (7, vec![7]));
}

#[test]
fn a_new_position_drops_the_answer_under_way() {
    let (server, steps) = stepped();
    let (client, events) = client(&server, &synced());
    client.follow(Some("s1".into()), 1);
    let (asked, is_asked) = channel();
    let (release, held) = channel::<()>();
    let body = json!({"stream": "s1", "events": [close(2)]}).to_string();
    steps
        .send(Box::new(move |seen| {
            asked.send(()).unwrap();
            held.recv().ok()?;
            Some(seen.signed(200, &body, NOW))
        }))
        .unwrap();
    is_asked.recv().unwrap();
    client.follow(Some("s1".into()), 40);
    release.send(()).unwrap();
    steps.send(answer("s1", &[close(41)])).unwrap();
    assert!(matches!(next(&events), Event::Link(Link::Up)));
    assert_eq!(seqs(&batch(&events)), [41]);
}

#[test]
fn at_rest_nothing_is_asked_until_a_position_is_named() {
    let (server, steps) = stepped();
    let (client, events) = client(&server, &synced());
    client.follow(Some("s1".into()), 1);
    let (asked, is_asked) = channel();
    let (release, held) = channel::<()>();
    let body = json!({"stream": "s1", "events": [close(2)]}).to_string();
    steps
        .send(Box::new(move |seen| {
            asked.send(()).unwrap();
            held.recv().ok()?;
            Some(seen.signed(200, &body, NOW))
        }))
        .unwrap();
    is_asked.recv().unwrap();
    client.rest();
    release.send(()).unwrap();
    // Resting twice, and the thread is not lost for what follows.
    while !client.follow.is_empty() {
        std::thread::yield_now();
    }
    client.rest();
    while !client.follow.is_empty() {
        std::thread::yield_now();
    }
    assert_eq!(server.seen().len(), 1, "nothing was asked at rest");
    client.follow(Some("s1".into()), 1);
    steps.send(answer("s1", &[close(2), close(3)])).unwrap();
    assert!(matches!(next(&events), Event::Link(Link::Up)));
    assert_eq!(seqs(&batch(&events)), [2, 3], "what was dropped comes again");
}

#[test]
fn before_node_time_is_known_nothing_is_polled() {
    let (server, _steps) = stepped();
    let (client, events) = client(&server, &Clock::test(5));
    client.follow(None, 0);
    let Event::Link(Link::Down { error, .. }) = next(&events) else { panic!("polled") };
    assert_eq!(error.kind, CallKind::Clock);
    assert!(server.seen().is_empty());
}

#[test]
fn the_thread_ends_with_its_client() {
    let (server, _steps) = stepped();
    let (client, events) = client(&server, &synced());
    drop(client);
    assert!(smol::block_on(events.next()).is_none());
}
