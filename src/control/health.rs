//! What the owner should look at, derived from plain numbers (contracts, "Alerts").
//!
//! A figure near its threshold must not raise and clear an alert every minute. So a figure needs enough samples to count,
//! an alert that stands is let go only below a second, lower threshold, and only after it was calm for [`CALM`]
//! (docs/reference/alerts.md). What is a plain fact (a cap, the clock, a quarantine) comes and goes at once.

use std::time::Duration;

use super::status::{Alert, At, HeldBack, Quarantine, Severity};
use crate::core::Mono;

/// Errors of service above this share are an alert, in per cent; up to [`ERROR_RATE_CALM_PCT`] is calm.
pub const ERROR_RATE_PCT: f64 = 1.5;
/// At or below this share errors are calm again.
pub const ERROR_RATE_CALM_PCT: f64 = 1.0;
/// Fewer requests than this in 10 minutes say nothing about the share of errors.
pub const FEWEST_REQUESTS: u64 = 50;
/// Nor do fewer errors than this.
pub const FEWEST_ERRORS: u64 = 3;
/// A p95 above this is an alert, in milliseconds (seed: regional target); up to [`LATENCY_CALM_MS`] is calm.
pub const LATENCY_P95_MS: u64 = 250;
/// At or below this a p95 is calm again.
pub const LATENCY_CALM_MS: u64 = 225;
/// One in twenty is nobody with fewer samples than this.
pub const FEWEST_LATENCIES: u64 = 20;
/// A share of passed probes below this is an alert, in per cent; from [`PROBE_CALM_PCT`] on is calm.
pub const PROBE_PASS_PCT: f64 = 90.0;
/// From this share on probes are calm again.
pub const PROBE_CALM_PCT: f64 = 95.0;
/// Fewer probes than this say nothing.
pub const FEWEST_PROBES: u32 = 5;
/// Share of a volume cap at which the owner is told, in per cent.
pub const CAP_NEAR_PCT: u64 = 80;
/// A coordinator that is away longer than this is an alert; so is a gateway.
pub const COORDINATOR_AWAY: Duration = Duration::from_secs(300);
/// An alert about a figure or about the coordinator is over once all was calm for this long.
pub const CALM: Duration = Duration::from_secs(60);
/// A figure of the last 10 minutes changes by time alone: while its alert stands, it is looked at this often.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

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
    /// Monotonic now.
    pub mono: Mono,
    /// Errors of service, last 10 minutes, in per cent.
    pub error_rate_pct: f64,
    /// Requests behind it.
    pub requests: u64,
    /// Milliseconds, last 10 minutes; none without a sample.
    pub latency_ms_p95: Option<u64>,
    /// Samples behind it.
    pub latencies: u64,
    /// Share of the last probes that passed, in per cent; none before the first.
    pub probe_pass_rate_pct: Option<f64>,
    /// Probes behind it.
    pub probes: u32,
    /// Today's volume.
    pub day: Volume,
    /// This month's volume.
    pub month: Volume,
    /// Seconds until today's count starts anew.
    pub day_ends_in: u64,
    /// How long the coordinator has not answered; none while it does, or where none is configured.
    pub coordinator_away: Option<Duration>,
    /// How long there was no connection to the gateway; none while there is, or where buyers come directly.
    pub gateway_away: Option<Duration>,
    /// The last try's fault, where there was one.
    pub gateway_error: Option<&'a str>,
    /// Devices that the owner named as uplinks and that are not there, where none of those named is.
    pub no_uplink: Option<&'a str>,
    /// Something vouches for node time.
    pub clock_synced: bool,
    /// Another node runs with this identity, and the coordinator believes that one.
    pub duplicate_identity: bool,
    /// The node is in quarantine.
    pub quarantine: Option<&'a Quarantine>,
    /// What speaks against the owner's regions.
    pub geo_mismatch: Option<&'a str>,
    /// Categories held back.
    pub held_back: &'a [HeldBack],
    /// What of the coordinator was not believed lately.
    pub distrust: Option<&'a str>,
    /// What is wrong with what was stored or signed, one sentence each.
    pub integrity: &'a [String],
    /// Why the last update failed.
    pub update_failed: Option<&'a str>,
    /// A newer version there is.
    pub update_available: Option<&'a str>,
}

