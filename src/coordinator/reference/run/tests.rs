//! The whole coordinator over real TLS, with the node's own client on the other side.

use std::cell::Cell;

use futures_rustls::TlsConnector;
use rustls::pki_types::ServerName;
use serde_json::{Value, json};

use super::super::buyers::{Opened, View};
use super::super::operator::{self, Command};
use super::super::testing::{self, Folder};
use super::super::{audit, lifecycle};
use super::*;
use crate::codec::envelope::{self, context};
use crate::codec::{Hash, base64};
use crate::coordinator::client::{Access, Attested, Client, Event, Events, Keyring};
use crate::coordinator::wire::{self, Reach};
use crate::net::http::client::{self as http, ClientLimits, Outgoing};
use crate::net::roots::{self, Roots};

type Ex = Rc<LocalExecutor<'static>>;

/// A coordinator that runs on this thread.
struct Running {
    ready: Ready,
    stop: smol::channel::Sender<()>,
    ended: Task<Result<(), Failure>>,
}

async fn start(ex: &Ex, folder: &Folder, listen: SocketAddr) -> Running {
    let options = Options { heartbeat_sec: 1, ..Options::new(folder.0.clone(), listen) };
    let (tell, told) = bounded(1);
    let (stop, stopped) = bounded::<()>(1);
    let running = run(
        options,
        ex.clone(),
        move |ready| {
            let _ = tell.try_send(ready.clone());
            Ok(())
        },
        async move {
            let _ = stopped.recv().await;
        },
    );
    let ended = ex.spawn(running);
    Running { ready: told.recv().await.unwrap(), stop, ended }
}

impl Running {
    async fn stop(self) {
        self.stop.send(()).await.unwrap();
        self.ended.await.unwrap();
    }

    /// A request over TLS, as a buyer or the probe executor makes it.
    async fn https(&self, method: &str, target: &str, token: &str, body: &[u8]) -> http::Answer {
        let clock = Clock::system();
        let tls = roots::client_config(self.ready.ca_file.as_deref(), &[b"http/1.1"], &clock).unwrap();
        let stream = Async::<std::net::TcpStream>::connect(self.ready.address).await.unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let mut stream = TlsConnector::from(tls).connect(name, stream).await.unwrap();
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", bearer.as_str())];
        let host = self.ready.address.to_string();
        let request = Outgoing { method, target, host: &host, headers: &headers, body, keep_alive: false };
        let limits = ClientLimits { head: 8 * 1024, body: 1024 * 1024 };
        http::fetch(&mut stream, &request, &limits).await.unwrap()
    }

    async fn buyer<T: serde::de::DeserializeOwned>(&self, token: &str, method: &str, target: &str, body: &Value) -> T {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let answer = self.https(method, target, token, &body).await;
        assert!(answer.status < 300, "{} {}", answer.status, String::from_utf8_lossy(&answer.body));
        serde_json::from_slice(&answer.body).unwrap()
    }
}

async fn operate(folder: &Folder, command: &Command) -> Value {
    let mut stream = Async::<std::os::unix::net::UnixStream>::connect(folder.0.join(SOCKET)).await.unwrap();
    let body = serde_json::to_vec(command).unwrap();
    let request = Outgoing { method: "POST", target: operator::PATH, host: "localhost", headers: &[], body: &body, keep_alive: false };
    let answer = http::fetch(&mut stream, &request, &ClientLimits::api()).await.unwrap();
    serde_json::from_slice(&answer.body).unwrap()
}

fn client(ready: &Ready) -> (Client, Events) {
    let clock = Clock::system();
    clock.vouch_ntp();
    let roots = Roots::load(ready.ca_file.as_deref()).unwrap();
    let keys = Keyring::new(&[ready.key], &[]);
    Client::start(Access { url: ready.url.clone(), keys, roots, key: testing::key(1), clock, version: "test".into() }).unwrap()
}

