//! What the wizard asks, in plain words: each question with its default and what happens with the answer.

use super::answers::Answers;
use super::flow::{Facts, OWN, by_gateway, caps_now, hours_now, listen_port};
use super::question::{Choice, Name, Question, yes_or_no};
use crate::config::presets::{self, CAPS, HOURS};
use crate::config::settings::Rate;
use crate::config::table;
use crate::config::{Settings, form};

/// What was found, before the first question.
pub fn found(facts: &Facts) -> Vec<(&'static str, String)> {
    let s = &facts.survey;
    let unknown = || "unknown".to_owned();
    let mib = |bytes: u64| format!("{} MB", bytes.div_ceil(1 << 20));
    let uplinks = if s.uplinks.is_empty() { "none: this box has no default route now".to_owned() } else { s.uplinks.join(", ") };
    let reach = match (s.needs_gateway, s.reach_v4.as_str()) {
        (false, _) => "this box has a public address",
        (_, "carrier-nat") => "behind the provider's NAT (CGNAT): buyers need a gateway",
        (_, "private") => "behind another router: buyers need a gateway",
        _ => "no public IPv4 address found: buyers need a gateway",
    };
    let able: Vec<String> = s.sandbox.iter().map(|(name, told)| format!("{name}: {told}")).collect();
    vec![
        ("device", format!("{}, kernel {}", s.model.clone().unwrap_or_else(unknown), s.kernel.clone().unwrap_or_else(unknown))),
        ("memory", format!("{}, processors {}", s.ram_bytes.map_or_else(unknown, mib), s.cpus.map_or_else(unknown, |n| n.to_string()))),
        ("uplink", uplinks),
        ("address", reach.to_owned()),
        ("time zone", s.time_zone.clone().unwrap_or_else(|| "not set, so UTC; set it in System before you choose times".into())),
        ("sandbox", able.join("; ")),
    ]
}

/// The question as it is put to this owner.
pub fn question(name: Name, facts: &Facts, answers: &Answers) -> Question {
    let settings = &facts.settings;
    let of = |section, option| table::row(section, option).map(|row| (row.get)(settings).join(" ")).unwrap_or_default();
    let (title, text, choices, default, empty, then): (&str, String, Vec<Choice>, String, &str, &str) = match name {
        Name::Region => (
            "Where is this node?",
            "A country like PH, or one of its regions like PH-Mindanao; several with spaces between them. Buyers ask for places; the \
             coordinator compares what you say with what it sees, so say where the box really is."
                .into(),
            vec![],
            Some(of("node", "region_allow")).filter(|now| !now.is_empty()).or_else(|| facts.survey.country.clone()).unwrap_or_default(),
            "wherever it is",
            "the node offers itself there.",
        ),
        Name::Line => (
            "How fast is your line, in Mbit/s?",
            "The slower direction, which is mostly the upload. With it the node knows what a small share is, and sees when the household needs the \
             line."
                .into(),
            vec![],
            of("network", "line_mbps"),
            "not known",
            "the next question offers shares of it.",
        ),
        Name::Caps => ("How much of it may the node use?", caps_text(), caps_choices(answers), caps_now(settings, line_of(answers)).into(), "", "the node never goes above it."),
        Name::Rate => (
            "At most how many Mbit/s?",
            "Of relayed bytes, both directions together.".into(),
            vec![],
            of("network", "max_mbps"),
            "",
            "the node never goes above it.",
        ),
        Name::DayGb => (
            "At most how many GB a day?",
            "Counted on your line: a relayed GB comes in and goes out, and counts as two. 0 = no cap.".into(),
            vec![],
            of("network", "max_gb_per_day"),
            "",
            "above it new work is refused until the next day.",
        ),
        Name::MonthGb => (
            "At most how many GB a month?",
            "Only where your provider counts or limits your volume; 0 = it does not. Otherwise leave room for yourself: the node's part comes on top of what the household uses.".into(),
            vec![],
            of("network", "max_gb_per_month"),
            "",
            "above it new work is refused until the next month.",
        ),
        Name::Windows => (
            "When may it work?",
            "In the router's time zone. Outside these times nothing is relayed.".into(),
            HOURS.iter().map(|h| choice(h.id, h.text)).chain([choice(OWN, "times of your own")]).collect(),
            hours_now(settings).into(),
            "",
            "live connections end when a time does.",
        ),
        Name::Hours => ("Which times?", format!("Write them {}.", presets::HOURS_FORM), vec![], hours_proposed(settings), "", "the node works then."),
        Name::Proxy => (
            "Consent: may this node relay for others?",
            "Buyers whom the coordinator knows send HTTPS requests out through your line, to test sites and check advertisements. The sites see your \
             address, as if someone in your household had called them; if a buyer does wrong, letters may come to you, and `echomesh logs` tells who \
             it was. What is sent is encrypted: you cannot read it, and neither can the node. Nobody gets into your home network, mail and plain HTTP \
             are refused, and only the kinds of work in the profile are accepted. Your provider's terms may forbid it. One command stops it all: \
             echomesh control stop."
                .into(),
            yes_or_no("relay, within the limits above", "do not relay: nothing runs"),
            // Consent is never presumed; who gave it before may confirm it.
            if settings.node.enabled && settings.proxy.enabled { "yes" } else { "no" }.into(),
            "",
            "with no, nothing runs and the questions are over.",
        ),
        Name::Reach => (
            "How do buyers get here?",
            if facts.survey.needs_gateway { "This box has no public address of its own, so they cannot come directly." } else { "This box has a public address." }
                .into(),
            vec![
                choice("direct", "they connect to this router; you open a port for them"),
                choice("gateway", "through the coordinator's gateway; no port is opened"),
            ],
            if by_gateway(settings) || (!settings.proxy.enabled && facts.survey.needs_gateway) { "gateway" } else { "direct" }.into(),
            "",
            "the coordinator is told.",
        ),
        Name::Port => (
            "Which port?",
            "Buyers connect to it by TCP. Your firewall must let it in from the Internet.".into(),
            vec![],
            listen_port(settings).unwrap_or_default(),
            "",
            "the node listens there.",
        ),
        Name::Coordinator => (
            "Which coordinator?",
            "It assigns work and keeps the account. Whoever runs it gave you an address like https://coordinator.example.net:8440.".into(),
            vec![],
            of("coordinator", "url"),
            "needed; without it, quit and come back",
            "it is called once before anything is written.",
        ),
        Name::Key => (
            "Its key?",
            "From the same source; it begins with ed25519:. The node obeys nothing that this key did not sign.".into(),
            vec![],
            of("coordinator", "key"),
            "needed; without it, quit and come back",
            "what the coordinator says is checked with it.",
        ),
        Name::CaFile => (
            "Does it have a certificate of its own making?",
            "Then name the PEM file of it on this router. Most have one that the system knows.".into(),
            vec![],
            of("coordinator", "ca_file"),
            "no",
            "the node trusts it beside the system's.",
        ),
        Name::Probes => (
            "May the coordinator measure the line?",
            "Now and then the node fetches a file of at most 8 MiB from the coordinator's own host, 64 MiB a day at most, within your limits. Without it \
             your reputation grows more slowly."
                .into(),
            yes_or_no("from that host alone", "no measurements"),
            // Who has a node at work without said no before.
            if settings.proxy.enabled { "no" } else { "yes" }.into(),
            "",
            "its host is listed in policy.probe_host.",
        ),
        Name::Telemetry => (
            "Send health figures along?",
            "Version, memory, state, counts of refusals: they help to find faults. No host, buyer or address is in them; docs/reference/telemetry.md lists \
             all."
                .into(),
            yes_or_no("with each heartbeat", "nothing beyond what the work needs"),
            if settings.ui.telemetry_opt_in { "yes" } else { "no" }.into(),
            "",
            "that was the last question; tests come next, then a summary.",
        ),
        Name::Tests => ("Tests?", String::new(), vec![], "must".into(), "", ""),
    };
    Question { title: title.into(), text, choices, default, empty, then }
}

