//! The control API through its real sockets: doorman, control thread, and a stand-in for the daemon. Tests only.

use std::cell::RefCell;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use smol::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use smol::{Async, LocalExecutor, Timer, future};

use super::call::{Action, Answers, Controlled, Explanation, IdentityView, PutOutcome, Refused, Reply};
use super::jobs::{Job, Jobs};
use super::keys::Keys;
use super::metrics::Counters;
use super::report::{Report, System};
use super::run_dir::SOCKET;
use super::series::Series;
use super::status::{NodeState, Status};
use super::survey::Survey;
use super::who::{OpenedDay, Who};
use super::{Event, EventHub, RunDir, contract, doorman, events, start};
use crate::config::Settings;
use crate::config::json::JsonFinding;
use crate::core::Reason;
use crate::net::http::Response;

/// Nothing here takes longer than milliseconds; past this a test has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A daemon that remembers what it was told.
#[derive(Default)]
pub(crate) struct Node {
    pub(crate) told: RefCell<Vec<String>>,
    jobs: RefCell<Jobs>,
}

impl Answers for Node {
    fn status(&self) -> Status {
        contract::status()
    }
    fn counters(&self) -> Counters {
        Counters::default()
    }
    fn control(&self, action: Action, seconds: Option<u32>) -> Result<Controlled, Refused> {
        self.told.borrow_mut().push(format!("{action:?} {seconds:?}"));
        match action {
            Action::Unlock => Err(Refused { status: 409, reason: "not-locked".into(), message: "there is nothing to unlock".into() }),
            _ => Ok(Controlled { state: NodeState::Running, paused: action == Action::Pause, until: None, quarantine: false }),
        }
    }
    fn close_session(&self, session_id: &str) -> Result<(), Refused> {
        self.told.borrow_mut().push(format!("close {session_id}"));
        Ok(())
    }
    fn config(&self) -> Value {
        json!({ "version": 1 })
    }
    fn put_config(&self, patch: Value, reply: Reply) {
        reply.put(match patch["network"]["maxMbps"].as_u64() {
            Some(5) => PutOutcome::Applied(patch),
            Some(6) => PutOutcome::Batch("commit echomesh\n".into()),
            _ => PutOutcome::Findings(self.check_config(&patch)),
        });
    }
    fn check_config(&self, _: &Value) -> Vec<JsonFinding> {
        vec![JsonFinding { path: "network.maxMbps".into(), message: "5 or 6".into() }]
    }
    fn explain(&self, host: &str, port: u16, _: Option<&str>) -> Result<Explanation, Refused> {
        Ok(Explanation::refused(Reason::BlockedDomain, format!("{host}:{port}")))
    }
    fn export_logs(&self) -> Vec<String> {
        // More than a socket buffer holds.
        vec!["x".repeat(100_000); 4]
    }
    fn series(&self) -> Series {
        contract::series()
    }
    fn recent_alerts(&self) -> Vec<u8> {
        b"[]".to_vec()
    }
    fn survey(&self, reply: Reply) {
        reply.send(Response::json(200, &Survey::default()));
    }
    fn test_settings(&self, _: &Value) -> Result<Job, Refused> {
        self.jobs.borrow_mut().start("setup/test")
    }
    fn report(&self) -> Report {
        Report::new(1_766_152_800, System::here(), &Settings::default(), &[]).with_daemon(&self.status(), &self.counters(), &[])
    }
    fn identity(&self) -> IdentityView {
        IdentityView { node_id: contract::status().node_id, spki: None, sealed: false }
    }
    fn who(&self, at: u64, _: Option<&str>) -> Result<Who, Refused> {
        Ok(Who { at: super::status::At(at), ..contract::who() })
    }
    fn open_day(&self, date: &str) -> Result<OpenedDay, Refused> {
        Ok(OpenedDay { date: date.into(), key: "ab".repeat(32) })
    }
    fn keys(&self, keys: Keys) -> Result<Job, Refused> {
        self.told.borrow_mut().push(format!("{keys:?}"));
        let mut jobs = self.jobs.borrow_mut();
        let job = jobs.start(keys.kind())?;
        jobs.end(&job.id, Ok(json!({ "backup": "RU1TRUFMRUQ=" })));
        Ok(job)
    }
    fn job(&self, id: &str) -> Result<Job, Refused> {
        self.jobs.borrow().view(id)
    }
}

pub(crate) struct House {
    pub(crate) run_dir: PathBuf,
    socket: PathBuf,
    hub: EventHub,
    pub(crate) node: Rc<Node>,
}

