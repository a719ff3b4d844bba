//! From a CONNECT's head to an open connection to the destination: every check that comes before the 200.

use std::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;

use smol::Async;

use super::engine::{DIAL_WITHIN, Engine};
use crate::core::Reason;
use crate::guard::Effective;
use crate::net::dial::{dial, mark_lower_effort};
use crate::net::within;
use crate::session::{Session, Tunnel};

/// How long a buyer is kept waiting who comes before the coordinator's word that it heard our acceptance.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

/// A tunnel whose destination answered the TCP handshake.
pub struct Opened {
    /// Its place in the tables.
    pub tunnel: Tunnel,
    /// What it may do.
    pub effective: Rc<Effective>,
    /// The destination.
    pub origin: Async<TcpStream>,
    /// How long the TCP handshake took.
    pub connect_ms: u64,
}

/// Opens a tunnel of `session` to `host`:`port`.
///
/// # Errors
/// The first rule that refuses, in the order gate, life, volume, tunnels, category, port, name, addresses.
pub async fn open(engine: &Rc<Engine>, session: &Rc<Session>, host: &str, port: u16) -> Result<Opened, Reason> {
    let registry = &engine.parts.registry;
    let _ = within(ANSWERED_WITHIN, session.answered()).await;
    let tunnel = registry.admit(session)?;
    if !engine.parts.pool.has_room() {
        return Err(Reason::Overload);
    }
    let effective = session.effective()?;
    let owner = registry.owner();
    if let Some(reason) = owner.judge(&effective, host, port).reason {
        return Err(reason);
    }
    let resolver = engine.resolver.borrow().clone();
    let resolved = resolver.resolve(host).await?;
    if let Some(reason) = resolved.chain.iter().find_map(|alias| owner.judge_alias(&effective, alias).reason) {
        return Err(reason);
    }
    let guard = engine.addresses.borrow().clone();
    let dialled = dial(&guard, &resolved.addresses, port, &engine.parts.clock, DIAL_WITHIN).await?;
    if engine.lower_effort.get() {
        mark_lower_effort(&dialled.stream);
    }
    // The owner may have stopped, or the session ended, while the destination was being reached.
    registry.still_admits(session)?;
    Ok(Opened { tunnel, effective, origin: dialled.stream, connect_ms: dialled.connect_ms })
}
