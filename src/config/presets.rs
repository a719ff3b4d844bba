//! Choices an owner can make without knowing the options: what a node may use of the line, and when it works.
//!
//! Pure: the wizard in the terminal offers them, and any other surface can.

use serde_json::{Value, json};

use super::form::{self, Form};
use super::json as shape;
use super::settings::{Rate, Window};
use super::syntax;
use super::table::{ALL_DAYS, MAX_WINDOWS};

/// What the node may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Caps {
    /// Sustained rate of relayed bytes.
    pub max: Rate,
    /// Burst in MB.
    pub burst_mb: u32,
    /// GB on the uplink a day.
    pub gb_per_day: u32,
}

/// A choice of caps.
#[derive(Clone, Copy, Debug)]
pub struct CapsPreset {
    /// Stable name.
    pub id: &'static str,
    /// What it means to the household.
    pub text: &'static str,
    /// Share of the line, in percent.
    share: u64,
    /// Rate where the line is not known.
    unknown: Rate,
    gb_per_day: u32,
}

/// Every choice of caps, the most careful first. The household comes first in each: `network.yield` stays on.
pub const CAPS: [CapsPreset; 3] = [
    CapsPreset { id: "gentle", text: "a tenth of the line; nobody will notice", share: 10, unknown: Rate::mbps(2), gb_per_day: 5 },
    CapsPreset {
        id: "balanced",
        text: "a quarter of the line; large downloads take a little longer",
        share: 25,
        unknown: Rate::mbps(10),
        gb_per_day: 20,
    },
    CapsPreset {
        id: "generous",
        text: "half of the line; for lines that are idle most of the day",
        share: 50,
        unknown: Rate::mbps(25),
        gb_per_day: 60,
    },
];

/// The least rate a preset comes to: half a megabit still carries a page.
const LEAST: Rate = Rate(500_000);
/// The most MB at once, and what a slower line has: this many seconds at its rate.
const BURST_MB: u64 = 4;
const BURST_SECONDS: u64 = 4;

/// The caps of preset `id` on a line of `line`; `None` for an unknown name.
pub fn caps(id: &str, line: Option<Rate>) -> Option<Caps> {
    let preset = CAPS.iter().find(|preset| preset.id == id)?;
    let max = line.map_or(preset.unknown, |line| {
        // To 0.1 Mbps: an odd rate would look like a measured one.
        let share = line.0 / 100 * preset.share / 100_000 * 100_000;
        Rate(share).max(LEAST).min(line)
    });
    let burst = (max.bytes_per_sec() * BURST_SECONDS).div_ceil(1_000_000).clamp(1, BURST_MB);
    Some(Caps { max, burst_mb: u32::try_from(burst).unwrap_or(1), gb_per_day: preset.gb_per_day })
}

/// A choice of times.
#[derive(Clone, Copy, Debug)]
pub struct HoursPreset {
    /// Stable name.
    pub id: &'static str,
    /// What it means.
    pub text: &'static str,
    /// As [`hours`] reads them; empty = always.
    pub hours: &'static str,
}

/// Every choice of times.
pub const HOURS: [HoursPreset; 4] = [
    HoursPreset { id: "always", text: "at any time; it gives way while you use the line", hours: "" },
    HoursPreset { id: "nights", text: "every night from 23:00 to 07:00", hours: "daily 23:00-07:00" },
    HoursPreset { id: "weekday-nights", text: "nights before working days, 23:00 to 07:00", hours: "Sun,Mon,Tue,Wed,Thu 23:00-07:00" },
    HoursPreset { id: "office-hours", text: "Monday to Friday from 09:00 to 17:00, while nobody is at home", hours: "Mon-Fri 09:00-17:00" },
];

/// What [`hours`] takes, for who writes it.
pub const HOURS_FORM: &str = "like `daily 23:00-07:00`, `Mon-Fri 09:00-17:00` or `Sat,Sun 10:00-18:00`; several with `;` between them";

/// Windows of a text: `DAYS START-END`, several with `;` between them; empty = always. An end that is not after the start is on the next day.
///
/// DAYS is `daily`, a day, several with commas, or a range like `Mon-Fri`. `None` where the text is not like that.
pub fn hours(text: &str) -> Option<Vec<Window>> {
    let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
    let windows = parts.map(window).collect::<Option<Vec<_>>>()?;
    (windows.len() <= MAX_WINDOWS).then_some(windows)
}

