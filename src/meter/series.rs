//! The last 300 seconds, for `GET /series` and the page's graph.

use heapless::Vec as Fixed;

/// Seconds kept: 300 × 32 bytes, 9.6 kB.
pub const SECONDS: usize = 300;
/// Seconds the current rate is the mean of.
const RATE_OVER: u64 = 5;

/// What the graph shows: arrays of equal length, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series {
    /// Unix second after the last one told.
    pub until: u64,
    /// Bits from destinations in each second.
    pub bits_in: Vec<u64>,
    /// Bits to destinations.
    pub bits_out: Vec<u64>,
    /// Sessions open.
    pub sessions: Vec<u32>,
    /// 95th percentile of the minute so far in ms; none in a second without an outcome.
    pub p95: Vec<Option<u64>>,
    /// Errors of service.
    pub errors: Vec<u32>,
}

/// Ring of seconds. Needs no tick: a second in which nothing happened has no entry.
#[derive(Clone, Debug)]
pub struct Ring {
    seconds: Box<Fixed<Second, SECONDS>>,
    sessions: u16,
}

#[derive(Clone, Copy, Debug, Default)]
struct Second {
    sec: u64,
    bytes_in: u32,
    bytes_out: u32,
    p95: u32,
    errors: u32,
    sessions_before: u16,
    sessions: u16,
}

impl Default for Ring {
    fn default() -> Ring {
        let mut seconds = Box::new(Fixed::new());
        seconds.resize_default(SECONDS).unwrap_or_default();
        Ring { seconds, sessions: 0 }
    }
}

impl Ring {
    /// Bytes moved in `sec`.
    pub fn add(&mut self, sec: u64, ingress: u64, egress: u64) {
        let s = self.at(sec);
        s.bytes_in = s.bytes_in.saturating_add(u32::try_from(ingress).unwrap_or(u32::MAX));
        s.bytes_out = s.bytes_out.saturating_add(u32::try_from(egress).unwrap_or(u32::MAX));
    }

    /// A tunnel's outcome in `sec`; `p95` of the minute so far.
    pub fn outcome(&mut self, sec: u64, error: bool, p95: Option<u64>) {
        let s = self.at(sec);
        s.errors = s.errors.saturating_add(error.into());
        s.p95 = p95.and_then(|ms| u32::try_from(ms).ok()).unwrap_or(s.p95);
    }

    /// From `sec` on, this many sessions are open.
    pub fn sessions(&mut self, sec: u64, open: usize) {
        let open = u16::try_from(open).unwrap_or(u16::MAX);
        self.at(sec).sessions = open;
        self.sessions = open;
    }

    /// The 300 seconds before `now`.
    pub fn series(&self, now: u64) -> Series {
        let mut open = self.sessions;
        let mut told: Vec<Second> = (now.saturating_sub(SECONDS as u64)..now)
            .rev()
            .map(|sec| match self.get(sec) {
                Some(s) => {
                    open = s.sessions_before;
                    *s
                }
                None => Second { sessions: open, ..Second::default() },
            })
            .collect();
        told.reverse();
        Series {
            until: now,
            bits_in: told.iter().map(|s| u64::from(s.bytes_in) * 8).collect(),
            bits_out: told.iter().map(|s| u64::from(s.bytes_out) * 8).collect(),
            sessions: told.iter().map(|s| s.sessions.into()).collect(),
            p95: told.iter().map(|s| (s.p95 > 0).then_some(s.p95.into())).collect(),
            errors: told.iter().map(|s| s.errors).collect(),
        }
    }

    /// Bits per second in and out, the mean of the last five whole seconds before `now`.
    pub fn rate(&self, now: u64) -> (u64, u64) {
        let last = (now.saturating_sub(RATE_OVER)..now).filter_map(|sec| self.get(sec));
        let (i, o) = last.fold((0, 0), |(i, o), s| (i + u64::from(s.bytes_in), o + u64::from(s.bytes_out)));
        (i * 8 / RATE_OVER, o * 8 / RATE_OVER)
    }

    fn get(&self, sec: u64) -> Option<&Second> {
        self.seconds.get((sec % SECONDS as u64) as usize).filter(|s| s.sec == sec)
    }

    fn at(&mut self, sec: u64) -> &mut Second {
        let s = &mut self.seconds[(sec % SECONDS as u64) as usize];
        if s.sec != sec {
            *s = Second { sec, sessions_before: self.sessions, sessions: self.sessions, ..Second::default() };
        }
        s
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_each_second_and_fills_what_was_still() {
        let mut r = Ring::default();
        let t = 1_766_152_800;
        r.sessions(t - 200, 2);
        r.add(t - 100, 10, 1);
        r.add(t - 100, 10, 1);
        r.outcome(t - 100, true, Some(70));
        r.sessions(t - 50, 1);
        r.add(t, 99, 99);
        let s = r.series(t);
        assert_eq!(s.bits_in.len(), SECONDS);
        assert_eq!((s.bits_in[200], s.bits_out[200], s.p95[200], s.errors[200]), (160, 16, Some(70), 1));
        assert_eq!(s.bits_in.iter().sum::<u64>(), 160);
        let open = |at: usize| s.sessions[at];
        assert_eq!((open(0), open(99), open(100), open(200), open(249), open(250), open(299)), (0, 0, 2, 2, 2, 1, 1));
        assert_eq!(r.rate(t + 1), (99 * 8 / 5, 99 * 8 / 5));
        r.add(t + 200, 7, 0);
        assert_eq!(r.series(t + 300).bits_in.iter().sum::<u64>(), (99 + 7) * 8, "an entry of 300 s ago is not told");
    }
}
