//! What no single value shows: settings that contradict or lack each other.

use super::finding::Finding;
use super::settings::{Reach, Settings};

/// Ports below this one need a capability the daemon does not have.
const FIRST_FREE_PORT: u16 = 1024;

/// Every such finding.
pub fn check(s: &Settings) -> Vec<Finding> {
    let mut out = Vec::new();
    roles(s, &mut out);
    limits(s, &mut out);
    policy(s, &mut out);
    if s.update.auto_update && s.update.url.is_empty() {
        out.push(Finding::error("update", "url", None, "auto_update needs to know where manifests are; set it, or set auto_update to 0"));
    }
    if s.update.auto_update && s.update.keys.is_empty() {
        out.push(Finding::error("update", "key", None, "auto_update needs a key to verify updates with; add one, or set auto_update to 0"));
    }
    if s.node.log_level > log::LevelFilter::Info {
        out.push(Finding::warning(
            "node",
            "log_level",
            Some(&s.node.log_level.as_str().to_ascii_lowercase()),
            "below info, lines may hold host names",
        ));
    }
    let dir = &s.node.state_dir;
    if ["/tmp", "/var", "/run", "/dev"].iter().any(|tmpfs| dir.starts_with(tmpfs)) {
        out.push(Finding::warning(
            "node",
            "state_dir",
            dir.to_str(),
            "is lost at a reboot on OpenWrt, and the node's identity with it; use a folder on flash",
        ));
    }
    out
}

fn roles(s: &Settings, out: &mut Vec<Finding>) {
    if !s.proxy.enabled {
        return;
    }
    if s.coordinator.url.is_empty() {
        out.push(Finding::error("coordinator", "url", None, "the proxy role needs a coordinator; set it, or set proxy.enabled to 0"));
    }
    if s.coordinator.keys.is_empty() {
        out.push(Finding::error(
            "coordinator",
            "key",
            None,
            "the proxy role obeys only what a known key signed; add the coordinator's key, or set proxy.enabled to 0",
        ));
    }
    if !s.node.enabled {
        out.push(Finding::warning("node", "enabled", Some("0"), "nothing runs while the main switch is off, though proxy.enabled is 1"));
    }
    for low in s.proxy.listen.iter().filter(|a| a.port() < FIRST_FREE_PORT) {
        out.push(Finding::warning("proxy", "listen", Some(&low.to_string()), "the daemon may not bind ports below 1024; use a higher one"));
    }
    if s.proxy.reach == Reach::Direct && s.proxy.listen.iter().all(|a| a.ip().is_loopback()) {
        out.push(Finding::warning("proxy", "listen", None, "listens on loopback only, so that buyers cannot reach it directly"));
    }
}

fn limits(s: &Settings, out: &mut Vec<Finding>) {
    let n = &s.network;
    match n.line_mbps {
        None if n.yield_to_household && s.proxy.enabled => {
            out.push(Finding::warning(
                "network",
                "line_mbps",
                None,
                "is not set: the node cannot see how busy the line is, and only marks its packets as lower effort",
            ));
        }
        Some(line) if line < n.max_mbps => {
            out.push(Finding::warning("network", "max_mbps", None, "is more than line_mbps, the line's own rate"));
        }
        _ => {}
    }
    if n.max_gb_per_month != 0 && n.max_gb_per_month < n.max_gb_per_day {
        out.push(Finding::warning(
            "network",
            "max_gb_per_month",
            Some(&n.max_gb_per_month.to_string()),
            "is less than max_gb_per_day, which so has no effect",
        ));
    }
    for (i, window) in s.windows.iter().enumerate() {
        if window.max.is_some_and(|max| max > n.max_mbps) {
            out.push(Finding::warning(format!("@window[{i}]"), "max_mbps", None, "is more than network.max_mbps, which bounds it"));
        }
    }
}

fn policy(s: &Settings, out: &mut Vec<Finding>) {
    for both in s.network.allow_domain.iter().filter(|d| s.network.block_domain.contains(d)) {
        out.push(Finding::warning("network", "allow_domain", Some(both), "is in block_domain too, and so blocked"));
    }
    if s.policy.allow_plain_http_probes && s.policy.probe_host.is_empty() {
        out.push(Finding::warning("policy", "allow_plain_http_probes", Some("1"), "has no effect without a probe_host"));
    }
}
