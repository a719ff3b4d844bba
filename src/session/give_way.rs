//! Giving way to the household, pure: readings of the uplink's counters in, the share of the rate that may be used out.
//!
//! What others move is what the devices counted less our own bytes, in the busier direction. Above the owner's share of
//! the line the rate falls to a quarter at once; when the line is calm again it comes back over half a minute, so that
//! a household that pauses for breath is not met by all of us.

use std::time::Duration;

use heapless::Deque;

use crate::core::Mono;

/// Between two readings, while own bytes move. Two of these are judged together, so that a household that begins is
/// noticed within 1.5 s.
pub const EVERY: Duration = Duration::from_millis(500);
/// From a quarter back to the whole.
pub const RETURN: Duration = Duration::from_secs(30);
/// The whole of the rate, in thousandths.
pub const WHOLE: u32 = 1000;
const QUARTER: u32 = WHOLE / 4;
/// Readings that are compared: 3 × 40 bytes.
const KEPT: usize = 3;
/// Readings further apart than this tell nothing of the last second.
const APART: Duration = Duration::from_secs(3);
/// Own bytes are counted inside tunnels, the devices count packets: headers and acknowledgements of full segments add 8 %
/// (1448 bytes travel as 1514, and every second one is acknowledged by 66).
const OVERHEAD_PCT: u64 = 8;

/// What the owner says of the line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line {
    /// Its rate, bytes per second each way.
    pub rate: u64,
    /// Share of it from which the household counts as using it, in per cent.
    pub above_pct: u8,
}

/// Counters at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading {
    /// When.
    pub at: Mono,
    /// Bytes the uplinks have received.
    pub received: u64,
    /// Bytes the uplinks have sent.
    pub sent: u64,
    /// Bytes of our own so far; each came down and went up.
    pub own: u64,
    /// Stands for the devices that were read: others have other counters.
    pub devices: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Pace {
    #[default]
    Free,
    /// The household uses the line.
    Low,
    /// It no longer does, since then.
    Rising(Mono),
}

/// How far the node gives way.
#[derive(Debug, Default)]
pub struct GiveWay {
    readings: Deque<Reading, KEPT>,
    pace: Pace,
}

impl GiveWay {
    /// Takes a reading and judges the last second by it.
    pub fn take(&mut self, line: Line, reading: Reading) {
        if self.readings.back().is_some_and(|last| !continues(last, &reading)) {
            self.readings.clear();
        }
        if self.readings.is_full() {
            self.readings.pop_front();
        }
        // There is room: one has just left where there was none.
        let _ = self.readings.push_back(reading);
        let Some(busy) = self.busy(line) else { return };
        self.pace = match self.pace {
            _ if busy => Pace::Low,
            Pace::Low => Pace::Rising(reading.at),
            Pace::Rising(since) if reading.at.since(since) >= RETURN => Pace::Free,
            pace => pace,
        };
    }

    /// Nothing of ours moves any more, and nothing is read until it does. What the household does then is not known.
    pub fn rest(&mut self, now: Mono) {
        self.readings.clear();
        self.pace = match self.pace {
            Pace::Low => Pace::Rising(now),
            pace => pace,
        };
    }

    /// The share of the rate that may be used, in thousandths.
    pub fn share(&self, now: Mono) -> u32 {
        match self.pace {
            Pace::Free => WHOLE,
            Pace::Low => QUARTER,
            Pace::Rising(since) => {
                let gone = now.since(since).min(RETURN).as_millis();
                let back = gone * u128::from(WHOLE - QUARTER) / RETURN.as_millis();
                QUARTER + u32::try_from(back).unwrap_or(0)
            }
        }
    }

    /// Whether others used more than the owner's share of the line; `None` before there is anything to compare.
    fn busy(&self, line: Line) -> Option<bool> {
        let (first, last) = (self.readings.front()?, self.readings.back()?);
        let millis = last.at.0.checked_sub(first.at.0).filter(|ms| *ms > 0)?;
        let own = (last.own - first.own).saturating_mul(100 + OVERHEAD_PCT) / 100;
        let moved = (last.received - first.received).max(last.sent - first.sent);
        let others = u128::from(moved.saturating_sub(own));
        Some(others * 1000 * 100 > u128::from(line.rate) * u128::from(line.above_pct) * u128::from(millis))
    }
}

