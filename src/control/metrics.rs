//! `GET /metrics`: the status and the counters in the Prometheus text format, version 0.0.4.
//!
//! The names are listed in `docs/reference/metrics.md`; a test keeps the two together. No label holds a host, a
//! session or a buyer, so the number of series is fixed.

use std::fmt::Write as _;

use super::status::{NodeState, Severity, Status};
use crate::core::Reason;

/// Media type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What only grows since the daemon started.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Bytes relayed from destinations.
    pub bytes_ingress: u64,
    /// Bytes relayed to destinations.
    pub bytes_egress: u64,
    /// Tunnels whose outcome is known.
    pub requests: u64,
    /// Of these, failed for a cause beyond policy.
    pub errors: u64,
    /// Refusals and endings by reason.
    pub reasons: Vec<(Reason, u64)>,
    /// Probes that passed.
    pub probes_passed: u64,
    /// Probes that failed.
    pub probes_failed: u64,
    /// Bundles the coordinator acknowledged.
    pub bundles_acked: u64,
    /// Bundles it refused for good.
    pub bundles_refused: u64,
    /// Answers and events of the coordinator that did not verify and were dropped.
    pub coordinator_dropped: u64,
    /// The same by kind.
    pub coordinator_faults: Vec<(&'static str, u64)>,
    /// Calls to the coordinator that failed.
    pub coordinator_failures: u64,
    /// Times a category was held back, or held back more.
    pub reputation_strikes: u64,
}

/// The exposition.
pub fn text(s: &Status, c: &Counters) -> String {
    let mut x = Exposition(String::with_capacity(8 * 1024));
    x.info(s);
    x.sessions(s);
    x.traffic(s, c);
    x.guard(s, c);
    x.caps(s);
    x.coordinator(s, c);
    x.process(s);
    x.alerts(s);
    x.0
}

struct Exposition(String);

