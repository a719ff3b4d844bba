//! When the owner lets the node work: weekly windows by the router's wall clocks, pure.
//!
//! A window counts by what wall clocks show. In the night when they go forward an hour is missing from it, in the night
//! when they go back the hour that comes twice is in it twice.

use crate::config::settings::{Rate, Window};
use crate::core::Zone;

const DAY: i64 = 86_400;
const WEEK: i64 = 7 * DAY;
/// Further ahead nothing is looked for. A week shows all there is, but a window within the hour that a change of the
/// clocks leaves out comes a week later.
const HORIZON: u64 = 16 * 86_400;

/// The owner's windows and where they are. At most 64 windows of 32 bytes.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    windows: Vec<Window>,
    zone: Zone,
}

/// What holds at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hours {
    /// No window is open.
    Closed,
    /// A window is open, or there is none at all.
    Open {
        /// The lowest rate of the windows that are open; `None` = they set none.
        max: Option<Rate>,
    },
}

impl Hours {
    /// Whether the node may work.
    pub const fn is_open(self) -> bool {
        matches!(self, Hours::Open { .. })
    }
}

/// What holds, and what comes. Unix seconds; `None` = not within [`HORIZON`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outlook {
    /// What holds now.
    pub now: Hours,
    /// When anything else holds.
    pub changes: Option<u64>,
    /// When it closes next.
    pub closes: Option<u64>,
    /// When it opens next: the end of the present or the next time that is closed.
    pub opens: Option<u64>,
}

impl Schedule {
    /// Windows by the wall clocks of `zone`. No window = always open.
    pub fn new(windows: Vec<Window>, zone: Zone) -> Schedule {
        Schedule { windows, zone }
    }

    /// No window is set: open at all times.
    pub fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// The zone it counts by.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// What holds at `unix`.
    pub fn at(&self, unix: u64) -> Hours {
        if self.windows.is_empty() {
            return Hours::Open { max: None };
        }
        let shown = wall(unix, self.zone.offset(unix));
        let mut open = self.windows.iter().filter(|w| spans(w).any(|(start, length)| (shown - start).rem_euclid(WEEK) < length)).peekable();
        match open.peek() {
            None => Hours::Closed,
            Some(_) => Hours::Open { max: open.filter_map(|w| w.max).min() },
        }
    }

    /// When something else holds than at `unix`.
    pub fn next(&self, unix: u64) -> Option<u64> {
        let now = self.at(unix);
        let (mut at, end) = (unix, unix.saturating_add(HORIZON));
        while !self.windows.is_empty() && at < end {
            at = self.candidate(at);
            if self.at(at) != now {
                return Some(at);
            }
        }
        None
    }

    /// What holds at `unix`, and what comes.
    pub fn outlook(&self, unix: u64) -> Outlook {
        let now = self.at(unix);
        let changes = self.next(unix);
        let (mut closes, mut opens) = (None, None);
        let (mut open, mut at) = (now.is_open(), changes);
        while let Some(change) = at.filter(|change| *change < unix.saturating_add(HORIZON)) {
            let then = self.at(change).is_open();
            match (open, then) {
                (true, false) => closes = closes.or(Some(change)),
                (false, true) => opens = opens.or(Some(change)),
                _ => {}
            }
            if closes.is_some() && opens.is_some() {
                break;
            }
            (open, at) = (then, self.next(change));
        }
        Outlook { now, changes, closes, opens }
    }

    /// The first moment after `at` in which a window may begin or end, or wall clocks change; a day later at most.
    fn candidate(&self, at: u64) -> u64 {
        let offset = self.zone.offset(at);
        let shown = wall(at, offset);
        let ahead = |edge: i64| match (edge - shown).rem_euclid(WEEK) {
            0 => WEEK,
            ahead => ahead,
        };
        let edges = self.windows.iter().flat_map(spans).flat_map(|(start, length)| [ahead(start), ahead(start + length)]);
        let step = edges.min().unwrap_or(WEEK).min(DAY);
        let mut late = at.saturating_add(step.unsigned_abs());
        if self.zone.offset(late) != offset {
            // Wall clocks change on the way: then the moment of that is what comes first.
            let mut early = at;
            while late - early > 1 {
                let middle = early + (late - early) / 2;
                if self.zone.offset(middle) == offset { early = middle } else { late = middle }
            }
        }
        late.max(at.saturating_add(1))
    }
}

