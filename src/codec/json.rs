//! Strict JSON (I-JSON, RFC 7493, as the contracts narrow it) and its canonical form (JCS, RFC 8785).

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

mod canonical;
mod read;

pub use canonical::canonical;
pub use read::read;

/// Largest body of any API: 64 KiB.
pub const MAX_BODY: usize = 64 * 1024;
const MAX_DEPTH: usize = 16;
/// Largest integer that I-JSON carries exactly.
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

/// Why bytes are not JSON the contracts accept.
#[derive(Debug)]
pub struct BadJson(String);

impl fmt::Display for BadJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not acceptable JSON: {}", self.0)
    }
}

impl std::error::Error for BadJson {}

/// Reads one JSON text: no duplicate names, integers up to 2^53−1, depth up to 16.
///
/// Fractions are read as they are; which members may hold one is the schema's matter.
pub fn parse(bytes: &[u8]) -> Result<Value, BadJson> {
    let mut de = serde_json::Deserializer::from_slice(bytes);
    let value = Strict(MAX_DEPTH).deserialize(&mut de).map_err(|e| BadJson(e.to_string()))?;
    de.end().map_err(|e| BadJson(e.to_string()))?;
    Ok(value)
}

/// [`parse`], then [`read`] into `T`.
pub fn from_slice<T: de::DeserializeOwned>(bytes: &[u8]) -> Result<T, BadJson> {
    read(&parse(bytes)?)
}

/// `T` as a JSON object; an empty one for what is no object.
pub fn object<T: serde::Serialize>(value: &T) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// As JSON text, its members in the order of their declaration.
pub fn text<T: serde::Serialize>(value: &T) -> Vec<u8> {
    // Fails on a map with names that are no texts only, which nothing of ours has.
    serde_json::to_vec(value).unwrap_or_default()
}

/// JSON text `compact` for people: indented by two spaces, one member to a line.
pub fn pretty(compact: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(compact.len() * 2);
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    let line = |out: &mut Vec<u8>, depth: usize| {
        out.push(b'\n');
        out.resize(out.len() + 2 * depth, b' ');
    };
    let mut bytes = compact.iter().copied().peekable();
    while let Some(b) = bytes.next() {
        let closed = matches!(bytes.peek(), Some(b'}' | b']'));
        match b {
            _ if quoted => {
                quoted = escaped || b != b'"';
                escaped = b == b'\\' && !escaped;
                out.push(b);
            }
            b'{' | b'[' if !closed => {
                depth += 1;
                out.push(b);
                line(&mut out, depth);
            }
            b'}' | b']' if !matches!(out.last(), Some(b'{' | b'[')) => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(b);
            }
            b',' => {
                out.push(b);
                line(&mut out, depth);
            }
            b':' => out.extend_from_slice(b": "),
            _ => {
                quoted = b == b'"';
                out.push(b);
            }
        }
    }
    out
}

/// A fraction as the contracts allow it (errorRatePct, confidence, score): at most 3 decimals.
pub fn milli(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

struct Strict(usize);

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Value, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }

    fn visit_u64<E: de::Error>(self, v: u64) -> Result<Value, E> {
        if v > MAX_INTEGER {
            return Err(E::custom("an integer above 2^53-1"));
        }
        Ok(v.into())
    }

    fn visit_i64<E: de::Error>(self, v: i64) -> Result<Value, E> {
        if v.unsigned_abs() > MAX_INTEGER {
            return Err(E::custom("an integer below -(2^53-1)"));
        }
        Ok(v.into())
    }

    fn visit_f64<E: de::Error>(self, v: f64) -> Result<Value, E> {
        // Beyond it every number is an integer, whatever it was written as, and the canonical form writes it as one.
        if v.abs() > MAX_INTEGER as f64 {
            return Err(E::custom("a number beyond 2^53-1"));
        }
        Number::from_f64(v).map(Value::Number).ok_or_else(|| E::custom("a number that is not finite"))
    }

    fn visit_str<E: de::Error>(self, v: &str) -> Result<Value, E> {
        Ok(Value::String(v.to_owned()))
    }

    fn visit_string<E: de::Error>(self, v: String) -> Result<Value, E> {
        Ok(Value::String(v))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let below = self.0.checked_sub(1).ok_or_else(|| de::Error::custom("deeper than 16 levels"))?;
        let mut out = Vec::new();
        while let Some(v) = seq.next_element_seed(Strict(below))? {
            out.push(v);
        }
        Ok(Value::Array(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let below = self.0.checked_sub(1).ok_or_else(|| de::Error::custom("deeper than 16 levels"))?;
        let mut out = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value_seed(Strict(below))?;
            if out.contains_key(&name) {
                return Err(de::Error::custom(format_args!("the name {name:?} twice in one object")));
            }
            out.insert(name, value);
        }
        Ok(Value::Object(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_not_i_json() {
        for bad in [
            r#"{"a":1,"a":2}"#,
            r#"{"a":{"b":1,"b":1}}"#,
            "9007199254740992",
            "-9007199254740992",
            "18446744073709551616", // past u64, where the parser turns to fractions
            "-18446744073709551616",
            "9007199254740992.5",
            "1e20",
            "1e999",
            "",
            "{} {}",
            "[1,]",
            "\"\u{0}\"",
            "[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]",
        ] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(parse(b"\"\xff\"").is_err());
        assert!(parse(b"[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]").is_ok());
        assert!(parse(b"9007199254740991").is_ok());
        assert!(parse(b"9007199254740991.0").is_ok());
    }

    proptest::proptest! {
        #[test]
        fn pretty_is_as_serde_json_has_it(texts in proptest::collection::vec(".{0,9}", 0..4), n in proptest::prelude::any::<i64>(), text in "[\"\\\\{}:, a\\[\\]]{0,12}") {
            let value = serde_json::json!({ "texts": texts, "n": n, "none": [], "empty": {}, "deep": [[[]], {"a": {}, "b": [null, 1.5]}], &text: text });
            let shown = String::from_utf8(pretty(&super::text(&value))).unwrap();
            proptest::prop_assert_eq!(shown, serde_json::to_string_pretty(&value).unwrap());
        }
    }

    #[test]
    fn canonical_form_of_rfc_8785() {
        // RFC 8785, section 3.2.2 and 3.2.3.
        let text = r#"{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],
            "string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#;
        let want = r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#;
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(String::from_utf8(canonical(&value)).unwrap(), want);
        let keys = r#"{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji","\u0080":"Control","\u00f6":"Latin"}"#;
        let value: Value = serde_json::from_str(keys).unwrap();
        let sorted = String::from_utf8(canonical(&value)).unwrap();
        let order: Vec<usize> = ["Carriage", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew"].iter().map(|k| sorted.find(k).unwrap()).collect();
        assert!(order.is_sorted(), "{sorted}");
    }
}
