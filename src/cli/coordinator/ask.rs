//! An operator's command: over the socket of a running coordinator, else on its folder.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use smol::{Async, Timer, future};

use crate::coordinator::reference::engine::{At, Engine, Terms};
use crate::coordinator::reference::keys::{self, Keys};
use crate::coordinator::reference::operator::{self, Command};
use crate::coordinator::reference::store::{self, StoreError};
use crate::coordinator::reference::{credits, rotation, run};
use crate::core::Clock;
use crate::core::exit::{self, Failure};
use crate::net::http::client::{self, ClientLimits, Outgoing};

const WITHIN: Duration = Duration::from_secs(20);
/// Largest answer: 4096 sessions × about 700 bytes, and as much again.
const MAX_ANSWER: u64 = 8 * 1024 * 1024;
const MAX_HEAD: usize = 8 * 1024;

/// Carries out `command` for the coordinator of `dir`.
pub(super) fn perform(dir: &Path, command: &Command) -> Result<Value, Failure> {
    match smol::block_on(over_socket(dir, command))? {
        Some(value) => Ok(value),
        None => on_folder(dir, command),
    }
}

/// `None` where no coordinator runs.
async fn over_socket(dir: &Path, command: &Command) -> Result<Option<Value>, Failure> {
    let path = dir.join(operator::SOCKET);
    let mut stream = match Async::<UnixStream>::connect(&path).await {
        Ok(stream) => stream,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => return Ok(None),
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            return Err(Failure::new(exit::NO_PERM, format!("{}: permission denied; run this as the user of the coordinator", path.display())));
        }
        Err(e) => return Err(Failure::new(exit::OS, format!("{}: {e}", path.display()))),
    };
    let body = serde_json::to_vec(command).unwrap_or_default();
    let headers = [("Content-Type", "application/json")];
    let outgoing = Outgoing { method: "POST", target: operator::PATH, host: "localhost", headers: &headers, body: &body, keep_alive: false };
    let limits = ClientLimits { head: MAX_HEAD, body: MAX_ANSWER };
    let answer = future::or(async { client::fetch(&mut stream, &outgoing, &limits).await.map_err(|e| e.to_string()) }, async {
        Timer::after(WITHIN).await;
        Err(format!("no answer within {} s", WITHIN.as_secs()))
    })
    .await
    .map_err(|e| Failure::new(exit::IO, format!("the coordinator: {e}; its log may say why")))?;
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    match answer.status {
        200 => Ok(Some(said)),
        _ => Err(refusal(said.get("reason").and_then(Value::as_str).unwrap_or("unknown"))),
    }
}

fn on_folder(dir: &Path, command: &Command) -> Result<Value, Failure> {
    let clock = Clock::system();
    let at = At { unix: clock.unix(), mono: clock.now() };
    // Offline nothing is offered and nothing earns: terms matter to none of the commands.
    let terms = Terms { heartbeat_sec: 30, lease_sec: 900, price_per_gb: credits::DEFAULT_PRICE, probe: None, gateway: None, audit: None };
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|_| Failure::new(exit::OS, "the system gave no random bytes; try again later"))?;
    if !command.changes() {
        if !dir.is_dir() {
            return Err(no_folder(dir));
        }
        let state = store::peek(dir).map_err(|e| store_failure(&e))?;
        return carry_out(&mut Engine::new(state, terms, seed), dir, command, at);
    }
    let (mut store, state) = run::open(dir)?;
    let mut engine = Engine::new(state, terms, seed);
    let said = carry_out(&mut engine, dir, command, at)?;
    store.commit(&mut engine.state).map_err(|e| Failure::new(exit::IO, format!("{}: {e}", dir.display())))?;
    Ok(said)
}

fn no_folder(dir: &Path) -> Failure {
    Failure::new(exit::NO_INPUT, format!("{} is no folder of a coordinator; `echomesh coordinator init --dir …` makes one", dir.display()))
}

fn carry_out(engine: &mut Engine, dir: &Path, command: &Command, at: At) -> Result<Value, Failure> {
    let said = match command {
        Command::Key { what } => {
            if !dir.join(keys::COORDINATOR).exists() {
                return Err(no_folder(dir));
            }
            let mut keys = Keys::load_or_create(dir).map_err(|e| Failure::new(exit::CONFIG, e.to_string()))?;
            rotation::perform(engine, &mut keys, *what, at)
        }
        command => engine.perform(command, at),
    };
    said.map_err(|r| refusal(r.reason))
}

