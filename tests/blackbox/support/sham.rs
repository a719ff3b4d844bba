//! A coordinator of the tests' own: it keeps to the contracts, and a test may bend any answer of it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use echomesh::codec::envelope::{Answer, COORDINATOR_SIG, context, sign, sign_text};
use echomesh::codec::{Hash, NodeId, json as contract, time};
use ed25519_dalek::SigningKey;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use super::buyer::Session;
use super::http::Head;
use super::wait::until;
use super::world::World;
use super::{process, raw, trust};

/// What a node asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    /// Without the query.
    pub path: String,
    pub query: String,
    pub body: Value,
    /// How many requests came before it, of any kind.
    pub number: u64,
}

impl Asked {
    /// Whether it hands in a bundle.
    pub fn is_bundle(&self) -> bool {
        (self.method.as_str(), self.path.as_str()) == ("POST", "/attest/metering")
    }
}

/// What it is answered.
pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
    /// Who signs; `None` = nobody.
    pub signer: Option<SigningKey>,
    /// More header lines, each with its line end.
    pub headers: String,
    /// What is sent instead of an answer; an empty one closes the connection.
    pub instead: Option<Vec<u8>>,
    /// One byte at a time, with this pause between them, for ever.
    pub drip: Option<Duration>,
}

impl Reply {
    /// Replaces the body.
    pub fn say(&mut self, status: u16, body: &Value) {
        (self.status, self.body) = (status, body.to_string().into_bytes());
    }
}

type Bend = Arc<dyn Fn(&Asked, &mut Reply) + Send + Sync>;

#[derive(Default)]
struct Books {
    stream: String,
    events: Vec<(u64, Value)>,
    seq: u64,
    sessions: BTreeMap<String, Value>,
    chains: BTreeMap<String, Vec<Value>>,
    since: String,
    bend: Option<Bend>,
    ahead: i64,
}

/// The coordinator.
pub struct Sham {
    key: SigningKey,
    books: Mutex<Books>,
    asked: AtomicU64,
    bundles: AtomicU64,
}

