//! What can be found out about the box and its place before the owner is asked: for the wizard, and whoever else sets a node up.
//!
//! Reads files and the kernel's tables, asks nobody on the network, changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::uci::{self, Value};
use crate::platform::offload::{self, Members};
use crate::platform::reach::{self, Standing};
use crate::platform::uplink::Routes;
use crate::platform::{abilities, facts};

/// Longest file of these that is read; OpenWrt's are a few hundred bytes, zone.tab is 20 kB.
const MAX_FILE: u64 = 64 * 1024;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Survey {
    /// Devices that hold a default route.
    pub uplinks: Vec<String>,
    /// What the uplinks' IPv4 addresses say: `global`, `carrier-nat`, `private`, `nothing`.
    pub reach_v4: String,
    /// The same of IPv6.
    pub reach_v6: String,
    /// Buyers need a gateway to get here.
    pub needs_gateway: bool,
    /// Name of the time zone, or its POSIX form; null where the box has none set (UTC).
    pub time_zone: Option<String>,
    /// Country code, from the Wi-Fi settings or the time zone; null where neither tells.
    pub country: Option<String>,
    /// All RAM.
    pub ram_bytes: Option<u64>,
    /// Processors.
    pub cpus: Option<usize>,
    /// Release of the kernel.
    pub kernel: Option<String>,
    /// Model of the device.
    pub model: Option<String>,
    /// What the kernel could confine a process by.
    pub sandbox: BTreeMap<String, String>,
    /// What the box brings to move bytes.
    #[serde(default)]
    pub offload: Members,
}

impl Survey {
    /// This box. `uplinks` are those of the settings; empty = the devices that hold a default route.
    pub fn here(uplinks: &[String]) -> Survey {
        let found = reach::now(uplinks).ok();
        let time_zone = time_zone(Path::new("/"));
        let devices = Routes::open().and_then(|routes| routes.default_route_devices()).unwrap_or_default();
        Survey {
            offload: offload::here(if uplinks.is_empty() { &devices } else { uplinks }).members(),
            uplinks: devices,
            reach_v4: found.map_or("nothing", |r| name(r.v4)).into(),
            reach_v6: found.map_or("nothing", |r| name(r.v6)).into(),
            needs_gateway: found.is_some_and(|r| r.needs_gateway()),
            country: country(Path::new("/"), time_zone.as_deref()),
            time_zone,
            ram_bytes: facts::ram_bytes(),
            cpus: facts::cpus(),
            kernel: facts::kernel_release(),
            model: facts::model(),
            sandbox: abilities::sandbox(),
        }
    }
}

const fn name(standing: Standing) -> &'static str {
    match standing {
        Standing::Global => "global",
        Standing::CarrierNat => "carrier-nat",
        Standing::Private => "private",
        Standing::Nothing => "nothing",
    }
}

/// The zone's name where one is set, else its POSIX form. `root` is the folder that stands for `/`.
fn time_zone(root: &Path) -> Option<String> {
    let zonename = option(root, "etc/config/system", "system", "zonename");
    let link = || {
        let target = fs::read_link(root.join("etc/localtime")).ok()?;
        Some(target.to_str()?.split_once("zoneinfo/")?.1.to_owned())
    };
    let posix = || text(root, "etc/TZ").map(|tz| tz.trim().to_owned());
    zonename.or_else(link).or_else(posix).filter(|zone| !zone.is_empty() && zone.len() <= 64 && zone.bytes().all(|b| b.is_ascii_graphic()))
}

fn country(root: &Path, zone: Option<&str>) -> Option<String> {
    let code = |code: &str| code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase());
    let wifi = option(root, "etc/config/wireless", "wifi-device", "country").filter(|c| code(c));
    let of_zone = || {
        // Lines of zone.tab (tz database): CC, coordinates, zone, comments, between tabs.
        let table = text(root, "usr/share/zoneinfo/zone.tab")?;
        let row = table.lines().filter(|l| !l.starts_with('#')).map(|l| l.split('\t').collect::<Vec<_>>()).find(|row| row.get(2).copied() == zone)?;
        row.first().copied().filter(|c| code(c)).map(str::to_owned)
    };
    wifi.or_else(of_zone)
}

/// The first value of an option in any section of `kind`.
fn option(root: &Path, file: &str, kind: &str, name: &str) -> Option<String> {
    let package = uci::parse(text(root, file)?.as_bytes()).ok()?;
    package.of_kind(kind).find_map(|section| match section.get(name)? {
        Value::One(value) => Some(value.clone()),
        Value::List(values) => values.first().cloned(),
    })
}

fn text(root: &Path, file: &str) -> Option<String> {
    use std::io::Read as _;
    let mut text = String::new();
    fs::File::open(root.join(file)).ok()?.take(MAX_FILE).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Root(std::path::PathBuf);

    impl Root {
        fn new(files: &[(&str, &str)]) -> Root {
            use std::sync::atomic::{AtomicU32, Ordering};
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let root = Root(std::env::temp_dir().join(format!("em-survey-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))));
            for (name, text) in files {
                let path = root.0.join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            root
        }

        fn found(&self) -> (Option<String>, Option<String>) {
            let zone = time_zone(&self.0);
            let country = country(&self.0, zone.as_deref());
            (zone, country)
        }
    }

    impl Drop for Root {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn zone_and_country_come_from_what_the_router_has() {
        let system = "config system\n\toption hostname 'x'\n\toption zonename 'Asia/Manila'\n\toption timezone 'PST-8'\n";
        let table = "# code\tcoordinates\tTZ\nPH\t+143512+1205804\tAsia/Manila\n";
        let wireless = "config wifi-device 'radio0'\n\toption country 'DE'\n";
        let all = [("etc/config/system", system), ("usr/share/zoneinfo/zone.tab", table), ("etc/TZ", "PST-8\n"), ("etc/config/wireless", wireless)];
        let owned = |zone: Option<&str>, country: Option<&str>| (zone.map(str::to_owned), country.map(str::to_owned));
        assert_eq!(Root::new(&all).found(), owned(Some("Asia/Manila"), Some("DE")));
        assert_eq!(Root::new(&all[..3]).found(), owned(Some("Asia/Manila"), Some("PH")));
        assert_eq!(Root::new(&all[2..3]).found(), owned(Some("PST-8"), None));
        assert_eq!(Root::new(&[("etc/TZ", "\u{1b}[31m")]).found(), owned(None, None), "nothing that a terminal would obey");
        assert_eq!(Root::new(&[("etc/config/wireless", "nonsense {"), ("etc/config/system", "")]).found(), owned(None, None));
    }

    #[test]
    fn this_machine_can_be_looked_at() {
        let survey = Survey::here(&[]);
        assert!(survey.ram_bytes.is_some() && survey.sandbox.len() == 3);
        assert!(["global", "carrier-nat", "private", "nothing"].contains(&survey.reach_v4.as_str()));
    }
}
