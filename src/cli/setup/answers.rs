//! What the owner answered, by question; also the form of a file of answers.

use std::collections::BTreeMap;

use serde_json::Value;

use super::question::Name;
use crate::codec::json;

/// Longest answer: a URL of an allowed length fits.
pub const MAX_ANSWER: usize = 1024;

/// Answers that passed their check, or that a file gave and that are still to be checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers(BTreeMap<Name, String>);

impl Answers {
    /// The answer to a question.
    pub fn get(&self, name: Name) -> Option<&str> {
        self.0.get(&name).map(String::as_str)
    }

    /// Whether the answer is yes.
    pub fn yes(&self, name: Name) -> bool {
        self.get(name) == Some("yes")
    }

    /// Takes an answer.
    pub fn set(&mut self, name: Name, answer: String) {
        self.0.insert(name, answer);
    }

    /// Forgets one.
    pub fn forget(&mut self, name: Name) {
        self.0.remove(&name);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As a JSON object.
    pub fn to_json(&self) -> Value {
        Value::Object(self.0.iter().map(|(name, answer)| (name.id().to_owned(), Value::String(answer.clone()))).collect())
    }

    /// Reads a JSON object of at most 64 KiB: texts, numbers, and booleans for yes and no. An unknown member is an error, because a
    /// misspelt consent must not count as one that was not asked for.
    ///
    /// # Errors
    /// What is wrong, for the person who wrote it.
    pub fn read(bytes: &[u8]) -> Result<Answers, String> {
        let Value::Object(members) = json::parse(bytes).map_err(|e| format!("the answers are {e}"))? else {
            return Err("the answers are a JSON object, like {\"region\": \"PH\"}".into());
        };
        let mut answers = Answers::default();
        for (id, value) in members {
            let known = || Name::ALL.iter().map(|n| n.id()).collect::<Vec<_>>().join(", ");
            let name = Name::of(&id).ok_or_else(|| format!("there is no question `{}`; there are: {}", id.escape_debug(), known()))?;
            let answer = match value {
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                Value::Bool(yes) => if yes { "yes" } else { "no" }.to_owned(),
                _ => return Err(format!("{id}: write a text, a number, true or false")),
            };
            if answer.len() > MAX_ANSWER || answer.chars().any(char::is_control) {
                return Err(format!("{id}: at most {MAX_ANSWER} bytes, none of them a control character"));
            }
            answers.set(name, answer);
        }
        Ok(answers)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_file_of_answers_is_read_and_what_is_off_is_named() {
        let answers = Answers::read(br#"{"region": "PH", "line": 40, "proxy": true, "telemetry": false}"#).unwrap();
        assert_eq!((answers.get(Name::Region), answers.get(Name::Line)), (Some("PH"), Some("40")));
        assert!(answers.yes(Name::Proxy) && !answers.yes(Name::Telemetry));
        assert_eq!(Answers::read(answers.to_json().to_string().as_bytes()).unwrap(), answers);
        assert!(Answers::read(br#"{"prxy": true}"#).unwrap_err().contains("`prxy`"));
        assert!(Answers::read(br#"{"proxy": ["yes"]}"#).unwrap_err().contains("proxy"));
        assert!(Answers::read(b"[]").is_err() && Answers::read(b"{").is_err() && Answers::read(br#"{"line":1,"line":2}"#).is_err());
        assert!(Answers::read(br#"{"region": "\u001b[2J"}"#).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..128)) {
            let _ = Answers::read(&bytes);
        }

        #[test]
        fn what_is_written_is_read(texts in prop::collection::vec("\\PC{0,20}", Name::ALL.len())) {
            let mut answers = Answers::default();
            Name::ALL.into_iter().zip(texts).for_each(|(name, text)| answers.set(name, text));
            prop_assert_eq!(Answers::read(answers.to_json().to_string().as_bytes()), Ok(answers));
        }
    }
}
