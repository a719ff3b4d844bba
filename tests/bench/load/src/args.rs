//! `--name value ...`, and what follows `--`.

use std::collections::BTreeMap;
use std::str::FromStr;

pub struct Args {
    named: BTreeMap<String, String>,
    pub rest: Vec<String>,
}

impl Args {
    pub fn parse(mut words: impl Iterator<Item = String>) -> Args {
        let mut named = BTreeMap::new();
        while let Some(word) = words.next() {
            if word == "--" {
                break;
            }
            let name = word.strip_prefix("--").unwrap_or_else(|| panic!("not an option: {word}"));
            named.insert(name.to_owned(), words.next().unwrap_or_else(|| panic!("--{name} wants a value")));
        }
        Args { named, rest: words.collect() }
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.named.get(name).map(String::as_str)
    }

    pub fn get<T: FromStr>(&self, name: &str, default: T) -> T {
        match self.named.get(name) {
            Some(text) => text.parse().unwrap_or_else(|_| panic!("--{name} {text}: not understood")),
            None => default,
        }
    }

    pub fn need<T: FromStr>(&self, name: &str) -> T {
        let text = self.named.get(name).unwrap_or_else(|| panic!("--{name} is missing"));
        text.parse().unwrap_or_else(|_| panic!("--{name} {text}: not understood"))
    }
}
