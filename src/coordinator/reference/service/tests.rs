//! The service as nodes and buyers see it, without a socket: whole requests in, signed answers out.

use std::cell::Cell;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::attest::Judged;
use super::super::chain;
use super::super::testing::{self, Folder, START};
use super::*;
use crate::codec::envelope::context;
use crate::codec::{Hash, base64};
use crate::coordinator::wire::{self, Bundle};
use crate::platform::files::Medium;

struct Bench {
    folder: Folder,
    service: Service,
    token: String,
    nonces: Cell<u64>,
}

fn service(folder: &Folder, clock: Clock) -> Service {
    let (store, state) = Store::open(&folder.0, Medium::Tmpfs).unwrap();
    let engine = Engine::new(state, testing::terms(), [3; 32]);
    let auth = Auth::new(START, &["coordinator.example".into()]);
    Service::new(engine, store, auth, Keys::new(folder.0.clone(), testing::key(100)), clock, None, smol::channel::bounded(1).0)
}

impl Bench {
    fn new(name: &str) -> Bench {
        let folder = Folder::new(name);
        let service = service(&folder, Clock::test(START));
        let token = service.change(|e, _, at| e.add_buyer("shop", at)).unwrap();
        Bench { folder, service, token, nonces: Cell::new(0) }
    }

    /// The same store after a kill.
    fn restarted(self) -> Bench {
        let clock = self.service.clock.clone();
        let Bench { folder, service: old, token, nonces } = self;
        drop(old);
        let service = service(&folder, clock);
        Bench { folder, service, token, nonces }
    }

    fn nonce(&self) -> [u8; 16] {
        self.nonces.set(self.nonces.get() + 1);
        *blake3::hash(&self.nonces.get().to_le_bytes()).as_bytes().first_chunk().unwrap()
    }

    /// A call of node `n`; the answer's signature is verified.
    fn node(&self, n: u8, method: &str, target: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        self.verified(testing::request(n, method, target, body, self.service.clock.unix(), self.nonce()))
    }

    fn buyer(&self, method: &str, target: &str, body: &Value) -> (u16, Value) {
        let headers = vec![("host".into(), "coordinator.example:8440".into()), ("authorization".into(), format!("Bearer {}", self.token))];
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        self.verified(Request { method: method.into(), target: target.into(), headers, body, peer: None })
    }

    fn verified(&self, request: Request) -> (u16, Value) {
        let nonce = nonce_of(&request).to_owned();
        let response = smol::block_on(self.service.handle(request));
        let Body::Whole(body) = &response.body else { panic!("a whole body") };
        let header = |name: &str| response.headers.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str()).unwrap();
        let time = header("Echomesh-Time").parse().unwrap();
        let text = envelope::Answer { status: response.status, nonce: &nonce, body, time }.text();
        envelope::verify_text(&text, header("Echomesh-Signature"), [&testing::key(100).verifying_key()]).unwrap();
        (response.status, strict::parse(body).unwrap_or(Value::Null))
    }

    /// Node `n` has registered, shown its address and beaten once.
    fn joined(&self, n: u8) {
        let register = testing::signed(n, context::REGISTER, &testing::register(n, "boot"));
        let (status, answer) = self.node(n, "POST", "/nodes/register", &register);
        assert_eq!((status, &answer["accepted"]), (200, &json!(true)));
        for check in self.service.take_checks() {
            self.service.checked(&check, true);
        }
        assert_eq!(self.node(n, "POST", "/nodes/heartbeat", &serde_json::to_value(testing::heartbeat()).unwrap()).0, 200);
    }

    /// A session of the buyer's that node 1 accepted.
    fn active(&self) -> String {
        let (status, opened) = self.buyer("POST", "/buyers/sessions", &serde_json::to_value(testing::open_request()).unwrap());
        assert_eq!(status, 201);
        let id = opened["sessionId"].as_str().unwrap().to_owned();
        let accept = testing::signed(1, context::SESSION_ACCEPT, &testing::accept(1, &id, true));
        assert_eq!(self.node(1, "POST", "/sessions/accept", &accept).0, 200);
        id
    }

    fn attest(&self, bundle: &Bundle) -> (u16, Value) {
        self.node(1, "POST", "/attest/metering", &testing::signed_bundle(1, bundle))
    }
}

