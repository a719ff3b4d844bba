//! A buyer's real traffic through one session: HTTPS up and down, several tunnels at once, until told to stop.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use rustls::ClientConfig;
use smol::{LocalExecutor, Task};

use super::buyer::Access;
use super::names;

/// Tunnels at once in one session.
const TUNNELS: usize = 4;
/// Body of one exchange. Each tunnel does at least one each way: 2 MiB each way at the very least.
const PIECE: u64 = 512 * 1024;

/// Body bytes that went through a session.
#[derive(Debug, Default)]
pub struct Flow {
    /// To the origin.
    pub up: Cell<u64>,
    /// From it.
    pub down: Cell<u64>,
    /// Exchanges that ended well.
    pub exchanges: Cell<u64>,
    failure: RefCell<Option<String>>,
    enough: Cell<bool>,
}

impl Flow {
    /// Body bytes of both directions.
    pub fn bytes(&self) -> u64 {
        self.up.get() + self.down.get()
    }

    /// What went wrong first.
    pub fn failure(&self) -> Option<String> {
        self.failure.borrow().clone()
    }
}

/// A session's traffic, under way.
pub struct Traffic {
    /// What went through so far.
    pub flow: Rc<Flow>,
    tunnels: Vec<Task<()>>,
}

impl Traffic {
    /// Starts visiting `host` through `access`.
    pub fn start(ex: &LocalExecutor<'static>, access: &Access, origin: &Arc<ClientConfig>, host: &str) -> Traffic {
        let flow = Rc::new(Flow::default());
        let visit = |_| {
            let (flow, access, origin, host) = (flow.clone(), access.clone(), origin.clone(), host.to_owned());
            ex.spawn(async move {
                loop {
                    for (up, down) in [(PIECE, 0), (0, PIECE)] {
                        if let Err(e) = access.https(&origin, &host, names::PORT, up, down, &flow).await {
                            flow.failure.borrow_mut().get_or_insert(format!("{host}: {e}"));
                            return;
                        }
                        flow.exchanges.set(flow.exchanges.get() + 1);
                    }
                    if flow.enough.get() {
                        return;
                    }
                }
            })
        };
        let tunnels = (0..TUNNELS).map(visit).collect();
        Traffic { flow, tunnels }
    }

    /// Lets every exchange under way end.
    pub async fn stop(self) -> Rc<Flow> {
        self.flow.enough.set(true);
        for tunnel in self.tunnels {
            tunnel.await;
        }
        self.flow
    }
}
