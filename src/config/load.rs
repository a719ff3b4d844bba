//! A UCI package to settings, with everything that is wrong or odd about it.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::cross;
use super::finding::{Finding, Severity, did_you_mean};
use super::settings::{Settings, Window};
use super::table::{ALL_DAYS, KINDS, LATER_SECTIONS, MAX_WINDOWS, ROWS, Row, WINDOW, WINDOW_ROWS};
use super::uci::{self, MAX_FILE, Package, Section, UciError, Value};
use crate::core::exit;

/// Why a configuration could not be read at all.
#[derive(Debug)]
pub enum ConfigError {
    /// There is no such file.
    Missing(PathBuf),
    /// It cannot be read.
    Unreadable(PathBuf, io::Error),
    /// It is no UCI file.
    Malformed(PathBuf, UciError),
}

impl ConfigError {
    /// The exit code (sysexits) of a program that ends with it.
    pub fn exit_code(&self) -> i32 {
        match self {
            ConfigError::Missing(_) => exit::NO_INPUT,
            ConfigError::Unreadable(_, e) if e.kind() == io::ErrorKind::PermissionDenied => exit::NO_PERM,
            ConfigError::Unreadable(..) => exit::IO,
            ConfigError::Malformed(..) => exit::CONFIG,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Missing(path) => {
                write!(
                    f,
                    "{} is not there; put the package's default file in its place (everything in it is off), or name another with --config",
                    path.display()
                )
            }
            ConfigError::Unreadable(path, e) if e.kind() == io::ErrorKind::PermissionDenied => {
                write!(f, "{} cannot be read: {e}; run this as root, or give the file mode 0640, root:echomesh", path.display())
            }
            ConfigError::Unreadable(path, e) => write!(f, "{} cannot be read: {e}", path.display()),
            ConfigError::Malformed(path, e) => write!(f, "{}, {e}", path.display()),
        }
    }
}

impl std::error::Error for ConfigError {}

/// Reads the file at `path`. The settings may be used only if no finding is an error.
pub fn read(path: &Path) -> Result<(Settings, Vec<Finding>), ConfigError> {
    read_package(path).map(|package| from_uci(&package))
}

/// Reads the file at `path` as UCI only.
pub fn read_package(path: &Path) -> Result<Package, ConfigError> {
    let open = File::open(path).and_then(|file| bytes_of(&file));
    let bytes = open.map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => ConfigError::Missing(path.into()),
        _ => ConfigError::Unreadable(path.into(), e),
    })?;
    uci::parse(&bytes).map_err(|e| ConfigError::Malformed(path.into(), e))
}

