//! The status as a page of text; pure.

use std::fmt::Write as _;
use std::time::Duration;

use crate::cli::{chart, sessions};
use crate::codec::time::rfc3339;
use crate::control::series::Series;
use crate::control::status::{At, Schedule, Severity, Status};

/// Columns of a series: five seconds each.
const SPARK: usize = 60;
/// Columns of a cap's bar.
const BAR: usize = 30;
const GB: u64 = 1_000_000_000;

/// The page, at most 100 columns wide but for messages.
pub fn render(s: &Status, series: &Series) -> String {
    let mut out = String::with_capacity(4096);
    head(&mut out, s);
    traffic(&mut out, s, series);
    caps(&mut out, s);
    coordinator(&mut out, s);
    out.push('\n');
    out.push_str(&sessions::table(&s.sessions));
    alerts(&mut out, s);
    out
}

// Writing into a String does not fail: the results below say nothing.

fn head(out: &mut String, s: &Status) {
    let _ = writeln!(out, "EchoMesh {}  {}  up {}", s.version, s.node_id.short(), chart::span(Duration::from_secs(s.uptime_sec)));
    let mut line = format!("state    {}", s.state.name());
    if let Some(reason) = &s.state_reason {
        let _ = write!(line, " ({reason})");
    }
    if let Some(paused) = &s.paused {
        line.push_str(", paused");
        if let Some(until) = paused.until {
            let _ = write!(line, " until {}", rfc3339(until.0));
        }
        if let Some(left) = paused.left_sec {
            let _ = write!(line, " ({} left)", chart::span(Duration::from_secs(left.into())));
        }
    }
    if let Some(quarantine) = &s.quarantine {
        let _ = write!(line, ", in quarantine: {}", quarantine.reason);
        if let Some(until) = quarantine.until {
            let _ = write!(line, ", until {}", rfc3339(until.0));
        }
    }
    let _ = writeln!(out, "{line}");
    if let Some(hours) = &s.schedule {
        let _ = writeln!(out, "windows  {}", window(hours));
    }
    for (name, role) in &s.roles {
        let error = role.error.as_ref().map_or_else(String::new, |e| format!("  last error: {e}"));
        let _ = writeln!(out, "{name:8} {} {}{error}", role.state, role.listen.join(" "));
    }
}

/// What the owner's windows say now, and what comes.
fn window(hours: &Schedule) -> String {
    let or = |at: Option<At>, text: &str| at.map_or_else(String::new, |at| format!("{text} {}", rfc3339(at.0)));
    let (until, next) = (or(hours.closes_at, " until"), or(hours.opens_at, ", next"));
    let rate = hours.max_mbps.map_or_else(String::new, |mbps| format!(", at most {}", chart::bits((mbps * 1e6) as u64)));
    match (hours.open, hours.opens_at) {
        (true, _) => format!("open{until}{rate}{next}"),
        (false, Some(at)) => format!("closed, opens {}", rfc3339(at.0)),
        (false, None) => "closed".to_owned(),
    }
}

fn traffic(out: &mut String, s: &Status, series: &Series) {
    let or_dash = |ms: Option<u64>| ms.map_or_else(|| "–".to_owned(), |ms| format!("{ms} ms"));
    let _ = writeln!(out, "\nin  {:>14} {}", chart::bits(s.qos.bits_in_per_sec), chart::spark(&series.bits_in, SPARK));
    let _ = writeln!(out, "out {:>14} {}", chart::bits(s.qos.bits_out_per_sec), chart::spark(&series.bits_out, SPARK));
    let probes = s.qos.probe_pass_rate_pct.map_or_else(|| "–".to_owned(), |pct| format!("{pct:.0} %"));
    let _ = writeln!(
        out,
        "latency  p50 {}  p95 {}   errors {:.1} %   probes {probes}",
        or_dash(s.qos.latency_ms_p50),
        or_dash(s.qos.latency_ms_p95),
        s.qos.error_rate_pct
    );
    for held in &s.reputation_guard {
        let sites = held.sites.iter().map(|h| h.to_string().chars().take(11).collect::<String>()).collect::<Vec<_>>().join(" ");
        let _ = writeln!(out, "held     {} is {} until {}: {} ({sites})", held.category, held.step, rfc3339(held.until.0), held.reason);
    }
}

fn caps(out: &mut String, s: &Status) {
    let c = &s.caps;
    let yielding = if c.yielding { "  giving way to the household" } else { "" };
    let used_now = s.qos.bits_in_per_sec.saturating_add(s.qos.bits_out_per_sec);
    let limit_now = (c.effective_mbps * 1e6) as u64;
    let _ = writeln!(out, "rate     ▕{}▏ of {}{yielding}", chart::bar(used_now, limit_now, BAR), chart::bits(limit_now));
    for (name, used, gb) in [("today", c.used_today_bytes, c.max_gb_per_day), ("month", c.used_month_bytes, c.max_gb_per_month)] {
        let limit = u64::from(gb).saturating_mul(GB);
        let of = if limit == 0 { "no limit".to_owned() } else { format!("of {}", chart::bytes(limit)) };
        let _ = writeln!(out, "{name:8} ▕{}▏ {} {of}", chart::bar(used, limit, BAR), chart::bytes(used));
    }
    if let Some(e) = &s.earnings {
        let tier = s.reputation.as_ref().map_or_else(String::new, |r| format!("   reputation {:.3} ({})", r.score, r.tier));
        let (today, forecast) = (e.credits_today as f64 / 1e6, e.bonus_forecast as f64 / 1e6);
        let _ = writeln!(out, "earnings {today:.6} credits today, {forecast:.6} more expected{tier}");
    }
}

fn coordinator(out: &mut String, s: &Status) {
    let c = &s.coordinator;
    let mut line = if c.reachable { "reachable".to_owned() } else { "away".to_owned() };
    if let Some(last) = c.last_contact {
        let _ = write!(line, ", last answer {}", rfc3339(last.0));
    }
    if let Some(sec) = c.retry_in_sec {
        let _ = write!(line, ", next try in {sec} s");
    }
    if c.spooled_bundles > 0 {
        let _ = write!(line, ", bundles waiting: {}", c.spooled_bundles);
    }
    let clock = if s.clock_synced { "" } else { "   clock not synchronised" };
    let _ = writeln!(out, "coordinator {line}{clock}");
}

fn alerts(out: &mut String, s: &Status) {
    for alert in &s.alerts {
        let mark = match alert.severity {
            Severity::Critical => "!!",
            Severity::Warning => "! ",
            Severity::Info => "i ",
        };
        let _ = writeln!(out, "\n{mark} {} (since {})\n   {}", alert.message, rfc3339(alert.since.0), alert.remedy);
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
        let page = render(&status, &series);
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
