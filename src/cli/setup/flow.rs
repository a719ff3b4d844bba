//! The wizard's logic, pure: from what is known and answered to the next question, and from all answers to settings.

use serde_json::{Value, json};

use super::answers::Answers;
use super::question::Name;
use crate::codec;
use crate::config::json::{self as shape, JsonFinding};
use crate::config::settings::{Rate, Reach};
use crate::config::table::ROWS;
use crate::config::{Settings, form, presets};
use crate::control::survey::Survey;

/// What is known before anything is asked.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The settings as they are.
    pub settings: Settings,
    /// The box and its place.
    pub survey: Survey,
}

/// Caps and times of one's own.
pub const OWN: &str = "own";
/// What else `tests` may say; by default a failed one ends a run with a file of answers.
pub const TESTS: [&str; 3] = ["must", "try", "skip"];

/// Whether the question is put, after these answers.
pub fn applies(name: Name, facts: &Facts, answers: &Answers) -> bool {
    let given = |name| answers.get(name).is_some_and(|text| !text.is_empty());
    let proxy = answers.yes(Name::Proxy);
    match name {
        Name::Region | Name::Line | Name::Caps | Name::MonthGb | Name::Windows | Name::Proxy => true,
        Name::Rate | Name::DayGb => answers.get(Name::Caps) == Some(OWN),
        Name::Hours => answers.get(Name::Windows) == Some(OWN),
        Name::Reach | Name::Coordinator | Name::Key | Name::CaFile | Name::Telemetry => proxy,
        Name::Port => proxy && answers.get(Name::Reach) == Some("direct"),
        Name::Probes => proxy && given(Name::Coordinator) && probe_host(answers).is_some() && facts.settings.policy.probe_host.is_empty(),
        Name::Tests => false,
    }
}

/// The next question that is not answered yet.
pub fn next(facts: &Facts, answers: &Answers) -> Option<Name> {
    Name::ALL.into_iter().find(|name| applies(*name, facts, answers) && answers.get(*name).is_none())
}

/// The question before `name`, to go back to.
pub fn before(name: Option<Name>, facts: &Facts, answers: &Answers) -> Option<Name> {
    let until = name.and_then(|name| Name::ALL.iter().position(|n| *n == name)).unwrap_or(Name::ALL.len());
    Name::ALL[..until].iter().rev().copied().find(|n| applies(*n, facts, answers))
}

/// Which question of how many this is, as far as can be told now.
pub fn position(name: Name, facts: &Facts, answers: &Answers) -> (usize, usize) {
    let mut supposed = answers.clone();
    // Whoever has not said no yet is supposed to say yes: better fewer questions than announced than more.
    if supposed.get(Name::Proxy).is_none() {
        supposed.set(Name::Proxy, "yes".into());
        supposed.set(Name::Reach, "direct".into());
    }
    let all: Vec<Name> = Name::ALL.into_iter().filter(|n| applies(*n, facts, &supposed)).collect();
    (all.iter().position(|n| *n == name).map_or(all.len(), |i| i + 1), all.len())
}

/// Checks an answer; gives its one spelling, or what is allowed.
pub fn check(name: Name, answer: &str) -> Result<String, String> {
    let one_of = |choices: &[&str]| {
        let found = choices.iter().find(|c| c.eq_ignore_ascii_case(answer));
        found.map(|c| (*c).to_owned()).ok_or_else(|| format!("one of {}", choices.join(", ")))
    };
    match name {
        Name::Region => {
            let regions: Vec<String> = words(answer).map(|region| option("node", "region_allow", region)).collect::<Result<_, _>>()?;
            Ok(regions.join(" "))
        }
        Name::Line if answer.is_empty() => Ok(String::new()),
        Name::Line => option("network", "line_mbps", answer),
        Name::Caps => one_of(&presets::CAPS.iter().map(|c| c.id).chain([OWN]).collect::<Vec<_>>()),
        Name::Rate => option("network", "max_mbps", answer),
        Name::DayGb => option("network", "max_gb_per_day", answer),
        Name::MonthGb => option("network", "max_gb_per_month", answer),
        Name::Windows => one_of(&presets::HOURS.iter().map(|h| h.id).chain([OWN]).collect::<Vec<_>>()),
        Name::Hours => presets::hours(answer).filter(|w| !w.is_empty()).map(|_| answer.to_owned()).ok_or_else(|| presets::HOURS_FORM.to_owned()),
        Name::Proxy | Name::Probes | Name::Telemetry => one_of(&["yes", "no"]),
        Name::Reach => one_of(&["direct", "gateway"]),
        Name::Port => match answer.parse::<u16>() {
            Ok(port @ 1024..) => Ok(port.to_string()),
            _ => Err("a port from 1024 to 65535".into()),
        },
        Name::Coordinator => option("coordinator", "url", answer),
        Name::Key => {
            let keys: Vec<String> = words(answer).map(|key| option("coordinator", "key", key)).collect::<Result<_, _>>()?;
            if keys.is_empty() { Err("the key the coordinator's operator gave: ed25519: and 43 characters".into()) } else { Ok(keys.join(" ")) }
        }
        Name::CaFile if answer.is_empty() => Ok(String::new()),
        Name::CaFile => option("coordinator", "ca_file", answer),
        Name::Tests => one_of(&TESTS),
    }
}