/// How one rule stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    /// The alert stands.
    On,
    /// It stands if it stood before.
    Between,
    /// It is over once this has lasted for [`CALM`].
    Calm,
    /// It is over.
    Off,
}

struct Judged {
    id: &'static str,
    severity: Severity,
    verdict: Verdict,
    message: String,
    remedy: String,
}

#[derive(Clone, Debug)]
struct Standing {
    alert: Alert,
    calm_since: Option<Mono>,
    /// It follows a figure that time alone changes.
    figure: bool,
}

/// What one look changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changed {
    /// Alerts that stand from now on.
    pub raised: Vec<Alert>,
    /// Ids of those that no longer do.
    pub cleared: Vec<String>,
}

/// The alerts over time: at most one of each kind, a dozen in all.
#[derive(Clone, Debug, Default)]
pub struct Watch(Vec<Standing>);

impl Watch {
    /// Judges anew.
    pub fn look(&mut self, i: &Inputs<'_>) -> Changed {
        let mut changed = Changed::default();
        let mut next = Vec::new();
        for judged in judge(i) {
            let before = self.0.iter().find(|s| s.alert.id == judged.id);
            let calm_since = (judged.verdict == Verdict::Calm).then(|| before.and_then(|s| s.calm_since).unwrap_or(i.mono));
            let stands = match judged.verdict {
                Verdict::On => true,
                Verdict::Between => before.is_some(),
                Verdict::Calm => before.is_some() && calm_since.is_some_and(|since| i.mono.since(since) < CALM),
                Verdict::Off => false,
            };
            if !stands {
                continue;
            }
            let Judged { id, severity, message, remedy, verdict } = judged;
            // While it calms down there is nothing new to say of it.
            let message = before.filter(|_| verdict == Verdict::Calm).map_or(message, |s| s.alert.message.clone());
            let since = before.map_or(At(i.now), |s| s.alert.since);
            let alert = Alert { id: id.to_owned(), severity, message, remedy, since };
            if before.is_none() {
                changed.raised.push(alert.clone());
            }
            next.push(Standing { alert, calm_since, figure: matches!(id, "error-rate" | "latency" | "coordinator-distrust") });
        }
        next.sort_by_key(|s| std::cmp::Reverse(s.alert.severity));
        let over = self.0.iter().filter(|s| !next.iter().any(|n| n.alert.id == s.alert.id));
        changed.cleared = over.map(|s| s.alert.id.clone()).collect();
        self.0 = next;
        changed
    }

    /// The alerts that stand, worst first, each with the time it first stood.
    pub fn alerts(&self) -> Vec<Alert> {
        self.0.iter().map(|s| s.alert.clone()).collect()
    }

    /// When to look again though nothing happens; none while time alone changes nothing.
    pub fn next_look(&self, i: &Inputs<'_>) -> Option<Mono> {
        let away = [i.coordinator_away, i.gateway_away].into_iter().flatten().filter(|away| *away <= COORDINATOR_AWAY);
        let away = away.map(|away| i.mono.plus(COORDINATOR_AWAY.saturating_sub(away)).plus(Duration::from_millis(1)));
        let standing = self.0.iter().filter_map(|s| match (s.calm_since, s.figure) {
            (Some(since), _) => Some(since.plus(CALM)),
            (None, true) => Some(i.mono.plus(LOOK_AGAIN)),
            (None, false) if s.alert.id.contains("-cap") => Some(i.mono.plus(Duration::from_secs(i.day_ends_in.max(1)))),
            (None, false) => None,
        });
        standing.chain(away).min()
    }
}