/// Windows as [`hours`] reads them. A window's own rate has no place in it.
pub fn hours_text(windows: &[Window]) -> String {
    let one = |w: &Window| {
        let days = syntax::DAYS.iter().enumerate().filter(|(i, _)| w.days >> i & 1 == 1).map(|(_, day)| *day).collect::<Vec<_>>();
        let days = if w.days == ALL_DAYS { "daily".to_owned() } else { days.join(",") };
        format!("{days} {}-{}", syntax::minutes_text(w.start), syntax::minutes_text(w.end))
    };
    windows.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Every choice with what it comes to on a line of `line`: members as in the JSON shape of the settings.
pub fn to_json(line: Option<Rate>) -> Value {
    let caps = CAPS.iter().filter_map(|preset| {
        let caps = caps(preset.id, line)?;
        let max = Form::Mbps.to_json(&form::mbps_text(caps.max.0));
        Some(json!({ "id": preset.id, "text": preset.text, "maxMbps": max, "burstMB": caps.burst_mb, "maxGBPerDay": caps.gb_per_day }))
    });
    let hours = HOURS.iter().map(|preset| {
        let windows = hours(preset.hours).unwrap_or_default();
        json!({ "id": preset.id, "text": preset.text, "schedules": windows.iter().map(shape::window).collect::<Vec<_>>() })
    });
    json!({ "caps": caps.collect::<Vec<_>>(), "hours": hours.collect::<Vec<_>>() })
}

fn window(text: &str) -> Option<Window> {
    let (days, times) = text.split_once(char::is_whitespace)?;
    let (start, end) = times.trim().split_once('-')?;
    Some(Window { days: days_of(days)?, start: syntax::minutes(start.trim())?, end: syntax::minutes(end.trim())?, max: None })
}

fn days_of(text: &str) -> Option<u8> {
    if text.eq_ignore_ascii_case("daily") {
        return Some(ALL_DAYS);
    }
    text.split(',').try_fold(0, |bits, part| {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (syntax::day(first)?, syntax::day(last)?),
            None => (syntax::day(part)?, syntax::day(part)?),
        };
        // A range may go over Sunday: Sat-Mon.
        let days = (0..7).map(|i| (first + i) % 7).take_while(|day| (day + 6 - last) % 7 != 0 || *day == first);
        Some(bits | days.fold(0, |bits, day| bits | 1 << day) | 1 << last)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::{Settings, any_error, batch, from_uci};

    #[test]
    fn presets_are_shares_of_the_line() {
        assert_eq!(caps("gentle", Some(Rate::mbps(100))), Some(Caps { max: Rate::mbps(10), burst_mb: 4, gb_per_day: 5 }));
        assert_eq!(caps("balanced", Some(Rate(5_500_000))).unwrap().max, Rate(1_300_000));
        assert_eq!(caps("gentle", Some(Rate::mbps(1))).unwrap(), Caps { max: LEAST, burst_mb: 1, gb_per_day: 5 });
        assert_eq!(caps("generous", Some(Rate(200_000))).unwrap().max, Rate(200_000), "never more than the line");
        assert_eq!(caps("balanced", None).unwrap().max, Rate::mbps(10));
        assert_eq!(caps("all", None), None);
    }

    #[test]
    fn hours_are_read_as_people_write_them() {
        let one = |text: &str| hours(text).map(|w| (w[0].days, w[0].start, w[0].end));
        assert_eq!(one("daily 23:00-07:00"), Some((ALL_DAYS, 23 * 60, 7 * 60)));
        assert_eq!(one("Mon-Fri 09:00-17:00"), Some((0b001_1111, 540, 1020)));
        assert_eq!(one("sat,Sunday 10:00 - 18:00"), Some((0b110_0000, 600, 1080)));
        assert_eq!(one("Sat-Mon 01:00-02:00"), Some((0b110_0001, 60, 120)));
        assert_eq!(one("Wed-Wed 01:00-02:00"), Some((0b000_0100, 60, 120)));
        assert_eq!(one("Tue-Mon 01:00-02:00"), Some((ALL_DAYS, 60, 120)));
        assert_eq!(hours("Mon 01:00-02:00; Tue 03:00-04:00").unwrap().len(), 2);
        assert_eq!(hours(""), Some(vec![]));
        for wrong in ["nights", "Mon", "Mon 25:00-07:00", "Mon 1:00-2:00", "Mon,, 01:00-02:00", "Mon- 01:00-02:00", "Foo 01:00-02:00"] {
            assert_eq!(hours(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_preset_makes_settings_without_an_error() {
        for preset in &HOURS {
            for choice in &CAPS {
                let caps = caps(choice.id, Some(Rate::mbps(40))).unwrap();
                let mut settings = Settings { windows: hours(preset.hours).unwrap(), ..Settings::default() };
                (settings.network.max_mbps, settings.network.burst_mb, settings.network.max_gb_per_day) = (caps.max, caps.burst_mb, caps.gb_per_day);
                let (read, findings) = from_uci(&batch::to_package(&settings));
                assert!(!any_error(&findings) && read == settings, "{} {}: {findings:?}", preset.id, choice.id);
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(daily|[A-Za-z]{3}(-|,)?){0,3} ?[0-9:;-]{0,14}") {
            if let Some(windows) = hours(&text) {
                prop_assert!(windows.iter().all(|w| w.days != 0 && w.days <= ALL_DAYS && w.start < 1440 && w.end < 1440));
                prop_assert_eq!(hours(&hours_text(&windows)), Some(windows));
            }
        }

        #[test]
        fn a_preset_never_asks_for_more_than_the_line(line in 1u64..10_000_000_000) {
            for preset in &CAPS {
                let caps = caps(preset.id, Some(Rate(line))).unwrap();
                prop_assert!(caps.max.0 <= line && caps.max.0 > 0 && (1..=4).contains(&caps.burst_mb));
            }
        }
    }
}