/// Several values in one answer.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', ',', ';']).filter(|word| !word.is_empty())
}

/// A value as the option of that name takes it.
fn option(section: &str, name: &str, text: &str) -> Result<String, String> {
    let row = ROWS.iter().find(|r| r.section == section && r.name == name);
    row.map_or_else(|| Err("an option of this version".into()), |row| row.form.check(text))
}

/// The coordinator's host as `policy.probe_host` takes it; none where it is an address.
fn probe_host(answers: &Answers) -> Option<String> {
    let host = answers.get(Name::Coordinator)?.strip_prefix("https://")?;
    option("policy", "probe_host", host).ok()
}

/// The settings the answers come to.
///
/// # Errors
/// What does not fit together.
pub fn settings(facts: &Facts, answers: &Answers) -> Result<Settings, Vec<JsonFinding>> {
    let asked = |name| applies(name, facts, answers).then(|| answers.get(name)).flatten();
    let number = |text: Option<&str>| text.map_or(Value::Null, |text| codec::json::parse(text.as_bytes()).unwrap_or(Value::Null));
    let list = |text: Option<&str>| Value::Array(words(text.unwrap_or_default()).map(Value::from).collect());
    let text = |text: Option<&str>| text.filter(|t| !t.is_empty()).map_or(Value::Null, Value::from);
    let proxy = answers.yes(Name::Proxy);

    let mut network = json!({ "maxGBPerMonth": number(asked(Name::MonthGb)), "lineMbps": number(asked(Name::Line)) });
    let line = asked(Name::Line).and_then(form::bits).map(Rate);
    match asked(Name::Caps).and_then(|id| presets::caps(id, line)) {
        Some(caps) => {
            network["maxMbps"] = number(Some(&form::mbps_text(caps.max.0)));
            network["burstMB"] = caps.burst_mb.into();
            network["maxGBPerDay"] = caps.gb_per_day.into();
        }
        None => {
            network["maxMbps"] = number(asked(Name::Rate));
            network["maxGBPerDay"] = number(asked(Name::DayGb));
        }
    }
    let mut patch = json!({
        "node": { "enabled": proxy, "regionAllow": list(asked(Name::Region)) },
        "network": network,
        "proxy": { "enabled": proxy },
    });
    // What was not asked stays as it is.
    if proxy {
        patch["proxy"]["reach"] = text(asked(Name::Reach));
        patch["coordinator"] = json!({ "url": text(asked(Name::Coordinator)), "keys": list(asked(Name::Key)), "caFile": text(asked(Name::CaFile)) });
        patch["ui"] = json!({ "telemetryOptIn": answers.yes(Name::Telemetry) });
    }
    if let Some(port) = asked(Name::Port).filter(|port| Some(*port) != listen_port(&facts.settings).as_deref()) {
        patch["proxy"]["listen"] = json!([format!("[::]:{port}")]);
    }
    if applies(Name::Probes, facts, answers) && answers.yes(Name::Probes) {
        patch["policy"] = json!({ "probeHosts": [probe_host(answers)] });
    }
    let mut settings = shape::merge(&facts.settings, &patch)?;
    let hours = match asked(Name::Windows) {
        Some(OWN) => asked(Name::Hours),
        id => presets::HOURS.iter().find(|preset| Some(preset.id) == id).map(|preset| preset.hours),
    };
    if let Some(windows) = hours.and_then(presets::hours)
        && presets::hours(&presets::hours_text(&settings.windows)).as_ref() != Some(&windows)
    {
        // The same times stay as they are, with the rates they may have.
        settings.windows = windows;
    }
    Ok(settings)
}

/// The choice of caps that the settings are: what is proposed, so that Enter alone changes nothing that was chosen before.
pub fn caps_now(settings: &Settings, line: Option<Rate>) -> &'static str {
    let (now, fresh) = (&settings.network, Settings::default().network);
    let figures = |max, gb| (max, gb) == (now.max_mbps, now.max_gb_per_day);
    if !settings.proxy.enabled && figures(fresh.max_mbps, fresh.max_gb_per_day) {
        return presets::CAPS[0].id;
    }
    let same = |preset: &&presets::CapsPreset| presets::caps(preset.id, line).is_some_and(|c| figures(c.max, c.gb_per_day));
    presets::CAPS.iter().find(same).map_or(OWN, |preset| preset.id)
}

/// The choice of times that the settings are.
pub fn hours_now(settings: &Settings) -> &'static str {
    let text = presets::hours_text(&settings.windows);
    let same = |preset: &&presets::HoursPreset| presets::hours(preset.hours) == presets::hours(&text);
    presets::HOURS.iter().find(same).map_or(OWN, |preset| preset.id)
}

/// The port of the first listener.
pub fn listen_port(settings: &Settings) -> Option<String> {
    settings.proxy.listen.first().map(|at| at.port().to_string())
}

/// Whether buyers are to come through a gateway.
pub fn by_gateway(settings: &Settings) -> bool {
    settings.proxy.reach == Reach::Gateway
}
