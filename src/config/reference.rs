//! The pages that are written from the table: the UCI reference, the table seed YAML ↔ UCI ↔ JSON, the JSON Schema.
//!
//! `ECHOMESH_WRITE_DOCS=1 cargo test --lib config` writes them; without it the tests compare.

use std::fs;
use std::path::PathBuf;

use super::form::Form;
use super::json::SCHEDULES;
use super::load::{from_uci, read};
use super::schema::schema;
use super::settings::{Settings, Window};
use super::table::{KINDS, LATER_SECTIONS, ROWS, Row, WINDOW_ROWS, group};

/// The seed's example, member by member: its path, its value, what became of it.
const SEED: [(&str, &str, &str); 16] = [
    ("version", "1", ""),
    ("node.idPath", "~/.echomesh/node.key", "state_dir"),
    ("node.regionAllow", r#"["PH-Mindanao", "PH-NCR"]"#, ""),
    ("node.schedules[].days", r#"["Mon","Tue","Wed","Thu","Fri"]"#, ""),
    ("node.schedules[].start", r#""22:00""#, ""),
    ("node.schedules[].end", r#""06:00""#, ""),
    ("network.maxMbps", "10", ""),
    ("network.maxGBPerDay", "20", ""),
    ("network.httpsOnly", "true", "Only `true` is accepted."),
    ("network.allowlistDomains", "[]", ""),
    ("network.blocklistDomains", r#"["example-bad.com"]"#, ""),
    ("policy.categoryProfile", r#""COMPLIANT_DEFAULT""#, ""),
    (
        "policy.allowPlainHttpProbes",
        "true",
        "**Default changed to `false`**: plain HTTP can be read and altered on its way, so the owner has to want it.",
    ),
    ("security.dnsOverHttps", "true", ""),
    ("security.sandboxMode", r#""strict""#, ""),
    ("updates.autoUpdate", "true", "**Default changed to `false`**: no router installs a program its owner did not ask for."),
];
const SEED_REST: [(&str, &str, &str); 2] = [("updates.channel", r#""stable""#, ""), ("ui.telemetryOptIn", "false", "")];

fn root(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn cell(texts: &[String]) -> String {
    match texts {
        [] => "none".into(),
        _ => texts.iter().map(|t| format!("`{t}`")).collect::<Vec<_>>().join(" "),
    }
}

fn allowed(form: Form) -> String {
    let text = form.allowed();
    match form {
        Form::Choice(words) => words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(" "),
        _ => text,
    }
}

fn table<'a, S: 'static>(out: &mut String, rows: impl Iterator<Item = &'a Row<S>>, default: impl Fn(&Row<S>) -> String) {
    *out += "| option | default | allowed | meaning |\n| --- | --- | --- | --- |\n";
    for r in rows {
        let kind = r.list.map_or("option", |_| "list");
        let most = r.list.map(|n| format!("; up to {n} entries")).unwrap_or_default();
        *out += &format!("| {kind} `{}` | {} | {}{most} | {} |\n", r.name, default(r), allowed(r.form), r.doc);
    }
}

fn uci_page() -> String {
    let defaults = Settings::default();
    let mut out = String::from(
        "# UCI reference: `/etc/config/echomesh`\n\n\
         <!-- Written from src/config/table.rs by `ECHOMESH_WRITE_DOCS=1 cargo test --lib config`. -->\n\n\
         The file belongs to `root:echomesh`, mode 0640, and holds no secret. Nothing is on by default. `echomesh config check` prints every\n\
         finding, one a line, and exits with 78 if one of them is an error. A section or option it does not know is a warning by name.\n\n\
         Each section but `window` is there once, named like its type (`config network 'network'`; without a name is accepted). Of the same option\n\
         twice the last counts; an empty option says nothing. A flag also takes on/off, true/false, yes/no, enabled/disabled. At most 256 KiB, 1024\n\
         sections, 4096 option and list lines; longer lists of domains go into `allow_file` and `block_file`.\n",
    );
    for kind in &KINDS {
        out += &format!("\n## `{}`\n\n{}\n\n", kind.section, kind.doc);
        table(&mut out, ROWS.iter().filter(|r| r.section == kind.section), |r| cell(&(r.get)(&defaults)));
        if kind.section == "node" {
            out += "\n## `window`\n\nWhen the node works, by the router's wall clock; any number of sections, none = always. `start` and `end` are needed. Outside\nthem new tunnels are refused (`schedule`) and live ones end; none is open before the router's time is known.\n\n";
            table(&mut out, WINDOW_ROWS.iter(), |r| if matches!(r.name, "start" | "end") { "needed".into() } else { "none".into() });
        }
    }
    out += &format!("\n## {}\n\n", LATER_SECTIONS.map(|s| format!("`{s}`")).join(", "));
    out += "Sections of roles that are not built yet: accepted, not read.\n";
    out
}

fn seed_page() -> String {
    let defaults = Settings::default();
    let mut out = String::from(
        "# Seed YAML ↔ UCI ↔ JSON\n\n\
         <!-- Written from src/config/table.rs by `ECHOMESH_WRITE_DOCS=1 cargo test --lib config`. -->\n\n\
         The first design showed its settings as YAML. On OpenWrt they live in UCI; the control API and `echomesh config show --json` use the\n\
         design's member names, so that its shape maps member by member. Two defaults were changed.\n\n\
         | seed YAML | its example | UCI | JSON | default | note |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for (path, example, note) in SEED.iter().chain(&SEED_REST) {
        let row = ROWS.iter().find(|r| format!("{}.{}", group(r.section), r.member) == *path);
        let window = path.strip_prefix("node.schedules[].").and_then(|m| WINDOW_ROWS.iter().find(|r| r.member == m));
        let (uci, json, default, note) = match (row, window, *note) {
            (Some(r), _, note) => (format!("`{}.{}`", r.section, r.name), format!("`{path}`"), cell(&(r.get)(&defaults)), note),
            (_, Some(r), note) => (format!("`window.{}`", r.name), format!("`{path}`"), "none".into(), note),
            (_, _, "state_dir") => (
                "`node.state_dir`".into(),
                "`node.stateDir`".into(),
                cell(&["/etc/echomesh".to_owned()]),
                "The folder instead of the file: the journal lives beside the key.",
            ),
            (_, _, note) => ("none".into(), format!("`{path}`"), "`1`".into(), note),
        };
        out += &format!("| `{path}` | `{example}` | {uci} | {json} | {default} | {note} |\n");
    }
    out += "\n## Beyond the seed\n\n| UCI | JSON | default |\n| --- | --- | --- |\n";
    let known = |path: &str| SEED.iter().chain(&SEED_REST).any(|(p, ..)| *p == path);
    for r in &ROWS {
        let path = format!("{}.{}", group(r.section), r.member);
        if !known(&path) {
            out += &format!("| `{}.{}` | `{path}` | {} |\n", r.section, r.name, cell(&(r.get)(&defaults)));
        }
    }
    for r in WINDOW_ROWS.iter().filter(|r| !known(&format!("node.{SCHEDULES}[].{}", r.member))) {
        out += &format!("| `window.{}` | `node.{SCHEDULES}[].{}` | none |\n", r.name, r.member);
    }
    out
}

/// Compares a page with what it should be, or writes it.
fn current(path: &str, text: &str) {
    let path = root(path);
    if std::env::var_os("ECHOMESH_WRITE_DOCS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(there == text, "{} is out of date: run ECHOMESH_WRITE_DOCS=1 cargo test --lib config", path.display());
}

#[test]
fn uci_reference_is_current() {
    current("docs/reference/uci.md", &uci_page());
}

#[test]
fn seed_table_is_current() {
    current("docs/reference/seed-yaml.md", &seed_page());
}

#[test]
fn schema_is_current() {
    current("docs/contracts/settings.schema.json", &(serde_json::to_string_pretty(&schema()).unwrap() + "\n"));
}

#[test]
fn packaged_file_is_the_defaults() {
    let (settings, findings) = read(&root("openwrt/files/etc/config/echomesh")).unwrap();
    assert_eq!(findings, []);
    assert_eq!(settings, Settings::default());
}

/// Each `tests/golden/config/NAME.config` has its findings, line by line, in `NAME.findings`.
#[test]
fn golden_files() {
    let mut names: Vec<PathBuf> = fs::read_dir(root("tests/golden/config")).unwrap().map(|e| e.unwrap().path()).collect();
    names.retain(|p| p.extension().is_some_and(|x| x == "config"));
    assert!(names.len() >= 5);
    for path in names {
        let lines = match read(&path) {
            Ok((_, findings)) => findings.iter().map(|f| format!("{f}\n")).collect(),
            Err(e) => format!("{}\n", e.to_string().rsplit_once('/').unwrap().1),
        };
        let want = path.strip_prefix(root("")).unwrap().with_extension("findings");
        current(want.to_str().unwrap(), &lines);
    }
}

/// Every row reads back what it wrote, so that no getter is wired to another's setter.
#[test]
fn rows_are_wired_to_their_fields() {
    let (full, findings) = from_uci(&super::uci::parse(include_bytes!("../../tests/golden/config/full.config")).unwrap());
    assert!(!super::any_error(&findings));
    let empty = Settings::default();
    // Two options have one value only; the one with a field is set to another all the same.
    let mut full = full;
    full.policy.category_profile = "ANOTHER".into();
    for r in ROWS.iter().filter(|r| r.name != "https_only") {
        assert_ne!((r.get)(&full), (r.get)(&empty), "full.config does not change {}.{}", r.section, r.name);
        let mut one = empty.clone();
        assert!((r.set)(&mut one, &(r.get)(&full)));
        let differ: Vec<&str> = ROWS.iter().filter(|o| (o.get)(&one) != (o.get)(&empty)).map(|o| o.name).collect();
        assert_eq!(differ, [r.name]);
        assert_eq!((r.get)(&one), (r.get)(&full));
    }
    let blank = Window { days: 1, start: 0, end: 0, max: None };
    for r in &WINDOW_ROWS {
        let mut one = blank.clone();
        assert!((r.set)(&mut one, &(r.get)(&full.windows[0])));
        let differ: Vec<&str> = WINDOW_ROWS.iter().filter(|o| (o.get)(&one) != (o.get)(&blank)).map(|o| o.name).collect();
        assert_eq!(differ, [r.name]);
    }
}
