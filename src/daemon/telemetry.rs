//! Health figures for the coordinator's operator: sent with a heartbeat, and only where the owner opted in.
//!
//! The members are those of docs/reference/telemetry.md, and no others: a test compares the page with what arrives. They
//! help to find out on which devices which version fails. None names a host, a buyer, a session or an address, and sizes are
//! rounded so that they do not tell one router from another of its kind.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::node::Node;
use crate::codec::json;
use crate::control::status::Status;
use crate::platform::facts;

const MIB: u64 = 1024 * 1024;

/// Member `telemetry` of a heartbeat. Counters are since the daemon's start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Telemetry {
    /// Version of the package.
    pub version: String,
    /// Processor architecture the program was built for.
    pub arch: String,
    /// Kernel, major and minor number only.
    pub kernel: Option<String>,
    /// RAM of the system, rounded up to a power of two, in MiB: 64, 128, ….
    #[serde(rename = "ramClassMiB")]
    pub ram_class_mib: Option<u64>,
    /// Resident memory of the daemon, in whole MiB.
    #[serde(rename = "rssMiB")]
    pub rss_mib: Option<u64>,
    /// Seconds since the daemon's start.
    pub uptime_sec: u64,
    /// State of the node.
    pub state: String,
    /// What confines the daemon: `none`, `standard`, `strict`.
    pub sandbox: String,
    /// How bytes are moved: `splice` or `copy`.
    pub relay: String,
    /// How buyers reach the node: `direct` or `gateway`.
    pub reach: String,
    /// Restarts of roles by the supervisor.
    pub restarts: u32,
    /// Durable writes today.
    pub flash_writes_today: u32,
    /// Tunnels whose outcome is known.
    pub requests: u64,
    /// Of these, failed for a cause beyond policy.
    pub errors: u64,
    /// Refusals and endings by the id of their reason; those that never happened are left out.
    pub reasons: BTreeMap<String, u64>,
    /// Ids of the alerts that stand.
    pub alerts: Vec<String>,
}

impl Node {
    /// The figures of this moment; none unless the owner opted in.
    pub fn telemetry(&self) -> Option<serde_json::Value> {
        let settings = self.settings();
        if !settings.ui.telemetry_opt_in {
            return None;
        }
        let counters = self.counted();
        let reasons = counters.reasons.iter().filter(|(_, n)| *n > 0).map(|(reason, n)| (reason.id().to_owned(), *n)).collect();
        let status = self.snapshot();
        let reach = crate::config::table::row("proxy", "reach").and_then(|row| (row.get)(&settings).pop()).unwrap_or_default();
        let telemetry = Telemetry { requests: counters.requests, errors: counters.errors, reasons, reach, ..of(&status) };
        json::parse(&json::text(&telemetry)).ok()
    }
}

fn of(status: &Status) -> Telemetry {
    Telemetry {
        version: status.version.clone(),
        arch: std::env::consts::ARCH.into(),
        kernel: facts::kernel_release().and_then(|release| major_minor(&release)),
        ram_class_mib: status.memory.ram_bytes.map(ram_class),
        rss_mib: status.memory.rss_bytes.map(|bytes| bytes / MIB),
        uptime_sec: status.uptime_sec,
        state: status.state.name().into(),
        sandbox: status.sandbox.level.clone(),
        relay: status.offload.relay().to_owned(),
        reach: String::new(),
        restarts: status.roles.values().map(|role| role.restarts).sum(),
        flash_writes_today: status.flash.writes_today,
        requests: 0,
        errors: 0,
        reasons: BTreeMap::new(),
        alerts: status.alerts.iter().map(|alert| alert.id.clone()).collect(),
    }
}

/// `6.6` of `6.6.86-vendor-name`: a vendor's suffix could name one router.
fn major_minor(release: &str) -> Option<String> {
    let mut numbers = release.split(['.', '-']);
    let (major, minor): (u32, u32) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    Some(format!("{major}.{minor}"))
}

/// What the kernel leaves of 128 MiB is less: the next power of two is the size that was bought.
const fn ram_class(bytes: u64) -> u64 {
    bytes.div_ceil(MIB).next_power_of_two()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn figures_are_rounded() {
        assert_eq!(ram_class(59_416 * 1024), 64);
        assert_eq!(ram_class(128 * MIB), 128);
        assert_eq!(major_minor("6.6.86-router7").as_deref(), Some("6.6"));
        assert_eq!(major_minor("next"), None);
    }

    #[test]
    fn the_page_lists_the_members_and_no_others() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/telemetry.md")).unwrap();
        let listed: BTreeSet<String> = page.lines().filter_map(|l| l.strip_prefix("| `")?.split('`').next().map(str::to_owned)).collect();
        let sent = serde_json::to_value(of(&crate::control::contract::status())).unwrap();
        assert_eq!(listed, sent.as_object().unwrap().keys().cloned().collect());
    }
}
