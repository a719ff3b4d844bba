//! Where the system says which time zone it is in: OpenWrt's `/etc/TZ`, `$TZ`, the last line of `/etc/localtime`.

use std::fs::File;
use std::io::Read as _;

use crate::core::Zone;
use crate::core::zone::MOST_TEXT;

/// Most that is read of a zone file: the largest have 4 kB.
const MOST_FILE: u64 = 64 * 1024;

/// The system's zone; UTC, with a warning, where it names none that can be read.
pub fn system() -> Zone {
    let etc = read("/etc/TZ");
    let env = std::env::var("TZ").ok();
    let local = read("/etc/localtime");
    choose(etc.as_deref().and_then(|b| std::str::from_utf8(b).ok()), env.as_deref(), local.as_deref()).unwrap_or_else(|| {
        log::warn!("the system's time zone is not known, so windows count by UTC: set it (System → System → Timezone), then reload");
        Zone::default()
    })
}

/// The first of the three that holds a POSIX TZ string; none of them there at all is UTC, as everywhere in POSIX.
fn choose(etc: Option<&str>, env: Option<&str>, local: Option<&[u8]>) -> Option<Zone> {
    if etc.is_none() && env.is_none() && local.is_none() {
        return Some(Zone::default());
    }
    let zone = |text: Option<&str>| text.and_then(|t| Zone::posix(t).ok());
    zone(etc).or_else(|| zone(env)).or_else(|| zone(local.and_then(footer)))
}

/// The POSIX TZ string at the end of a TZif file of version 2 or later (RFC 9636, section 3.3), unchecked.
pub fn footer(file: &[u8]) -> Option<&str> {
    let version = file.strip_prefix(b"TZif")?.first()?;
    let body = file.strip_suffix(b"\n").filter(|_| *version >= b'2')?;
    let start = body.len().saturating_sub(MOST_TEXT + 1);
    let end = body.get(start..)?;
    let line = end.get(end.iter().rposition(|b| *b == b'\n')? + 1..)?;
    std::str::from_utf8(line).ok().filter(|text| !text.is_empty())
}

fn read(path: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MOST_FILE).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(zone: Option<Zone>) -> Option<String> {
        zone.map(|z| z.text().to_owned())
    }

    #[test]
    fn openwrts_file_comes_first_and_what_cannot_be_read_is_passed_over() {
        let file = b"TZif2.............\nCET-1CEST,M3.5.0,M10.5.0/3\n";
        let chosen = |etc, env| text(choose(etc, env, Some(file)));
        assert_eq!(chosen(Some("PST-8\n"), Some("EST5")).as_deref(), Some("PST-8"));
        assert_eq!(chosen(None, Some("EST5")).as_deref(), Some("EST5"));
        assert_eq!(chosen(Some(""), Some("Europe/Berlin")).as_deref(), Some("CET-1CEST,M3.5.0,M10.5.0/3"));
        assert_eq!(text(choose(None, None, None)).as_deref(), Some("UTC0"));
        assert_eq!(text(choose(Some("nonsense"), None, Some(b"TZif\0"))), None);
        system();
    }

    #[test]
    fn only_files_of_version_2_and_later_have_a_footer() {
        assert_eq!(footer(b"TZif2\n\nUTC0\n"), Some("UTC0"));
        assert_eq!(footer(b"TZif\0\n\nUTC0\n"), None);
        assert_eq!(footer(b"TZif3\n\n"), None);
        assert_eq!(footer(b"UTC0\n"), None);
        if let Some(file) = read("/usr/share/zoneinfo/Asia/Manila") {
            assert_eq!(footer(&file), Some("PST-8"));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = footer(&bytes);
            let _ = footer(&[b"TZif2".as_slice(), &bytes, b"\n"].concat());
        }
    }
}
