//! The object `uci` as rpcd offers it to pages: changes are staged for a session, and come into force together.
//!
//! One package is served, the daemon's. Its file is written as the settings' other writers do, under libuci's lock.

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::access::Rights;
use super::service::Service;
use super::ubus::{Outcome, Status};
use crate::config::batch::{PACKAGE, rewrite};
use crate::config::load::read_package;
use crate::config::uci::Package;

mod draft;
mod step;

use draft::Draft;
use step::Step;

/// Time until an apply that nobody confirms is taken back, where the page does not say.
const ROLLBACK_SEC: u64 = 60;
/// Longest such time: a wait must end.
const MOST_ROLLBACK_SEC: u64 = 600;

/// The package, and what is staged over it.
#[derive(Clone, Debug)]
pub struct Uci(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: PathBuf,
    service: Service,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By session.
    staged: HashMap<String, Vec<Step>>,
    /// An apply that waits for its confirmation.
    waiting: Option<Waiting>,
    applies: u64,
}

#[derive(Debug)]
struct Waiting {
    session: String,
    number: u64,
    before: Package,
}

impl Uci {
    /// The package in the file at `config`, whose daemon `service` tells of changes.
    pub fn new(config: PathBuf, service: Service) -> Uci {
        Uci(Arc::new(Shared { config, service, state: Mutex::default() }))
    }

    /// One call by `session`, which has `rights`.
    ///
    /// # Errors
    /// As rpcd numbers them.
    pub fn call(&self, session: &str, rights: &Rights, method: &str, args: &Map<String, Value>) -> Outcome {
        let steps = match method {
            "get" | "changes" => return self.look(session, rights, method, args),
            "apply" => return self.apply(session, args),
            "confirm" | "rollback" => return self.decide(session, method == "rollback"),
            _ if package(args)? != PACKAGE || !rights.may_write(PACKAGE) => return Err(Status::PermissionDenied),
            "revert" => {
                self.state().staged.remove(session);
                return Ok(Map::new());
            }
            _ => Step::read(method, args)?,
        };
        let mut state = self.state();
        let staged = state.staged.entry(session.to_owned()).or_default();
        let mut draft = self.draft(staged)?;
        let mut made = None;
        for step in steps {
            let step = step.named(&draft, made.as_deref());
            if let Step::Add { section, .. } = &step {
                made = Some(section.clone());
            }
            if draft.take(&step)? {
                staged.push(step);
            }
        }
        Ok(made.map(|section| ("section".to_owned(), json!(section))).into_iter().collect())
    }

    fn look(&self, session: &str, rights: &Rights, method: &str, args: &Map<String, Value>) -> Outcome {
        if args.contains_key("config") && (package(args)? != PACKAGE || !rights.may_read(PACKAGE)) {
            return Err(Status::PermissionDenied);
        }
        let state = self.state();
        let staged = state.staged.get(session).map(Vec::as_slice).unwrap_or_default();
        let one = args.contains_key("config");
        let said = match (method, one) {
            ("changes", _) => {
                let told: Vec<Value> = staged.iter().flat_map(Step::told).collect();
                let all = || if told.is_empty() { json!({}) } else { json!({ PACKAGE: told }) };
                json!({ "changes": if one { json!(told) } else { all() } })
            }
            (_, false) => json!({ "configs": [PACKAGE] }),
            (_, true) => {
                let draft = self.draft(staged)?;
                let text = |name: &str| args.get(name).and_then(Value::as_str);
                match (text("section"), text("option")) {
                    (None, _) => json!({ "values": draft.values(text("type")) }),
                    (Some(section), None) => json!({ "values": draft.section(section)? }),
                    (Some(section), Some(option)) => json!({ "value": draft.option(section, option)? }),
                }
            }
        };
        Ok(said.as_object().cloned().unwrap_or_default())
    }

    /// Commits what `session` staged and tells the daemon; with `rollback` it is taken back unless confirmed in time.
    fn apply(&self, session: &str, args: &Map<String, Value>) -> Outcome {
        let mut state = self.state();
        if state.waiting.is_some() {
            return Err(Status::PermissionDenied);
        }
        let staged = state.staged.get(session).filter(|steps| !steps.is_empty()).ok_or(Status::NoData)?;
        let mut before = Package::default();
        let written = rewrite(&self.0.config, File::lock, &mut |_, package| {
            before.clone_from(package);
            let mut draft = Draft::of(package);
            for step in staged {
                // What another has removed meanwhile cannot be changed any more; libuci passes over it, too.
                let _ = draft.take(step);
            }
            Ok(draft.package())
        });
        written.map_err(|_| Status::UnknownError)?;
        state.staged.remove(session);
        if args.get("rollback").is_some_and(|on| *on == true || *on == 1) {
            state.applies += 1;
            let number = state.applies;
            state.waiting = Some(Waiting { session: session.to_owned(), number, before });
            let seconds = args.get("timeout").and_then(Value::as_u64).unwrap_or(ROLLBACK_SEC).min(MOST_ROLLBACK_SEC);
            let uci = self.clone();
            thread::spawn(move || {
                thread::sleep(Duration::from_secs(seconds));
                let mut state = uci.state();
                if state.waiting.as_ref().is_some_and(|waiting| waiting.number == number) {
                    uci.take_back(&mut state);
                }
            });
        }
        self.0.service.reload();
        Ok(Map::new())
    }

    fn decide(&self, session: &str, back: bool) -> Outcome {
        let mut state = self.state();
        let waiting = state.waiting.as_ref().ok_or(Status::NoData)?;
        if waiting.session != session {
            return Err(Status::PermissionDenied);
        }
        if back {
            self.take_back(&mut state);
        }
        state.waiting = None;
        Ok(Map::new())
    }

    fn take_back(&self, state: &mut State) {
        let Some(waiting) = state.waiting.take() else { return };
        match rewrite(&self.0.config, File::lock, &mut |_, _| Ok(waiting.before.clone())) {
            Ok(()) => self.0.service.reload(),
            Err(e) => log::error!("{}: what was before cannot be written: {e}", self.0.config.display()),
        }
    }

    fn draft(&self, staged: &[Step]) -> Result<Draft, Status> {
        let package = read_package(&self.0.config).map_err(|_| Status::NotFound)?;
        let mut draft = Draft::of(&package);
        for step in staged {
            let _ = draft.take(step);
        }
        Ok(draft)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn package(args: &Map<String, Value>) -> Result<&str, Status> {
    args.get("config").and_then(Value::as_str).ok_or(Status::InvalidArgument)
}
