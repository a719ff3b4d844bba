//! The JSON shape of the settings, with the seed's member names, and changes to it as merge patches (RFC 7396).
//!
//! `null` stands for "not set" where an option has no default, and, in a patch, for "back to the default".

use serde::Serialize;
use serde_json::{Map, Value};

use super::cross;
use super::finding::Finding;
use super::load::unknown;
use super::settings::{Settings, Window};
use super::table::{ALL_DAYS, KINDS, MAX_WINDOWS, ROWS, Row, WINDOW_ROWS, group, row};

/// Version of the shape.
pub const VERSION: u64 = 1;
/// The member of `node` that holds the windows.
pub const SCHEDULES: &str = "schedules";

/// What is wrong with a member.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct JsonFinding {
    /// `network.maxMbps`, `node.schedules[0].start`; empty = the document.
    pub path: String,
    /// What is wrong and what is allowed.
    pub message: String,
}

impl std::fmt::Display for JsonFinding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// The whole settings as a JSON object.
pub fn to_json(settings: &Settings) -> Value {
    let mut doc = Map::new();
    doc.insert("version".into(), VERSION.into());
    for kind in &KINDS {
        let rows = ROWS.iter().filter(|r| r.section == kind.section);
        doc.insert(kind.group.into(), Value::Object(rows.map(|r| (r.member.to_owned(), member(r, settings))).collect()));
    }
    if let Some(Value::Object(node)) = doc.get_mut("node") {
        node.insert(SCHEDULES.into(), settings.windows.iter().map(window).collect());
    }
    Value::Object(doc)
}

/// One window as JSON, an entry of [`SCHEDULES`].
pub(super) fn window(window: &Window) -> Value {
    Value::Object(WINDOW_ROWS.iter().map(|r| (r.member.to_owned(), member(r, window))).collect())
}

/// One option's value as JSON.
pub(super) fn member<S>(row: &Row<S>, holder: &S) -> Value {
    let mut values = (row.get)(holder).into_iter().map(|t| row.form.to_json(&t));
    if row.list.is_some() { values.collect() } else { values.next().unwrap_or(Value::Null) }
}

/// The settings of a whole document; members that are absent or `null` have their default.
pub fn from_json(doc: &Value) -> Result<Settings, Vec<JsonFinding>> {
    let mut reader = Reader { findings: Vec::new() };
    let settings = reader.settings(doc);
    // A value that was refused is not also missing.
    let errors = cross::check(&settings).into_iter().filter(Finding::is_error).map(|f| (path_of(&f), f.message));
    for (path, message) in errors {
        if !reader.findings.iter().any(|f| f.path.starts_with(&path)) {
            reader.refuse(path, message);
        }
    }
    if reader.findings.is_empty() { Ok(settings) } else { Err(reader.findings) }
}

/// `settings` with `patch` (RFC 7396) applied, checked as a whole; nothing is changed if anything is wrong.
pub fn merge(settings: &Settings, patch: &Value) -> Result<Settings, Vec<JsonFinding>> {
    if !patch.is_object() {
        return Err(vec![JsonFinding { path: String::new(), message: "a JSON object with the members to change".into() }]);
    }
    let mut doc = to_json(settings);
    apply(&mut doc, patch);
    from_json(&doc)
}

/// A patch of `section.option=value` words, as the command line takes them: an empty value goes back to the default, a
/// repeated list option adds an entry.
pub fn assign(words: &[String]) -> Result<Value, Vec<JsonFinding>> {
    let mut patch = Map::new();
    let mut findings = Vec::new();
    for word in words {
        match assignment(word) {
            Ok((row, value)) => {
                let Value::Object(members) = patch.entry(group(row.section)).or_insert_with(|| Map::new().into()) else { continue };
                match (row.list, members.get_mut(row.member), value) {
                    (Some(_), Some(Value::Array(entries)), Value::Array(more)) => entries.extend(more),
                    (_, _, value) => drop(members.insert(row.member.into(), value)),
                }
            }
            Err(message) => findings.push(JsonFinding { path: word.clone(), message }),
        }
    }
    if findings.is_empty() { Ok(Value::Object(patch)) } else { Err(findings) }
}

