//! Quality over all sessions in the last ten minutes.

use super::bucket::Sums;
use super::histogram::Histogram;

/// Minutes looked back on: 10 × 1.7 kB, 17 kB.
const MINUTES: usize = 10;
const MINUTE: u64 = 60;

/// What status and heartbeat say of the service.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Median latency in ms; none without a sample.
    pub p50: Option<u64>,
    /// 95th percentile.
    pub p95: Option<u64>,
    /// Errors of requests in percent, at most 3 decimals.
    pub error_rate_pct: f64,
    /// Requests it is computed from.
    pub requests: u64,
    /// Samples the latencies are computed from.
    pub latencies: u64,
}

/// Ring of minutes. Needs no tick: a minute is emptied when the next one that falls on it begins.
#[derive(Clone, Debug)]
pub struct Recent(Box<[Minute; MINUTES]>);

#[derive(Clone, Debug, Default)]
struct Minute {
    number: u64,
    requests: u32,
    errors: u32,
    latencies: Histogram,
}

impl Default for Recent {
    fn default() -> Recent {
        Recent(Box::new(std::array::from_fn(|_| Minute::default())))
    }
}

impl Recent {
    /// A tunnel's outcome in `sec`. Returns the 95th percentile of that minute so far.
    pub fn outcome(&mut self, sec: u64, error: bool, latency_ms: Option<u64>) -> Option<u64> {
        let number = sec / MINUTE;
        let minute = &mut self.0[(number % MINUTES as u64) as usize];
        if minute.number != number {
            *minute = Minute { number, ..Minute::default() };
        }
        minute.requests = minute.requests.saturating_add(1);
        minute.errors = minute.errors.saturating_add(error.into());
        if let Some(ms) = latency_ms {
            minute.latencies.record(ms);
        }
        minute.latencies.quantile(0.95)
    }

    /// Over the ten minutes up to and with that of `now`.
    pub fn figures(&self, now: u64) -> Figures {
        let last = now / MINUTE;
        let mut latencies = Histogram::new();
        let mut sums = Sums::default();
        for m in self.0.iter().filter(|m| m.number <= last && last - m.number < MINUTES as u64) {
            latencies.merge(&m.latencies);
            sums.requests += u64::from(m.requests);
            sums.errors += u64::from(m.errors);
        }
        Figures {
            p50: latencies.quantile(0.5),
            p95: latencies.quantile(0.95),
            error_rate_pct: sums.error_rate_pct(),
            requests: sums.requests,
            latencies: latencies.count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_after_ten_minutes() {
        let mut r = Recent::default();
        let t = 1_766_152_800;
        assert_eq!(r.figures(t), Figures::default());
        r.outcome(t, false, Some(40));
        r.outcome(t + 60, true, None);
        assert_eq!(r.figures(t + 60), Figures { p50: Some(40), p95: Some(40), error_rate_pct: 50.0, requests: 2, latencies: 1 });
        assert_eq!(r.figures(t + 600), Figures { p50: None, p95: None, error_rate_pct: 100.0, requests: 1, latencies: 0 });
        assert_eq!(r.figures(t + 660).requests, 0);
        r.outcome(t + 600, false, None);
        assert_eq!(r.figures(t + 600).requests, 2, "the minute's place was emptied before it was used again");
        assert_eq!(r.figures(t).requests, 0, "a minute that is yet to come does not count");
    }
}