#[test]
fn from_registration_to_a_verified_ledger() {
    let bench = Bench::new("story");
    bench.joined(1);
    let id = bench.active();
    let (_, control) = bench.node(1, "GET", "/sessions/control?since=none:0&wait=0", &Value::Null);
    let event = &control["events"][0];
    envelope::verify(event, COORDINATOR_SIG, context::SESSION_EVENT, [&testing::key(100).verifying_key()]).unwrap();
    assert_eq!((event["kind"].as_str(), event["nodeId"].as_str()), (Some("snapshot"), Some(testing::id(1).to_string().as_str())));
    let parsed: wire::SessionEvent = serde_json::from_value(event.clone()).unwrap();
    assert!(matches!(parsed.kind, wire::EventKind::Snapshot { sessions } if sessions[0].session_id == id));

    let (_, view) = bench.buyer("GET", &format!("/buyers/sessions/{id}?wait=25"), &Value::Null);
    assert_eq!((view["state"].as_str(), view["node"]["address"].as_str()), (Some("active"), Some("127.0.0.1:8443")));
    let (status, probe) = bench.node(1, "GET", "/probes/request", &Value::Null);
    envelope::verify(&probe, COORDINATOR_SIG, context::PROBE_REQUEST, [&testing::key(100).verifying_key()]).unwrap();
    let report = testing::report(&serde_json::from_value(probe).unwrap());
    assert_eq!(
        (status, bench.node(1, "POST", "/probes/report", &testing::signed(1, context::PROBE_REPORT, &report)).1["ack"].as_bool()),
        (200, Some(true))
    );

    bench.service.clock.advance(Duration::from_secs(300));
    let first = testing::bundle(1, &id, 1, None, START);
    let (status, ack) = bench.attest(&first);
    assert_eq!((status, ack["seq"].as_u64()), (200, Some(1)));
    bench.service.clock.advance(Duration::from_secs(5));
    assert_eq!(bench.attest(&first), (200, ack), "the same bundle, the same answer");

    let (_, closed) = bench.buyer("POST", &format!("/buyers/sessions/{id}/close"), &Value::Null);
    assert_eq!(closed["state"], "closing");
    let (_, control) =
        bench.node(1, "GET", &format!("/sessions/control?since={}:{}&wait=25", control["stream"].as_str().unwrap(), event["seq"]), &Value::Null);
    assert_eq!(control["events"][0]["kind"], "close");
    let mut last = testing::bundle(1, &id, 2, first_hash(&first), START + 300);
    last.window_end = START + 302;
    last.buckets = vec![(START + 300, 3_000_000, 1_000, 2, 1)];
    last.is_final = true;
    assert_eq!(bench.attest(&last).0, 200);
    let (_, listed) = bench.buyer("GET", "/buyers/sessions", &Value::Null);
    assert_eq!((listed["sessions"][0]["state"].as_str(), listed["sessions"][0]["bytesIngress"].as_u64()), (Some("settled"), Some(6_000_000)));
    let audit = super::super::audit::verify(&bench.folder.0).unwrap();
    assert_eq!((audit.bundles, audit.bytes_ingress), (2, 6_000_000));
}

fn first_hash(bundle: &Bundle) -> Option<Hash> {
    Some(Hash::of(&strict::canonical(&testing::signed_bundle(1, bundle))))
}

#[test]
fn after_a_restart_the_chain_goes_on_and_the_stream_is_another() {
    let bench = Bench::new("restart");
    bench.joined(1);
    let id = bench.active();
    bench.service.clock.advance(Duration::from_secs(300));
    let first = testing::bundle(1, &id, 1, None, START);
    let (_, ack) = bench.attest(&first);
    let (_, before) = bench.node(1, "GET", "/sessions/control", &Value::Null);
    let bench = bench.restarted();
    assert_eq!(bench.attest(&first), (200, ack), "booked once, answered the same");
    let since = format!("/sessions/control?since={}:1&wait=0", before["stream"].as_str().unwrap());
    assert_eq!(bench.node(1, "GET", &since, &Value::Null).1["events"][0]["kind"], "snapshot");
    let (_, head) = bench.node(1, "GET", &format!("/attest/metering?sessionId={id}"), &Value::Null);
    assert_eq!(head["head"]["seq"], 1);
    let register = testing::signed(1, context::REGISTER, &testing::register(1, "boot2"));
    assert_eq!(bench.node(1, "POST", "/nodes/register", &register).1["sessions"][0]["head"], head["head"]);
    assert_eq!(bench.attest(&testing::bundle(1, &id, 3, None, START)).0, 409);
    let mut lie = testing::bundle(1, &id, 2, first_hash(&first), START);
    lie.requests = 77;
    assert_eq!(bench.attest(&lie), (422, json!({"reason": "bad-totals"})));
}