/// What wall clocks show, in seconds since Monday 00:00.
fn wall(unix: u64, offset: i64) -> i64 {
    /// The epoch was on a Thursday.
    const EPOCH: i64 = 3 * DAY;
    let unix = i64::try_from(unix).unwrap_or(i64::MAX / 2);
    (unix.rem_euclid(WEEK) + EPOCH + offset).rem_euclid(WEEK)
}

/// When a window starts, in seconds since Monday 00:00, and how long it is: one for each of its days.
fn spans(window: &Window) -> impl Iterator<Item = (i64, i64)> + '_ {
    let minutes = match (i64::from(window.end) - i64::from(window.start)).rem_euclid(DAY / 60) {
        0 => DAY / 60,
        minutes => minutes,
    };
    let of = move |day: i64| (day * DAY + i64::from(window.start) * 60, minutes * 60);
    (0..7).filter(|day| window.days >> day & 1 == 1).map(of)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::time::from_rfc3339;

    const ALL: u8 = 0b111_1111;

    fn window(days: u8, start: (u16, u16), end: (u16, u16), mbps: Option<u64>) -> Window {
        Window { days, start: start.0 * 60 + start.1, end: end.0 * 60 + end.1, max: mbps.map(Rate::mbps) }
    }

    fn at(text: &str) -> u64 {
        from_rfc3339(text).unwrap()
    }

    fn in_zone(windows: Vec<Window>, zone: &str) -> Schedule {
        Schedule::new(windows, Zone::posix(zone).unwrap())
    }

    #[test]
    fn without_windows_it_is_always_open() {
        let none = Schedule::default();
        assert_eq!(none.outlook(7), Outlook { now: Hours::Open { max: None }, changes: None, closes: None, opens: None });
        let whole = in_zone(vec![window(ALL, (5, 0), (5, 0), None)], "PST-8");
        assert_eq!(whole.outlook(7).changes, None);
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_it_starts_on() {
        // Friday 2026-11-20, 22:00 to 06:00 in Manila (UTC+8).
        let nights = in_zone(vec![window(0b001_0000, (22, 0), (6, 0), Some(5))], "PST-8");
        let (opens, closes) = (at("2026-11-20T14:00:00Z"), at("2026-11-20T22:00:00Z"));
        assert_eq!(nights.at(opens - 1), Hours::Closed);
        assert_eq!(nights.at(opens), Hours::Open { max: Some(Rate::mbps(5)) });
        assert!(nights.at(closes - 1).is_open());
        assert_eq!(nights.at(closes), Hours::Closed);
        assert_eq!(nights.outlook(opens - 60).opens, Some(opens));
        let inside = nights.outlook(opens + 60);
        assert_eq!((inside.changes, inside.closes, inside.opens), (Some(closes), Some(closes), Some(opens + 7 * 86_400)));
    }

    #[test]
    fn where_windows_overlap_the_lowest_rate_holds() {
        let two =
            in_zone(vec![window(ALL, (0, 0), (0, 0), Some(50)), window(ALL, (18, 0), (23, 0), Some(5)), window(ALL, (18, 0), (19, 0), None)], "UTC0");
        assert_eq!(two.at(at("2026-11-20T17:59:59Z")), Hours::Open { max: Some(Rate::mbps(50)) });
        assert_eq!(two.at(at("2026-11-20T18:00:00Z")), Hours::Open { max: Some(Rate::mbps(5)) });
        assert_eq!(two.next(at("2026-11-20T18:00:00Z")), Some(at("2026-11-20T23:00:00Z")));
        let open = two.outlook(at("2026-11-20T18:30:00Z"));
        assert_eq!((open.changes, open.closes, open.opens), (Some(at("2026-11-20T23:00:00Z")), None, None));
    }

    #[test]
    fn the_hour_that_is_left_out_is_not_open_and_the_one_that_comes_twice_is_open_twice() {
        const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
        let nights = in_zone(vec![window(ALL, (2, 15), (2, 45), None)], BERLIN);
        let before = nights.outlook(at("2026-03-28T12:00:00Z"));
        assert_eq!(before.opens, Some(at("2026-03-30T00:15:00Z")), "the 29th has no 02:15");
        let twice = nights.outlook(at("2026-10-25T00:00:00Z"));
        assert_eq!((twice.opens, twice.closes), (Some(at("2026-10-25T00:15:00Z")), Some(at("2026-10-25T00:45:00Z"))));
        assert_eq!(nights.outlook(at("2026-10-25T00:45:00Z")).opens, Some(at("2026-10-25T01:15:00Z")));
        let rare = in_zone(vec![window(0b100_0000, (2, 15), (2, 45), None)], BERLIN);
        assert_eq!(rare.outlook(at("2026-03-22T12:00:00Z")).opens, Some(at("2026-04-05T00:15:00Z")), "two weeks ahead");
        // A window that is open across the change is as much longer or shorter.
        let across = in_zone(vec![window(ALL, (1, 0), (4, 0), None)], BERLIN);
        let spring = across.outlook(at("2026-03-29T00:00:00Z"));
        assert_eq!(spring.closes, Some(at("2026-03-29T02:00:00Z")));
        let autumn = across.outlook(at("2026-10-24T23:00:00Z"));
        assert_eq!(autumn.closes, Some(at("2026-10-25T03:00:00Z")));
    }

    type Year = (&'static str, i64, &'static [(u64, i64)]);

    /// Zones in 2028 as the IANA database has them: string, offset on 1 January 00:00 UTC, and each change to which
    /// offset. Taken with Python's zoneinfo, which reads the compiled transitions, not the strings.
    const ZONES: [Year; 11] = [
        ("PST-8", 28_800, &[]),
        ("<+0545>-5:45", 20_700, &[]),
        ("CET-1CEST,M3.5.0,M10.5.0/3", 3_600, &[(1_837_645_200, 7_200), (1_856_394_000, 3_600)]),
        ("EST5EDT,M3.2.0,M11.1.0", -18_000, &[(1_836_457_200, -14_400), (1_857_016_800, -18_000)]),
        ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 39_600, &[(1_838_214_000, 37_800), (1_853_940_600, 39_600)]),
        ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", -7_200, &[(1_837_645_200, -3_600), (1_856_394_000, -7_200)]),
        ("IST-2IDT,M3.4.4/26,M10.5.0", 7_200, &[(1_837_468_800, 10_800), (1_856_386_800, 7_200)]),
        ("<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45", 49_500, &[(1_838_210_400, 45_900), (1_853_330_400, 49_500)]),
        ("IST-1GMT0,M10.5.0,M3.5.0/1", 0, &[(1_837_645_200, 3_600), (1_856_394_000, 0)]),
        ("<-04>4<-03>,M9.1.6/24,M4.1.6/24", -10_800, &[(1_838_257_200, -14_400), (1_851_566_400, -10_800)]),
        ("EET-2EEST,M4.5.5/0,M10.5.4/24", 7_200, &[(1_840_485_600, 10_800), (1_856_206_800, 7_200)]),
    ];
    const NEW_YEAR: u64 = 1_830_297_600; // 2028-01-01, a Saturday
    const YEAR: u64 = 366 * 86_400;

    /// The same by brute force: what the wall clock shows, minute by minute, against each window and day.
    fn oracle(windows: &[Window], first: i64, changes: &[(u64, i64)], unix: u64) -> Hours {
        let offset = changes.iter().rfind(|(from, _)| unix >= *from).map_or(first, |(_, offset)| *offset);
        let local = (unix - NEW_YEAR) as i64 + offset + 5 * DAY; // since the Monday before the new year
        let (day, minute) = (local.div_euclid(DAY), local.rem_euclid(DAY) / 60);
        let on = |w: &Window, day: i64| w.days >> day.rem_euclid(7) & 1 == 1;
        let shows = |w: &Window| {
            let (start, end) = (i64::from(w.start), i64::from(w.end));
            if start < end {
                on(w, day) && (start..end).contains(&minute)
            } else {
                (on(w, day) && minute >= start) || (on(w, day - 1) && minute < end)
            }
        };
        let open: Vec<&Window> = windows.iter().filter(|w| shows(w)).collect();
        if open.is_empty() { Hours::Closed } else { Hours::Open { max: open.iter().filter_map(|w| w.max).min() } }
    }

    fn every_minute_of_a_year(windows: &[Window], (zone, first, changes): Year) {
        let schedule = in_zone(windows.to_vec(), zone);
        // The schedule walks from change to change; the oracle looks at every minute.
        let mut held = schedule.at(NEW_YEAR);
        let mut next = schedule.next(NEW_YEAR).unwrap_or(u64::MAX);
        for unix in (NEW_YEAR..NEW_YEAR + YEAR).step_by(60) {
            if unix >= next {
                assert_eq!(unix, next, "{zone} {windows:?}: all changes are on whole minutes");
                held = schedule.at(unix);
                next = schedule.next(unix).unwrap_or(u64::MAX);
            } else if next == u64::MAX && (unix - NEW_YEAR).is_multiple_of(HORIZON) {
                next = schedule.next(unix).unwrap_or(u64::MAX);
            }
            assert_eq!(held, oracle(windows, first, changes, unix), "{zone} {windows:?} at {unix}");
        }
    }

    #[test]
    fn every_minute_of_a_year_in_several_zones() {
        let windows = [
            window(0b001_1111, (22, 30), (6, 0), Some(20)),
            window(0b110_0000, (0, 0), (0, 0), Some(5)),
            window(0b100_0000, (1, 45), (3, 15), None),
            window(0b000_0001, (2, 10), (2, 50), Some(1)),
        ];
        for zone in ZONES {
            every_minute_of_a_year(&windows, zone);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(6) })]

        #[test]
        fn any_windows_at_every_minute_of_a_year(
            windows in prop::collection::vec((1u8..=ALL, 0u16..1440, 0u16..1440, prop::option::of(1u64..9)), 1..5), zone in 0..ZONES.len(),
        ) {
            let windows: Vec<Window> =
                windows.into_iter().map(|(days, start, end, max)| Window { days, start, end, max: max.map(Rate::mbps) }).collect();
            every_minute_of_a_year(&windows, ZONES[zone]);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

        #[test]
        fn what_comes_is_after_now_and_different(
            windows in prop::collection::vec((1u8..=ALL, 0u16..1440, 0u16..1440), 0..4), zone in 0..ZONES.len(), unix in 0u64..5_000_000_000,
        ) {
            let windows = windows.into_iter().map(|(days, start, end)| Window { days, start, end, max: None }).collect();
            let schedule = in_zone(windows, ZONES[zone].0);
            let outlook = schedule.outlook(unix);
            if let Some(next) = outlook.changes {
                prop_assert!(next > unix && next <= unix + HORIZON + 86_400);
                prop_assert!(schedule.at(next) != outlook.now && schedule.at(next - 1) == outlook.now);
            }
            prop_assert!(outlook.closes.is_none_or(|at| !schedule.at(at).is_open() && schedule.at(at - 1).is_open()));
            prop_assert!(outlook.opens.is_none_or(|at| schedule.at(at).is_open() && !schedule.at(at - 1).is_open()));
        }
    }
}