impl Exposition {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing into a String does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.0.push_str(name);
        for (i, (label, value)) in labels.iter().enumerate() {
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{}{label}=\"{escaped}\"", if i == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    fn maybe(&mut self, name: &str, help: &str, value: Option<impl std::fmt::Display>) {
        if let Some(value) = value {
            self.one(name, "gauge", help, value);
        }
    }

    fn info(&mut self, s: &Status) {
        self.family("echomesh_info", "gauge", "Always 1; version and node in the labels.");
        self.sample("echomesh_info", &[("version", &s.version), ("node", &s.node_id.to_string())], 1);
        self.family("echomesh_state", "gauge", "1 for the state the node is in, 0 for the others.");
        for state in NodeState::ALL {
            self.sample("echomesh_state", &[("state", state.name())], u8::from(state == s.state));
        }
        self.one("echomesh_paused", "gauge", "1 while the owner's pause lasts.", u8::from(s.paused.is_some()));
        self.one("echomesh_quarantine", "gauge", "1 while the node is in quarantine.", u8::from(s.quarantine.is_some()));
        self.one("echomesh_uptime_seconds", "gauge", "Seconds since the daemon started.", s.uptime_sec);
        self.one("echomesh_clock_synced", "gauge", "1 while something vouches for node time.", u8::from(s.clock_synced));
        self.one("echomesh_update_available", "gauge", "1 while a newer version is known.", u8::from(s.update.available.is_some()));
        self.family("echomesh_role_restarts_total", "counter", "Restarts of each role by the supervisor.");
        for (role, r) in &s.roles {
            self.sample("echomesh_role_restarts_total", &[("role", role)], r.restarts);
        }
        if let Some(gateway) = s.roles.values().find_map(|r| r.gateway.as_ref()) {
            self.one("echomesh_gateway_connected", "gauge", "1 while the connection to the gateway stands.", u8::from(gateway.connected));
            self.one("echomesh_gateway_streams", "gauge", "Buyers' connections through the gateway now.", gateway.streams);
            self.one("echomesh_gateway_losses_total", "counter", "Connections to the gateway that ended.", gateway.losses);
        }
    }

    fn sessions(&mut self, s: &Status) {
        self.one("echomesh_sessions", "gauge", "Sessions in the table.", s.sessions.len());
        self.one("echomesh_tunnels", "gauge", "Tunnels open now.", s.sessions.iter().map(|x| u64::from(x.tunnels)).sum::<u64>());
    }

    fn traffic(&mut self, s: &Status, c: &Counters) {
        self.one("echomesh_ingress_bytes_total", "counter", "Bytes relayed from destinations.", c.bytes_ingress);
        self.one("echomesh_egress_bytes_total", "counter", "Bytes relayed to destinations.", c.bytes_egress);
        self.one("echomesh_requests_total", "counter", "Tunnels whose outcome is known.", c.requests);
        self.one("echomesh_errors_total", "counter", "Tunnels that failed for a cause beyond policy.", c.errors);
        self.family("echomesh_refusals_total", "counter", "Refusals and endings by reason.");
        for reason in Reason::ALL {
            let count: u64 = c.reasons.iter().filter(|(r, _)| *r == reason).map(|(_, n)| n).sum();
            self.sample("echomesh_refusals_total", &[("reason", reason.id())], count);
        }
        self.maybe("echomesh_latency_p50_ms", "Median latency of the last 10 minutes.", s.qos.latency_ms_p50);
        self.maybe("echomesh_latency_p95_ms", "95th percentile of latency of the last 10 minutes.", s.qos.latency_ms_p95);
        self.one("echomesh_error_rate_percent", "gauge", "Share of requests of the last 10 minutes that failed.", s.qos.error_rate_pct);
        self.family("echomesh_probes_total", "counter", "Probes by result.");
        self.sample("echomesh_probes_total", &[("result", "passed")], c.probes_passed);
        self.sample("echomesh_probes_total", &[("result", "failed")], c.probes_failed);
        self.maybe("echomesh_probe_pass_rate_percent", "Share of the last 20 probes that passed.", s.qos.probe_pass_rate_pct);
        self.maybe("echomesh_geo_confidence", "How sure the node is of being where it is offered, 0 to 1.", s.qos.geo_confidence);
    }

    fn guard(&mut self, s: &Status, c: &Counters) {
        self.family("echomesh_categories_held_back", "gauge", "Categories held back because sites had enough of them, by step.");
        for step in ["slowed", "stopped"] {
            self.sample("echomesh_categories_held_back", &[("step", step)], s.reputation_guard.iter().filter(|h| h.step == step).count());
        }
        self.one("echomesh_reputation_strikes_total", "counter", "Times a category was held back, or held back more.", c.reputation_strikes);
        self.one("echomesh_geo_mismatch", "gauge", "1 while the node is seen outside its owner's regions.", u8::from(s.geo.mismatch.is_some()));
    }

    fn caps(&mut self, s: &Status) {
        self.one("echomesh_rate_limit_mbps", "gauge", "Rate in force, 10^6 bit/s.", s.caps.effective_mbps);
        self.one("echomesh_yielding", "gauge", "1 while the node gives way to the household.", u8::from(s.caps.yielding));
        self.family("echomesh_uplink_used_bytes", "gauge", "Bytes on the uplink in the running period.");
        self.sample("echomesh_uplink_used_bytes", &[("period", "day")], s.caps.used_today_bytes);
        self.sample("echomesh_uplink_used_bytes", &[("period", "month")], s.caps.used_month_bytes);
        self.family("echomesh_uplink_limit_bytes", "gauge", "Bytes the owner allows in the period; 0 = no limit.");
        self.sample("echomesh_uplink_limit_bytes", &[("period", "day")], u64::from(s.caps.max_gb_per_day) * 1_000_000_000);
        self.sample("echomesh_uplink_limit_bytes", &[("period", "month")], u64::from(s.caps.max_gb_per_month) * 1_000_000_000);
        self.maybe("echomesh_credits_today_micro", "Micro-credits of today, as the coordinator says.", s.earnings.as_ref().map(|e| e.credits_today));
        self.maybe("echomesh_reputation", "Reputation, 0 to 1, as the coordinator says.", s.reputation.as_ref().map(|r| r.score));
    }

    fn coordinator(&mut self, s: &Status, c: &Counters) {
        self.one("echomesh_coordinator_reachable", "gauge", "1 while the coordinator answers.", u8::from(s.coordinator.reachable));
        self.one("echomesh_coordinator_failures_total", "counter", "Calls to the coordinator that failed.", c.coordinator_failures);
        self.one("echomesh_coordinator_dropped_total", "counter", "What the coordinator sent and did not verify.", c.coordinator_dropped);
        self.family("echomesh_coordinator_faults_total", "counter", "What the coordinator sent and did not verify, by kind.");
        for (kind, count) in &c.coordinator_faults {
            self.sample("echomesh_coordinator_faults_total", &[("kind", kind)], count);
        }
        self.one("echomesh_bundles_spooled", "gauge", "Sealed bundles that wait for their ack.", s.coordinator.spooled_bundles);
        self.family("echomesh_bundles_total", "counter", "Bundles by what became of them.");
        self.sample("echomesh_bundles_total", &[("result", "acked")], c.bundles_acked);
        self.sample("echomesh_bundles_total", &[("result", "refused")], c.bundles_refused);
    }

    fn process(&mut self, s: &Status) {
        self.maybe("echomesh_resident_bytes", "Resident memory of the daemon.", s.memory.rss_bytes);
        self.one("echomesh_pool_bytes", "gauge", "Bytes in pipes, copy buffers and socket buffers.", s.memory.pool_bytes);
        self.one("echomesh_pool_budget_bytes", "gauge", "Limit of echomesh_pool_bytes.", s.memory.pool_budget_bytes);
        self.family("echomesh_offload", "gauge", "1 for what the machine brings to move bytes, 0 for what it does not.");
        for (part, has) in s.offload.known() {
            self.sample("echomesh_offload", &[("part", part)], u8::from(has));
        }
        self.one("echomesh_flash_writes_today", "gauge", "Durable writes today.", s.flash.writes_today);
        self.one("echomesh_flash_bytes_today", "gauge", "Bytes of durable writes today.", s.flash.bytes_today);
    }

    fn alerts(&mut self, s: &Status) {
        self.family("echomesh_alerts", "gauge", "Alerts that stand, by severity.");
        for (severity, name) in [(Severity::Info, "info"), (Severity::Warning, "warning"), (Severity::Critical, "critical")] {
            self.sample("echomesh_alerts", &[("severity", name)], s.alerts.iter().filter(|a| a.severity == severity).count());
        }
    }
}
