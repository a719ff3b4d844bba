//! What this router knows of where it stands: the time zone its owner set, and the country of the uplink's network where
//! something on the router knows that. `None` where nothing tells. Reads small files: blocks for as long.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use super::given;

/// OpenWrt's system settings.
const SYSTEM: &str = "/etc/config/system";
/// Elsewhere the zone is what this link leads to.
const LOCALTIME: &str = "/etc/localtime";
/// Bytes read of a file; system settings have about 1 kB.
const MOST: u64 = 64 * 1024;

/// Name of the system's time zone: `Asia/Manila`.
pub fn zone_name() -> Option<String> {
    if let Some(name) = text(Path::new(SYSTEM)).and_then(|text| zone_of_settings(&text)) {
        return Some(name);
    }
    let link = fs::read_link(LOCALTIME).ok()?;
    link.to_str()?.split_once("/zoneinfo/").map(|(_, name)| name.to_owned())
}

/// Country of the network the uplink belongs to, upper-case.
pub fn uplink_country(run_dir: &Path) -> Option<String> {
    country(&given::places(run_dir, given::UPLINK_COUNTRY).iter().find_map(|path| text(path))?)
}

fn text(path: &Path) -> Option<String> {
    let mut text = String::new();
    File::open(path).ok()?.take(MOST).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The value of the first `option zonename`.
fn zone_of_settings(text: &str) -> Option<String> {
    let value = text.lines().find_map(|line| {
        let mut words = line.trim().splitn(3, [' ', '\t']).filter(|w| !w.is_empty());
        (words.next() == Some("option") && words.next() == Some("zonename")).then(|| words.next()).flatten()
    })?;
    let value = value.trim().trim_matches(['\'', '"']);
    (!value.is_empty()).then(|| value.to_owned())
}

fn country(text: &str) -> Option<String> {
    let text = text.trim();
    (text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic())).then(|| text.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_zone_stands_in_the_system_settings() {
        let settings = "config system\n\toption hostname 'OpenWrt'\n\toption timezone 'PST-8'\n\toption zonename 'Asia/Manila'\n";
        assert_eq!(zone_of_settings(settings).as_deref(), Some("Asia/Manila"));
        assert_eq!(zone_of_settings("option zonename \"America/New York\"").as_deref(), Some("America/New York"));
        for none in ["", "option zonename", "option zonename ''", "list zonename 'x'", "# option zonename 'x'"] {
            assert_eq!(zone_of_settings(none), None, "{none}");
        }
    }

    #[test]
    fn a_country_is_two_letters() {
        assert_eq!(country("ph\n").as_deref(), Some("PH"));
        for bad in ["", "P", "PHL", "P1", "é"] {
            assert_eq!(country(bad), None, "{bad}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn any_text_is_read_or_passed_over(text in "\\PC{0,200}", lines in prop::collection::vec("[ \t]{0,2}option[ \t]{1,2}zonename.{0,20}", 0..3)) {
            let _ = (zone_of_settings(&text), country(&text), zone_of_settings(&lines.join("\n")));
        }
    }
}