#[test]
fn who_is_not_known_or_signed_gets_a_signed_refusal() {
    let bench = Bench::new("refusals");
    let heartbeat = serde_json::to_value(testing::heartbeat()).unwrap();
    assert_eq!(bench.node(1, "POST", "/nodes/heartbeat", &heartbeat), (401, json!({"reason": "unknown-node"})));
    bench.joined(1);
    let mut stale = testing::request(1, "POST", "/nodes/heartbeat", heartbeat.to_string().into(), START - 121, [1; 16]);
    assert_eq!(bench.verified(stale.clone()).1, json!({"reason": "clock-skew", "time": crate::codec::time::rfc3339(START)}));
    stale.headers.clear();
    assert_eq!(bench.verified(stale), (401, json!({"reason": "unsigned"})));
    let others = testing::signed(2, context::REGISTER, &testing::register(2, "boot"));
    assert_eq!(bench.node(1, "POST", "/nodes/register", &others).0, 401, "another's registration");
    let wrong_context = testing::signed(1, context::LEAVE, &testing::register(1, "boot"));
    assert_eq!(bench.node(1, "POST", "/nodes/register", &wrong_context).1["reason"], "bad-signature");
    assert_eq!(bench.node(1, "GET", "/nodes/register", &Value::Null).0, 405);
    assert_eq!(bench.node(1, "GET", "/other", &Value::Null).0, 404);
    assert_eq!(bench.buyer("GET", "/buyers/sessions/none", &Value::Null).0, 404);
    let stranger = Request { method: "GET".into(), target: "/buyers/sessions".into(), ..Request::default() };
    assert_eq!(bench.verified(stranger).0, 401);
    let knocking =
        || Request { target: "/nodes/heartbeat".into(), method: "POST".into(), peer: Some(([192, 0, 2, 1], 1).into()), ..Request::default() };
    let refusals: Vec<u16> = (0..70).map(|_| bench.verified(knocking()).0).collect();
    assert_eq!((refusals[59], refusals[60]), (401, 429));
}

#[test]
fn a_poll_wakes_with_the_event_and_a_newer_one_takes_its_place() {
    let bench = Bench::new("poll");
    bench.joined(1);
    let (_, control) = bench.node(1, "GET", "/sessions/control", &Value::Null);
    let target = format!("/sessions/control?since={}:{}&wait=25", control["stream"].as_str().unwrap(), control["events"][0]["seq"]);
    let poll = || testing::request(1, "GET", &target, Vec::new(), START, bench.nonce());
    let ex = smol::LocalExecutor::new();
    smol::block_on(ex.run(async {
        let service = &bench.service;
        let mut first = Box::pin(service.handle(poll()));
        assert!(future::poll_once(&mut first).await.is_none());
        let mut second = Box::pin(service.handle(poll()));
        assert!(future::poll_once(&mut second).await.is_none());
        let Body::Whole(body) = first.await.body else { panic!("whole") };
        assert_eq!(strict::parse(&body).unwrap()["events"], json!([]), "the newer poll took its place");
        service.change(|e, _, at| e.open("shop", &testing::open_request(), at)).unwrap();
        let Body::Whole(body) = second.await.body else { panic!("whole") };
        assert_eq!(strict::parse(&body).unwrap()["events"][0]["kind"], "open");
    }));
}

#[test]
fn a_buyer_waits_until_a_node_has_accepted() {
    let bench = Bench::new("wait");
    bench.joined(1);
    let (_, opened) = bench.buyer("POST", "/buyers/sessions", &serde_json::to_value(testing::open_request()).unwrap());
    let id = opened["sessionId"].as_str().unwrap().to_owned();
    let headers = vec![("authorization".into(), format!("Bearer {}", bench.token))];
    let request = Request { method: "GET".into(), target: format!("/buyers/sessions/{id}?wait=25"), headers, ..Request::default() };
    smol::block_on(async {
        let mut waiting = Box::pin(bench.service.handle(request));
        assert!(future::poll_once(&mut waiting).await.is_none());
        bench.service.change(|e, _, at| e.accept(testing::id(1), &testing::accept(1, &id, true), at)).unwrap();
        let Body::Whole(body) = waiting.await.body else { panic!("whole") };
        assert_eq!(strict::parse(&body).unwrap()["state"], "active");
    });
}

