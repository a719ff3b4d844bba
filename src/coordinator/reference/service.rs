//! The thin shell around the core: one request in, one signed answer out.
//!
//! Whatever a request changed is on disk before its answer is signed. When the disk fails the service stops for good: every
//! later answer is 503, and `run` ends with the error.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use smol::channel::Sender;
use smol::future;

use super::auth::{Auth, Denied, nonce_of};
use super::endpoint::Endpoint;
use super::engine::{At, Engine, Refused};
use super::keys::Keys;
use super::membership::AddressCheck;
use super::purchase::Order;
use super::store::Store;
use super::waiters::Waiters;
use super::{buyers, nodes, usage};
use crate::codec::envelope::{self, COORDINATOR_SIG};
use crate::codec::{NodeId, json as strict};
use crate::core::{Clock, Mono};
use crate::net::http::{Body, Handler, Request, Response};

/// Longest wait of a poll, in seconds.
pub const MAX_WAIT_SEC: u64 = 25;

/// A call's result before it is signed.
pub type Outcome = Result<Response, Refused>;

/// The coordinator's API.
pub struct Service {
    engine: RefCell<Engine>,
    store: RefCell<Store>,
    auth: RefCell<Auth>,
    keys: RefCell<Keys>,
    clock: Clock,
    /// Waits of answers.
    pub waiters: Waiters,
    endpoint: Option<Rc<Endpoint>>,
    kick: Sender<()>,
    broken: Cell<bool>,
}

impl Service {
    /// The service over an open store. `kick` is told when something may be due.
    pub fn new(engine: Engine, store: Store, auth: Auth, keys: Keys, clock: Clock, endpoint: Option<Rc<Endpoint>>, kick: Sender<()>) -> Service {
        Service {
            engine: RefCell::new(engine),
            store: RefCell::new(store),
            auth: RefCell::new(auth),
            keys: RefCell::new(keys),
            clock,
            waiters: Waiters::default(),
            endpoint,
            kick,
            broken: Cell::new(false),
        }
    }

    /// After a start: what is to be done again.
    pub fn resume(&self) {
        let _ = self.apply(|engine, _, at| {
            engine.resume(at);
            engine.announce(self.keys.borrow().announced(), at);
            Ok(())
        });
    }