/// What an open file holds, at most one byte more than [`MAX_FILE`] (which the parser then refuses).
pub(super) fn bytes_of(file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(MAX_FILE as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The settings of a package, defaults where it says nothing, and all findings at once.
pub fn from_uci(package: &Package) -> (Settings, Vec<Finding>) {
    let mut settings = Settings::default();
    let mut findings = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    let mut too_many_windows = false;
    for section in &package.sections {
        let kind = section.kind.as_str();
        if let Some(known) = KINDS.iter().find(|k| k.section == kind) {
            if seen.contains(&known.section) {
                findings.push(Finding::section(Severity::Error, kind, "is there twice; put all its options into one section"));
            }
            seen.push(known.section);
            if section.name.as_deref().is_some_and(|name| name != kind) {
                let message = format!("is named otherwise; write config {kind} '{kind}'");
                findings.push(Finding { value: section.name.clone(), ..Finding::section(Severity::Warning, kind, message) });
            }
            options(section, kind, &ROWS, &mut settings, &mut findings);
        } else if kind == WINDOW {
            if settings.windows.len() < MAX_WINDOWS {
                let window = window(section, settings.windows.len(), &mut findings);
                settings.windows.push(window);
            } else if !std::mem::replace(&mut too_many_windows, true) {
                findings.push(Finding::section(Severity::Error, kind, format!("is there more than {MAX_WINDOWS} times")));
            }
        } else if !LATER_SECTIONS.contains(&kind) {
            let known = KINDS.iter().map(|k| k.section).chain([WINDOW]);
            findings.push(Finding::section(Severity::Warning, kind, unknown("section", kind, known)));
        }
    }
    // A value that was refused is not also missing.
    let refused = |f: &Finding| findings.iter().any(|g| g.is_error() && g.section == f.section && g.option == f.option);
    let cross: Vec<Finding> = cross::check(&settings).into_iter().filter(|f| !refused(f)).collect();
    findings.extend(cross);
    (settings, findings)
}

fn window(section: &Section, index: usize, findings: &mut Vec<Finding>) -> Window {
    let mut window = Window { days: ALL_DAYS, start: 0, end: 0, max: None };
    let label = format!("@window[{index}]");
    for needed in ["start", "end"] {
        if section.get(needed).is_none() {
            findings.push(Finding::error(&label, needed, None, "is missing; give a time HH:MM"));
        }
    }
    options(section, &label, &WINDOW_ROWS, &mut window, findings);
    window
}

fn options<S>(section: &Section, label: &str, rows: &'static [Row<S>], target: &mut S, findings: &mut Vec<Finding>) {
    for entry in &section.options {
        let rows = || rows.iter().filter(|r| r.section == section.kind);
        let Some(row) = rows().find(|r| r.name == entry.name) else {
            let message = unknown("option", &entry.name, rows().map(|r| r.name));
            findings.push(Finding::warning(label, &entry.name, None, message));
            continue;
        };
        let before = findings.len();
        let texts = checked(row, &entry.value, label, findings);
        let good = !findings[before..].iter().any(Finding::is_error);
        if good && !(row.set)(target, &texts) {
            findings.push(Finding::error(label, row.name, None, format!("allowed: {}", row.form.allowed())));
        }
    }
}

/// The canonical texts of a value, doubles left out.
fn checked<S>(row: &Row<S>, value: &Value, label: &str, findings: &mut Vec<Finding>) -> Vec<String> {
    let texts = value.texts();
    match row.list {
        None if matches!(value, Value::List(_)) => {
            findings.push(Finding::error(label, row.name, None, format!("takes one value; write option {} '…'", row.name)));
            return Vec::new();
        }
        Some(most) if texts.len() > most => {
            findings.push(Finding::error(label, row.name, None, format!("has {} entries, at most {most} are allowed", texts.len())));
        }
        _ => {}
    }
    let mut out: Vec<String> = Vec::new();
    for text in texts {
        match row.form.check(text) {
            Ok(canonical) if out.contains(&canonical) => {
                findings.push(Finding::warning(label, row.name, Some(text), "is listed twice"));
            }
            Ok(canonical) => out.push(canonical),
            Err(allowed) => findings.push(Finding::error(label, row.name, Some(text), format!("allowed: {allowed}"))),
        }
    }
    out
}

/// The message about an unknown name.
pub(super) fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    match did_you_mean(name, known) {
        Some(meant) => format!("unknown {what}; did you mean {meant}?"),
        None => format!("unknown {what}; it has no effect"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::batch::to_package;
    use super::super::samples;
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> (Settings, Vec<Finding>) {
        from_uci(&uci::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn nothing_said_is_the_default() {
        assert_eq!(of(""), (Settings::default(), Vec::new()));
        assert_eq!(of("config network\nconfig node 'node'\n").0, Settings::default());
    }

    #[test]
    fn values_take_their_one_spelling() {
        let (s, findings) =
            of("config node\nlist region_allow 'ph'\nconfig network\noption port '0443'\noption max_mbps '02.50'\nlist block_domain 'A.Example.'");
        assert_eq!(findings, []);
        assert_eq!((s.node.region_allow[0].as_str(), s.network.ports[0], s.network.max_mbps.0), ("PH", 443, 2_500_000));
        assert_eq!(s.network.block_domain, ["a.example"]);
    }

    #[test]
    fn windows_read_as_people_mean_them() {
        let (s, findings) = of(
            "config window\nlist days mon\nlist days Sunday\noption start 22:00\noption end 06:00\nconfig window\noption start 00:00\noption end 00:00",
        );
        assert_eq!(findings, []);
        assert_eq!(s.windows[0], Window { days: 0b100_0001, start: 1320, end: 360, max: None });
        assert_eq!(s.windows[1].days, ALL_DAYS);
    }

    #[test]
    fn lists_are_bounded() {
        let many = |n: usize| format!("config network\n{}", (0..n).map(|i| format!("list block_domain d{i}.example\n")).collect::<String>());
        assert_eq!(of(&many(512)).1, []);
        let (_, findings) = of(&many(513));
        assert!(findings.len() == 1 && findings[0].is_error() && findings[0].message.contains("at most 512"), "{findings:?}");
        let (s, findings) = of(&"config window\noption start 00:00\noption end 00:00\n".repeat(100));
        assert_eq!((s.windows.len(), findings.len()), (MAX_WINDOWS, 1));
        assert!(findings[0].is_error());
    }

    #[test]
    fn a_refused_value_is_not_reported_missing_too() {
        let (_, findings) = of("config proxy\noption enabled 1\nconfig coordinator\noption url 'http://c.example'");
        let urls: Vec<_> = findings.iter().filter(|f| f.option.as_deref() == Some("url")).collect();
        assert_eq!(urls.len(), 1);
        assert_eq!(urls[0].value.as_deref(), Some("http://c.example"));
    }

    #[test]
    fn a_file_that_is_not_there_says_what_to_do() {
        let error = read(Path::new("/nonexistent/echomesh")).unwrap_err();
        assert_eq!(error.exit_code(), exit::NO_INPUT);
        assert!(error.to_string().contains("default file"), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn what_is_written_reads_back_the_same(settings in samples::settings()) {
            let (back, _) = from_uci(&uci::parse(uci::write(&to_package(&settings)).as_bytes()).unwrap());
            prop_assert_eq!(back, settings);
        }

        #[test]
        fn no_values_panic(kind in "node|network|window|proxy|policy|security|coordinator|update|[a-z]{3}", options in prop::collection::vec(("[a-z_]{1,16}|listen|key|days|start|doh_url|max_mbps|port", any::<bool>(), "\\PC{0,16}"), 0..6)) {
            let mut section = Section::new(&kind, None);
            for (name, list, text) in options {
                section.set(&name, Some(if list { Value::List(vec![text]) } else { Value::One(text) }));
            }
            let (_, findings) = from_uci(&Package { name: None, sections: vec![section] });
            for f in findings {
                prop_assert!(!f.to_string().contains('\n'));
            }
        }
    }
}