#[test]
fn when_the_store_fails_nothing_is_answered_any_more() {
    let bench = Bench::new("broken");
    bench.joined(1);
    let id = bench.active();
    bench.service.clock.advance(Duration::from_secs(300));
    // Bundles cannot be written: the bundle is not booked.
    std::fs::remove_dir_all(bench.folder.0.join("bundles")).unwrap();
    assert_eq!(bench.attest(&testing::bundle(1, &id, 1, None, START)).0, 503);
    assert_eq!(bench.service.look(|e| e.state.sessions()[&id].progress.head), wire::Head::NONE);
    assert!(!bench.service.broken());
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        Just(testing::id(1).to_string().into()),
        Just("2027-01-15T08:00:00Z".into()),
        Just(u64::MAX.into()),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let name = prop_oneof![Just("nodeId"), Just("sessionId"), Just("seq"), Just("buckets"), Just("profile"), Just("time"), Just("x")];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..5).prop_map(|m| json!(m))
        ]
    })
}

/// A good body of each signed kind, with one member replaced by anything.
fn spoilt() -> impl Strategy<Value = (usize, usize, Value)> {
    (0..5usize, any::<usize>(), value())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn no_body_makes_a_handler_panic((kind, member, with) in spoilt(), anything in value(), query in "[a-z:=&%0-9]{0,20}") {
        thread_local!(static BENCH: Bench = {
            let bench = Bench::new("anything");
            bench.joined(1);
            bench.active();
            bench
        });
        BENCH.with(|bench| {
            let request = wire::ProbeRequest { node_id: testing::id(1), session_id: "s".into(), endpoint: "e".into(), size: 1, nonce: "n".into(), ttl: 1, issued_at: START };
            let (path, context, good) = match kind {
                0 => ("/nodes/register", context::REGISTER, strict::object(&testing::register(1, "boot"))),
                1 => ("/nodes/heartbeat", "", strict::object(&testing::heartbeat())),
                2 => ("/sessions/accept", context::SESSION_ACCEPT, strict::object(&testing::accept(1, "s", true))),
                3 => ("/probes/report", context::PROBE_REPORT, strict::object(&testing::report(&request))),
                _ => ("/attest/metering", context::METERING, strict::object(&testing::bundle(1, "s", 1, None, START))),
            };
            let mut object = good;
            let name = object.keys().nth(member % object.len()).cloned().unwrap_or_default();
            object.insert(name, with);
            envelope::sign(&mut object, envelope::NODE_SIG, context, &testing::key(1));
            bench.service.auth.replace(Auth::new(START, &[])); // the window of nonces is bounded; here it is not the point
            bench.node(1, "POST", path, &Value::Object(object));
            bench.node(1, "POST", path, &anything);
            bench.node(1, "GET", &format!("/sessions/control?{query}"), &Value::Null);
            bench.node(1, "GET", &format!("/attest/metering?sessionId={query}"), &Value::Null);
            bench.buyer("POST", "/buyers/sessions", &anything);
        });
    }

    #[test]
    fn no_bytes_make_a_handler_panic(method in "GET|POST|PUT|\\PC{0,5}", target in "/(nodes|buyers|sessions|attest|probes)?/?\\PC{0,20}", body in prop::collection::vec(any::<u8>(), 0..64), nonce in "\\PC{0,30}") {
        thread_local!(static BENCH: Bench = Bench::new("bytes"));
        BENCH.with(|bench| {
            let headers = vec![("authorization".into(), format!("Bearer {nonce}")), ("echomesh-nonce".into(), nonce)];
            let response = smol::block_on(bench.service.handle(Request { method, target, headers, body, peer: None }));
            assert!(response.status >= 400);
        });
    }
}

#[test]
fn a_bundle_judged_is_the_bundle_stored() {
    let bench = Bench::new("stored");
    bench.joined(1);
    let id = bench.active();
    bench.service.clock.advance(Duration::from_secs(300));
    let tree = testing::signed_bundle(1, &testing::bundle(1, &id, 1, None, START));
    let Judged::Next(signed) = bench.service.look(|e| e.judge(testing::id(1), &tree, bench.service.at())) else { panic!("continues") };
    assert_eq!(bench.node(1, "POST", "/attest/metering", &tree).0, 200);
    let stored = super::super::store::bundles_of(&bench.folder.0, &id).unwrap();
    assert_eq!(stored, [signed.canonical]);
    let again = chain::signed(&strict::parse(&stored[0]).unwrap(), testing::id(1)).unwrap();
    assert_eq!((again.hash, base64::url(&again.hash.0)), (signed.hash, base64::url(&signed.hash.0)));
}
