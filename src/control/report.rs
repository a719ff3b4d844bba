//! `GET /report`: what helps to find out what is wrong, with nothing in it that names a person, a machine or a destination.
//!
//! Three sieves: of the settings only switches, numbers and choices are shown, of texts only whether they are set; every text
//! that is left passes [`scrub`]; and of the log only what is not meant for debugging, where hosts may stand in clear.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::metrics::Counters;
use super::status::{At, Status};
use crate::codec::json;
use crate::codec::time::rfc3339;
use crate::config::form::Form;
use crate::config::table::{self, ROWS};
use crate::config::{Finding, Settings};
use crate::core::logging::Line;
use crate::core::scrub::scrub;
use crate::platform::offload::{self, Members};
use crate::platform::{abilities, facts};

/// Lines of the log in a report: the last ones, at most 400 bytes each.
pub const LINES: usize = 100;

/// The report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Version of the package.
    pub version: String,
    /// When it was made.
    pub made_at: At,
    /// What the program runs on.
    pub system: System,
    /// `section.option` of what is not as the defaults are; of texts only whether they are set.
    pub settings: BTreeMap<String, String>,
    /// What is wrong or odd about the settings file.
    pub findings: Vec<String>,
    /// The status object, scrubbed; null where no daemon runs.
    pub status: Option<Value>,
    /// Refusals and endings since the start by the id of their reason.
    pub reasons: BTreeMap<String, u64>,
    /// The daemon's last lines, scrubbed.
    pub log: Vec<String>,
}

/// Facts of the machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct System {
    /// Processor architecture the program was built for.
    pub arch: String,
    /// Release of the kernel.
    pub kernel: Option<String>,
    /// Model as the device tree names it.
    pub model: Option<String>,
    /// Processors.
    pub cpus: Option<usize>,
    /// All RAM.
    pub ram_bytes: Option<u64>,
    /// RAM that could be had.
    pub available_bytes: Option<u64>,
    /// What the kernel could confine a process by.
    pub sandbox: BTreeMap<String, String>,
    /// What it brings to move bytes.
    #[serde(default)]
    pub offload: Members,
}

impl System {
    /// This machine.
    pub fn here() -> System {
        System {
            arch: std::env::consts::ARCH.into(),
            kernel: facts::kernel_release(),
            model: facts::model(),
            cpus: facts::cpus(),
            ram_bytes: facts::ram_bytes(),
            available_bytes: facts::available_bytes(),
            sandbox: abilities::sandbox(),
            offload: offload::here(&[]).members(),
        }
    }
}

impl Report {
    /// A report at `unix` seconds, scrubbed.
    pub fn new(unix: u64, system: System, settings: &Settings, findings: &[Finding]) -> Report {
        Report {
            version: env!("CARGO_PKG_VERSION").into(),
            made_at: At(unix),
            system,
            settings: summary(settings),
            findings: findings.iter().map(of_finding).collect(),
            status: None,
            reasons: BTreeMap::new(),
            log: Vec::new(),
        }
    }

    /// What a daemon that runs adds.
    pub fn with_daemon(mut self, status: &Status, counters: &Counters, lines: &[Line]) -> Report {
        self.status = json::parse(&json::text(status)).ok().map(clean);
        self.reasons = counters.reasons.iter().filter(|(_, n)| *n > 0).map(|(reason, n)| (reason.id().to_owned(), *n)).collect();
        let told = lines.iter().filter(|line| line.level <= log::Level::Info);
        let told: Vec<String> = told.map(|l| format!("{} {:5} {}: {}", rfc3339(l.unix), l.level, l.target, scrubbed(&l.text))).collect();
        self.log = told.into_iter().rev().take(LINES).rev().collect();
        self
    }

    /// As text that can be pasted into an issue.
    pub fn text(&self) -> String {
        let mut out = format!("EchoMesh {} report, {}\n", self.version, rfc3339(self.made_at.0));
        out.push_str("Hosts, addresses, keys and identifiers are taken out; look it over all the same before you publish it.\n");
        // Writing into a String does not fail.
        let mut part = |name: &str, lines: Vec<String>| {
            let _ = writeln!(out, "\n== {name}");
            for line in if lines.is_empty() { vec!["(none)".to_owned()] } else { lines } {
                let _ = writeln!(out, "{line}");
            }
        };
        let tree = |value: &Value| {
            let mut lines = Vec::new();
            flat(value, "", &mut lines);
            lines
        };
        part("system", tree(&json::parse(&json::text(&self.system)).unwrap_or_default()));
        part("settings that are not the defaults", self.settings.iter().map(|(name, value)| format!("{name} = {value}")).collect());
        part("findings in the settings file", self.findings.clone());
        part("status", self.status.as_ref().map_or_else(|| vec!["no daemon is running".to_owned()], tree));
        part("refusals and endings", self.reasons.iter().map(|(reason, n)| format!("{reason} = {n}")).collect());
        part("last lines of the log", self.log.clone());
        out
    }
}

