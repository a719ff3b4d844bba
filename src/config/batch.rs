//! Changed settings back into UCI: as lines for `uci batch`, as a changed package, as a changed file.

mod commit;

pub use commit::{Take, commit, rewrite, try_commit};

use super::settings::{Settings, Window};
use super::table::{KINDS, ROWS, Row, WINDOW, WINDOW_ROWS};
use super::uci::{Package, Section, Value, quoted};

/// The package's name, which is the file's.
pub const PACKAGE: &str = "echomesh";

/// Lines for `uci batch` that turn `old` into `new`, ending in `commit echomesh`. Empty where nothing differs.
///
/// They address sections as the packaged file names them; use [`uci_batch_for`] where the file is at hand.
pub fn uci_batch(old: &Settings, new: &Settings) -> String {
    uci_batch_for(&Package::default(), old, new)
}

/// [`uci_batch`] for the sections as `package` has them, named or not.
pub fn uci_batch_for(package: &Package, old: &Settings, new: &Settings) -> String {
    let mut out = String::new();
    for kind in &KINDS {
        let changes: Vec<_> = changed(old, new).filter(|r| r.section == kind.section).collect();
        if changes.is_empty() {
            continue;
        }
        // `set PACKAGE.NAME=TYPE` makes a named section that is missing and leaves one that is there.
        let there = match package.of_kind(kind.section).next() {
            Some(Section { name: None, .. }) => format!("{PACKAGE}.@{}[0]", kind.section),
            section => {
                let name = section.and_then(|s| s.name.as_deref()).unwrap_or(kind.section);
                out += &format!("set {PACKAGE}.{name}={}\n", kind.section);
                format!("{PACKAGE}.{name}")
            }
        };
        for row in changes {
            lines(&mut out, &there, row, Some(old), new);
        }
    }
    for i in (new.windows.len()..old.windows.len()).rev() {
        out += &format!("delete {PACKAGE}.@{WINDOW}[{i}]\n");
    }
    for (i, window) in new.windows.iter().enumerate() {
        let before = old.windows.get(i);
        if before.is_none() {
            out += &format!("add {PACKAGE} {WINDOW}\n");
        }
        for row in WINDOW_ROWS.iter().filter(|r| before.is_none_or(|b| (r.get)(b) != (r.get)(window))) {
            lines(&mut out, &format!("{PACKAGE}.@{WINDOW}[{i}]"), row, before, window);
        }
    }
    if !out.is_empty() {
        out += &format!("commit {PACKAGE}\n");
    }
    out
}

/// `package` with the options that differ between `old` and `new` set to `new`; everything else stays as it is.
pub fn apply(package: &Package, old: &Settings, new: &Settings) -> Package {
    let mut out = package.clone();
    for row in changed(old, new) {
        let at = out.sections.iter().position(|s| s.kind == row.section).unwrap_or_else(|| {
            out.sections.push(Section::new(row.section, Some(row.section)));
            out.sections.len() - 1
        });
        out.sections[at].set(row.name, value(row, new));
    }
    if old.windows != new.windows {
        set_windows(&mut out, &new.windows);
    }
    out
}

/// A package that states every option of `settings`.
pub fn to_package(settings: &Settings) -> Package {
    let mut package = Package::default();
    for kind in &KINDS {
        let mut section = Section::new(kind.section, Some(kind.section));
        ROWS.iter().filter(|r| r.section == kind.section).for_each(|r| section.set(r.name, value(r, settings)));
        package.sections.push(section);
    }
    set_windows(&mut package, &settings.windows);
    package
}

/// The rows whose values differ.
pub(super) fn changed<'a>(old: &'a Settings, new: &'a Settings) -> impl Iterator<Item = &'static Row<Settings>> + 'a {
    ROWS.iter().filter(move |r| (r.get)(old) != (r.get)(new))
}

fn value<S>(row: &Row<S>, holder: &S) -> Option<Value> {
    let texts = (row.get)(holder);
    if row.list.is_some() { Some(Value::List(texts)) } else { texts.into_iter().next().map(Value::One) }
}

/// Brings the window sections to `windows`: the first ones change in place, so that their unknown options stay.
fn set_windows(package: &mut Package, windows: &[Window]) {
    let mut left = windows.iter();
    package.sections.retain_mut(|section| {
        if section.kind != WINDOW {
            return true;
        }
        left.next().map(|w| fill(section, w)).is_some()
    });
    for window in left {
        let mut section = Section::new(WINDOW, None);
        fill(&mut section, window);
        package.sections.push(section);
    }
}

fn fill(section: &mut Section, window: &Window) {
    WINDOW_ROWS.iter().for_each(|r| section.set(r.name, value(r, window)));
}

/// The lines that set one option. Setting an empty value is UCI's way to remove an option without minding its absence.
fn lines<S>(out: &mut String, section: &str, row: &Row<S>, old: Option<&S>, new: &S) {
    let at = format!("{section}.{}", row.name);
    let texts = (row.get)(new);
    if row.list.is_none() {
        *out += &format!("set {at}={}\n", quoted(texts.first().map_or("", String::as_str)));
        return;
    }
    if old.is_some() {
        *out += &format!("set {at}=''\n");
    }
    for text in texts {
        *out += &format!("add_list {at}={}\n", quoted(&text));
    }
}

