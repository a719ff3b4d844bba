//! The one clock: monotonic milliseconds for durations, node time for what is signed.
//!
//! A router has no battery-backed clock, so wall time is a claim until something vouches for it: the NTP hotplug
//! event, or a coordinator's signed time within the last day. Node time = monotonic + offset; the system clock is
//! never set. Only this file reads the system's clocks, and a test clock can stand in for them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A point on the monotonic clock: milliseconds since the [`Clock`] was made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct Mono(pub u64);

impl Mono {
    /// This point and `d` later.
    pub fn plus(self, d: Duration) -> Mono {
        Mono(self.0.saturating_add(millis(d)))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Mono) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// Whole milliseconds of `d`.
pub fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}

/// How long a coordinator's signed time vouches for node time.
const SIGNED_TIME_HOLDS: Duration = Duration::from_secs(24 * 3600);
/// A difference from here on is a step of node time, which closes the metering window (contracts, "Clock").
const STEP_MS: u64 = 2_000;

/// Shared handle to the process's clock. Cheap to clone; any thread.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: Source,
    wall: Mutex<WallState>,
}

#[derive(Debug)]
enum Source {
    System(Instant),
    Test(Mutex<u64>),
}

#[derive(Debug, Clone, Copy)]
struct WallState {
    /// Unix milliseconds at monotonic zero.
    zero_unix_ms: u64,
    /// NTP vouched for the system clock since boot.
    ntp: bool,
    /// When a coordinator last vouched, if ever.
    vouched: Option<Mono>,
    /// Count of steps over [`STEP_MS`].
    steps: u32,
}

impl Clock {
    /// The system's clocks; node time starts as what the system believes, unsynchronised.
    pub fn system() -> Clock {
        Clock::with(Source::System(Instant::now()), system_unix_ms())
    }

    /// A clock that only [`Clock::advance`] moves, starting at `unix` seconds, unsynchronised.
    pub fn test(unix: u64) -> Clock {
        Clock::with(Source::Test(Mutex::new(0)), unix * 1000)
    }

    fn with(source: Source, zero_unix_ms: u64) -> Clock {
        let wall = WallState { zero_unix_ms, ntp: false, vouched: None, steps: 0 };
        Clock(Arc::new(Inner { source, wall: Mutex::new(wall) }))
    }

    /// Moves a test clock forward. Does nothing on the system's clock.
    pub fn advance(&self, d: Duration) {
        if let Source::Test(now) = &self.0.source {
            let mut now = now.lock().unwrap_or_else(PoisonError::into_inner);
            *now += millis(d);
        }
    }

    /// Monotonic now.
    pub fn now(&self) -> Mono {
        match &self.0.source {
            Source::System(start) => Mono(millis(start.elapsed())),
            Source::Test(now) => Mono(*now.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// Node time in Unix milliseconds (a claim until [`Clock::synced`]).
    pub fn unix_ms(&self) -> u64 {
        self.state().zero_unix_ms.saturating_add(self.now().0)
    }

    /// Node time in Unix seconds.
    pub fn unix(&self) -> u64 {
        self.unix_ms() / 1000
    }

    /// Node time of a monotonic point, in Unix seconds.
    pub fn unix_at(&self, at: Mono) -> u64 {
        self.state().zero_unix_ms.saturating_add(at.0) / 1000
    }

    /// Whether something vouches for node time now.
    pub fn synced(&self) -> bool {
        let s = *self.state();
        s.ntp || s.vouched.is_some_and(|at| self.now().since(at) <= SIGNED_TIME_HOLDS)
    }

    /// Node time in Unix seconds and [`Clock::steps`], of one moment: another thread may set the clock between two calls.
    pub fn reading(&self) -> (u64, u32) {
        let s = self.state();
        (s.zero_unix_ms.saturating_add(self.now().0) / 1000, s.steps)
    }

    /// How often node time has stepped by more than 2 s. A change means: close the window.
    pub fn steps(&self) -> u32 {
        self.state().steps
    }

    /// NTP has set the system clock: node time follows it from here.
    pub fn vouch_ntp(&self) {
        let system = match self.0.source {
            Source::System(_) => system_unix_ms(),
            Source::Test(_) => self.unix_ms(),
        };
        let now = self.now();
        let mut s = self.state();
        s.ntp = true;
        s.move_to(now, system);
    }

    /// A coordinator's verified answer carried `unix` seconds. Ignored for the value while NTP vouches.
    pub fn vouch_signed(&self, unix: u64) {
        let now = self.now();
        let mut s = self.state();
        s.vouched = Some(now);
        // The signed time has whole seconds and a network's delay: only a difference that matters moves the clock.
        if !s.ntp && s.zero_unix_ms.saturating_add(now.0).abs_diff(unix * 1000) > STEP_MS {
            s.move_to(now, unix * 1000);
        }
    }

    fn state(&self) -> MutexGuard<'_, WallState> {
        self.0.wall.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WallState {
    fn move_to(&mut self, now: Mono, unix_ms: u64) {
        let believed = self.zero_unix_ms.saturating_add(now.0);
        if believed.abs_diff(unix_ms) > STEP_MS {
            self.steps = self.steps.wrapping_add(1);
        }
        self.zero_unix_ms = unix_ms.saturating_sub(now.0);
    }
}

fn system_unix_ms() -> u64 {
    millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_time_moves_node_time_and_holds_a_day() {
        let clock = Clock::test(1_000_000);
        assert!(!clock.synced());
        clock.vouch_signed(1_700_000_000);
        assert!(clock.synced());
        assert_eq!(clock.steps(), 1);
        clock.advance(Duration::from_secs(10));
        assert_eq!(clock.unix(), 1_700_000_010);
        clock.vouch_signed(1_700_000_011);
        assert_eq!(clock.unix(), 1_700_000_010, "a second of difference is no step");
        assert_eq!(clock.steps(), 1);
        clock.advance(Duration::from_secs(24 * 3600 + 1));
        assert!(!clock.synced());
    }

    #[test]
    fn ntp_outranks_the_coordinator() {
        let clock = Clock::test(1_700_000_000);
        clock.vouch_ntp();
        clock.vouch_signed(1_800_000_000);
        assert_eq!(clock.unix(), 1_700_000_000);
        assert_eq!(clock.steps(), 0);
    }
}
