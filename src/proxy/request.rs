//! From a CONNECT's head to an open connection to the destination: every check that comes before the 200.

use std::net::{IpAddr, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use super::engine::{DIAL_WITHIN, Engine};
use crate::core::Reason;
use crate::guard::Effective;
use crate::guard::breach::{self, Judged, Socket};
use crate::net::dial::{Dialled, looked_at, mark_lower_effort, try_dial};
use crate::net::reactor::Async;
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

/// A tunnel that is not opened.
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// It was the site itself that said no.
    pub by_site: bool,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Refusal {
        Refusal { reason, by_site: false }
    }
}

/// A place in the tables for a tunnel of `session`.
///
/// # Errors
/// The first rule that refuses, in the order gate, life, volume, place, tunnels.
pub async fn admit(engine: &Engine, session: &Rc<Session>) -> Result<Tunnel, Reason> {
    let _ = within(ANSWERED_WITHIN, session.answered()).await;
    engine.parts.registry.admit(session)
}

/// Opens the admitted `tunnel` of `session` to `host`:`port`.
///
/// # Errors
/// The first rule that refuses, in the order category, port, name, reputation, addresses. The tunnel is given back: while
/// it lives its session's books stay open for the refusal.
pub async fn open(engine: &Rc<Engine>, session: &Rc<Session>, tunnel: Tunnel, host: &str, port: u16) -> Result<Opened, (Refusal, Tunnel)> {
    match reach(engine, session, host, port).await {
        Ok((effective, dialled)) => Ok(Opened { tunnel, effective, origin: dialled.stream, connect_ms: dialled.connect_ms }),
        Err(refusal) => Err((refusal, tunnel)),
    }
}

async fn reach(engine: &Engine, session: &Rc<Session>, host: &str, port: u16) -> Result<(Rc<Effective>, Dialled), Refusal> {
    let registry = &engine.parts.registry;
    if !engine.parts.pool.has_room() {
        return Err(Reason::Overload.into());
    }
    let effective = session.effective()?;
    let owner = registry.owner();
    if let Some(reason) = owner.judge(&effective, host, port).reason {
        return Err(reason.into());
    }
    // Last of what is known before anything leaves the house: a tunnel that is slowed has begun with this.
    let category = session.assigned().category.clone();
    engine.reputation.borrow_mut().admit(engine.parts.clock.now(), &category).map_err(|_| Reason::Overload)?;
    let resolver = engine.resolver.borrow().clone();
    let resolved = resolver.resolve(host).await?;
    if let Some(reason) = resolved.chain.iter().find_map(|alias| owner.judge_alias(&effective, alias).reason) {
        return Err(reason.into());
    }
    let guard = engine.addresses.borrow().clone();
    let dialled = try_dial(&guard, &resolved.addresses, port, &engine.parts.clock, DIAL_WITHIN)
        .await
        .map_err(|no| Refusal { reason: no.reason, by_site: no.refused })?;
    look_again(engine, &resolved.addresses, port, &dialled)?;
    if engine.lower_effort.get() {
        mark_lower_effort(&dialled.stream);
    }
    // The owner may have stopped, or the session ended, while the destination was being reached.
    registry.still_admits(session)?;
    Ok((effective, dialled))
}

/// What the kernel made of it is what was judged; else this tunnel is refused, and the daemon told.
fn look_again(engine: &Engine, addresses: &[IpAddr], port: u16, dialled: &Dialled) -> Result<(), Reason> {
    let (peer, device) = looked_at(&dialled.stream);
    breach::check(&Judged { addresses, port, device: &dialled.exit.device }, &Socket { peer, device }).map_err(|what| {
        engine.breach.set(Some(what));
        engine.parts.registry.changed.ring();
        Reason::Quarantine
    })
}