fn assignment(word: &str) -> Result<(&'static Row<Settings>, Value), String> {
    let (name, text) = word.split_once('=').ok_or("write section.option=value")?;
    let (section, option) = name.split_once('.').ok_or("write section.option=value")?;
    let names = || ROWS.iter().filter(|r| r.section == section).map(|r| r.name);
    if names().next().is_none() {
        return Err(unknown("section", section, KINDS.iter().map(|k| k.section)));
    }
    let row = row(section, option).ok_or_else(|| unknown("option", option, names()))?;
    if text.is_empty() {
        return Ok((row, Value::Null));
    }
    let canonical = row.form.check(text).map_err(|allowed| format!("allowed: {allowed}"))?;
    let value = row.form.to_json(&canonical);
    Ok((row, if row.list.is_some() { Value::Array(vec![value]) } else { value }))
}

/// RFC 7396, section 2.
fn apply(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Map::new().into();
    }
    let Value::Object(members) = target else { return };
    for (name, change) in changes {
        if change.is_null() {
            members.remove(name);
        } else {
            apply(members.entry(name.as_str()).or_insert(Value::Null), change);
        }
    }
}

/// The member a finding of the typed settings is about.
fn path_of(finding: &Finding) -> String {
    let option = finding.option.as_deref().unwrap_or_default();
    row(&finding.section, option).map_or_else(|| finding.section.clone(), |r| format!("{}.{}", group(r.section), r.member))
}

struct Reader {
    findings: Vec<JsonFinding>,
}

impl Reader {
    fn refuse(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.findings.push(JsonFinding { path: path.into(), message: message.into() });
    }

    fn settings(&mut self, doc: &Value) -> Settings {
        let mut settings = Settings::default();
        let Some(groups) = self.object("", doc) else { return settings };
        for (name, value) in groups {
            if name == "version" {
                if *value != VERSION {
                    self.refuse("version", format!("only {VERSION}"));
                }
            } else if let Some(kind) = KINDS.iter().find(|k| k.group == name) {
                let Some(members) = self.object(name, value) else { continue };
                for (member, value) in members {
                    if kind.section == "node" && member == SCHEDULES {
                        settings.windows = self.windows(value);
                    } else {
                        let rows = ROWS.iter().filter(|r| r.section == kind.section);
                        self.member(name, member, value, rows, &mut settings);
                    }
                }
            } else {
                self.refuse(name.as_str(), unknown("member", name, KINDS.iter().map(|k| k.group)));
            }
        }
        settings
    }

    fn windows(&mut self, value: &Value) -> Vec<Window> {
        let path = format!("node.{SCHEDULES}");
        let entries = match value {
            Value::Null => return Vec::new(),
            Value::Array(entries) if entries.len() <= MAX_WINDOWS => entries,
            _ => {
                self.refuse(path, format!("an array of at most {MAX_WINDOWS} windows {{days, start, end, maxMbps}}"));
                return Vec::new();
            }
        };
        let mut windows = Vec::new();
        for (i, entry) in entries.iter().enumerate() {
            let path = format!("{path}[{i}]");
            let Some(members) = self.object(&path, entry) else { continue };
            let mut window = Window { days: ALL_DAYS, start: 0, end: 0, max: None };
            for needed in ["start", "end"] {
                if members.get(needed).is_none_or(Value::is_null) {
                    self.refuse(format!("{path}.{needed}"), "is missing; give a time HH:MM");
                }
            }
            for (member, value) in members {
                self.member(&path, member, value, WINDOW_ROWS.iter(), &mut window);
            }
            windows.push(window);
        }
        windows
    }

