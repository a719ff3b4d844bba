//! Whether the router's package feed has a newer package: then that is the way, because opkg or apk knows what it did.

use std::time::Duration;

use super::child;
use super::place::Place;
use super::version::Version;
use crate::core::Clock;

/// opkg reads its lists from flash; a slow router takes some seconds.
const ASK: Duration = Duration::from_secs(30);
const NAME: &str = "echomesh";

/// A newer package, and how it is installed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Package {
    /// Its version, as the package manager says.
    pub version: Version,
    /// The command that installs it.
    pub command: &'static str,
}

/// The newer package in the lists as they were last fetched; none where there is no package manager, or none newer.
pub fn newer(place: &Place, than: Version, clock: &Clock) -> Option<Package> {
    let ask = |program: &str, args: &[&str]| {
        let program = place.system(program);
        let (_, output) = program.is_file().then(|| child::run(&program, args, ASK, clock).ok()).flatten()?;
        Some(output)
    };
    let apk = || {
        let version = of_apk(&ask("/usr/bin/apk", &["version", "-l", "<", NAME])?)?;
        Some(Package { version, command: "apk upgrade echomesh" })
    };
    let opkg = || {
        let version = of_opkg(&ask("/bin/opkg", &["list-upgradable"])?)?;
        Some(Package { version, command: "opkg upgrade echomesh" })
    };
    apk().or_else(opkg).filter(|package| package.version > than)
}

/// `echomesh-0.1.0-r1   < 0.2.0-r1`, below a line of titles.
fn of_apk(output: &str) -> Option<Version> {
    let line = output
        .lines()
        .find(|l| l.strip_prefix(NAME).and_then(|l| l.strip_prefix('-')).is_some_and(|l| l.starts_with(|c: char| c.is_ascii_digit())))?;
    let (_, there) = line.split_once('<')?;
    Version::of_package(there.split_whitespace().next()?)
}

/// `echomesh - 0.1.0-1 - 0.2.0-1`.
fn of_opkg(output: &str) -> Option<Version> {
    let line = output.lines().find_map(|l| l.strip_prefix(NAME)?.strip_prefix(" - "))?;
    let (_, there) = line.split_once(" - ")?;
    Version::of_package(there.trim())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_managers_are_read() {
        let apk = "Installed:                Available:\nechomesh-0.1.0-r1       < 0.2.0-r3 \n";
        assert_eq!(of_apk(apk), Version::parse("0.2.0"));
        let opkg = "luci-base - 1 - 2\nechomesh-full - 0.1.0-1 - 0.9.0-1\nechomesh - 0.1.0-1 - 0.2.0-2\n";
        assert_eq!(of_opkg(opkg), Version::parse("0.2.0"));
        for nothing in
            ["", "Installed:  Available:\n", "echomesh-full-0.1.0-r1 < 0.2.0-r1\n", "echomesh\n", "echomesh - 1\n", "echomesh-0.1.0-r1 = 0.1.0-r1"]
        {
            assert_eq!((of_apk(nothing), of_opkg(nothing)), (None, None), "{nothing:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn any_output_is_read(text in "\\PC{0,80}", rest in "[ -~]{0,60}") {
            let lines = format!("{text}\nechomesh - {rest}\nechomesh-0{rest}");
            let _ = (of_apk(&lines), of_opkg(&lines));
        }
    }
}