/// Options that are not as the defaults are. A text (a domain, an address, a path) is not told, only that there is one.
fn summary(settings: &Settings) -> BTreeMap<String, String> {
    let defaults = Settings::default();
    let changed = ROWS.iter().filter(|row| (row.get)(settings) != (row.get)(&defaults));
    let mut out: BTreeMap<String, String> = changed
        .map(|row| {
            let texts = (row.get)(settings);
            let told = match (row.form, texts.len()) {
                (_, 0) => "(empty)".to_owned(),
                (Form::Text(_), 1) => "(set)".to_owned(),
                (Form::Text(_), n) => format!("({n} entries)"),
                _ => texts.join(" "),
            };
            (format!("{}.{}", row.section, row.name), told)
        })
        .collect();
    if !settings.windows.is_empty() {
        out.insert(table::WINDOW.to_owned(), format!("({} entries)", settings.windows.len()));
    }
    out
}

fn of_finding(finding: &Finding) -> String {
    let severity = if finding.is_error() { "error" } else { "warning" };
    let option = finding.option.as_ref().map_or_else(String::new, |option| format!(".{}", scrubbed(option)));
    format!("{severity}: {}{option}: {}", scrubbed(&finding.section), scrubbed(&finding.message))
}

fn scrubbed(text: &str) -> String {
    scrub(text, |word| word.split_once('.').is_some_and(|(section, name)| table::row(section, name).is_some()))
}

/// Every text of a tree scrubbed.
fn clean(value: Value) -> Value {
    match value {
        // Times have colons and digits as addresses do; what they tell is when.
        Value::String(text) => Value::String(if crate::codec::time::from_rfc3339(&text).is_some() { text } else { scrubbed(&text) }),
        Value::Array(list) => list.into_iter().map(clean).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, clean(value))).collect(),
        other => other,
    }
}

/// One line for each leaf: `coordinator.reachable = true`.
fn flat(value: &Value, path: &str, out: &mut Vec<String>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(members) if !members.is_empty() => members.iter().for_each(|(name, value)| flat(value, &below(name), out)),
        Value::Array(list) if !list.is_empty() => list.iter().enumerate().for_each(|(i, value)| flat(value, &below(&i.to_string()), out)),
        Value::String(text) => out.push(format!("{path} = {text}")),
        other => out.push(format!("{path} = {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    const ODD: &str = "config network 'network'\n\tlist block_domain 'secret-hobby.example'\n\toption max_mbps '7'\n\toption odd 'x'\n\
        config coordinator 'coordinator'\n\toption url 'https://coordinator.example.net'\n\tlist key 'nonsense.example.org'\n";

    #[test]
    fn texts_of_the_settings_are_not_told_and_figures_are() {
        let (settings, findings) = config::from_uci(&config::uci::parse(ODD.as_bytes()).unwrap());
        let report = Report::new(1_766_152_800, System::here(), &settings, &findings);
        assert_eq!(report.settings["network.max_mbps"], "7");
        assert_eq!(report.settings["network.block_domain"], "(set)");
        assert_eq!(report.settings["coordinator.url"], "(set)");
        assert!(report.findings.len() >= 2, "{report:?}");
        let (text, json) = (report.text(), serde_json::to_string(&report).unwrap());
        for secret in ["hobby", "example"] {
            assert!(!text.contains(secret) && !json.contains(secret), "{secret}: {text}");
        }
        assert!(text.contains("no daemon is running") && text.contains("network.odd"), "{text}");
    }

    #[test]
    fn status_and_log_are_scrubbed_and_debug_lines_left_out() {
        let mut status = crate::control::contract::status();
        status.state_reason = Some("coordinator 203.0.113.9:8440: it did not answer".into());
        let line = |level, text: &str| Line { number: 1, unix: 1_766_152_800, level, target: "daemon".into(), text: text.into() };
        let lines = [line(log::Level::Warn, "probe of shop.example.com: late"), line(log::Level::Debug, "resolved bank")];
        let report = Report::new(1_766_152_800, System::here(), &Settings::default(), &[]).with_daemon(&status, &Counters::default(), &lines);
        let node = status.node_id.to_string();
        for secret in ["203.0.113.9", "shop", "bank", status.sessions[0].session_id.as_str(), node.as_str()] {
            assert!(!report.text().contains(secret), "{secret}: {}", report.text());
        }
        let shown = report.status.unwrap();
        assert_eq!(shown["stateReason"], "coordinator [address]: it did not answer");
        assert_eq!(shown["stateSince"], "2025-12-19T10:00:03Z");
        assert_eq!(report.log, ["2025-12-19T14:00:00Z WARN  daemon: probe of [host]: late"]);
    }
}
