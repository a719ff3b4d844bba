//! The questions of the wizard: what they are called, and how one is put.

/// Which question.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Name {
    /// Where the node offers itself.
    Region,
    /// What the line carries.
    Line,
    /// Which caps.
    Caps,
    /// Caps of one's own: the rate.
    Rate,
    /// Caps of one's own: GB a day.
    DayGb,
    /// GB a month.
    MonthGb,
    /// When it works.
    Windows,
    /// Times of one's own.
    Hours,
    /// Consent to the proxy role.
    Proxy,
    /// How buyers get here.
    Reach,
    /// The port buyers connect to.
    Port,
    /// The coordinator.
    Coordinator,
    /// Its key.
    Key,
    /// A certificate authority of its own.
    CaFile,
    /// Probes from the coordinator's own host.
    Probes,
    /// Health figures to the coordinator.
    Telemetry,
    /// What to do with the tests; for files of answers, never asked.
    Tests,
}

impl Name {
    /// Every question, in the order they are put.
    pub const ALL: [Name; 17] = [
        Name::Region,
        Name::Line,
        Name::Caps,
        Name::Rate,
        Name::DayGb,
        Name::MonthGb,
        Name::Windows,
        Name::Hours,
        Name::Proxy,
        Name::Reach,
        Name::Port,
        Name::Coordinator,
        Name::Key,
        Name::CaFile,
        Name::Probes,
        Name::Telemetry,
        Name::Tests,
    ];

    /// Its name in a file of answers.
    pub const fn id(self) -> &'static str {
        match self {
            Name::Region => "region",
            Name::Line => "line",
            Name::Caps => "caps",
            Name::Rate => "rate",
            Name::DayGb => "gbPerDay",
            Name::MonthGb => "gbPerMonth",
            Name::Windows => "windows",
            Name::Hours => "hours",
            Name::Proxy => "proxy",
            Name::Reach => "reach",
            Name::Port => "port",
            Name::Coordinator => "coordinator",
            Name::Key => "key",
            Name::CaFile => "caFile",
            Name::Probes => "probes",
            Name::Telemetry => "telemetry",
            Name::Tests => "tests",
        }
    }

    /// The question of an id.
    pub fn of(id: &str) -> Option<Name> {
        Name::ALL.into_iter().find(|name| name.id() == id)
    }
}

/// One of several answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Choice {
    /// What is answered.
    pub id: String,
    /// What it means.
    pub text: String,
}

/// A question as it is put.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Question {
    /// In one line.
    pub title: String,
    /// What it is about.
    pub text: String,
    /// The answers there are; none = a text.
    pub choices: Vec<Choice>,
    /// What Enter alone answers; may be empty.
    pub default: String,
    /// What an empty default means.
    pub empty: &'static str,
    /// What happens with the answer.
    pub then: &'static str,
}

impl Question {
    /// What was meant by `typed`: the default, a choice by its number or its name's beginning, or the text itself.
    pub fn meant(&self, typed: &str) -> String {
        let typed = typed.trim();
        if typed.is_empty() {
            return self.default.clone();
        }
        let by_number = typed.parse::<usize>().ok().and_then(|n| self.choices.get(n.checked_sub(1)?));
        let mut by_name = self.choices.iter().filter(|c| c.id.starts_with(&typed.to_ascii_lowercase()));
        let only = by_name.next().filter(|_| by_name.next().is_none());
        let exact = self.choices.iter().find(|c| c.id.eq_ignore_ascii_case(typed));
        exact.or(by_number).or(only).map_or_else(|| typed.to_owned(), |choice| choice.id.clone())
    }
}

/// Yes and no.
pub fn yes_or_no(yes: &str, no: &str) -> Vec<Choice> {
    vec![Choice { id: "yes".into(), text: yes.into() }, Choice { id: "no".into(), text: no.into() }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_resolve() {
        for name in Name::ALL {
            assert_eq!(Name::of(name.id()), Some(name));
        }
    }

    #[test]
    fn what_is_typed_is_understood() {
        let choices = ["nights", "never", "other"].map(|id| Choice { id: id.into(), text: String::new() }).to_vec();
        let question = Question { title: String::new(), text: String::new(), choices, default: "never".into(), empty: "", then: "" };
        for (typed, meant) in
            [("", "never"), (" \n", "never"), ("1", "nights"), ("3", "other"), ("NIGHTS", "nights"), ("ni", "nights"), ("n", "n"), ("4", "4")]
        {
            assert_eq!(question.meant(typed), meant);
        }
    }
}
