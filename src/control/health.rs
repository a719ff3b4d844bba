//! What the owner should look at, derived from plain numbers (contracts, "Alerts").

use std::time::Duration;

use super::status::{Alert, At, Severity};

/// Errors of service above this share are an alert, in per cent.
pub const ERROR_RATE_PCT: f64 = 1.5;
/// A p95 above this is an alert, in milliseconds (seed: regional target).
pub const LATENCY_P95_MS: u64 = 250;
/// A share of passed probes below this is an alert, in per cent.
pub const PROBE_PASS_PCT: f64 = 90.0;
/// Share of a volume cap at which the owner is told, in per cent.
pub const CAP_NEAR_PCT: u64 = 80;
/// A coordinator that is away longer than this is an alert.
pub const COORDINATOR_AWAY: Duration = Duration::from_secs(300);

/// A volume cap and what of it is used, in bytes; `limit` 0 = none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Volume {
    /// Bytes counted.
    pub used: u64,
    /// Bytes allowed.
    pub limit: u64,
}

/// What alerts are derived from.
#[derive(Clone, Debug, Default)]
pub struct Inputs<'a> {
    /// Node time, Unix seconds.
    pub now: u64,
    /// Errors of service, last 10 minutes, in per cent.
    pub error_rate_pct: f64,
    /// Milliseconds, last 10 minutes; none without a sample.
    pub latency_ms_p95: Option<u64>,
    /// None before the first probe.
    pub probe_pass_rate_pct: Option<f64>,
    /// Today's volume.
    pub day: Volume,
    /// This month's volume.
    pub month: Volume,
    /// How long the coordinator has not answered; none while it does, or where none is configured.
    pub coordinator_away: Option<Duration>,
    /// Something vouches for node time.
    pub clock_synced: bool,
    /// Another node runs with this identity, and the coordinator believes that one.
    pub duplicate_identity: bool,
    /// Why the node is in quarantine.
    pub quarantine: Option<&'a str>,
    /// What is wrong with what was stored or signed, one sentence each.
    pub integrity: &'a [String],
    /// The alerts before, for their `since`.
    pub before: &'a [Alert],
}

/// The alerts that stand, worst first, each with the time it first stood.
pub fn alerts(i: &Inputs<'_>) -> Vec<Alert> {
    let mut out = Vec::new();
    let mut add = |id: &str, severity, message: String, remedy: &str| {
        let since = i.before.iter().find(|a| a.id == id).map_or(At(i.now), |a| a.since);
        out.push(Alert { id: id.to_owned(), severity, message, remedy: remedy.to_owned(), since });
    };
    if !i.integrity.is_empty() {
        let remedy = "nothing is lost by waiting: export the logs, and tell the coordinator's operator what this says";
        add("integrity", Severity::Critical, i.integrity.join("; "), remedy);
    }
    if i.duplicate_identity {
        let message = "another node runs with this node's identity, and the coordinator serves the one that started later".to_owned();
        let remedy =
            "stop the other one and restart this one; or, to run both, move the file `identity` out of this one's state folder and restart it";
        add("duplicate-identity", Severity::Critical, message, remedy);
    }
    if let Some(reason) = i.quarantine {
        let message = format!("the node took itself out of service: {reason}");
        add("quarantine", Severity::Critical, message, "look at the logs; when the cause is gone: echomesh control clear-quarantine");
    }
    if let Some(away) = i.coordinator_away.filter(|away| *away > COORDINATOR_AWAY) {
        let message = format!("the coordinator has not answered for {} minutes", away.as_secs() / 60);
        add(
            "coordinator",
            Severity::Critical,
            message,
            "check the Internet connection, and coordinator.url and coordinator.key in the configuration",
        );
    }
    if !i.clock_synced {
        let message = "node time is not vouched for, so nothing is signed yet".to_owned();
        add("clock", Severity::Warning, message, "enable NTP on the router (System → Time synchronisation) and check that it reaches a server");
    }
    for (near, reached, name, option, volume) in [
        ("daily-cap-near", "daily-cap", "today", "network.max_gb_per_day", i.day),
        ("monthly-cap-near", "monthly-cap", "this month", "network.max_gb_per_month", i.month),
    ] {
        let Some(pct) = percent(volume) else { continue };
        if pct >= 100 {
            let message = format!("the volume for {name} is used up; new tunnels are refused");
            add(reached, Severity::Warning, message, &format!("wait for the next period, or raise {option}"));
        } else if pct >= CAP_NEAR_PCT {
            add(near, Severity::Info, format!("{pct} % of the volume for {name} is used"), &format!("nothing to do; {option} sets the limit"));
        }
    }
    if i.error_rate_pct > ERROR_RATE_PCT {
        let message = format!("{:.1} % of requests fail (more than {ERROR_RATE_PCT} %)", i.error_rate_pct);
        add("error-rate", Severity::Warning, message, "check the line and the DNS settings (security.doh_url)");
    }
    if let Some(p95) = i.latency_ms_p95.filter(|ms| *ms > LATENCY_P95_MS) {
        let message = format!("one request in twenty takes longer than {p95} ms (target {LATENCY_P95_MS} ms)");
        add("latency", Severity::Warning, message, "check whether the line is busy; a lower network.max_mbps or network.yield leaves more room");
    }
    if let Some(pass) = i.probe_pass_rate_pct.filter(|pct| *pct < PROBE_PASS_PCT) {
        let message = format!("{pass:.0} % of probes pass (fewer than {PROBE_PASS_PCT} %)");
        add("probes", Severity::Warning, message, "check the line; probe hosts must be listed in policy.probe_host");
    }
    out.sort_by_key(|a| std::cmp::Reverse(a.severity));
    out
}