    /// The members of an object; none for `null`, a finding for anything else.
    fn object<'v>(&mut self, path: &str, value: &'v Value) -> Option<&'v Map<String, Value>> {
        match value {
            Value::Object(members) => Some(members),
            Value::Null => None,
            _ => {
                self.refuse(path, "an object");
                None
            }
        }
    }

    fn member<S: 'static>(&mut self, group: &str, name: &str, value: &Value, rows: impl Iterator<Item = &'static Row<S>> + Clone, holder: &mut S) {
        let path = format!("{group}.{name}");
        let Some(row) = rows.clone().find(|r| r.member == name) else {
            return self.refuse(path, unknown("member", name, rows.map(|r| r.member)));
        };
        if value.is_null() {
            return;
        }
        let before = self.findings.len();
        let texts = self.texts(&path, row, value, holder);
        if self.findings.len() == before && !(row.set)(holder, &texts) {
            self.refuse(path, row.form.allowed());
        }
    }

    /// Canonical texts of a value, doubles left out. `holder` still has the defaults of `row`.
    fn texts<S>(&mut self, path: &str, row: &Row<S>, value: &Value, holder: &S) -> Vec<String> {
        let Some(most) = row.list else {
            return row.form.of_json(value).map_err(|allowed| self.refuse(path, allowed)).into_iter().collect();
        };
        let Value::Array(entries) = value else {
            self.refuse(path, format!("an array; each entry: {}", row.form.allowed()));
            return Vec::new();
        };
        if entries.len() > most {
            self.refuse(path, format!("has {} entries, at most {most} are allowed", entries.len()));
        }
        // An empty list in UCI is no list, which means the default.
        if entries.is_empty() && !(row.get)(holder).is_empty() {
            self.refuse(path, "needs at least one entry; null goes back to the default");
        }
        let mut texts: Vec<String> = Vec::new();
        for (i, entry) in entries.iter().enumerate() {
            match row.form.of_json(entry) {
                Ok(text) if texts.contains(&text) => {}
                Ok(text) => texts.push(text),
                Err(allowed) => self.refuse(format!("{path}[{i}]"), allowed),
            }
        }
        texts
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::super::schema::schema;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn paths(result: Result<Settings, Vec<JsonFinding>>) -> Vec<String> {
        result.unwrap_err().into_iter().map(|f| f.path).collect()
    }

    /// The example of the seed, read as JSON.
    #[test]
    fn the_seeds_shape_is_accepted() {
        let seed = json!({
            "version": 1,
            "node": {"regionAllow": ["PH-Mindanao", "PH-NCR"], "schedules": [{"days": ["Mon", "Tue", "Wed", "Thu", "Fri"], "start": "22:00", "end": "06:00"}]},
            "network": {"maxMbps": 10, "maxGBPerDay": 20, "httpsOnly": true, "allowlistDomains": [], "blocklistDomains": ["example-bad.com"]},
            "policy": {"categoryProfile": "COMPLIANT_DEFAULT", "allowPlainHttpProbes": true},
            "security": {"dnsOverHttps": true, "sandboxMode": "strict"},
            "updates": {"autoUpdate": false, "channel": "stable"},
            "ui": {"telemetryOptIn": false},
        });
        let s = merge(&Settings::default(), &seed).unwrap();
        assert_eq!(s.windows, [Window { days: 0b1_1111, start: 1320, end: 360, max: None }]);
        assert_eq!(s.network.block_domain, ["example-bad.com"]);
        assert!(s.policy.allow_plain_http_probes);
        let back = to_json(&s);
        assert_eq!(back["network"]["maxMbps"], json!(10));
        assert_eq!(
            back["node"]["schedules"][0],
            json!({"days": ["Mon", "Tue", "Wed", "Thu", "Fri"], "start": "22:00", "end": "06:00", "maxMbps": null})
        );
    }

    #[test]
    fn patches_change_what_they_name() {
        let old = merge(&Settings::default(), &json!({"network": {"maxMbps": 2.5, "lineMbps": 50}})).unwrap();
        assert_eq!(old.network.max_mbps.0, 2_500_000);
        let new = merge(&old, &json!({"network": {"maxMbps": null, "ports": [443, 8443, 443]}})).unwrap();
        assert_eq!(new.network.max_mbps, Settings::default().network.max_mbps, "null goes back to the default");
        assert_eq!(new.network.line_mbps, old.network.line_mbps, "what is not named stays");
        assert_eq!(new.network.ports, [443, 8443]);
        assert_eq!(merge(&old, &json!({"network": null})).unwrap(), Settings::default());
        assert_eq!(merge(&old, &json!({})).unwrap(), old);
    }

    #[test]
    fn everything_wrong_is_named_by_its_path() {
        let patch = json!({
            "version": 2,
            "node": {"schedules": [{"start": "22:00", "end": "6:00"}, {"end": "06:00", "stop": 1}, 7], "colour": "blue"},
            "network": {"maxMbps": "10", "httpsOnly": false, "ports": [], "blocklistDomains": ["ok.example", "*.bad"], "maxTunnels": 1.5},
            "proxy": {"enabled": true, "listen": "8443"},
            "policies": {},
            "ui": [],
        });
        let mut found = paths(merge(&Settings::default(), &patch));
        found.sort();
        let want = [
            "coordinator.keys",
            "coordinator.url",
            "network.blocklistDomains[1]",
            "network.httpsOnly",
            "network.maxMbps",
            "network.maxTunnels",
            "network.ports",
            "node.colour",
            "node.schedules[0].end",
            "node.schedules[1].start",
            "node.schedules[1].stop",
            "node.schedules[2]",
            "policies",
            "proxy.listen",
            "ui",
            "version",
        ];
        assert_eq!(found, want);
        assert_eq!(paths(merge(&Settings::default(), &json!([]))), [""]);
    }

    #[test]
    fn assignments() {
        let words = |w: &[&str]| assign(&w.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
        let patch = words(&["network.max_mbps=2.5", "network.port=443", "network.port=8443", "coordinator.url=", "node.enabled=on"]).unwrap();
        assert_eq!(patch, json!({"network": {"maxMbps": 2.5, "ports": [443, 8443]}, "coordinator": {"url": null}, "node": {"enabled": true}}));
        let errors = words(&["network.max_mbs=5", "netwrok.port=1", "x", "network.port=0", "=", "a=b"]).unwrap_err();
        assert_eq!(errors.len(), 6);
        assert!(errors[0].message.contains("max_mbps") && errors[1].message.contains("network"), "{errors:?}");
    }

    /// The few keywords the schema uses, checked as JSON Schema says.
    fn fits(schema: &Value, value: &Value) -> bool {
        let types: Vec<&str> = match &schema["type"] {
            Value::String(t) => vec![t],
            Value::Array(ts) => ts.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let is = |t: &str| match t {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_u64(),
            "number" => value.is_number(),
            _ => value.is_null(),
        };
        let number = |keyword: &str| schema[keyword].as_f64();
        (types.is_empty() || types.iter().any(|t| is(t)))
            && schema.get("const").is_none_or(|c| c == value)
            && schema["enum"].as_array().is_none_or(|words| words.contains(value))
            && value.as_f64().is_none_or(|n| number("minimum").is_none_or(|m| n >= m) && number("maximum").is_none_or(|m| n <= m))
            && value.as_array().is_none_or(|entries| {
                let len = entries.len() as f64;
                number("minItems").is_none_or(|m| len >= m)
                    && number("maxItems").is_none_or(|m| len <= m)
                    && entries.iter().all(|e| fits(&schema["items"], e))
            })
            && value.as_object().is_none_or(|members| {
                members.iter().all(|(name, v)| schema["properties"].get(name).is_some_and(|s| fits(s, v)))
                    && schema["required"].as_array().is_none_or(|names| names.iter().all(|n| n.as_str().is_some_and(|n| members.contains_key(n))))
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn json_says_it_all_and_fits_its_schema(settings in samples::settings()) {
            let doc = to_json(&settings);
            prop_assert!(fits(&schema(), &doc), "{doc}");
            let mut reader = Reader { findings: Vec::new() };
            prop_assert_eq!(reader.settings(&doc), settings);
            prop_assert_eq!(reader.findings, Vec::new());
        }

        #[test]
        fn no_document_panics(group in "node|network|proxy|version|[a-z]{2}", member in "schedules|ports|maxMbps|listen|keys|[a-z]{2}", text in "[ -~]{0,30}") {
            let value: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
            let _ = merge(&Settings::default(), &json!({group: {member: [value.clone(), {"start": value}]}}));
        }
    }
}