/// Whether the counters of `next` go on from those of `last`: a device that was taken down begins at zero.
fn continues(last: &Reading, next: &Reading) -> bool {
    let grown = next.received >= last.received && next.sent >= last.sent && next.own >= last.own;
    grown && next.devices == last.devices && next.at.since(last.at) <= APART
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 100 Mbps, from half of it.
    const LINE: Line = Line { rate: 12_500_000, above_pct: 50 };

    /// A household and a node on one line.
    struct House {
        way: GiveWay,
        reading: Reading,
    }

    impl House {
        fn new() -> House {
            let reading = Reading { at: Mono(1_000), received: 7_000, sent: 9_000, own: 5, devices: 1 };
            let mut way = GiveWay::default();
            way.take(LINE, reading);
            House { way, reading }
        }

        /// One interval: bytes per second that others receive and that we relay.
        fn step(&mut self, others: u64, own: u64) -> u32 {
            let wire = own * 107 / 100;
            self.reading.at = self.reading.at.plus(EVERY);
            self.reading.received += (others + wire) / 2;
            self.reading.sent += (others / 40 + wire) / 2;
            self.reading.own += own / 2;
            self.way.take(LINE, self.reading);
            self.way.share(self.reading.at)
        }
    }

    #[test]
    fn it_falls_to_a_quarter_within_two_seconds_and_returns_over_thirty() {
        let mut house = House::new();
        for _ in 0..20 {
            assert_eq!(house.step(6_000_000, 5_000_000), WHOLE, "48 Mbps of others, 40 of ours");
        }
        let began = house.reading.at;
        // The worst case: it began just after a reading, so that the first interval shows next to nothing of it.
        house.step(10_000, 5_000_000);
        while house.step(7_500_000, 5_000_000) != QUARTER {
            assert!(house.reading.at.since(began) < Duration::from_secs(2));
        }
        for _ in 0..200 {
            assert_eq!(house.step(12_000_000, 600_000), QUARTER, "it holds as long as the household uses the line");
        }
        while house.step(1_000_000, 1_200_000) == QUARTER {}
        let calm = house.reading.at;
        let mut before = QUARTER;
        while before < WHOLE {
            let now = house.step(1_000_000, 1_200_000);
            assert!(now > before && now - before <= 26, "{before} {now}");
            before = now;
        }
        let took = house.reading.at.since(calm);
        assert!((Duration::from_secs(29)..=Duration::from_secs(30)).contains(&took), "{took:?}");
        house.step(0, 0);
        assert_eq!(house.way.pace, Pace::Free);
    }

    #[test]
    fn one_that_begins_again_is_met_by_a_quarter_at_once() {
        let mut house = House::new();
        while house.step(9_000_000, 1_000_000) != QUARTER {}
        while house.step(0, 1_000_000) < 600 {}
        house.step(9_000_000, 1_000_000);
        assert_eq!(house.step(9_000_000, 1_000_000), QUARTER);
    }

    #[test]
    fn our_own_bytes_are_not_the_households() {
        let mut house = House::new();
        for _ in 0..100 {
            assert_eq!(house.step(0, 11_000_000), WHOLE);
        }
    }

    #[test]
    fn counters_of_other_devices_or_from_zero_and_long_gaps_say_nothing() {
        let mut house = House::new();
        house.reading.received += 1 << 40;
        house.reading.devices = 2;
        assert_eq!(house.step(0, 1_000), WHOLE);
        house.reading.received = 3;
        assert_eq!(house.step(0, 1_000), WHOLE);
        house.reading.received += 1 << 40;
        house.reading.at = house.reading.at.plus(Duration::from_secs(60));
        assert_eq!(house.step(0, 1_000), WHOLE);
    }

    #[test]
    fn at_rest_it_comes_back_by_time_alone() {
        let mut house = House::new();
        while house.step(9_000_000, 1_000_000) != QUARTER {}
        let now = house.reading.at;
        house.way.rest(now);
        assert_eq!(house.way.share(now), QUARTER);
        assert_eq!(house.way.share(now.plus(RETURN / 2)), 625);
        assert_eq!(house.way.share(now.plus(RETURN * 9)), WHOLE);
    }

    proptest! {
        #[test]
        fn no_reading_panics_and_the_share_has_bounds(
            readings in prop::collection::vec((any::<u32>(), any::<u64>(), any::<u64>(), any::<u64>(), 0u64..2), 0..20), rate in any::<u64>(), pct in 1u8..=100,
        ) {
            let mut way = GiveWay::default();
            for (at, received, sent, own, devices) in readings {
                way.take(Line { rate, above_pct: pct }, Reading { at: Mono(u64::from(at)), received, sent, own, devices });
                prop_assert!((QUARTER..=WHOLE).contains(&way.share(Mono(u64::from(at)))));
            }
        }
    }
}
