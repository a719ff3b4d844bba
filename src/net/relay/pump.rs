//! One direction of a tunnel.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use super::Common;
use super::leg::{Leg, Wrote};
use crate::net::pool::{Loan, Parcel, Vessel};
use crate::net::reactor::{self, Timer};
use crate::net::{Pace, Tap};

/// Bytes a direction moves before it lets others have the thread.
const TURN: usize = 1 << 20;
/// How long a direction leaves a socket alone that the kernel gives no memory.
const SHORT_OF_MEMORY: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Direction {
    /// Buyer to origin.
    Egress,
    /// Origin to buyer.
    Ingress,
}

/// Whose connection failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Broken {
    Buyer(io::ErrorKind),
    Origin(io::ErrorKind),
}

pub(super) struct Pump<'a, T, P> {
    pub(super) common: &'a Common<'a, T, P>,
    pub(super) direction: Direction,
    pub(super) from: &'a Leg,
    pub(super) to: &'a Leg,
    /// Bytes the receiving socket took.
    pub(super) count: Cell<u64>,
}

/// Tokens that were granted and not used go back, whatever happens.
struct Tokens<'a, P: Pace> {
    pace: &'a P,
    left: usize,
}

impl<P: Pace> Drop for Tokens<'_, P> {
    fn drop(&mut self) {
        self.pace.give_back(self.left);
    }
}

/// What a step left behind.
enum Left {
    Nothing,
    /// The source had nothing after all.
    Dry,
    /// The receiving socket did not take these.
    Bytes(Parcel),
    /// The receiving side has taken these, and not yet sent them: this many count when it has.
    Owed(usize, Parcel),
}

