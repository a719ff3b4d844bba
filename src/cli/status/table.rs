//! The status as a page of text; pure.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use crate::cli::tree::{flag, joined, list, object, real, text, whole};
use crate::cli::{chart, sessions};

/// Columns of a series: five seconds each.
const SPARK: usize = 60;
/// Columns of a cap's bar.
const BAR: usize = 30;
const GB: u64 = 1_000_000_000;
/// Of the node's name, as logs show it.
const SHORT: usize = 8;

/// The page, at most 100 columns wide but for messages, of the answers of `GET /status` and `GET /series`.
pub fn render(s: &Value, series: &Value) -> String {
    let mut out = String::with_capacity(4096);
    head(&mut out, s);
    traffic(&mut out, s, series);
    caps(&mut out, s);
    coordinator(&mut out, s);
    out.push('\n');
    out.push_str(&sessions::table(list(s, "sessions")));
    alerts(&mut out, s);
    out
}

// Writing into a String does not fail: the results below say nothing.

fn head(out: &mut String, s: &Value) {
    let node = text(s, "nodeId");
    let node: String = node.strip_prefix("ed25519:").unwrap_or(node).chars().take(SHORT).collect();
    let _ = writeln!(out, "EchoMesh {}  {node}  up {}", text(s, "version"), chart::span(Duration::from_secs(whole(s, "uptimeSec"))));
    let mut line = format!("state    {}", text(s, "state"));
    if let Some(reason) = s["stateReason"].as_str() {
        let _ = write!(line, " ({reason})");
    }
    if let Some(paused) = object(s, "paused") {
        line.push_str(", paused");
        if let Some(until) = paused["until"].as_str() {
            let _ = write!(line, " until {until}");
        }
        if let Some(left) = paused["leftSec"].as_u64() {
            let _ = write!(line, " ({} left)", chart::span(Duration::from_secs(left)));
        }
    }
    if let Some(quarantine) = object(s, "quarantine") {
        let _ = write!(line, ", in quarantine: {}", text(quarantine, "reason"));
        if let Some(until) = quarantine["until"].as_str() {
            let _ = write!(line, ", until {until}");
        }
    }
    let _ = writeln!(out, "{line}");
    if let Some(hours) = object(s, "schedule") {
        let _ = writeln!(out, "windows  {}", window(hours));
    }
    for (name, role) in s["roles"].as_object().into_iter().flatten() {
        let error = role["error"].as_str().map_or_else(String::new, |e| format!("  last error: {e}"));
        let _ = writeln!(out, "{name:8} {} {}{error}", text(role, "state"), joined(role, "listen", " "));
    }
}

/// What the owner's windows say now, and what comes.
fn window(hours: &Value) -> String {
    let (opens, closes) = (hours["opensAt"].as_str(), hours["closesAt"].as_str());
    let or = |at: Option<&str>, text: &str| at.map_or_else(String::new, |at| format!("{text} {at}"));
    let (until, next) = (or(closes, " until"), or(opens, ", next"));
    let rate = hours["maxMbps"].as_f64().map_or_else(String::new, |mbps| format!(", at most {}", chart::bits((mbps * 1e6) as u64)));
    match (flag(hours, "open"), opens) {
        (true, _) => format!("open{until}{rate}{next}"),
        (false, Some(at)) => format!("closed, opens {at}"),
        (false, None) => "closed".to_owned(),
    }
}

