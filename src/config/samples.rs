//! Settings for tests: any valid combination of values, drawn from the table.

use proptest::prelude::*;

use super::form::Form;
use super::settings::{Settings, Window};
use super::table::{ALL_DAYS, ROWS, Row, WINDOW_ROWS};

/// Canonical texts, at least one of them with characters that need quoting where the form allows any.
fn texts<S>(row: &Row<S>) -> Vec<String> {
    let of = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect();
    match row.form {
        Form::Flag => of(&["0", "1"]),
        Form::AlwaysOn => of(&["1"]),
        Form::Count(min, max) => vec![min.to_string(), u64::midpoint(min, max).to_string(), max.to_string()],
        Form::Mbps => of(&["0.1", "10", "2.5", "99999.999999"]),
        Form::Choice(words) => of(words),
        Form::Text(syntax) => {
            let known = [
                "example.com",
                "a.example",
                "PH-O'Higgins",
                "PH",
                "Mon",
                "Sun",
                "23:59",
                "/it's/a b",
                "/x\\y\"z#;",
                "wan",
                "eth0'2",
                "[::]:8443",
                "127.0.0.1:1",
                "https://c.example",
                "https://c.example:8443",
                "https://1.1.1.1/dns-query",
                "https://u.example/m.json",
                "ed25519:11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3",
                "qa_testing",
            ];
            known.iter().filter_map(|t| (syntax.read)(t)).collect()
        }
    }
}

/// The values of one row: a subset for a list, at most one for an option.
fn values<S>(row: &Row<S>, default: Vec<String>) -> BoxedStrategy<Vec<String>> {
    let texts = texts(row);
    let some = match row.list {
        Some(most) => prop::sample::subsequence(texts.clone(), 1..=texts.len().min(most)).boxed(),
        None => prop::sample::select(texts).prop_map(|t| vec![t]).boxed(),
    };
    prop_oneof![2 => Just(default), 1 => some].boxed()
}

/// Any window.
fn window() -> impl Strategy<Value = Window> {
    let blank = || Window { days: ALL_DAYS, start: 0, end: 60, max: None };
    let columns: Vec<_> = WINDOW_ROWS.iter().map(|r| values(r, (r.get)(&blank()))).collect();
    columns.prop_map(move |columns| {
        let mut window = blank();
        for (row, texts) in WINDOW_ROWS.iter().zip(columns) {
            assert!((row.set)(&mut window, &texts), "{}", row.name);
        }
        window
    })
}

/// Any settings whose single values are right.
pub fn settings() -> impl Strategy<Value = Settings> {
    let columns: Vec<_> = ROWS.iter().map(|r| values(r, (r.get)(&Settings::default()))).collect();
    (columns, prop::collection::vec(window(), 0..4)).prop_map(|(columns, windows)| {
        let mut settings = Settings { windows, ..Settings::default() };
        for (row, texts) in ROWS.iter().zip(columns) {
            assert!((row.set)(&mut settings, &texts), "{}", row.name);
        }
        settings
    })
}