fn judge(i: &Inputs<'_>) -> Vec<Judged> {
    let mut out = Vec::new();
    let mut add =
        |id, severity, verdict, message: String, remedy: &str| out.push(Judged { id, severity, verdict, message, remedy: remedy.to_owned() });
    let fact = |stands: bool| if stands { Verdict::On } else { Verdict::Off };

    let remedy = "nothing is lost by waiting: export the logs, and tell the coordinator's operator what this says";
    add("integrity", Severity::Critical, fact(!i.integrity.is_empty()), i.integrity.join("; "), remedy);

    let message = "another node runs with this node's identity, and the coordinator serves the one that started later";
    let remedy = "stop the other one and restart this one (a router with a restored backup or a copied state folder is the same node as the one before); or, to run both, move the file `identity` out of this one's state folder and restart it";
    add("duplicate-identity", Severity::Critical, fact(i.duplicate_identity), message.into(), remedy);

    let (reason, remedy) = i.quarantine.map(|q| (q.reason.as_str(), q.remedy.as_str())).unwrap_or_default();
    let message = format!("the node took itself out of service: {reason}");
    add("quarantine", Severity::Critical, fact(i.quarantine.is_some()), message, remedy);

    let message = format!("{}; sessions are refused", i.geo_mismatch.unwrap_or_default());
    let remedy =
        "if the router stands there, set node.region_allow; if not, ask the coordinator's operator: when it lasts, the node goes into quarantine";
    add("geo", Severity::Warning, fact(i.geo_mismatch.is_some()), message, remedy);

    let each = i.held_back.iter().map(|h| format!("category {} is {}: {}", h.category, h.step, h.reason)).collect::<Vec<_>>();
    let remedy = "nothing to do: it comes back step by step; if it happens often, opt out of the category (policy.opt_out) or block the sites";
    add("reputation-guard", Severity::Warning, fact(!i.held_back.is_empty()), each.join("; "), remedy);

    let remedy = "check coordinator.url and coordinator.key; if they are right, tell the coordinator's operator what this says";
    add("coordinator-distrust", Severity::Warning, fact(i.distrust.is_some()), i.distrust.unwrap_or_default().to_owned(), remedy);

    let silent = |away: Option<Duration>| match away {
        None => Verdict::Calm,
        Some(away) if away > COORDINATOR_AWAY => Verdict::On,
        Some(_) => Verdict::Between,
    };
    let minutes = |away: Option<Duration>| away.unwrap_or_default().as_secs() / 60;
    let verdict = silent(i.coordinator_away);
    let message = format!("the coordinator has not answered for {} minutes", minutes(i.coordinator_away));
    let remedy = "check the Internet connection, and coordinator.url and coordinator.key in the configuration; sessions go on until their lease ends";
    add("coordinator", Severity::Critical, verdict, message, remedy);

    // Where the coordinator is away as well, the line is: one alert says so.
    let verdict = match silent(i.gateway_away) {
        Verdict::On if i.coordinator_away.is_some() => Verdict::Between,
        verdict => verdict,
    };
    let why = i.gateway_error.map(|e| format!(": {e}")).unwrap_or_default();
    let message = format!("the gateway has not been reached for {} minutes, so no buyer gets here{why}", minutes(i.gateway_away));
    let remedy = "it is tried again by itself; if it lasts, ask the coordinator's operator, or, where buyers can connect to this router, set proxy.reach direct";
    add("gateway", Severity::Critical, verdict, message, remedy);

    let message = format!("network.uplink names {}, and there is no such device: nothing can be dialled", i.no_uplink.unwrap_or_default());
    let remedy = "name the device that leads to the Internet now (`ip route show default`), or none: then those with a default route count";
    add("uplink", Severity::Critical, fact(i.no_uplink.is_some()), message, remedy);

    let message = "node time is not vouched for, so nothing is signed yet".to_owned();
    let remedy = "enable NTP on the router (System → Time synchronisation) and check that it reaches a server";
    add("clock", Severity::Warning, fact(!i.clock_synced), message, remedy);

    for (near, reached, name, option, volume) in [
        ("daily-cap-near", "daily-cap", "today", "network.max_gb_per_day", i.day),
        ("monthly-cap-near", "monthly-cap", "this month", "network.max_gb_per_month", i.month),
    ] {
        let pct = percent(volume).unwrap_or(0);
        let message = format!("the volume for {name} is used up; new tunnels are refused");
        add(reached, Severity::Warning, fact(pct >= 100), message, &format!("wait for the next period, or raise {option}"));
        let message = format!("{pct} % of the volume for {name} is used");
        add(near, Severity::Info, fact((CAP_NEAR_PCT..100).contains(&pct)), message, &format!("nothing to do; {option} sets the limit"));
    }

    let remedy = "nothing has to be done: the version before runs; `echomesh update check` says what there is now";
    add("update-failed", Severity::Warning, fact(i.update_failed.is_some()), i.update_failed.unwrap_or_default().to_owned(), remedy);
    let message = format!("version {} is available", i.update_available.unwrap_or_default());
    let remedy = "install the new package by opkg or apk, or run `echomesh update apply`; update.auto_update does it by itself";
    add("update-available", Severity::Info, fact(i.update_available.is_some()), message, remedy);

    let errors = i.error_rate_pct * i.requests as f64 / 100.0;
    let verdict = match i.error_rate_pct {
        _ if i.requests < FEWEST_REQUESTS || errors < FEWEST_ERRORS as f64 - 0.5 => Verdict::Calm,
        pct if pct > ERROR_RATE_PCT => Verdict::On,
        pct if pct > ERROR_RATE_CALM_PCT => Verdict::Between,
        _ => Verdict::Calm,
    };
    let message = format!("{:.1} % of {} requests in 10 minutes failed (target: at most {ERROR_RATE_PCT} %)", i.error_rate_pct, i.requests);
    add("error-rate", Severity::Warning, verdict, message, "check the line and the DNS settings (security.doh_url)");

    let p95 = i.latency_ms_p95.unwrap_or(0);
    let verdict = match p95 {
        _ if i.latencies < FEWEST_LATENCIES => Verdict::Calm,
        ms if ms > LATENCY_P95_MS => Verdict::On,
        ms if ms > LATENCY_CALM_MS => Verdict::Between,
        _ => Verdict::Calm,
    };
    let message = format!("one request in twenty takes longer than {p95} ms (target {LATENCY_P95_MS} ms)");
    let remedy = "check whether the line is busy; a lower network.max_mbps or network.yield leaves more room";
    add("latency", Severity::Warning, verdict, message, remedy);

    let pass = i.probe_pass_rate_pct.unwrap_or(100.0);
    let verdict = match pass {
        _ if i.probes < FEWEST_PROBES => Verdict::Calm,
        pct if pct < PROBE_PASS_PCT => Verdict::On,
        pct if pct < PROBE_CALM_PCT => Verdict::Between,
        _ => Verdict::Calm,
    };
    let message = format!("{pass:.0} % of the last {} probes passed (target: at least {PROBE_PASS_PCT} %)", i.probes);
    add("probes", Severity::Warning, verdict, message, "check the line; probe hosts must be listed in policy.probe_host");
    out
}

