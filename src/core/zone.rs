//! A time zone as its rule: a POSIX TZ string in, the offset of any moment out. Pure; where the string is found is
//! `platform`'s matter.
//!
//! The library reads such a string in full, with the hours beyond a day that real zones use (`IST-2IDT,M3.4.4/26,…`),
//! only where it stands at the end of a version 3 TZif file (RFC 9636, section 3.3). So the string is handed to it in
//! the smallest such file: one type, no transition, the string.

use tz::TimeZone;

/// Longest string: the longest in use has about 50 characters.
pub const MOST_TEXT: usize = 128;

/// A zone. At most a few hundred bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    text: String,
    rule: TimeZone,
}

/// A text that is no POSIX TZ string: write one like `CET-1CEST,M3.5.0,M10.5.0/3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotPosix;

impl std::fmt::Display for NotPosix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not a POSIX TZ string like CET-1CEST,M3.5.0,M10.5.0/3")
    }
}

impl std::error::Error for NotPosix {}

impl Default for Zone {
    fn default() -> Zone {
        Zone { text: "UTC0".into(), rule: TimeZone::utc() }
    }
}

impl Zone {
    /// The zone of a POSIX TZ string; white space around it does not count.
    ///
    /// # Errors
    /// It is none, or longer than [`MOST_TEXT`].
    pub fn posix(text: &str) -> Result<Zone, NotPosix> {
        let text = text.trim_ascii();
        if text.is_empty() || text.len() > MOST_TEXT || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(NotPosix);
        }
        let rule = TimeZone::from_tz_data(&around(text)).map_err(|_| NotPosix)?;
        Ok(Zone { text: text.to_owned(), rule })
    }

    /// The string it was made of.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Seconds by which wall clocks are ahead of UTC at `unix` seconds.
    pub fn offset(&self, unix: u64) -> i64 {
        let at = i64::try_from(unix).unwrap_or(i64::MAX);
        // Only years that no calendar reaches have no answer.
        self.rule.find_local_time_type(at).map_or(0, |local| i64::from(local.ut_offset()))
    }
}

/// The smallest version 3 TZif file whose footer is `text`: two headers with a block of one type each, and the footer.
fn around(text: &str) -> Vec<u8> {
    /// Counts of the header: UT/local and standard/wall indicators, leap seconds, transitions, types, characters.
    const COUNTS: [u32; 6] = [0, 0, 0, 0, 1, 1];
    /// The type (offset 0, not daylight-saving, designation at 0) and the designation's final zero.
    const BLOCK: [u8; 7] = [0; 7];
    let mut file = Vec::with_capacity(2 * (44 + BLOCK.len()) + text.len() + 2);
    for _ in 0..2 {
        file.extend_from_slice(b"TZif3");
        file.extend_from_slice(&[0; 15]);
        COUNTS.iter().for_each(|count| file.extend_from_slice(&count.to_be_bytes()));
        file.extend_from_slice(&BLOCK);
    }
    file.push(b'\n');
    file.extend_from_slice(text.as_bytes());
    file.push(b'\n');
    file
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn strings_of_every_form_in_use_are_read() {
        // 2026-01-15 and 2026-07-15, 12:00 UTC.
        for (text, winter, summer) in [
            ("UTC0", 0, 0),
            ("<+03>-3", 10_800, 10_800),
            ("<+0545>-5:45", 20_700, 20_700),
            ("GMT0BST,M3.5.0/1,M10.5.0", 0, 3_600),
            ("EST5EDT,M3.2.0,M11.1.0", -18_000, -14_400),
            (" CET-1CEST,M3.5.0,M10.5.0/3\n", 3_600, 7_200),
            ("AEST-10AEDT,M10.1.0,M4.1.0/3", 39_600, 36_000),
            ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 39_600, 37_800),
            ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", -7_200, -3_600),
            ("IST-2IDT,M3.4.4/26,M10.5.0", 7_200, 10_800),
            ("EET-2EEST,M3.4.4/50,M10.4.4/50", 7_200, 10_800),
            ("IST-1GMT0,M10.5.0,M3.5.0/1", 0, 3_600),
            ("XXX3EDT4,0/0,J365/23", -14_400, -14_400),
        ] {
            let zone = Zone::posix(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!((zone.offset(1_768_478_400), zone.offset(1_784_116_800)), (winter, summer), "{text}");
            assert_eq!(zone.text(), text.trim());
        }
        for text in ["", "A", "Asia/Manila", ":UTC", "PST8PDT", "CET-1CEST,M3.5.0,M10.5.0/3 x", "UTC0\nUTC0", "UTC0\0", "ÄÖÜ0", "CET-25"] {
            assert_eq!(Zone::posix(text), Err(NotPosix), "{text:?}");
        }
        assert_eq!(Zone::default().offset(u64::MAX), 0);
    }

    proptest! {
        #[test]
        fn no_text_and_no_moment_panics(text in "[-+<>A-Z0-9,.:/JM]{0,40}|\\PC{0,140}", unix in any::<u64>()) {
            if let Ok(zone) = Zone::posix(&text) {
                // A day's hours, and what POSIX lets the summer add.
                prop_assert!(zone.offset(unix).abs() <= 26 * 3600);
            }
        }

        #[test]
        fn strings_that_are_nearly_right_never_panic(
            a in 0u32..30, b in 0u32..30, m in 0u32..14, w in 0u32..7, d in 0u32..8, h in -200i32..200, n in 0u32..400, unix in 0u64..8_000_000_000,
        ) {
            for text in [format!("AAA{a}BBB{b},M{m}.{w}.{d}/{h},J{n}/{h}"), format!("AAA-{a}BBB-{b},{n}/{h},M{m}.{w}.{d}/{h}")] {
                if let Ok(zone) = Zone::posix(&text) {
                    zone.offset(unix);
                }
            }
        }
    }
}