fn traffic(out: &mut String, s: &Value, series: &Value) {
    let qos = &s["qos"];
    let or_dash = |name: &str| qos[name].as_u64().map_or_else(|| "–".to_owned(), |ms| format!("{ms} ms"));
    for (label, rate, bits) in [("in ", "bitsInPerSec", "bitsIn"), ("out", "bitsOutPerSec", "bitsOut")] {
        let seconds: Vec<u64> = list(series, bits).iter().filter_map(Value::as_u64).collect();
        let newline = if label == "out" { "" } else { "\n" };
        let _ = writeln!(out, "{newline}{label} {:>14} {}", chart::bits(whole(qos, rate)), chart::spark(&seconds, SPARK));
    }
    let probes = qos["probePassRatePct"].as_f64().map_or_else(|| "–".to_owned(), |pct| format!("{pct:.0} %"));
    let _ = writeln!(
        out,
        "latency  p50 {}  p95 {}   errors {:.1} %   probes {probes}",
        or_dash("latencyMsP50"),
        or_dash("latencyMsP95"),
        real(qos, "errorRatePct")
    );
    for held in list(s, "reputationGuard") {
        let sites: Vec<String> = list(held, "sites").iter().filter_map(Value::as_str).map(|h| h.chars().take(11).collect()).collect();
        let (category, step, until, reason) = (text(held, "category"), text(held, "step"), text(held, "until"), text(held, "reason"));
        let _ = writeln!(out, "held     {category} is {step} until {until}: {reason} ({})", sites.join(" "));
    }
}

fn caps(out: &mut String, s: &Value) {
    let (c, qos) = (&s["caps"], &s["qos"]);
    let yielding = if flag(c, "yielding") { "  giving way to the household" } else { "" };
    let used_now = whole(qos, "bitsInPerSec").saturating_add(whole(qos, "bitsOutPerSec"));
    let limit_now = (real(c, "effectiveMbps") * 1e6) as u64;
    let _ = writeln!(out, "rate     ▕{}▏ of {}{yielding}", chart::bar(used_now, limit_now, BAR), chart::bits(limit_now));
    for (name, used, gb) in [("today", "usedTodayBytes", "maxGBPerDay"), ("month", "usedMonthBytes", "maxGBPerMonth")] {
        let (used, limit) = (whole(c, used), whole(c, gb).saturating_mul(GB));
        let of = if limit == 0 { "no limit".to_owned() } else { format!("of {}", chart::bytes(limit)) };
        let _ = writeln!(out, "{name:8} ▕{}▏ {} {of}", chart::bar(used, limit, BAR), chart::bytes(used));
    }
    if let Some(e) = object(s, "earnings") {
        let tier = object(s, "reputation").map_or_else(String::new, |r| format!("   reputation {:.3} ({})", real(r, "score"), text(r, "tier")));
        let (today, forecast) = (whole(e, "creditsToday") as f64 / 1e6, whole(e, "bonusForecast") as f64 / 1e6);
        let _ = writeln!(out, "earnings {today:.6} credits today, {forecast:.6} more expected{tier}");
    }
}

fn coordinator(out: &mut String, s: &Value) {
    let c = &s["coordinator"];
    let mut line = if flag(c, "reachable") { "reachable".to_owned() } else { "away".to_owned() };
    if let Some(last) = c["lastContact"].as_str() {
        let _ = write!(line, ", last answer {last}");
    }
    if let Some(sec) = c["retryInSec"].as_u64() {
        let _ = write!(line, ", next try in {sec} s");
    }
    if whole(c, "spooledBundles") > 0 {
        let _ = write!(line, ", bundles waiting: {}", whole(c, "spooledBundles"));
    }
    let clock = if flag(s, "clockSynced") { "" } else { "   clock not synchronised" };
    let _ = writeln!(out, "coordinator {line}{clock}");
}

fn alerts(out: &mut String, s: &Value) {
    for alert in list(s, "alerts") {
        let mark = match text(alert, "severity") {
            "critical" => "!!",
            "warning" => "! ",
            _ => "i ",
        };
        let _ = writeln!(out, "\n{mark} {} (since {})\n   {}", text(alert, "message"), text(alert, "since"), text(alert, "remedy"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_says_what_matters() {
        let mut status = crate::control::contract::status();
        status.alerts.clear();
        let series = crate::control::contract::series();
        let page = render(&serde_json::to_value(&status).unwrap(), &serde_json::to_value(&series).unwrap());
        for part in [
            "state    running",
            "windows  open until 2025-12-19T22:00:00Z, at most 20.0 Mbit/s, next 2025-12-20T14:00:00Z",
            "in      4.2 Mbit/s ▇█",
            "today    ▕████████████████████████▎     ▏ 16.2 GB of 20.0 GB",
            "no limit",
            "reachable, last answer 2025-12-19T13:59:48Z, bundles waiting: 1",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }
}