impl<T: Tap, P: Pace> Pump<'_, T, P> {
    /// Moves bytes until the source's end has been passed on. `first` hears when there first is something to read.
    pub(super) async fn run(&self, first: impl FnOnce()) -> Result<(), Broken> {
        let mut first = Some(first);
        let mut turn = 0;
        // TCP's urgent data stops splice(2) for good, and read(2) passes over it.
        let mut stuck = false;
        // What is known of both sockets and not used up yet: asking costs a system call each.
        let (mut waiting, mut room) = (0, 0);
        // The source gave all it was known to have.
        let mut emptied = false;
        loop {
            if waiting == 0 {
                waiting = self.from.waiting(emptied).await.map_err(|e| self.source(&e))?;
            }
            if waiting == 0 {
                return self.to.finish().await.map_err(|e| self.sink(&e));
            }
            if let Some(first) = first.take() {
                first();
            }
            let spliced = !stuck && self.from.raw().is_some() && self.to.raw().is_some();
            let pace = self.common.tunnel.pace;
            let most = waiting.min(self.common.tunnel.pool.step(spliced));
            if room < most {
                room = self.room().await?;
            }
            let granted = pace.take(most.min(room)).await;
            let mut tokens = Tokens { pace, left: granted };
            let Some(loan) = self.common.tunnel.pool.borrow(granted, spliced) else {
                drop(tokens);
                self.common.tunnel.pool.returned().await;
                continue;
            };
            turn += granted;
            let left = self.step(loan, &mut tokens)?;
            let taken = granted.saturating_sub(tokens.left);
            drop(tokens);
            (waiting, room) = (waiting.saturating_sub(taken), room.saturating_sub(taken));
            // Less than there was room for: whatever is left comes as news.
            emptied = waiting == 0;
            let dry = matches!(left, Left::Dry);
            match left {
                Left::Nothing => {}
                Left::Dry if stuck => self.from.carrier().readable().await.map_err(|e| self.source(&e))?,
                Left::Dry => (turn, waiting) = (TURN, 0),
                Left::Bytes(parcel) => {
                    room = 0;
                    self.deliver(parcel.bytes()).await?;
                }
                Left::Owed(bytes, parcel) => {
                    room = 0;
                    self.stalled();
                    self.to.settle().await.map_err(|e| self.sink(&e))?;
                    drop(parcel);
                    self.took(bytes);
                }
            }
            stuck = dry && !stuck;
            if turn >= TURN {
                turn = 0;
                reactor::glance();
                smol::future::yield_now().await;
            }
        }
    }

    /// Waits until the receiving socket has room, and tells how much.
    async fn room(&self) -> Result<usize, Broken> {
        loop {
            if let Some(room) = self.to.room().map_err(|e| self.sink(&e))? {
                self.common.stalled[self.direction as usize].set(0);
                return Ok(room);
            }
            self.stalled();
            self.to.carrier().writable().await.map_err(|e| self.sink(&e))?;
        }
    }

    /// Moves up to what `tokens` allow, without waiting.
    fn step(&self, mut loan: Loan, tokens: &mut Tokens<'_, P>) -> Result<Left, Broken> {
        let most = tokens.left.min(loan.room());
        match (loan.vessel(), self.from.raw(), self.to.raw()) {
            (Some(Vessel::Pipe(pipe)), Some(from), Some(to)) => {
                let taken = match pipe.fill(from, most) {
                    // No end: there was something to read. Urgent data before the end looks like this.
                    Ok(0) => return Ok(Left::Dry),
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(Left::Dry),
                    Err(e) if e.kind() == io::ErrorKind::InvalidInput => {
                        self.common.tunnel.pool.give_up_splicing();
                        return Ok(Left::Dry);
                    }
                    result => result.map_err(|e| self.source(&e))?,
                };
                tokens.left -= taken.min(tokens.left);
                while pipe.inside() > 0 {
                    match pipe.pour(to) {
                        Ok(0) => break,
                        Ok(n) => self.took(n),
                        Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                        Err(e) => return Err(self.sink(&e)),
                    }
                }
                if pipe.inside() == 0 {
                    return Ok(Left::Nothing);
                }
                let left = pipe.drain().map_err(|e| self.sink(&e))?;
                Ok(Left::Bytes(loan.keep(left)))
            }
            (Some(Vessel::Buffer(buffer)), ..) => {
                let most = most.min(buffer.len());
                let Some(space) = buffer.get_mut(..most) else { return Ok(Left::Dry) };
                let taken = match self.from.read(space) {
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(Left::Dry),
                    result => result.map_err(|e| self.source(&e))?,
                };
                tokens.left -= taken.min(tokens.left);
                let Some(bytes) = space.get(..taken).filter(|b| !b.is_empty()) else { return Ok(Left::Dry) };
                match self.to.write(bytes).map_err(|e| self.sink(&e))? {
                    Wrote::Owed(n) => Ok(Left::Owed(n, loan.owe(n))),
                    Wrote::Taken(n) => {
                        self.took(n);
                        let left = bytes.get(n..).unwrap_or_default().to_vec();
                        Ok(if left.is_empty() { Left::Nothing } else { Left::Bytes(loan.keep(left)) })
                    }
                }
            }
            _ => Ok(Left::Dry),
        }
    }

    /// Offers `bytes` until the receiving socket has taken all.
    async fn deliver(&self, mut bytes: &[u8]) -> Result<(), Broken> {
        while !bytes.is_empty() {
            self.stalled();
            self.to.carrier().writable().await.map_err(|e| self.sink(&e))?;
            match self.to.write(bytes).map_err(|e| self.sink(&e))? {
                // Writable, and takes nothing: the kernel is short of memory, and says when it is not no better than a clock.
                Wrote::Taken(0) => {
                    Timer::after(SHORT_OF_MEMORY).await;
                }
                Wrote::Taken(n) => {
                    self.took(n);
                    bytes = bytes.get(n..).unwrap_or_default();
                }
                Wrote::Owed(n) => {
                    self.to.settle().await.map_err(|e| self.sink(&e))?;
                    self.took(n);
                    bytes = &[];
                }
            }
        }
        Ok(())
    }

    /// The receiving socket took `bytes`.
    fn took(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let bytes = bytes as u64;
        self.count.set(self.count.get() + bytes);
        let common = self.common;
        match self.direction {
            Direction::Ingress => common.tunnel.tap.ingress(bytes),
            Direction::Egress => common.tunnel.tap.egress(bytes),
        }
        common.moved_at.set(common.tunnel.clock.now());
        common.moved.set(true);
    }

    /// The receiver holds this direction up: meanwhile the sender may fill the receive buffer.
    fn stalled(&self) {
        let filled = |leg: &Leg| leg.carrier().memory().ok();
        let from = filled(self.from).map_or(0, |m| m.receive_limit);
        let to = filled(self.to).map_or(0, |m| m.send_queued);
        self.common.stalled[self.direction as usize].set(from.saturating_add(to));
        self.common.moved.set(true);
    }

    fn source(&self, e: &io::Error) -> Broken {
        match self.direction {
            Direction::Egress => Broken::Buyer(e.kind()),
            Direction::Ingress => Broken::Origin(e.kind()),
        }
    }

    fn sink(&self, e: &io::Error) -> Broken {
        match self.direction {
            Direction::Egress => Broken::Origin(e.kind()),
            Direction::Ingress => Broken::Buyer(e.kind()),
        }
    }
}
