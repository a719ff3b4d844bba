//! Time as text: RFC 3339, UTC with `Z`, whole seconds.

use std::time::{Duration, UNIX_EPOCH};

/// The last second this form can write: 9999-12-31T23:59:59Z.
const LAST: u64 = 253_402_300_799;

/// `unix` seconds as `2026-01-31T12:00:00Z`.
pub fn rfc3339(unix: u64) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(unix.min(LAST))).to_string()
}

/// Unix seconds of the exact form [`rfc3339`] writes; `None` for any other.
pub fn from_rfc3339(text: &str) -> Option<u64> {
    let at = humantime::parse_rfc3339(text).ok()?;
    let unix = at.duration_since(UNIX_EPOCH).ok()?.as_secs();
    (rfc3339(unix) == text).then_some(unix)
}

/// The UTC date of `unix`: `2026-01-31`.
pub fn utc_date(unix: u64) -> String {
    rfc3339(unix)[..10].to_owned()
}

/// For serde members that hold Unix seconds and travel as RFC 3339 text (binary formats: the number).
pub mod text {
    use serde::{Deserialize, Deserializer, Serialize as _, Serializer, de};

    /// Writes.
    pub fn serialize<S: Serializer>(unix: &u64, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() { s.serialize_str(&super::rfc3339(*unix)) } else { unix.serialize(s) }
    }

    /// Reads.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
        if d.is_human_readable() {
            let text = String::deserialize(d)?;
            super::from_rfc3339(&text).ok_or_else(|| de::Error::custom("a time is RFC 3339 in UTC with Z and whole seconds"))
        } else {
            u64::deserialize(d)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_form() {
        assert_eq!(from_rfc3339("2025-12-19T14:00:00Z"), Some(1_766_152_800));
        assert_eq!(rfc3339(1_766_152_800), "2025-12-19T14:00:00Z");
        for bad in ["2025-12-19T14:00:00.5Z", "2025-12-19T14:00:00+00:00", "2025-12-19 14:00:00Z", "", "1969-12-31T23:59:59Z"] {
            assert_eq!(from_rfc3339(bad), None, "{bad}");
        }
    }
}
