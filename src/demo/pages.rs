//! The app's pages for the first node, and a calm buyer, so that there is something to see: its graph moves until all is ended.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use super::flow::Flow;
use super::names;
use super::sessions::{self, Session};
use super::stage::Stage;
use crate::core::exit::Failure;
use crate::panel::Options;
use crate::panel::run::Running;

/// Which node the pages are about.
const NODE: usize = 0;
/// Bodies of the exchanges, each for a while, half of them up and half of them down: both lines of the graph rise and fall.
const BODIES: [u64; 8] = [40_000, 90_000, 200_000, 350_000, 500_000, 300_000, 120_000, 60_000];
/// Exchanges of one size.
const ALIKE: usize = 16;
/// From one exchange to the next.
const PAUSE: Duration = Duration::from_millis(400);
/// After one that was refused: the owner may have paused the node, or ended the session.
const AFTER_REFUSAL: Duration = Duration::from_secs(2);
/// Refusals in a row after which another session is asked for.
const PATIENCE: u32 = 3;

/// Starts the panel of the first node.
///
/// # Errors
/// It cannot listen.
pub fn open(stage: &Stage) -> Result<Running, Failure> {
    let node = &stage.nodes[NODE];
    Running::start(Options {
        run_dir: node.run_dir.clone(),
        config: node.config.clone(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        files: None,
        node: false,
        in_demo: true,
        root: None,
    })
}

/// What to tell of it.
pub fn hint(running: &Running) -> String {
    format!("\nlook at the LuCI app, as the owner of node-a has it, or with ?as=observer as who may only look:\n  panel at {}\n", running.address())
}

/// Buys a little from the first node for ever, whatever its owner does meanwhile.
///
/// # Errors
/// No session at the beginning.
pub async fn calm_traffic(stage: &Stage) -> Result<Infallible, Failure> {
    let mut session = sessions::spare(stage, NODE).await?;
    let mut refused = 0;
    for nth in 0.. {
        match exchange(stage, &session, nth).await {
            Ok(()) => refused = 0,
            Err(_) => {
                refused += 1;
                smol::Timer::after(AFTER_REFUSAL).await;
            }
        }
        if refused >= PATIENCE {
            refused = 0;
            // No node serves where the owner has stopped it; asked for again in a while.
            if let Ok(another) = sessions::spare(stage, NODE).await {
                session = another;
            }
        }
        smol::Timer::after(PAUSE).await;
    }
    std::future::pending().await
}

async fn exchange(stage: &Stage, session: &Session, nth: usize) -> std::io::Result<()> {
    let body = BODIES[nth / ALIKE % BODIES.len()];
    let (up, down) = if nth.is_multiple_of(2) { (body / 4, 0) } else { (0, body) };
    session.access.https(&stage.origin_tls, &names::origin(2), names::PORT, up, down, &Flow::default()).await
}