fn choice(id: &str, text: &str) -> Choice {
    Choice { id: id.into(), text: text.into() }
}

fn line_of(answers: &Answers) -> Option<Rate> {
    answers.get(Name::Line).and_then(form::bits).map(Rate)
}

fn hours_proposed(settings: &Settings) -> String {
    if settings.windows.is_empty() { "daily 23:00-07:00".into() } else { presets::hours_text(&settings.windows) }
}

fn caps_text() -> String {
    "The household comes first in each: the node's packets give way to yours, and while the line is busy it falls to a quarter.".into()
}

/// Each preset with the figures it comes to on this line.
fn caps_choices(answers: &Answers) -> Vec<Choice> {
    let line = line_of(answers);
    let preset = |p: &presets::CapsPreset| {
        let figures =
            presets::caps(p.id, line).map_or_else(String::new, |c| format!("{} Mbit/s, {} GB a day: ", form::mbps_text(c.max.0), c.gb_per_day));
        // Without the line a share of it cannot be promised.
        let text = if line.is_some() { p.text } else { p.text.split_once("; ").map_or(p.text, |(_, after)| after) };
        choice(p.id, &format!("{figures}{text}"))
    };
    CAPS.iter().map(preset).chain([choice(OWN, "figures of your own")]).collect()
}

/// What would change, a line for each option: as it is, as it would be.
pub fn difference(old: &Settings, new: &Settings) -> Vec<String> {
    let mut lines = Vec::new();
    let shown = |texts: Vec<String>| if texts.is_empty() { "(none)".to_owned() } else { texts.join(" ") };
    for row in table::ROWS.iter().filter(|r| (r.get)(old) != (r.get)(new)) {
        lines.push(format!("{}.{}: {} -> {}", row.section, row.name, shown((row.get)(old)), shown((row.get)(new))));
    }
    if old.windows != new.windows {
        let windows = |s: &Settings| {
            let one = |w| table::WINDOW_ROWS.iter().map(|r| (r.get)(w).join(",")).filter(|t| !t.is_empty()).collect::<Vec<_>>();
            let all = s.windows.iter().map(one).map(|parts| parts.join(" ")).collect::<Vec<_>>();
            if all.is_empty() { "at any time".to_owned() } else { all.join("; ") }
        };
        lines.push(format!("window (days start end): {} -> {}", windows(old), windows(new)));
    }
    lines
}