    /// Now, on both clocks.
    pub fn at(&self) -> At {
        At { unix: self.clock.unix(), mono: self.clock.now() }
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The store failed: nothing more is answered.
    pub fn broken(&self) -> bool {
        self.broken.get()
    }

    /// Looks at the core.
    pub fn look<T>(&self, look: impl FnOnce(&Engine) -> T) -> T {
        look(&self.engine.borrow())
    }

    /// Changes the core, makes the change durable, wakes who waits for it.
    pub fn change<T>(&self, change: impl FnOnce(&mut Engine, &mut Store, At) -> Result<T, Refused>) -> Result<T, Refused> {
        let result = self.apply(change);
        let _ = self.kick.try_send(()); // something may be due, or the store broke
        result
    }

    /// [`Service::change`] that may change the coordinator's key, too.
    pub fn change_keys<T>(&self, change: impl FnOnce(&mut Engine, &mut Keys, At) -> Result<T, Refused>) -> Result<T, Refused> {
        self.change(|engine, _, at| change(engine, &mut self.keys.borrow_mut(), at))
    }

    fn apply<T>(&self, change: impl FnOnce(&mut Engine, &mut Store, At) -> Result<T, Refused>) -> Result<T, Refused> {
        const BROKEN: Refused = Refused { status: 503, reason: "store-failed" };
        if self.broken.get() {
            return Err(BROKEN);
        }
        let at = self.at();
        let mut engine = self.engine.borrow_mut();
        let mut store = self.store.borrow_mut();
        let result = change(&mut engine, &mut store, at);
        if let Err(e) = store.commit(&mut engine.state) {
            log::error!("the store cannot be written: {e}");
            self.broken.set(true);
            return Err(BROKEN);
        }
        let (nodes, sessions) = engine.take_woken();
        drop((engine, store));
        for node in &nodes {
            self.waiters.wake(&node.to_string());
        }
        for session in &sessions {
            self.waiters.wake(session);
        }
        result
    }

    /// Does what is due; when to come again at the latest.
    pub fn tick(&self) -> Mono {
        self.apply(|engine, _, at| Ok(engine.tick(at))).unwrap_or_else(|_| self.clock.now().plus(Duration::from_secs(1)))
    }

    /// The address checks to be made now.
    pub fn take_checks(&self) -> Vec<AddressCheck> {
        self.apply(|engine, _, at| Ok(engine.take_checks(at))).unwrap_or_default()
    }

    /// The purchases to be carried out now.
    pub fn take_orders(&self) -> Vec<Order> {
        self.apply(|engine, _, _| Ok(engine.take_orders())).unwrap_or_default()
    }

    /// What came of a purchase.
    pub fn purchased(&self, session: &str, moved: Result<(u64, u64), String>) {
        let _ = self.change(|engine, _, at| {
            engine.purchased(session, moved, at);
            Ok(())
        });
    }

    /// What a check found.
    pub fn checked(&self, check: &AddressCheck, showed: bool) {
        let _ = self.change(|engine, _, at| {
            engine.checked(check, showed, at);
            Ok(())
        });
    }

    /// `value` signed as an object of the coordinator's.
    pub fn signed<T: serde::Serialize>(&self, context: &str, value: &T) -> Value {
        let mut object = strict::object(value);
        envelope::sign(&mut object, COORDINATOR_SIG, context, self.keys.borrow().current());
        Value::Object(object)
    }

    /// Waits for `key` until `deadline` (monotonic); `false` where the time is over, or another took the place.
    pub async fn wait(&self, key: &str, alone: bool, deadline: Mono) -> bool {
        let left = deadline.since(self.clock.now());
        if left.is_zero() {
            return false;
        }
        let Some(receiver) = self.waiters.wait(key, alone) else { return false };
        let over = async {
            smol::Timer::after(left).await;
            false
        };
        future::or(async { receiver.recv().await.is_ok() }, over).await
    }

    async fn route(&self, request: &Request) -> Outcome {
        let source = request.peer.map(|p| p.ip().to_canonical());
        if source.is_some_and(|ip| self.auth.borrow().struck_out(ip, self.clock.now())) {
            return Err(Refused { status: 429, reason: "too-many-failures" });
        }
        let path = request.path();
        let usage = usage::PATHS.contains(&path);
        if usage || path == "/buyers/sessions" || path.starts_with("/buyers/sessions/") {
            let outcome = if usage { usage::answer(self, request) } else { buyers::answer(self, request).await };
            if matches!(outcome, Err(Refused { status: 401, .. })) {
                self.strike(source);
            }
            return outcome;
        }
        if !nodes::PATHS.contains(&path) {
            return Err(Refused { status: 404, reason: "not-found" });
        }
        let caller = {
            let engine = self.engine.borrow();
            let known = |node: NodeId| engine.state.nodes().contains_key(&node);
            self.auth.borrow_mut().check(request, self.clock.unix(), known)
        };
        match caller {
            Ok(caller) => nodes::answer(self, &caller, request).await,
            Err(Denied { status, reason }) => {
                // A wrong clock is no attack, and the signed answer mends it.
                if !matches!(reason, "clock-skew" | "before-start" | "unknown-node") {
                    self.strike(source);
                }
                Err(Refused { status, reason })
            }
        }
    }

    fn strike(&self, source: Option<IpAddr>) {
        if let Some(ip) = source {
            self.auth.borrow_mut().strike(ip, self.clock.now());
        }
    }

    fn sign(&self, response: Response, nonce: &str) -> Response {
        let Body::Whole(body) = &response.body else { return response };
        let time = self.clock.unix();
        let text = envelope::Answer { status: response.status, nonce, body, time }.text();
        let signature = envelope::sign_text(&text, self.keys.borrow().current());
        response.with("Echomesh-Time", time.to_string()).with("Echomesh-Signature", signature)
    }
}

impl Handler for Service {
    async fn handle(&self, request: Request) -> Response {
        if let Some(endpoint) = self.endpoint.as_ref().filter(|_| request.path() == "/probe") {
            return endpoint.handle(request).await;
        }
        let response = match self.route(&request).await {
            Ok(response) => response,
            Err(Refused { status, reason }) => {
                let mut body = json!({ "reason": reason });
                if matches!(reason, "clock-skew" | "before-start") {
                    body["time"] = crate::codec::time::rfc3339(self.clock.unix()).into();
                }
                let response = Response::json(status, &body);
                if reason == "method" { response.with("Allow", "GET, POST") } else { response }
            }
        };
        self.sign(response, nonce_of(&request))
    }
}

#[cfg(test)]
mod tests;