/// A node's listener: TLS under a key of its own, and nothing behind it.
fn listener(ex: &Ex) -> Reach {
    let key = ListenerKey::generate().unwrap();
    let cert = certificate::self_signed(&key, "node", &["127.0.0.1".into()]).unwrap();
    let acceptor = tls::acceptor(&cert, &[]).unwrap();
    let listener = bind(([127, 0, 0, 1], 0).into()).unwrap();
    let port = listener.get_ref().local_addr().unwrap().port();
    ex.spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let _ = acceptor.accept(stream).await;
        }
    })
    .detach();
    Reach { mode: "direct".into(), address: Some(format!(":{port}")), spki: Some(key.spki()) }
}

async fn next_session(events: &Events) -> wire::Session {
    loop {
        let Some(Event::Batch(batch)) = events.next().await else { continue };
        for event in batch.events {
            match event.kind {
                wire::EventKind::Open { session } => return session,
                wire::EventKind::Snapshot { mut sessions } if !sessions.is_empty() => return sessions.remove(0),
                _ => {}
            }
        }
    }
}

#[test]
fn the_nodes_client_and_a_buyer_over_real_tls() {
    let folder = Folder::new("run");
    let ex: Ex = Rc::new(LocalExecutor::new());
    smol::block_on(ex.run(async {
        let coordinator = start(&ex, &folder, ([127, 0, 0, 1], 0).into()).await;
        let token = operate(&folder, &Command::BuyerAdd { name: "shop".into() }).await["token"].as_str().unwrap().to_owned();
        let (client, events) = client(&coordinator.ready);

        let register = wire::Register { reach: listener(&ex), ..testing::register(1, "boot") };
        assert!(client.register(&register).await.unwrap().accepted);
        assert_eq!(client.heartbeat(&testing::heartbeat()).await.unwrap().earnings.credits_today, 0);
        client.follow(None, 0);

        let wish = json!({"region": "PH", "category": "qa_testing", "maxGB": 1, "leaseSec": 7});
        let opened: Opened = coordinator.buyer(&token, "POST", "/buyers/sessions", &wish).await;
        let session = next_session(&events).await;
        assert_eq!((session.session_id.as_str(), session.lease_sec), (opened.session_id.as_str(), 7));
        assert_eq!(session.secret_hash, lifecycle::secret_hash(&opened.session_id, &opened.secret));
        client.accept(&testing::accept(1, &opened.session_id, true)).await.unwrap();
        let target = format!("/buyers/sessions/{}?wait=20", opened.session_id);
        let view: View = coordinator.buyer(&token, "GET", &target, &Value::Null).await;
        let node = view.node.unwrap();
        assert_eq!((node.node_id, Some(node.spki)), (testing::id(1), register.reach.spki));
        assert_eq!(node.address, format!("127.0.0.1{}", register.reach.address.unwrap()), "the address it called from");

        probe(&coordinator, &client).await;
        let hash = attest(&client, &opened.session_id).await;

        // Over a restart on the same store and address nothing is lost; the chain goes on from the booked head.
        let address = coordinator.ready.address;
        coordinator.stop().await;
        let coordinator = start(&ex, &folder, address).await;
        assert_eq!(client.head(&opened.session_id).await.unwrap(), wire::Head { seq: 1, hash: Some(hash) });
        let ledger = operate(&folder, &Command::Ledger).await;
        assert_eq!(
            (ledger["sessions"][0]["sessionId"].as_str(), ledger["totalBytes"].as_u64()),
            (Some(session.session_id.as_str()), Some(3_001_000))
        );
        let nodes = operate(&folder, &Command::Nodes).await;
        assert_eq!(nodes["nodes"][0]["verified"], true);
        assert_eq!(audit::verify(&folder.0).unwrap().bundles, 1);
        coordinator.stop().await;
        assert!(!folder.0.join(SOCKET).exists());
    }));
}

