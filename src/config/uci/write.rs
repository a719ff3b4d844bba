//! A package as text that libuci and [`parse`](super::parse) read back the same.

use super::{Package, Value};

/// The file's text. Values stand in single quotes, as libuci writes them.
pub fn write(package: &Package) -> String {
    let mut out = String::new();
    if let Some(name) = &package.name {
        out += &format!("package {name}\n");
    }
    for section in &package.sections {
        out += "\nconfig ";
        out += &plain_or_quoted(&section.kind);
        if let Some(name) = &section.name {
            out += &format!(" '{name}'");
        }
        out.push('\n');
        for entry in &section.options {
            match &entry.value {
                Value::One(text) => out += &format!("\toption {} {}\n", entry.name, quoted(text)),
                Value::List(texts) => texts.iter().for_each(|text| out += &format!("\tlist {} {}\n", entry.name, quoted(text))),
            }
        }
    }
    out.push('\n');
    out
}

/// `text` in single quotes; a quote inside closes, stands escaped, and opens again.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn plain_or_quoted(kind: &str) -> String {
    if kind.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')) { kind.to_owned() } else { quoted(kind) }
}

#[cfg(test)]
mod tests {
    use super::super::{Entry, Section, parse};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn writes_as_libuci_does() {
        let mut s = Section::new("network", Some("network"));
        s.set("name", Some(Value::One("it's".into())));
        s.set("port", Some(Value::List(vec!["443".into(), "8443".into()])));
        let p = Package { name: None, sections: vec![s, Section::new("window", None)] };
        assert_eq!(write(&p), "\nconfig network 'network'\n\toption name 'it'\\''s'\n\tlist port '443'\n\tlist port '8443'\n\nconfig window\n\n");
    }

    fn entry(name: String) -> impl Strategy<Value = Entry> {
        let text = "[^\0]{0,12}|[ '\"\\\\#;\r\n\tä]{0,8}";
        prop_oneof![
            text.prop_filter("UCI has no empty option", |t| !t.is_empty()).prop_map(Value::One),
            prop::collection::vec(text, 1..4).prop_map(Value::List),
        ]
        .prop_map(move |value| Entry { name: name.clone(), value })
    }

    fn package() -> impl Strategy<Value = Package> {
        let section = ("[!-~]{1,8}", any::<bool>(), prop::collection::btree_set("[a-z0-9_]{1,6}", 0..5)).prop_flat_map(|(kind, named, names)| {
            let options: Vec<_> = names.into_iter().map(entry).collect();
            options.prop_map(move |options| Section { kind: kind.clone(), name: named.then(String::new), options })
        });
        (prop::option::of("[a-z0-9_-]{1,8}"), prop::collection::vec(section, 0..5)).prop_map(|(name, mut sections)| {
            // Names of sections are unique in a package that was parsed.
            for (i, s) in sections.iter_mut().enumerate() {
                s.name = s.name.take().map(|_| format!("s{i}"));
            }
            Package { name, sections }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(150))]

        #[test]
        fn what_is_written_reads_back_the_same(p in package()) {
            prop_assert_eq!(parse(write(&p).as_bytes()).unwrap(), p);
        }

        #[test]
        fn what_was_read_survives_a_rewrite(text in "((config|option|list|package|c|o|l) ?[a-c]?['\"\\\\]?[ \t]?[a-c']*[#;\r]?\n){0,12}") {
            if let Ok(p) = parse(text.as_bytes()) {
                prop_assert_eq!(parse(write(&p).as_bytes()).unwrap(), p);
            }
        }
    }
}
