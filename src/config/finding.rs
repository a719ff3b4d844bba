//! What is wrong or odd about a configuration, as one line each.

use std::fmt;

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    /// The settings cannot be used.
    Error,
    /// They can be used; something in them has no effect, or not the one it seems to have.
    Warning,
}

/// One finding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// Section: its type, or UCI's `@window[N]`.
    pub section: String,
    /// Option; `None` where the section as a whole is meant.
    pub option: Option<String>,
    /// The offending value, where one is.
    pub value: Option<String>,
    /// What is wrong, what is allowed, what to do.
    pub message: String,
}

/// Longest value that is printed, in characters.
const SHOWN: usize = 80;

impl Finding {
    /// An error about an option's value.
    pub fn error(section: impl Into<String>, option: &str, value: Option<&str>, message: impl Into<String>) -> Finding {
        Finding {
            severity: Severity::Error,
            section: section.into(),
            option: Some(option.into()),
            value: value.map(str::to_owned),
            message: message.into(),
        }
    }

    /// A warning about an option.
    pub fn warning(section: impl Into<String>, option: &str, value: Option<&str>, message: impl Into<String>) -> Finding {
        Finding { severity: Severity::Warning, ..Finding::error(section, option, value, message) }
    }

    /// A finding about a whole section.
    pub fn section(severity: Severity, section: impl Into<String>, message: impl Into<String>) -> Finding {
        Finding { severity, section: section.into(), option: None, value: None, message: message.into() }
    }

    /// Whether the settings can not be used.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.severity {
            Severity::Error => "error: ",
            Severity::Warning => "warning: ",
        })?;
        f.write_str(&self.section)?;
        if let Some(option) = &self.option {
            write!(f, ".{option}")?;
        }
        if let Some(value) = &self.value {
            let cut: String = value.chars().take(SHOWN).collect();
            write!(f, " '{}{}'", cut.escape_debug(), if cut.len() < value.len() { "…" } else { "" })?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Whether any of `findings` forbids the use of the settings.
pub fn any_error(findings: &[Finding]) -> bool {
    findings.iter().any(Finding::is_error)
}

/// The known name that `name` was most likely meant to be.
pub fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const MAX_LEN: usize = 64;
    if name.len() > MAX_LEN {
        return None;
    }
    let close = 1 + name.len() / 5;
    known.map(|k| (distance(name.as_bytes(), k.as_bytes()), k)).filter(|(d, _)| *d <= close).min().map(|(_, k)| k)
}

/// Levenshtein distance.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let here = (diagonal + usize::from(x != y)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], here);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_whatever_the_value() {
        let f = Finding::error("network", "port", Some(&format!("4\n'3{}", "x".repeat(200))), "a port");
        let line = f.to_string();
        assert!(line.starts_with(r"error: network.port '4\n\'3xxx") && line.ends_with("x…': a port"), "{line}");
        assert!(!line.contains('\n'));
        assert_eq!(Finding::section(Severity::Warning, "netwrok", "unknown").to_string(), "warning: netwrok: unknown");
    }

    #[test]
    fn suggestions() {
        let known = || ["max_mbps", "max_gb_per_day", "port", "uplink"].into_iter();
        assert_eq!(did_you_mean("max_mbs", known()), Some("max_mbps"));
        assert_eq!(did_you_mean("ports", known()), Some("port"));
        assert_eq!(did_you_mean("frobnicate", known()), None);
        assert_eq!(did_you_mean("", known()), None);
        assert_eq!(distance(b"kitten", b"sitting"), 3);
    }
}