/// Per cent of the limit, rounded down; none where there is no limit.
fn percent(volume: Volume) -> Option<u64> {
    let pct = u128::from(volume.used) * 100 / u128::from(std::num::NonZeroU64::new(volume.limit)?.get());
    Some(u64::try_from(pct).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calm() -> Inputs<'static> {
        Inputs { now: 1000, clock_synced: true, ..Inputs::default() }
    }

    fn ids(i: &Inputs<'_>) -> Vec<String> {
        alerts(i).into_iter().map(|a| a.id).collect()
    }

    #[test]
    fn thresholds_are_those_of_the_contracts() {
        assert_eq!(ids(&calm()), Vec::<String>::new());
        let edge = Inputs {
            error_rate_pct: 1.5,
            latency_ms_p95: Some(250),
            probe_pass_rate_pct: Some(90.0),
            day: Volume { used: 799, limit: 1000 },
            month: Volume { used: u64::MAX, limit: 0 },
            coordinator_away: Some(COORDINATOR_AWAY),
            ..calm()
        };
        assert_eq!(ids(&edge), Vec::<String>::new());
        let past = Inputs {
            error_rate_pct: 1.501,
            latency_ms_p95: Some(251),
            probe_pass_rate_pct: Some(89.9),
            day: Volume { used: 800, limit: 1000 },
            month: Volume { used: 1000, limit: 1000 },
            coordinator_away: Some(COORDINATOR_AWAY + Duration::from_secs(1)),
            clock_synced: false,
            duplicate_identity: true,
            quarantine: Some("too many policy breaches"),
            integrity: &["a bundle was refused".to_owned()],
            ..calm()
        };
        assert_eq!(
            ids(&past),
            [
                "integrity",
                "duplicate-identity",
                "quarantine",
                "coordinator",
                "clock",
                "monthly-cap",
                "error-rate",
                "latency",
                "probes",
                "daily-cap-near"
            ]
        );
    }

    #[test]
    fn an_alert_keeps_its_since_while_it_stands() {
        let first = alerts(&Inputs { clock_synced: false, ..calm() });
        assert_eq!(first[0].since, At(1000));
        let later = alerts(&Inputs { clock_synced: false, now: 2000, before: &first, error_rate_pct: 50.0, ..calm() });
        let since: Vec<_> = later.iter().map(|a| (a.id.as_str(), a.since.0)).collect();
        assert_eq!(since, [("clock", 1000), ("error-rate", 2000)]);
    }
}
