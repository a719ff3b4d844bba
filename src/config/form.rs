//! What a value may look like: checked, brought to one spelling, described to people and as JSON Schema.

use serde_json::{Value, json};

/// The form of an option's value, or of each entry of a list.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// `0` or `1`, and the other words UCI has for them.
    Flag,
    /// A flag that can only be on.
    AlwaysOn,
    /// A whole number between two bounds, both included.
    Count(u64, u64),
    /// A rate in Mbps: 0.1 to 100000, at most six decimals.
    Mbps,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Text with a syntax of its own.
    Text(Syntax),
}

/// The syntax of a [`Form::Text`].
#[derive(Clone, Copy, Debug)]
pub struct Syntax {
    /// What is allowed, for the sentence "allowed: …".
    pub allowed: &'static str,
    /// The canonical spelling of an allowed text.
    pub read: fn(&str) -> Option<String>,
}

const MIN_BITS: u64 = 100_000;
const MAX_BITS: u64 = 100_000_000_000;

impl Form {
    /// The one spelling of an allowed `text`, or what is allowed.
    pub fn check(self, text: &str) -> Result<String, String> {
        let read = match self {
            Form::Flag => flag(text).map(|on| u8::from(on).to_string()),
            Form::AlwaysOn => flag(text).filter(|&on| on).map(|_| "1".to_owned()),
            Form::Count(min, max) => digits(text).filter(|n| (min..=max).contains(n)).map(|n| n.to_string()),
            Form::Mbps => bits(text).filter(|b| (MIN_BITS..=MAX_BITS).contains(b)).map(mbps_text),
            Form::Choice(words) => words.iter().find(|w| **w == text).map(|w| (*w).to_owned()),
            Form::Text(syntax) => (syntax.read)(text),
        };
        read.ok_or_else(|| self.allowed())
    }

    /// What is allowed, as part of a sentence.
    pub fn allowed(self) -> String {
        match self {
            Form::Flag => "0 or 1".into(),
            Form::AlwaysOn => "only 1".into(),
            Form::Count(min, max) => format!("a whole number from {min} to {max}"),
            Form::Mbps => "Mbps from 0.1 to 100000, at most 6 decimals".into(),
            Form::Choice([only]) => format!("only {only}"),
            Form::Choice(words) => format!("one of {}", words.join(", ")),
            Form::Text(syntax) => syntax.allowed.into(),
        }
    }

    /// A checked text as JSON.
    pub fn to_json(self, text: &str) -> Value {
        match self {
            Form::Flag | Form::AlwaysOn => Value::Bool(text == "1"),
            Form::Count(..) => text.parse::<u64>().map_or(Value::Null, Value::from),
            Form::Mbps => text.parse::<u64>().map(Value::from).or_else(|_| text.parse::<f64>().map(Value::from)).unwrap_or(Value::Null),
            Form::Choice(_) | Form::Text(_) => Value::from(text),
        }
    }

    /// The canonical text of a JSON value, or what is allowed.
    pub fn of_json(self, value: &Value) -> Result<String, String> {
        let text = match (self, value) {
            (Form::Flag | Form::AlwaysOn, Value::Bool(on)) => u8::from(*on).to_string(),
            (Form::Count(..), Value::Number(n)) if n.is_u64() => n.to_string(),
            // Rust writes floats without an exponent, as the check wants them.
            (Form::Mbps, Value::Number(n)) => n.as_u64().map_or_else(|| n.as_f64().unwrap_or(0.0).to_string(), |n| n.to_string()),
            (Form::Choice(_) | Form::Text(_), Value::String(text)) => text.clone(),
            _ => return Err(format!("{} ({})", self.json_type(), self.json_allowed())),
        };
        self.check(&text).map_err(|_| self.json_allowed())
    }

    fn json_allowed(self) -> String {
        match self {
            Form::Flag => "true or false".into(),
            Form::AlwaysOn => "only true".into(),
            _ => self.allowed(),
        }
    }

    const fn json_type(self) -> &'static str {
        match self {
            Form::Flag | Form::AlwaysOn => "a boolean",
            Form::Count(..) | Form::Mbps => "a number",
            Form::Choice(_) | Form::Text(_) => "a string",
        }
    }

    /// The JSON Schema of one value.
    pub fn schema(self) -> Value {
        match self {
            Form::Flag => json!({"type": "boolean"}),
            Form::AlwaysOn => json!({"type": "boolean", "const": true}),
            Form::Count(min, max) => json!({"type": "integer", "minimum": min, "maximum": max}),
            Form::Mbps => json!({"type": "number", "minimum": 0.1, "maximum": 100_000}),
            Form::Choice(words) => json!({"type": "string", "enum": words}),
            Form::Text(syntax) => json!({"type": "string", "minLength": 1, "description": syntax.allowed}),
        }
    }
}

fn flag(text: &str) -> Option<bool> {
    match text {
        "1" | "on" | "true" | "yes" | "enabled" => Some(true),
        "0" | "off" | "false" | "no" | "disabled" => Some(false),
        _ => None,
    }
}

/// A number in plain digits; no sign, no spaces.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Mbps as text to bit/s, exactly.
pub fn bits(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if fraction.is_empty() || fraction.len() > 6 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let micro = format!("{fraction:0<6}");
    digits(whole)?.checked_mul(1_000_000)?.checked_add(digits(&micro)?)
}

/// Bit/s as text in Mbps, exactly.
pub fn mbps_text(bits: u64) -> String {
    let text = format!("{}.{:06}", bits / 1_000_000, bits % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_exact() {
        for (text, bps) in [("10", 10_000_000), ("0.1", 100_000), ("2.5", 2_500_000), ("1.000001", 1_000_001), ("100000", MAX_BITS)] {
            assert_eq!(bits(text), Some(bps));
            assert_eq!(mbps_text(bps), text);
        }
        assert_eq!(Form::Mbps.check("010.50").unwrap(), "10.5");
        for bad in ["", ".", "1.", ".5", "-1", "+1", "1e3", "1.0000001", " 1", "0.09", "100000.1", "99999999999999999999", "1.5M"] {
            assert!(Form::Mbps.check(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn json_and_text_agree() {
        for (form, text, value) in [
            (Form::Flag, "1", json!(true)),
            (Form::Count(1, 9), "9", json!(9)),
            (Form::Mbps, "10", json!(10)),
            (Form::Mbps, "0.1", json!(0.1)),
            (Form::Choice(&["a", "b"]), "b", json!("b")),
        ] {
            assert_eq!(form.to_json(text), value);
            assert_eq!(form.of_json(&value).unwrap(), text);
        }
        for (form, value) in [
            (Form::Flag, json!(1)),
            (Form::AlwaysOn, json!(false)),
            (Form::Count(1, 9), json!(10)),
            (Form::Count(1, 9), json!("3")),
            (Form::Count(1, 9), json!(3.0)),
            (Form::Count(0, 9), json!(-1)),
            (Form::Mbps, json!(-0.5)),
            (Form::Mbps, json!(1e-9)),
            (Form::Choice(&["a"]), json!("c")),
        ] {
            assert!(form.of_json(&value).is_err(), "{form:?} {value}");
        }
    }

    #[test]
    fn counts_take_plain_digits_only() {
        let port = Form::Count(1, 65535);
        assert_eq!(port.check("0443").unwrap(), "443");
        for bad in ["", "0", "65536", "+1", "-1", "1 ", "0x10", "1.0", "١"] {
            assert_eq!(port.check(bad).unwrap_err(), "a whole number from 1 to 65535", "{bad:?}");
        }
    }
}