fn unix() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl Sham {
    /// Takes the place of `world`'s coordinator: its node is set up for this one, and not started.
    pub fn instead(world: &mut World) -> Arc<Sham> {
        let addr = SocketAddr::from((world.ip(2), 8443));
        let (config, pem) = trust::server(&[&addr.ip().to_string()]);
        let sham = Sham::serve(addr, config);
        let ca = world.folder.join("ca.pem");
        process::write(&ca, &(std::fs::read_to_string(&ca).unwrap() + &pem));
        let settings = &mut world.node.settings;
        settings.set("coordinator", "url", &format!("https://{addr}")).drop("coordinator", "key").add("coordinator", "key", &sham.id().to_string());
        world.node.write_settings();
        sham
    }

    /// Listens on `addr`, for as long as the test process lives.
    pub fn serve(addr: SocketAddr, tls: Arc<ServerConfig>) -> Arc<Sham> {
        let books = Books { stream: "sham".into(), ..Books::default() };
        let sham =
            Arc::new(Sham { key: SigningKey::from_bytes(&[77; 32]), books: Mutex::new(books), asked: AtomicU64::new(0), bundles: AtomicU64::new(0) });
        let serving = sham.clone();
        raw::serve(addr, move |stream| drop(serving.connection(stream, tls.clone())));
        sham
    }

    /// Its key, as settings name it.
    pub fn id(&self) -> NodeId {
        NodeId::from(&self.key.verifying_key())
    }

    /// From here on `bend` may change every answer before it is signed and sent.
    pub fn bend(&self, bend: impl Fn(&Asked, &mut Reply) + Send + Sync + 'static) {
        self.books.lock().unwrap().bend = Some(Arc::new(bend));
    }

    /// It keeps to the contracts again.
    pub fn straight(&self) {
        self.books.lock().unwrap().bend = None;
    }

    /// How far its clock is ahead, in seconds.
    pub fn ahead(&self, seconds: i64) {
        self.books.lock().unwrap().ahead = seconds;
    }

    /// Requests so far.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }

    /// Bundles handed in so far, taken or not.
    pub fn handed_in(&self) -> u64 {
        self.bundles.load(Ordering::SeqCst)
    }

    /// Its time.
    pub fn now(&self) -> u64 {
        unix().saturating_add_signed(self.books.lock().unwrap().ahead)
    }

    /// Assigns a session.
    pub fn open(&self) -> Session {
        let number = self.books.lock().unwrap().sessions.len();
        let session = Session { id: format!("7c9e6679-7425-40de-944b-{number:012x}"), secret: "s".repeat(42) + &(number % 10).to_string() };
        let mut hasher = blake3::Hasher::new_derive_key("echomesh session secret v1");
        hasher.update(session.id.as_bytes()).update(session.secret.as_bytes());
        let mut made = super::buyer::wish();
        for (name, value) in [
            ("sessionId", json!(session.id)),
            ("buyerId", json!("b")),
            ("secretHash", json!(format!("b3:{}", hasher.finalize().to_hex()))),
            ("policyProfile", json!("CUSTOM")),
            ("maxGBPerDay", json!(100)),
            ("leaseSec", json!(900)),
            ("expiresAt", json!(time::rfc3339(self.now() + 86_400))),
        ] {
            made[name] = value;
        }
        made.as_object_mut().unwrap().remove("ttlSec");
        self.books.lock().unwrap().sessions.insert(session.id.clone(), made.clone());
        self.tell(json!({"kind": "open", "session": made}));
        session
    }

    /// Assigns one, and waits until the node serves it. Who comes before that is a stranger to the node.
    #[track_caller]
    pub fn opened(&self, world: &World) -> Session {
        let session = self.open();
        until("the node serves the session", || (world.node.session(&session.id)?["state"] == "active").then_some(()));
        session
    }

    /// Ends it.
    pub fn close(&self, session: &Session) {
        self.books.lock().unwrap().sessions.remove(&session.id);
        self.tell(json!({"kind": "close", "session": {"sessionId": session.id}}));
    }

    /// One more event of the stream; gives its number.
    pub fn tell(&self, what: Value) -> u64 {
        let mut books = self.books.lock().unwrap();
        books.seq += 1;
        let seq = books.seq;
        books.events.push((seq, what));
        seq
    }

    /// Where the node last said it stands in the stream.
    pub fn position(&self) -> String {
        self.books.lock().unwrap().since.clone()
    }

    /// The bundles of a session it took.
    pub fn chain(&self, session: &Session) -> Vec<Value> {
        self.books.lock().unwrap().chains.get(&session.id).cloned().unwrap_or_default()
    }

    /// Whether it has the last bundle of a session.
    pub fn is_settled(&self, session: &Session) -> bool {
        self.chain(session).last().is_some_and(|last| last["final"] == true)
    }

    /// Loses the newest `n` bundles of a session, as a store restored from a backup.
    pub fn forget(&self, session: &Session, n: usize) -> Vec<Value> {
        let mut books = self.books.lock().unwrap();
        let chain = books.chains.get_mut(&session.id).unwrap();
        chain.split_off(chain.len() - n)
    }

    /// An event, signed for `node`.
    pub fn event(&self, seq: u64, node: NodeId, what: &Value) -> Value {
        let mut event = what.clone();
        event["seq"] = json!(seq);
        event["nodeId"] = json!(node);
        event["issuedAt"] = json!(time::rfc3339(self.now()));
        sign(event.as_object_mut().unwrap(), COORDINATOR_SIG, context::SESSION_EVENT, &self.key);
        event
    }

    fn connection(&self, stream: TcpStream, tls: Arc<ServerConfig>) -> std::io::Result<()> {
        let mut tls = StreamOwned::new(ServerConnection::new(tls).map_err(std::io::Error::other)?, stream);
        loop {
            let head = Head::read(&mut tls)?;
            let body = head.body(&mut tls)?;
            let node: NodeId = head.header("echomesh-node").unwrap_or_default().parse().map_err(|_| std::io::ErrorKind::InvalidData)?;
            let (path, query) = head.target().split_once('?').unwrap_or((head.target(), ""));
            let asked = Asked {
                method: head.method().into(),
                path: path.into(),
                query: query.into(),
                body: serde_json::from_slice(&body).unwrap_or_default(),
                number: self.asked.fetch_add(1, Ordering::SeqCst),
            };
            if asked.is_bundle() {
                self.bundles.fetch_add(1, Ordering::SeqCst);
            }
            self.answer(&mut tls, node, &asked, head.header("echomesh-nonce").unwrap_or_default())?;
        }
    }

    fn answer(&self, tls: &mut StreamOwned<ServerConnection, TcpStream>, node: NodeId, asked: &Asked, nonce: &str) -> std::io::Result<()> {
        let bend = self.books.lock().unwrap().bend.clone();
        // What is bent from the start must leave no trace in the books.
        let mut reply = Reply { status: 0, body: Vec::new(), signer: Some(self.key.clone()), headers: String::new(), instead: None, drip: None };
        if let Some(bend) = &bend {
            bend(asked, &mut reply);
        }
        if reply.status == 0 && reply.instead.is_none() {
            let (status, said) = self.says(asked, node);
            (reply.status, reply.body) = (status, said.map_or_else(Vec::new, |v| v.to_string().into_bytes()));
        }
        if let Some(bytes) = reply.instead {
            tls.write_all(&bytes)?;
            tls.flush()?;
            return Err(std::io::ErrorKind::ConnectionAborted.into());
        }
        let now = self.now();
        let mut head = format!("HTTP/1.1 {} X\r\nEchomesh-Time: {now}\r\n{}", reply.status, reply.headers);
        if let Some(key) = &reply.signer {
            let text = Answer { status: reply.status, nonce, body: &reply.body, time: now }.text();
            head.push_str(&format!("Echomesh-Signature: {}\r\n", sign_text(&text, key)));
        }
        if reply.status != 204 {
            head.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", reply.body.len()));
        }
        let mut bytes = format!("{head}\r\n").into_bytes();
        bytes.extend_from_slice(&reply.body);
        match reply.drip {
            None => tls.write_all(&bytes)?,
            Some(pause) => {
                for byte in bytes {
                    tls.write_all(&[byte])?;
                    tls.flush()?;
                    std::thread::sleep(pause);
                    if self.books.lock().unwrap().bend.is_none() {
                        return Err(std::io::ErrorKind::ConnectionAborted.into());
                    }
                }
            }
        }
        tls.flush()
    }

    fn says(&self, asked: &Asked, node: NodeId) -> (u16, Option<Value>) {
        let now = time::rfc3339(self.now());
        match (asked.method.as_str(), asked.path.as_str()) {
            ("POST", "/nodes/register") => {
                let books = self.books.lock().unwrap();
                let heads: Vec<Value> = books.chains.iter().map(|(id, chain)| json!({"sessionId": id, "head": head_of(chain)})).collect();
                (200, Some(json!({"accepted": true, "protocol": 1, "heartbeatSec": 1, "sessions": heads})))
            }
            ("POST", "/nodes/heartbeat") => {
                let said = json!({"time": now, "geo": {"country": null, "region": null, "confidence": 1},
                                  "earnings": {"creditsToday": 0, "bonusForecast": 0}, "reputation": {"score": 0.5, "tier": "new"}});
                (200, Some(said))
            }
            ("GET", "/sessions/control") => (200, Some(self.events(&asked.query, node))),
            ("POST", "/sessions/accept") => (200, Some(json!({}))),
            ("POST", "/attest/metering") => self.attest(&asked.body, &now),
            ("GET", "/attest/metering") => {
                let id = asked.query.strip_prefix("sessionId=").unwrap_or_default();
                let books = self.books.lock().unwrap();
                (200, Some(json!({"head": head_of(books.chains.get(id).map_or(&[], Vec::as_slice))})))
            }
            _ => (204, None),
        }
    }

    fn attest(&self, bundle: &Value, now: &str) -> (u16, Option<Value>) {
        let id = bundle["sessionId"].as_str().unwrap_or_default().to_owned();
        let mut books = self.books.lock().unwrap();
        let chain = books.chains.entry(id.clone()).or_default();
        let head = head_of(chain);
        let continues = bundle["seq"].as_u64() == head["seq"].as_u64().map(|s| s + 1) && bundle["prevHash"] == head["hash"];
        if !continues && chain.last() != Some(bundle) {
            return (409, Some(json!({ "head": head })));
        }
        if continues {
            chain.push(bundle.clone());
        }
        (200, Some(json!({"ack": hash_of(bundle), "nodeId": bundle["nodeId"], "sessionId": id, "seq": bundle["seq"], "time": now})))
    }

    fn events(&self, query: &str, node: NodeId) -> Value {
        let since = query.split('&').find_map(|p| p.strip_prefix("since=")).unwrap_or_default();
        let (stream, seq) = since.split_once(':').unwrap_or(("none", "0"));
        let seq: u64 = seq.parse().unwrap_or(0);
        self.books.lock().unwrap().since = since.to_owned();
        let end = Instant::now() + Duration::from_secs(1);
        loop {
            let books = self.books.lock().unwrap();
            let (name, last) = (books.stream.clone(), books.seq);
            if stream != name || seq > last {
                let sessions: Vec<Value> = books.sessions.values().cloned().collect();
                drop(books);
                return json!({"stream": name, "events": [self.event(last, node, &json!({"kind": "snapshot", "sessions": sessions}))]});
            }
            let news: Vec<(u64, Value)> = books.events.iter().filter(|(n, _)| *n > seq).cloned().collect();
            drop(books);
            if !news.is_empty() || Instant::now() >= end {
                let events: Vec<Value> = news.iter().map(|(n, what)| self.event(*n, node, what)).collect();
                return json!({"stream": name, "events": events});
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The hash text of a bundle.
pub fn hash_of(bundle: &Value) -> String {
    Hash::of(&contract::canonical(bundle)).to_string()
}

fn head_of(chain: &[Value]) -> Value {
    match chain.last() {
        Some(last) => json!({"seq": last["seq"], "hash": hash_of(last)}),
        None => json!({"seq": 0, "hash": null}),
    }
}
