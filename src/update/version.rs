//! Versions of the program: three numbers.

use std::fmt;

/// `1.2.3`, compared number by number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Version([u32; 3]);

impl Version {
    /// The version of the program that runs this code.
    pub fn own() -> Version {
        Version::parse(env!("CARGO_PKG_VERSION")).unwrap_or(Version([0; 3]))
    }

    /// Reads exactly three numbers without leading zeros; `None` on any other form.
    pub fn parse(text: &str) -> Option<Version> {
        let mut parts = text.split('.');
        let mut out = [0; 3];
        for number in &mut out {
            let part = parts.next()?;
            let plain = (1..=9).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()) && (part.len() == 1 || !part.starts_with('0'));
            *number = plain.then(|| part.parse().ok()).flatten()?;
        }
        parts.next().is_none().then_some(Version(out))
    }

    /// The version a package is of: `1.2.3-r4`, `1.2.3-4` or `1.2.3`.
    pub fn of_package(text: &str) -> Option<Version> {
        Version::parse(text.split(['-', '~', '_']).next()?)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}.{patch}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_three_plain_numbers() {
        for bad in ["", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.3-r1", "1.2.x", "1..3", "+1.2.3", "1.2.3 ", "1.2.9999999999"] {
            assert_eq!(Version::parse(bad), None, "{bad}");
        }
        assert_eq!(Version::of_package("0.10.2-r3"), Version::parse("0.10.2"));
        assert!(Version::own() > Version([0; 3]));
    }

    proptest! {
        #[test]
        fn order_is_by_number_and_text_reads_back(a in any::<[u16; 3]>(), b in any::<[u16; 3]>()) {
            let version = |n: [u16; 3]| Version(n.map(u32::from));
            prop_assert_eq!(version(a) < version(b), a < b);
            prop_assert_eq!(Version::parse(&version(a).to_string()), Some(version(a)));
        }
    }
}
