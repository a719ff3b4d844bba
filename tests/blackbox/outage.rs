//! The coordinator goes away, comes back, or lies.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use echomesh::codec::envelope::{Answer, COORDINATOR_SIG, context, sign, sign_text};
use echomesh::codec::{NodeId, time};
use ed25519_dalek::SigningKey;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::support::buyer::wish;
use crate::support::folder::Folder;
use crate::support::http::Head;
use crate::support::node::{Node, Uci};
use crate::support::world::{RAW, SHOP};
use crate::support::{Plan, World, process, raw, script, trust, until};

#[test]
fn traffic_outlives_the_coordinator_and_the_ledger_is_whole_when_it_is_back() {
    let mut world = World::start(Plan::default());
    script::origin(world.raw());
    let session = world.market.open(&wish());
    let door = world.door(&session);
    let mut tunnel = script::tunnel(&door, RAW, script::ECHO);
    for _ in 0..2 {
        world.fetch(&door, 300_000);
        world.coordinator_gone();
        world.node.state("reconnecting");
        assert_eq!(world.node.status()["coordinator"]["reachable"], false);
        world.fetch(&door, 400_000);
        tunnel.write_all(b"still").unwrap();
        let mut back = [0; 5];
        tunnel.read_exact(&mut back).unwrap();
        assert_eq!(&back, b"still");
        world.coordinator_back();
        world.node.state("running");
        assert_eq!(world.market.seen(&session)["state"], "active", "the coordinator kept it");
    }
    world.fetch(&door, 500_000);
    drop(tunnel);
    until("all tunnels are over", || (world.node.tunnels() == 0).then_some(()));
    let seen = world.node.session(&session.id).unwrap();
    world.market.close(&session);
    until("the session settles", || (world.market.seen(&session)["state"] == "settled").then_some(()));
    let bundles = world.operator(&["bundles"]);
    let sum = |name: &str| bundles.as_array().unwrap().iter().map(|b| b[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!((Some(sum("bytesIngress")), Some(sum("bytesEgress"))), (seen["bytesIngress"].as_u64(), seen["bytesEgress"].as_u64()));
    let (sent, received) = world.origin_counts();
    assert!(sum("bytesIngress") >= sent && sum("bytesEgress") >= received);
    assert_eq!(world.node.status()["coordinator"]["spooledBundles"], 0);
    let dir = world.folder.join("coordinator");
    process::said(["coordinator", "verify", "--dir", dir.to_str().unwrap()]);
    // New work after the outage.
    let next = world.market.open(&wish());
    assert_eq!(world.door(&next).connect(SHOP).unwrap().0.status, 200);
}

/// How the fake coordinator lies.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Lie {
    Unsigned,
    WrongKey,
    WrongBody,
    Replayed,
    OldTime,
    None,
}

/// A coordinator that answers everything, and sends one session, under any lie.
struct Fake {
    key: SigningKey,
    lie: Mutex<Lie>,
    /// Sign events with another key, or for another node.
    event_key: Mutex<SigningKey>,
    event_for: Mutex<Option<NodeId>>,
    offer: AtomicBool,
    asked: AtomicU64,
    accepted: AtomicU64,
    first: Mutex<Option<(String, String)>>,
}

impl Fake {
    fn answer(&self, stream: TcpStream, tls: Arc<ServerConfig>) -> std::io::Result<()> {
        let mut tls = StreamOwned::new(ServerConnection::new(tls).map_err(std::io::Error::other)?, stream);
        loop {
            let head = Head::read(&mut tls)?;
            head.body(&mut tls)?;
            self.asked.fetch_add(1, Ordering::SeqCst);
            let path = head.target().to_owned();
            let node: NodeId = head.header("echomesh-node").unwrap_or_default().parse().map_err(|_| std::io::ErrorKind::InvalidData)?;
            let (status, said) = self.says(&path, node);
            tls.write_all(&self.signed(status, &said, head.header("echomesh-nonce").unwrap_or_default()))?;
            tls.flush()?;
        }
    }

    fn says(&self, path: &str, node: NodeId) -> (u16, String) {
        let now = time::rfc3339(unix());
        match path.split('?').next().unwrap_or_default() {
            "/nodes/register" => (200, json!({"accepted": true, "protocol": 1, "heartbeatSec": 1, "sessions": []}).to_string()),
            "/nodes/heartbeat" => (
                200,
                json!({"time": now, "geo": {"country": null, "region": null, "confidence": 0}, "earnings": {"creditsToday": 0, "bonusForecast": 0},
                       "reputation": {"score": 0.5, "tier": "new"}})
                .to_string(),
            ),
            "/sessions/control" if self.offer.swap(false, Ordering::SeqCst) => {
                (200, json!({"stream": "s", "events": [self.snapshot(node)]}).to_string())
            }
            "/sessions/control" => (200, json!({"stream": "s", "events": []}).to_string()),
            "/sessions/accept" => {
                self.accepted.fetch_add(1, Ordering::SeqCst);
                (200, json!({}).to_string())
            }
            _ => (204, String::new()),
        }
    }

    fn snapshot(&self, node: NodeId) -> Value {
        let session = json!({
            "sessionId": "7c9e6679-7425-40de-944b-e07fc1f90ae7", "buyerId": "b", "secretHash": format!("b3:{}", "0".repeat(64)),
            "policyProfile": "COMPLIANT_DEFAULT", "category": "qa_testing", "maxMbps": 1, "burstMB": 1, "maxGB": 1, "maxGBPerDay": 1,
            "maxTunnels": 1, "region": "PH", "leaseSec": 900, "expiresAt": time::rfc3339(unix() + 3600)
        });
        let node = self.event_for.lock().unwrap().unwrap_or(node);
        let mut event = json!({"seq": 1, "nodeId": node, "kind": "snapshot", "sessions": [session], "issuedAt": time::rfc3339(unix())});
        sign(event.as_object_mut().unwrap(), COORDINATOR_SIG, context::SESSION_EVENT, &self.event_key.lock().unwrap());
        event
    }

    fn signed(&self, status: u16, body: &str, nonce: &str) -> Vec<u8> {
        let lie = *self.lie.lock().unwrap();
        let other = SigningKey::from_bytes(&[9; 32]);
        let time = if lie == Lie::OldTime { unix() - 400 * 86_400 } else { unix() };
        let mut nonce = nonce.to_owned();
        if lie == Lie::Replayed {
            // The right key over the nonce of an earlier question.
            let mut first = self.first.lock().unwrap();
            let before = first.replace((nonce.clone(), String::new()));
            nonce = before.map_or_else(|| "AAAAAAAAAAAAAAAAAAAAAA".to_owned(), |(n, _)| n);
        }
        let text = Answer { status, nonce: &nonce, body: body.as_bytes(), time }.text();
        let signature = sign_text(&text, if lie == Lie::WrongKey { &other } else { &self.key });
        let body = if lie == Lie::WrongBody { body.replacen("true", "true ", 1).replacen("0.5", "0.9", 1) } else { body.to_owned() };
        let mut head = format!("HTTP/1.1 {status} X\r\nEchomesh-Time: {time}\r\n");
        if lie != Lie::Unsigned {
            head.push_str(&format!("Echomesh-Signature: {signature}\r\n"));
        }
        if status != 204 {
            head.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
        }
        format!("{head}\r\n{body}").into_bytes()
    }
}

fn unix() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn a_lying_coordinator_is_not_obeyed_and_its_faults_are_counted() {
    let folder = Folder::new();
    let (config, pem) = trust::server(&["127.0.0.1"]);
    let ca = folder.join("ca.pem");
    process::write(&ca, &pem);
    let key = SigningKey::from_bytes(&[5; 32]);
    let fake = Arc::new(Fake {
        event_key: Mutex::new(key.clone()),
        lie: Mutex::new(Lie::Unsigned),
        event_for: Mutex::default(),
        offer: AtomicBool::new(true),
        asked: AtomicU64::new(0),
        accepted: AtomicU64::new(0),
        first: Mutex::default(),
        key: key.clone(),
    });
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let serving = fake.clone();
    raw::serve(port, move |stream| drop(serving.answer(stream, config.clone())));

    for lie in [Lie::Unsigned, Lie::WrongKey, Lie::WrongBody, Lie::Replayed, Lie::None] {
        *fake.lie.lock().unwrap() = lie;
        let mut settings = Uci::default();
        settings
            .set("node", "enabled", "1")
            .set("node", "log_dest", "stderr")
            .set("security", "dns_over_https", "0")
            .set("security", "sandbox_mode", "standard")
            .set("coordinator", "url", &format!("https://{port}"))
            .add("coordinator", "key", &NodeId::from(&key.verifying_key()).to_string())
            .set("coordinator", "ca_file", ca.to_str().unwrap())
            .set("proxy", "enabled", "1");
        let name = format!("{lie:?}").to_lowercase();
        let mut node = Node::new(folder.path(), &name, std::net::Ipv4Addr::new(127, 0, 7, 1 + lie as u8), settings);
        let before = fake.asked.load(Ordering::SeqCst);
        node.launch();
        if lie == Lie::None {
            // The same words, truthfully signed, are obeyed: so it was the signature that counted.
            node.state("running");
            until("the session it was sent", || node.session("7c9e6679-7425-40de-944b-e07fc1f90ae7"));
            until("and it answered", || (fake.accepted.load(Ordering::SeqCst) > 0).then_some(()));
            continue;
        }
        until("it asks more than once", || (fake.asked.load(Ordering::SeqCst) >= before + 2).then_some(()));
        until("the faults are counted", || {
            (node.call("GET", "/metrics", "").is_ok() && node.metric("echomesh_coordinator_dropped_total") >= 2.0).then_some(())
        });
        let status = node.status();
        assert_ne!(status["state"], "running", "{lie:?}");
        assert_eq!(status["sessions"], json!([]), "{lie:?}");
        assert_eq!(status["clockSynced"], false, "{lie:?}: its time counts for nothing");
        assert_eq!(fake.accepted.load(Ordering::SeqCst), 0);
    }
}

#[test]
fn events_of_another_key_or_for_another_node_open_no_session() {
    let folder = Folder::new();
    let (config, pem) = trust::server(&["127.0.0.1"]);
    let ca = folder.join("ca.pem");
    process::write(&ca, &pem);
    let key = SigningKey::from_bytes(&[6; 32]);
    let fake = Arc::new(Fake {
        event_key: Mutex::new(SigningKey::from_bytes(&[8; 32])),
        lie: Mutex::new(Lie::None),
        event_for: Mutex::default(),
        offer: AtomicBool::new(true),
        asked: AtomicU64::new(0),
        accepted: AtomicU64::new(0),
        first: Mutex::default(),
        key: key.clone(),
    });
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let serving = fake.clone();
    raw::serve(port, move |stream| drop(serving.answer(stream, config.clone())));
    let mut settings = Uci::default();
    settings
        .set("node", "enabled", "1")
        .set("node", "log_dest", "stderr")
        .set("security", "dns_over_https", "0")
        .set("security", "sandbox_mode", "standard")
        .set("coordinator", "url", &format!("https://{port}"))
        .add("coordinator", "key", &NodeId::from(&key.verifying_key()).to_string())
        .set("coordinator", "ca_file", ca.to_str().unwrap())
        .set("proxy", "enabled", "1");
    let mut node = Node::new(folder.path(), "node", std::net::Ipv4Addr::new(127, 0, 8, 1), settings);
    node.launch();
    node.state("running");
    let dropped = || node.metric("echomesh_coordinator_dropped_total");
    until("the event of a wrong key is dropped", || (dropped() >= 1.0).then_some(()));
    let told = until("and the owner is told", || node.alert("coordinator-distrust"));
    assert!(told["message"].as_str().unwrap().contains("bad-object 1"), "{told}");
    assert!(told["remedy"].as_str().unwrap().contains("coordinator.key"), "{told}");
    assert_eq!(node.metric("echomesh_coordinator_faults_total{kind=\"bad-object\"}"), 1.0);
    *fake.event_key.lock().unwrap() = key;
    *fake.event_for.lock().unwrap() = Some(NodeId::from(&SigningKey::from_bytes(&[8; 32]).verifying_key()));
    fake.offer.store(true, Ordering::SeqCst);
    until("the event for another node is dropped", || (node.metric("echomesh_coordinator_faults_total{kind=\"addressee\"}") >= 1.0).then_some(()));
    assert!(node.alert("coordinator-distrust").unwrap()["message"].as_str().unwrap().contains("addressee 1"));
    assert_eq!(node.status()["sessions"], json!([]));
    *fake.event_for.lock().unwrap() = None;
    fake.offer.store(true, Ordering::SeqCst);
    until("the true one is obeyed", || node.session("7c9e6679-7425-40de-944b-e07fc1f90ae7"));
}