/// Per cent of the limit, rounded down; none where there is no limit.
fn percent(volume: Volume) -> Option<u64> {
    let pct = u128::from(volume.used) * 100 / u128::from(std::num::NonZeroU64::new(volume.limit)?.get());
    Some(u64::try_from(pct).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn calm() -> Inputs<'static> {
        Inputs { now: 1000, clock_synced: true, requests: 1000, latencies: 1000, probes: 20, ..Inputs::default() }
    }

    fn ids(i: &Inputs<'_>) -> Vec<String> {
        let mut watch = Watch::default();
        let raised = watch.look(i).raised;
        assert_eq!(raised.len(), watch.alerts().len());
        watch.alerts().into_iter().map(|a| a.id).collect()
    }

    fn past() -> Inputs<'static> {
        Inputs { error_rate_pct: 1.501, latency_ms_p95: Some(251), probe_pass_rate_pct: Some(85.0), ..calm() }
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
            gateway_away: Some(COORDINATOR_AWAY),
            ..calm()
        };
        assert_eq!(ids(&edge), Vec::<String>::new());
        let integrity = ["a bundle was refused".to_owned()];
        let quarantine =
            Quarantine { reason: "a breach".into(), remedy: "clear it with `control clear-quarantine`".into(), since: At(1), until: None };
        let held_back = [HeldBack { category: "qa".into(), step: "slowed".into(), reason: "resets".into(), until: At(9), sites: Vec::new() }];
        let past = Inputs {
            day: Volume { used: 800, limit: 1000 },
            month: Volume { used: 1000, limit: 1000 },
            coordinator_away: Some(COORDINATOR_AWAY + Duration::from_secs(1)),
            clock_synced: false,
            duplicate_identity: true,
            quarantine: Some(&quarantine),
            geo_mismatch: Some("seen elsewhere"),
            held_back: &held_back,
            distrust: Some("a bad signature"),
            no_uplink: Some("wan"),
            integrity: &integrity,
            ..past()
        };
        assert_eq!(
            ids(&past),
            [
                "integrity",
                "duplicate-identity",
                "quarantine",
                "coordinator",
                "uplink",
                "geo",
                "reputation-guard",
                "coordinator-distrust",
                "clock",
                "monthly-cap",
                "error-rate",
                "latency",
                "probes",
                "daily-cap-near"
            ]
        );
        let mut watch = Watch::default();
        watch.look(&past);
        for alert in watch.alerts() {
            assert!(!alert.message.is_empty() && alert.remedy.len() > 20, "{alert:?} says what to do");
        }
    }

    #[test]
    fn few_samples_raise_nothing() {
        let few = Inputs { requests: FEWEST_REQUESTS - 1, latencies: FEWEST_LATENCIES - 1, probes: FEWEST_PROBES - 1, ..past() };
        assert_eq!(ids(&Inputs { error_rate_pct: 100.0, latency_ms_p95: Some(9999), probe_pass_rate_pct: Some(0.0), ..few }), [""; 0]);
        assert_eq!(ids(&Inputs { requests: 100, error_rate_pct: 2.0, ..calm() }), [""; 0], "two errors are chance");
        assert_eq!(ids(&Inputs { requests: 100, error_rate_pct: 3.0, ..calm() }), ["error-rate"]);
    }

    #[test]
    fn an_alert_keeps_its_since_while_it_stands() {
        let mut watch = Watch::default();
        watch.look(&Inputs { clock_synced: false, ..calm() });
        watch.look(&Inputs { clock_synced: false, now: 2000, error_rate_pct: 50.0, ..calm() });
        let since: Vec<_> = watch.alerts().iter().map(|a| (a.id.clone(), a.since.0)).collect();
        assert_eq!(since, [("clock".to_owned(), 1000), ("error-rate".to_owned(), 2000)]);
        let changed = watch.look(&Inputs { now: 3000, error_rate_pct: 50.0, ..calm() });
        assert_eq!((changed.raised.len(), changed.cleared), (0, vec!["clock".to_owned()]), "a fact is over at once");
    }

    #[test]
    fn a_figure_is_over_after_a_calm_minute_below_the_lower_threshold() {
        let at = |sec: u64, error_rate_pct| Inputs { mono: Mono(sec * 1000), error_rate_pct, ..calm() };
        let mut watch = Watch::default();
        assert_eq!(watch.look(&at(0, 1.6)).raised.len(), 1);
        assert_eq!(watch.next_look(&at(0, 1.6)), Some(Mono(60_000)));
        // Between the thresholds it stands for as long as that lasts.
        assert_eq!(watch.look(&at(3600, 1.2)), Changed::default());
        // Calm, but not for long enough; then not calm: the minute begins anew.
        assert_eq!(watch.look(&at(3700, 0.9)), Changed::default());
        assert_eq!(watch.next_look(&at(3700, 0.9)), Some(Mono(3_760_000)));
        assert_eq!(watch.look(&at(3759, 0.9)), Changed::default());
        assert_eq!(watch.look(&at(3759, 1.1)), Changed::default());
        assert_eq!(watch.look(&at(3800, 0.0)), Changed::default());
        assert_eq!(watch.look(&at(3860, 0.0)).cleared, ["error-rate"]);
        assert_eq!(watch.next_look(&at(3860, 0.0)), None, "nothing stands: nobody wakes");
    }

    #[test]
    fn the_coordinator_s_five_minutes_end_without_anything_happening() {
        let at = |sec: u64, away: Option<u64>| Inputs { mono: Mono(sec * 1000), coordinator_away: away.map(Duration::from_secs), ..calm() };
        let mut watch = Watch::default();
        watch.look(&at(100, Some(10)));
        assert_eq!(watch.next_look(&at(100, Some(10))), Some(Mono(390_001)));
        watch.look(&Inputs { mono: Mono(390_001), coordinator_away: Some(Duration::from_millis(300_001)), ..calm() });
        assert_eq!(watch.alerts().len(), 1);
        // One answer between two silences is not its return.
        watch.look(&at(400, None));
        assert_eq!(watch.look(&at(420, Some(1))), Changed::default());
        watch.look(&at(430, None));
        assert_eq!(watch.look(&at(491, None)).cleared, ["coordinator"]);
    }

    #[test]
    fn a_gateway_that_stays_lost_is_told_unless_the_whole_line_is() {
        let at = |sec: u64, gateway: u64, coordinator: Option<u64>| Inputs {
            mono: Mono(sec * 1000),
            gateway_away: Some(Duration::from_secs(gateway)),
            gateway_error: Some("no route to host"),
            coordinator_away: coordinator.map(Duration::from_secs),
            ..calm()
        };
        let mut watch = Watch::default();
        watch.look(&at(0, 0, None));
        assert_eq!(watch.next_look(&at(0, 0, None)), Some(Mono(300_001)));
        assert_eq!(watch.look(&at(301, 301, Some(2))), Changed::default(), "the coordinator does not answer either");
        let raised = watch.look(&at(310, 310, None)).raised;
        assert!(raised.len() == 1 && raised[0].id == "gateway" && raised[0].message.contains("5 minutes") && raised[0].message.contains("no route"));
        assert_eq!(watch.look(&at(320, 320, Some(1))), Changed::default(), "what stands goes on");
        watch.look(&Inputs { mono: Mono(330_000), ..calm() });
        assert_eq!(watch.look(&Inputs { mono: Mono(391_000), ..calm() }).cleared, ["gateway"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// Whatever the figures do, an alert about one lasts a minute at least, and events alternate.
        #[test]
        fn no_figure_flaps(rates in prop::collection::vec((0u64..40_000, 0u32..4), 1..200)) {
            let (mut watch, mut mono) = (Watch::default(), 0);
            let (mut raised_at, mut stands) = (0, false);
            for (step, rate) in rates {
                mono += step;
                let i = Inputs { mono: Mono(mono), error_rate_pct: f64::from(rate), ..calm() };
                let changed = watch.look(&i);
                if !changed.raised.is_empty() {
                    prop_assert!(!stands);
                    (stands, raised_at) = (true, mono);
                }
                if !changed.cleared.is_empty() {
                    prop_assert!(stands && mono - raised_at >= 60_000);
                    stands = false;
                }
                prop_assert_eq!(watch.alerts().len(), usize::from(stands));
            }
        }
    }
}