/// Runs `test` against a control API in a folder of its own.
pub(crate) fn with_house<F: Future<Output = ()>>(name: &str, test: impl FnOnce(House) -> F) {
    let folder = std::env::temp_dir().join(format!("em-door-{name}-{}", std::process::id()));
    let run_dir = RunDir::claim(&folder).unwrap();
    let ex = Rc::new(LocalExecutor::new());
    let node = Rc::new(Node::default());
    let (calls, hub) = start(&ex, &run_dir).unwrap();
    let daemon = Rc::clone(&node);
    ex.spawn(async move {
        while let Ok(asked) = calls.recv().await {
            asked.answer(&*daemon);
        }
    })
    .detach();
    let house = House { run_dir: folder.clone(), socket: run_dir.join(SOCKET), hub, node };
    let late = async {
        Timer::after(PATIENCE).await;
        panic!("{name}: nothing happened for {PATIENCE:?}");
    };
    future::block_on(ex.run(future::or(test(house), late)));
    drop(run_dir);
    std::fs::remove_dir_all(&folder).unwrap();
}

async fn connect(socket: &Path) -> Async<UnixStream> {
    Async::<UnixStream>::connect(socket).await.unwrap()
}

/// Everything the server says to `text` until it closes.
async fn say(socket: &Path, text: &str) -> String {
    let mut stream = connect(socket).await;
    stream.write_all(text.as_bytes()).await.unwrap();
    rest(&mut stream).await
}

async fn rest(stream: &mut Async<UnixStream>) -> String {
    let mut said = Vec::new();
    // A server that refuses may reset what it did not read; what it said before counts.
    let _ = stream.read_to_end(&mut said).await;
    String::from_utf8(said).unwrap()
}

