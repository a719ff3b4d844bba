//! The relay: moves a tunnel's bytes both ways until both sides are done, one fails, or something ends it.
//!
//! Each direction goes step by step: wait until there is something to read and room to write it, wait for tokens, and
//! then, without waiting, borrow a pipe or buffer, take in no more than tokens and room allow, give it to the other side,
//! and return the pipe. So an idle tunnel holds nothing, a waiting one no pipe, and a stalled one at most a left-over.

use std::cell::Cell;
use std::io;
use std::net::TcpStream;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use smol::future::FutureExt as _;

use super::pool::Pool;
use super::reactor::Async;
use super::{Pace, Tap};
use crate::core::{Clock, Mono, Reason};

mod buyer;
mod carrier;
mod leg;
mod pump;
mod stop;
mod tls_leg;
mod watch;

pub use buyer::BuyerStream;
pub use stop::Stop;

use leg::Leg;
use pump::{Broken, Direction, Pump};
use watch::Watch;

/// How long a tunnel may live.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RelayLimits {
    /// Without a byte in either direction.
    pub idle: Duration,
    /// Altogether.
    pub total: Duration,
}

/// Why a tunnel ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// Both sides said all they had to say.
    Finished,
    /// No byte moved for [`RelayLimits::idle`].
    Idle,
    /// [`RelayLimits::total`] is over.
    Total,
    /// Its owner ended it.
    Stopped(Reason),
    /// The buyer's connection failed.
    BuyerGone(io::ErrorKind),
    /// The destination's connection failed.
    OriginGone(io::ErrorKind),
}

/// What became of a tunnel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ended {
    /// Why it ended.
    pub cause: Cause,
    /// Bytes from the destination that the buyer's socket took; over TLS those inside it.
    pub ingress: u64,
    /// Bytes from the buyer that the destination's socket took.
    pub egress: u64,
}

/// What a tunnel runs with.
pub struct Tunnel<'a, T, P> {
    /// How long it may live.
    pub limits: RelayLimits,
    /// Durations.
    pub clock: &'a Clock,
    /// Told of every byte.
    pub tap: &'a T,
    /// Grants every byte.
    pub pace: &'a P,
    /// Lends pipes and buffers.
    pub pool: &'a Pool,
    /// Its owner's hand.
    pub stop: &'a Stop,
}

/// What the two directions of a tunnel have in common.
struct Common<'a, T, P> {
    tunnel: &'a Tunnel<'a, T, P>,
    /// When a byte last moved.
    moved_at: Cell<Mono>,
    /// A byte moved since the sockets' memory was last measured.
    moved: Cell<bool>,
    /// Kernel memory that each direction's stall may come to hold; 0 = it flows or is idle.
    stalled: [Cell<usize>; 2],
}

/// Moves bytes between `buyer` and `origin` until the tunnel ends. `first_back` hears when the first byte came from the origin.
///
/// What was read from the buyer before (the ClientHello) the caller has sent and counted. Dropping the future ends the
/// tunnel too, with everything borrowed given back.
pub async fn relay<T: Tap, P: Pace>(buyer: BuyerStream, origin: Async<TcpStream>, tunnel: &Tunnel<'_, T, P>, first_back: impl FnOnce(Mono)) -> Ended {
    let (buyer, origin) = (Leg::from(buyer), Leg::Plain(origin.into()));
    for leg in [&buyer, &origin] {
        if let Some(socket) = leg.carrier().raw() {
            prepare(socket, tunnel.pool.socket_buffer());
        }
    }
    let common = Common { tunnel, moved_at: Cell::new(tunnel.clock.now()), moved: Cell::new(true), stalled: [Cell::new(0), Cell::new(0)] };
    let first_back = Cell::new(Some(first_back));
    let heard = || {
        if let Some(first_back) = first_back.take() {
            first_back(tunnel.clock.now());
        }
    };
    let out = Pump { common: &common, direction: Direction::Egress, from: &buyer, to: &origin, count: Cell::new(0) };
    let back = Pump { common: &common, direction: Direction::Ingress, from: &origin, to: &buyer, count: Cell::new(0) };
    let both = async {
        match smol::future::try_zip(out.run(|| {}), back.run(heard)).await {
            Ok(_) => Cause::Finished,
            Err(Broken::Buyer(kind)) => Cause::BuyerGone(kind),
            Err(Broken::Origin(kind)) => Cause::OriginGone(kind),
        }
    };
    let stopped = async { Cause::Stopped(tunnel.stop.stopped().await) };
    let cause = stopped.or(both).or(Watch::new(&common, &buyer, &origin)).await;
    Ended { cause, ingress: back.count.get(), egress: out.count.get() }
}

/// Latency before everything: without TCP_NODELAY tails of 16–50 ms were measured. A socket that refuses is about to fail anyway.
fn prepare(socket: &TcpStream, buffer: Option<usize>) {
    let _ = socket.set_nodelay(true);
    if let Some(size) = buffer {
        let _ = setsockopt(socket, sockopt::SndBuf, &size);
        let _ = setsockopt(socket, sockopt::RcvBuf, &size);
    }
}

#[cfg(test)]
mod tests;