async fn probe(coordinator: &Running, client: &Client) {
    let request = client.probe_request().await.unwrap().unwrap();
    assert_eq!(request.endpoint, coordinator.ready.probe_endpoint);
    let answer = coordinator.https("GET", &format!("/probe?size={}&nonce={}", request.size, request.nonce), "", &[]).await;
    assert_eq!((answer.status, answer.body.len() as u64), (200, request.size));
    let mut report = testing::report(&request);
    report.body_hash = Hash::of(&answer.body);
    report.endpoint_sig = answer.header("echomesh-endpoint-signature").unwrap().to_owned();
    let ack = client.probe_report(&report).await.unwrap();
    assert!(ack.ack && ack.follow_up.is_none(), "{ack:?}");
}

/// Sends the session's first bundle twice; its hash.
async fn attest(client: &Client, session: &str) -> Hash {
    let now = Clock::system().unix();
    let start = (now - 1) / 300 * 300;
    let mut bundle = testing::bundle(1, session, 1, None, start);
    bundle.window_end = start + 300;
    bundle.buckets = vec![(start, 3_000_000, 1_000, 2, 1)];
    if bundle.window_end > now + 100 {
        bundle.window_end = now.max(start + 1);
    }
    let bytes = testing::signed_bundle(1, &bundle).to_string().into_bytes();
    let Attested::Acked(ack, receipt) = client.attest(bytes.clone()).await.unwrap() else { panic!("booked") };
    let Attested::Acked(again, _) = client.attest(bytes).await.unwrap() else { panic!("booked before") };
    assert_eq!((ack.ack, ack.time), (again.ack, again.time));
    assert_eq!(base64::from_padded(&receipt.signature).unwrap().len(), 64);
    ack.ack
}

#[test]
fn the_folder_is_held_by_one() {
    let folder = Folder::new("run-twice");
    let ex: Ex = Rc::new(LocalExecutor::new());
    smol::block_on(ex.run(async {
        let first = start(&ex, &folder, ([127, 0, 0, 1], 0).into()).await;
        let options = Options::new(folder.0.clone(), ([127, 0, 0, 1], 0).into());
        let told = Rc::new(Cell::new(false));
        let tell = told.clone();
        let ready = |_: &Ready| {
            tell.set(true);
            Ok(())
        };
        let second = run(options, ex.clone(), ready, future::pending()).await;
        assert_eq!((second.unwrap_err().code, told.get()), (exit::UNAVAILABLE, false));
        first.stop().await;
    }));
}

#[test]
fn a_certificate_of_the_operators_is_used_as_it_is() {
    let folder = Folder::new("run-cert");
    let made = rcgen::generate_simple_self_signed(["coordinator.example".to_owned()]).unwrap();
    let (cert, key) = (folder.0.join("cert.pem"), folder.0.join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let options = Options { certificate: Some((cert.clone(), key.clone())), ..Options::new(folder.0.clone(), ([127, 0, 0, 1], 0).into()) };
    let (loaded, ca_file) = certificate(&options, &[]).unwrap();
    assert_eq!((loaded.chain.len(), ca_file), (1, None));
    assert!(tls::acceptor(&loaded, &[]).is_ok());
    std::fs::write(&key, "nothing").unwrap();
    assert_eq!(certificate(&options, &[]).err().unwrap().code, exit::NO_INPUT);
    let bad = Options { heartbeat_sec: 0, ..options };
    assert_eq!(check(&bad).unwrap_err().code, exit::USAGE);
}

#[test]
fn what_is_signed_verifies_under_the_told_key() {
    let folder = Folder::new("run-key");
    let made = init(&folder.0).unwrap();
    let key = keys::load_or_create(&folder.0, keys::COORDINATOR).unwrap();
    let signature = envelope::sign_text(context::ANSWER, &key);
    assert_eq!(envelope::verify_text(context::ANSWER, &signature, [&made.key.key().unwrap()]), Ok(()));
    assert_eq!(init(&folder.0).unwrap().key, made.key, "made once");
}