async fn call(socket: &Path, method: &str, target: &str, body: &str) -> (u16, String) {
    let length = body.len();
    let said = say(socket, &format!("{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")).await;
    let (head, body) = said.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{said:?}"));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

const STATUS: &str = "GET /status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

#[test]
fn calls_reach_the_daemon_and_answers_come_back() {
    with_house("calls", |h| async move {
        let s = &h.socket;
        let (code, body) = call(s, "GET", "/status", "").await;
        assert_eq!((code, serde_json::from_str::<Value>(&body).unwrap()), (200, serde_json::to_value(contract::status()).unwrap()));
        assert_eq!(call(s, "POST", "/control", r#"{"action":"pause","seconds":9}"#).await.0, 200);
        assert_eq!(
            call(s, "POST", "/control", r#"{"action":"unlock"}"#).await,
            (409, r#"{"message":"there is nothing to unlock","reason":"not-locked"}"#.into())
        );
        assert_eq!(call(s, "POST", "/sessions/close", r#"{"sessionId":"7"}"#).await.0, 200);
        assert_eq!(*h.node.told.borrow(), ["Pause Some(9)", "Unlock None", "close 7"]);
        for (value, code) in [(5, 200), (6, 409), (7, 422)] {
            assert_eq!(call(s, "PUT", "/config", &format!(r#"{{"network":{{"maxMbps":{value}}}}}"#)).await.0, code);
        }
        assert!(call(s, "GET", "/policy/explain?host=a&port=1", "").await.1.contains(r#""rule":"a:1""#));
        assert!(call(s, "GET", "/metrics", "").await.1.starts_with("# HELP echomesh_info "));
        let (code, export) = call(s, "GET", "/logs/export", "").await;
        assert_eq!((code, export.len(), export.lines().count()), (200, 400_004, 4));
        assert_eq!(call(s, "GET", "/nothing", "").await.0, 404);
        let wrong = say(s, "POST /status HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await;
        assert!(wrong.starts_with("HTTP/1.1 405 ") && wrong.to_lowercase().contains("\r\nallow: get\r\n"), "{wrong}");
    });
}

#[test]
fn what_is_too_large_or_unclear_is_refused_at_the_door() {
    with_house("refusals", |h| async move {
        let s = &h.socket;
        for (code, request) in [
            ("413", "PUT /config HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\nabc"),
            ("501", "PUT /config HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
            ("417", "PUT /config HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
            ("400", "PUT /config HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
            ("400", "GET http://x/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        ] {
            let said = say(s, request).await;
            assert!(said.starts_with(&format!("HTTP/1.1 {code} ")), "{request:?}: {said}");
        }
        let long = format!("GET /status HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(20_000));
        assert!(say(s, &long).await.starts_with("HTTP/1.1 431 "));
        assert_eq!(call(s, "GET", "/status", "").await.0, 200);
    });
}

#[test]
fn a_head_in_single_bytes_and_two_requests_in_one_write_are_served() {
    with_house("pieces", |h| async move {
        let mut stream = connect(&h.socket).await;
        for byte in STATUS.as_bytes() {
            stream.write_all(&[*byte]).await.unwrap();
            future::yield_now().await;
        }
        assert!(rest(&mut stream).await.starts_with("HTTP/1.1 200 "));
        let two = format!("GET /identity HTTP/1.1\r\nHost: x\r\n\r\n{STATUS}");
        let said = say(&h.socket, &two).await;
        let answers: Vec<&str> = said.split("HTTP/1.1 200 ").skip(1).collect();
        assert_eq!(answers.len(), 2, "{said}");
        assert!(answers[0].contains("\"spki\"") && answers[1].contains("\"uptimeSec\""), "in order: {said}");
    });
}

#[test]
fn slow_clients_delay_nobody() {
    with_house("slow", |h| async move {
        let mut slow = Vec::new();
        // Some never end their heads, one never reads its large answer.
        for text in ["GET /sta", "P", "GET /logs/export HTTP/1.1\r\nHost: x\r\n\r\n", "PUT /config HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"]
        {
            let mut stream = connect(&h.socket).await;
            stream.write_all(text.as_bytes()).await.unwrap();
            slow.push(stream);
        }
        for _ in 0..20 {
            assert_eq!(call(&h.socket, "GET", "/status", "").await.0, 200);
        }
    });
}

#[test]
fn the_ninth_waits_for_a_place_and_an_idle_one_gives_way() {
    with_house("ninth", |h| async move {
        let mut held = Vec::new();
        for _ in 0..doorman::CONNECTIONS {
            // In one go, so that the server never sees it without its first bytes: an idle one would give way.
            let mut stream = UnixStream::connect(&h.socket).unwrap();
            std::io::Write::write_all(&mut stream, b"GET /sta").unwrap();
            held.push(Async::new(stream).unwrap());
        }
        let mut ninth = connect(&h.socket).await;
        ninth.write_all(STATUS.as_bytes()).await.unwrap();
        let mut first = [0; 1];
        // Each turn lets the server do what it can: it must not take the ninth.
        for _ in 0..1000 {
            future::yield_now().await;
            assert!(future::poll_once(ninth.read(&mut first)).await.is_none(), "served beyond the limit");
        }
        // One ends its request and stays: it is idle now, and gives way.
        held[0].write_all(b"tus HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        assert!(rest(&mut ninth).await.starts_with("HTTP/1.1 200 "));
        assert!(rest(&mut held[0]).await.starts_with("HTTP/1.1 200 "), "its own answer came before");
    });
}

type Listener = BufReader<Async<UnixStream>>;

async fn listen(socket: &Path) -> Listener {
    let mut stream = connect(socket).await;
    stream.write_all(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut listener = BufReader::new(stream);
    assert_eq!(line(&mut listener, "").await, "HTTP/1.1 200 OK");
    assert_eq!(line(&mut listener, ":").await, ": listening");
    listener
}

/// The next line that begins with `start`.
async fn line(listener: &mut Listener, start: &str) -> String {
    loop {
        let mut line = String::new();
        assert!(listener.read_line(&mut line).await.unwrap() > 0, "the stream ended");
        if line.starts_with(start) {
            return line.trim_end().to_owned();
        }
    }
}

#[test]
fn events_reach_two_listeners_beside_a_stalled_one() {
    with_house("events", |h| async move {
        let (mut one, mut two) = (listen(&h.socket).await, listen(&h.socket).await);
        let stalled = listen(&h.socket).await;
        assert_eq!(h.hub.listeners(), 3);
        let mut told = 0;
        while h.hub.listeners() == 3 {
            assert!(told < 10_000, "the stalled listener is still fed");
            told += 1;
            h.hub.publish(told, &Event::SessionClose { session_id: told.to_string(), reason: "r".repeat(4096) });
            for listener in [&mut one, &mut two] {
                assert!(line(listener, "data: ").await.contains(&format!("\"sessionId\":\"{told}\"")));
            }
        }
        drop(stalled);
    });
}

#[test]
fn listeners_never_take_every_place() {
    with_house("places", |h| async move {
        let mut held = Vec::new();
        for _ in 0..events::LISTENERS {
            held.push(listen(&h.socket).await);
        }
        assert_eq!(call(&h.socket, "GET", "/events", "").await.0, 503);
        assert_eq!(call(&h.socket, "GET", "/status", "").await.0, 200);
        held.clear();
        // The server notices that they left, and the place is free again.
        while call(&h.socket, "GET", "/status", "").await.0 != 200 || h.hub.clone().subscribe().is_none() {
            future::yield_now().await;
        }
    });
}
