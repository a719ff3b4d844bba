//! The thread "coordinator events": one long poll after the other, with its own back-off.

use std::time::Duration;

use smol::channel::{Receiver, Sender};
use smol::future;

use super::call::{Caller, Payload};
use super::error::CallError;
use super::event::{Batch, Event, Link};
use super::stream::{Position, Taken};
use crate::coordinator::wire::Control;
use crate::core::backoff::Backoff;

/// How patient the long poll is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// How long the coordinator may hold a poll, in seconds.
    pub(super) wait_sec: u32,
    /// First and longest delay between failures.
    pub(super) first: Duration,
    pub(super) most: Duration,
    /// An empty answer that comes sooner is followed by this pause: a coordinator that does not wait is not hammered.
    pub(super) pause: Duration,
}

impl Patience {
    pub(super) const CONTRACT: Patience =
        Patience { wait_sec: 25, first: Duration::from_secs(1), most: Duration::from_secs(60), pause: Duration::from_secs(1) };
}

pub(super) struct Poll {
    pub(super) caller: Caller,
    /// Where to go on from, or `None` to rest; the newest counts. Closed = the client is gone.
    pub(super) follow: Receiver<Option<Position>>,
    pub(super) events: Sender<Event>,
    pub(super) patience: Patience,
}

/// The data plane is gone: the thread ends.
struct Gone;

impl Poll {
    pub(super) fn run(self) {
        let Ok(mut position) = self.begin() else { return };
        let mut backoff = Backoff::new(self.patience.first, self.patience.most);
        let mut up = false;
        loop {
            let step = self.step(&mut position, &mut backoff, &mut up);
            let Ok(delay) = step else { return };
            match self.wait(delay) {
                Ok(None) => {}
                Ok(Some(Some(newer))) => position = newer,
                Ok(Some(None)) => {
                    let Ok(newer) = self.begin() else { return };
                    position = newer;
                    backoff.succeeded();
                }
                Err(Gone) => return,
            }
        }
    }

    /// Waits for a position.
    fn begin(&self) -> Result<Position, Gone> {
        loop {
            if let Some(position) = self.follow.recv_blocking().map_err(|_| Gone)? {
                return Ok(position);
            }
        }
    }

    /// One poll; how long to wait before the next.
    fn step(&self, position: &mut Position, backoff: &mut Backoff, up: &mut bool) -> Result<Duration, Gone> {
        let clock = &self.caller.shared.clock;
        let started = clock.now();
        let (mut next, asked) = (position.clone(), self.ask(position));
        if !self.follow.is_empty() {
            return Ok(Duration::ZERO);
        }
        let taken = match asked {
            Ok(control) => next.take(control, self.caller.shared.node_id, &self.caller.shared.keys),
            Err(error) => {
                *up = false;
                let retry_in = backoff.failed(random());
                self.tell(Event::Link(Link::Down { error, retry_in }))?;
                return Ok(retry_in);
            }
        };
        if !*up {
            *up = true;
            self.tell(Event::Link(Link::Up))?;
        }
        *position = next;
        for fault in &taken.faults {
            self.caller.shared.fault(*fault, PATH);
        }
        let delay = if taken.lost() {
            backoff.failed(random())
        } else {
            backoff.succeeded();
            let early = taken.events.is_empty() && clock.now().since(started) < self.patience.pause;
            if early { self.patience.pause } else { Duration::ZERO }
        };
        self.deliver(position, taken)?;
        Ok(delay)
    }

    fn ask(&self, position: &Position) -> Result<Control, CallError> {
        let path = format!("{PATH}?since={}&wait={}", position.since(), self.patience.wait_sec);
        self.caller.timed(&path, &Payload::None)?.expect(200, PATH, &self.caller.shared)
    }

    fn deliver(&self, position: &Position, taken: Taken) -> Result<(), Gone> {
        if taken.events.is_empty() && taken.faults.is_empty() {
            return Ok(());
        }
        let Position { stream, seq } = position.clone();
        self.tell(Event::Batch(Batch { stream, seq, events: taken.events, dropped: taken.faults }))
    }

    fn tell(&self, event: Event) -> Result<(), Gone> {
        self.events.send_blocking(event).map_err(|_| Gone)
    }

    /// Waits `delay`, or until the data plane names a position or rest (which ends the wait).
    fn wait(&self, delay: Duration) -> Result<Option<Option<Position>>, Gone> {
        if delay.is_zero() {
            return match self.follow.try_recv() {
                Ok(position) => Ok(Some(position)),
                Err(e) if e.is_closed() => Err(Gone),
                Err(_) => Ok(None),
            };
        }
        let timer = async {
            smol::Timer::after(delay).await;
            Ok(None)
        };
        smol::block_on(future::or(async { self.follow.recv().await.map(Some).map_err(|_| Gone) }, timer))
    }
}

const PATH: &str = "/sessions/control";

/// Spreads the retries of many nodes. Without random bytes they are spread least, which harms nobody.
fn random() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX)
}