#[cfg(test)]
mod tests {
    use super::super::load::from_uci;
    use super::super::samples;
    use super::super::settings::Rate;
    use super::super::uci::parse;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_name_what_differs_only() {
        let old = Settings::default();
        let mut new = old.clone();
        assert_eq!(uci_batch(&old, &new), "");
        new.network.max_mbps = Rate(2_500_000);
        new.network.ports = vec![443, 8443];
        new.network.allow_file = Some("/it's".into());
        new.windows = vec![Window { days: 1, start: 60, end: 0, max: None }];
        assert_eq!(
            uci_batch(&old, &new),
            "set echomesh.network=network\nset echomesh.network.max_mbps='2.5'\nset echomesh.network.port=''\n\
             add_list echomesh.network.port='443'\nadd_list echomesh.network.port='8443'\n\
             set echomesh.network.allow_file='/it'\\''s'\nadd echomesh window\nadd_list echomesh.@window[0].days='Mon'\n\
             set echomesh.@window[0].start='01:00'\nset echomesh.@window[0].end='00:00'\nset echomesh.@window[0].max_mbps=''\ncommit echomesh\n"
        );
        let anonymous = parse(b"config network").unwrap();
        assert!(uci_batch_for(&anonymous, &old, &new).starts_with("set echomesh.@network[0].max_mbps='2.5'\n"));
        assert!(uci_batch(&new, &old).contains("delete echomesh.@window[0]\n"));
    }

    #[test]
    fn what_is_not_ours_stays() {
        let text = b"config network\n\toption odd 'x'\nconfig window 'w'\n\toption odd 'y'\n\toption start '01:00'\n\toption end '02:00'\nconfig relay 'relay'\n\toption a 'b'\n";
        let package = parse(text).unwrap();
        let (old, _) = from_uci(&package);
        let mut new = old.clone();
        new.network.burst_mb = 9;
        new.windows[0].end = 0;
        let next = apply(&package, &old, &new);
        assert_eq!(next.sections.len(), 3);
        assert_eq!(next.sections[0].get("odd"), Some(&Value::One("x".into())));
        assert_eq!(next.sections[1].get("odd"), Some(&Value::One("y".into())));
        assert_eq!(next.sections[2], package.sections[2]);
        assert_eq!(from_uci(&next).0, new);
    }

    /// The lines as `uci batch` carries them out (its cli.c and libuci's list.c).
    fn carried_out(package: &Package, batch: &str) -> Package {
        let mut out = package.clone();
        for line in batch.split_terminator('\n') {
            let (verb, rest) = line.split_once(' ').unwrap();
            if verb == "commit" {
                continue;
            }
            if verb == "add" {
                out.sections.push(Section::new(rest.strip_prefix("echomesh ").unwrap(), None));
                continue;
            }
            let (target, text) = rest.split_once('=').unwrap_or((rest, ""));
            let mut at = target.strip_prefix("echomesh.").unwrap().splitn(2, '.');
            let (section, option) = (at.next().unwrap(), at.next());
            let found = match section.strip_prefix('@') {
                Some(indexed) => {
                    let (kind, n) = indexed.trim_end_matches(']').split_once('[').unwrap();
                    out.sections.iter().enumerate().filter(|(_, s)| s.kind == kind).nth(n.parse().unwrap()).map(|(i, _)| i)
                }
                None => out.sections.iter().position(|s| s.name.as_deref() == Some(section)),
            };
            let unquoted = parse(format!("config a\nlist b {text}x").as_bytes()).unwrap().sections[0].get("b").unwrap().texts()[0].clone();
            let text = unquoted.strip_suffix('x').unwrap().to_owned();
            match (verb, option, found) {
                ("set", None, None) => out.sections.push(Section::new(&text, Some(section))),
                ("set", None, Some(i)) => assert_eq!(out.sections[i].kind, text),
                ("delete", None, Some(i)) => drop(out.sections.remove(i)),
                ("set", Some(name), Some(i)) => out.sections[i].set(name, Some(Value::One(text))),
                ("add_list", Some(name), Some(i)) => {
                    let mut texts = out.sections[i].get(name).map(|v| v.texts().to_vec()).unwrap_or_default();
                    texts.push(text);
                    out.sections[i].set(name, Some(Value::List(texts)));
                }
                other => panic!("{line}: {other:?}"),
            }
        }
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn both_ways_lead_to_the_new_settings(old in samples::settings(), new in samples::settings(), named in any::<bool>(), sparse in any::<bool>()) {
            let mut package = if sparse { apply(&Package::default(), &Settings::default(), &old) } else { to_package(&old) };
            if !named {
                package.sections.iter_mut().for_each(|s| s.name = None);
            }
            prop_assert_eq!(&from_uci(&apply(&package, &old, &new)).0, &new);
            prop_assert_eq!(&from_uci(&carried_out(&package, &uci_batch_for(&package, &old, &new))).0, &new);
            if named {
                prop_assert_eq!(&from_uci(&carried_out(&package, &uci_batch(&old, &new))).0, &new);
            }
        }
    }
}
