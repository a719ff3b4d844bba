//! Which roles run: started, stopped and rebound as the settings say, each under its supervisor.

use std::cell::RefCell;
use std::rc::Rc;

use smol::{LocalExecutor, Task};

use super::node::Node;
use super::state::Turn;
use super::supervisor::{self, RoleState};
use super::{follow, gateway, link, probing};
use crate::coordinator::client::{Access, Client, Keyring, Remembered, Successors};
use crate::core::exit::{self, Failure};
use crate::identity::Role;
use crate::net::work;
use crate::proxy::listener;

/// The tasks of the roles. Dropping a task ends it.
pub struct Roles {
    ex: Rc<LocalExecutor<'static>>,
    node: Rc<Node>,
    proxy: RefCell<Option<Task<()>>>,
    link: RefCell<Vec<Task<()>>>,
}

impl Roles {
    /// No role runs yet.
    pub fn new(ex: Rc<LocalExecutor<'static>>, node: Rc<Node>) -> Roles {
        Roles { ex, node, proxy: RefCell::default(), link: RefCell::default() }
    }

    /// Runs `work` beside all else, for as long as the process lives.
    pub fn spawn(&self, work: impl std::future::Future<Output = ()> + 'static) {
        work::start(&self.ex, work).detach();
    }

    /// Starts what the settings turn on and is not running; stops what they turn off.
    pub fn follow_settings(&self) {
        let settings = self.node.settings();
        let wanted = settings.node.enabled && settings.proxy.enabled;
        let falls_short = self.node.sandbox_falls_short().filter(|_| wanted);
        if let Some(why) = &falls_short {
            log::error!("{why}");
        }
        let on = wanted && falls_short.is_none();
        let mut proxy = self.proxy.borrow_mut();
        match (on, proxy.is_some()) {
            (true, false) => {
                if self.node.registry.gate().stopped {
                    // The owner's stop outlives a reboot; the tie to the coordinator stays, to hand in what is sealed.
                    self.stop("the owner stopped the node".into());
                } else {
                    self.node.turn(Turn::Start, None);
                }
                *proxy = Some(work::start(&self.ex, keep_proxy(self.node.clone())));
                drop(proxy);
                self.connect();
            }
            (false, true) => {
                *proxy = None;
                self.link.borrow_mut().clear();
                self.node.listening.borrow_mut().clear();
                self.stop(falls_short.unwrap_or_else(|| "the owner turned the role off".into()));
            }
            (false, false) => self.stop(falls_short.unwrap_or_else(|| "no role is on: set node.enabled and proxy.enabled to 1".into())),
            (true, true) => {}
        }
    }

    /// Whether a role runs.
    pub fn work(&self) -> bool {
        self.proxy.borrow().is_some()
    }

    fn stop(&self, why: String) {
        self.node.turn(Turn::Stop, Some(why.clone()));
        self.node.turn(Turn::Drained, Some(why));
    }

    /// Ends every role, and the tie to the coordinator.
    pub fn shut(&self) {
        self.proxy.take();
        self.disconnect();
        self.node.listening.borrow_mut().clear();
    }

    /// Cuts the tie to the coordinator; whether there was one.
    pub fn disconnect(&self) -> bool {
        let tasks = std::mem::take(&mut *self.link.borrow_mut());
        let before = self.node.client.take();
        self.node.link(|link| link.registered = false);
        before.is_some() && !tasks.is_empty()
    }

    /// (Re)starts the tie to the coordinator with the settings in force.
    pub fn connect(&self) {
        let node = &self.node;
        let mut tasks = self.link.borrow_mut();
        tasks.clear();
        node.link(|link| *link = super::node::LinkView { failures: link.failures, ..Default::default() });
        let settings = node.settings();
        if settings.coordinator.url.is_empty() {
            node.turn(Turn::Lost, Some("no coordinator is configured: set coordinator.url and coordinator.key".into()));
            return;
        }
        let successors = Successors::new(&node.state_dir, &settings.coordinator.keys);
        let Remembered { keys: remembered, finding } = successors.remember();
        if let Some(finding) = finding {
            node.finding(finding);
        }
        let keys = Keyring::new(&settings.coordinator.keys, &remembered);
        let access = Access {
            url: settings.coordinator.url.clone(),
            keys: keys.clone(),
            roots: node.roots.borrow().clone(),
            key: node.identity.role_key(Role::Proxy),
            clock: node.clock.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
        };
        match Client::start(access) {
            Ok((client, events)) => {
                let client = Rc::new(client);
                *node.client.borrow_mut() = Some(client.clone());
                tasks.push(work::start(&self.ex, link::keep(node.clone(), client.clone())));
                tasks.push(work::start(&self.ex, follow::keep(node.clone(), keys, successors, events)));
                tasks.push(work::start(&self.ex, probing::keep(node.clone(), client)));
            }
            Err(e) => {
                log::error!("{e}");
                node.turn(Turn::Lost, Some(e.to_string()));
            }
        }
    }
}

/// The proxy role under its supervisor.
async fn keep_proxy(node: Rc<Node>) {
    let (health, clock, changed) = (node.proxy_health.clone(), node.clock.clone(), node.clone());
    let start = move |group| serve(node.clone(), group);
    supervisor::keep(health, clock, start, move |state| match state {
        RoleState::Restarting => {
            changed.listening.borrow_mut().clear();
            changed.turn(Turn::Fault, Some("the proxy failed and is being started anew; see the log".into()));
        }
        // It is tried again; whether it works shows once it listens.
        RoleState::Up => {}
    })
    .await;
}

/// Takes buyers, those who connect and those whom the gateway brings.
async fn serve(node: Rc<Node>, group: Rc<LocalExecutor<'static>>) -> Result<(), Failure> {
    let through_gateway = async {
        gateway::keep(&node, &group).await;
        Ok(())
    };
    smol::future::or(listen(&node, &group), through_gateway).await
}

/// Listens, and binds anew when the settings say so; connections live on in the group.
async fn listen(node: &Rc<Node>, group: &Rc<LocalExecutor<'static>>) -> Result<(), Failure> {
    loop {
        let listeners = listener::bind(&node.settings().proxy.listen).map_err(|e| Failure::new(exit::OS, e.to_string()))?;
        *node.listening.borrow_mut() = listeners.iter().filter_map(|l| l.get_ref().local_addr().ok()).collect();
        node.mended();
        node.post.ring();
        // Tasks of their own: the role's main future is polled whenever any of its tasks has something to do.
        let accept = |listener| work::start(group, listener::accept(Rc::downgrade(group), node.engine.clone(), listener));
        let accepting: Vec<Task<()>> = listeners.into_iter().map(accept).collect();
        node.rebind.wait().await;
        for task in accepting {
            // Waited for: its port must be free before the next one binds.
            task.cancel().await;
        }
    }
}