fn refusal(reason: &str) -> Failure {
    let (code, message) = match reason {
        "no-endpoint" => (
            exit::UNAVAILABLE,
            "purchases are made by a running coordinator, from an endpoint that has a name: see `coordinator run --audit-endpoint`",
        ),
        "no-node" => (exit::UNAVAILABLE, "no node is there that was not bought from within the last hour; name one"),
        "buyer-exists" => (exit::DATA, "there is a buyer of this name; remove it first, or take another name"),
        "buyer-unknown" => (exit::DATA, "there is no buyer of this name; `buyer list` shows them"),
        "session-unknown" => (exit::DATA, "there is no such session; `sessions` shows them"),
        "node-unknown" => (exit::DATA, "there is no such node; `nodes` shows them"),
        "place" => (exit::USAGE, "a place is a country like PH, or one of its regions like PH-NCR, and a confidence 0 to 1"),
        "session-closed" => (exit::DATA, "the session is over; `sessions` shows its state"),
        "limits" => {
            (exit::USAGE, "a limit is out of range: 1 to 10000 Mbit/s, 1 to 10000 MB burst, 0 to 1000000 GB, 1 to 4096 tunnels, 1 to 2592000 seconds")
        }
        "name" => (exit::USAGE, "a name is 1 to 64 letters, digits, dots, dashes and underscores"),
        "no-successor" => (exit::DATA, "there is no successor; `key rotate` makes one and announces it"),
        "nodes-not-told" => (
            exit::UNAVAILABLE,
            "nodes have not heard of the successor, `key show` names them: wait, or take --force, and their owners must set the new key themselves",
        ),
        "key-failed" => (exit::IO, "the key's file cannot be written; see the coordinator's log"),
        "overload" => (exit::UNAVAILABLE, "the table is full"),
        "store-failed" => (exit::IO, "the coordinator cannot write its store; see its log"),
        other => return Failure::new(exit::SOFTWARE, format!("the coordinator refused: {other}")),
    };
    Failure::new(code, message)
}

/// What a command ends with when the store cannot be read.
pub(super) fn store_failure(e: &StoreError) -> Failure {
    let code = match e {
        StoreError::Busy(_) => exit::UNAVAILABLE,
        StoreError::Io(_, e) if e.kind() == io::ErrorKind::NotFound => exit::NO_INPUT,
        StoreError::Io(..) => exit::IO,
        StoreError::Damaged(..) | StoreError::Foreign(_) => exit::DATA,
    };
    Failure::new(code, e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordinator::reference::rotation::KeyCommand;

    #[test]
    fn without_a_coordinator_the_folder_is_used() {
        let dir = std::env::temp_dir().join(format!("echomesh-operator-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        assert_eq!(perform(&dir, &Command::Buyers).unwrap_err().code, exit::NO_INPUT);
        run::init(&dir).unwrap();
        let token = perform(&dir, &Command::BuyerAdd { name: "shop".into() }).unwrap();
        assert_eq!(token["token"].as_str().unwrap().len(), 43);
        assert_eq!(perform(&dir, &Command::BuyerAdd { name: "shop".into() }).unwrap_err().code, exit::DATA);
        assert_eq!(perform(&dir, &Command::Buyers).unwrap()["buyers"][0]["buyerId"], "shop");
        let key = |what| perform(&dir, &Command::Key { what });
        let told = key(KeyCommand::Rotate).unwrap();
        assert_eq!(key(KeyCommand::Show).unwrap(), told);
        assert_eq!(key(KeyCommand::Switch { force: false }).unwrap()["key"], told["nextKey"], "no node, none to be told");
        assert_eq!(key(KeyCommand::Switch { force: false }).unwrap_err().code, exit::DATA);
        assert_eq!(perform(&std::env::temp_dir(), &Command::Key { what: KeyCommand::Show }).unwrap_err().code, exit::NO_INPUT);
        let (_held, _) = run::open(&dir).unwrap();
        assert_eq!(perform(&dir, &Command::BuyerRemove { name: "shop".into() }).unwrap_err().code, exit::UNAVAILABLE, "one writer");
        assert!(perform(&dir, &Command::Buyers).is_ok(), "reading needs no lock");
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
