//! Members of the daemon's answers, read where they are shown. A reader for the whole status object is 50 kB on a router.
//!
//! What is missing or of another type (the daemon is of another version) reads as nothing.

use serde_json::Value;

/// A text.
pub fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name].as_str().unwrap_or_default()
}

/// A whole number that is not below nought.
pub fn whole(of: &Value, name: &str) -> u64 {
    of[name].as_u64().unwrap_or_default()
}

/// A number.
pub fn real(of: &Value, name: &str) -> f64 {
    of[name].as_f64().unwrap_or_default()
}

/// Whether it is so.
pub fn flag(of: &Value, name: &str) -> bool {
    of[name].as_bool().unwrap_or_default()
}

/// The items of a list.
pub fn list<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of[name].as_array().map_or(&[], Vec::as_slice)
}

/// An object, where there is one.
pub fn object<'a>(of: &'a Value, name: &str) -> Option<&'a Value> {
    of.get(name).filter(|member| member.is_object())
}

/// The texts of a list with `between` them.
pub fn joined(of: &Value, name: &str, between: &str) -> String {
    list(of, name).iter().filter_map(Value::as_str).collect::<Vec<_>>().join(between)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_there_reads_as_nothing() {
        let tree = json!({ "t": "x", "n": 7, "r": 1.5, "f": true, "l": ["a", 1, "b"], "o": {} });
        assert_eq!((text(&tree, "t"), whole(&tree, "n"), real(&tree, "r"), flag(&tree, "f")), ("x", 7, 1.5, true));
        assert_eq!((list(&tree, "l").len(), joined(&tree, "l", "+").as_str(), object(&tree, "o").is_some()), (3, "a+b", true));
        for other in [&tree, &json!(null), &json!([])] {
            assert_eq!((text(other, "n"), whole(other, "t"), real(other, "t"), flag(other, "l")), ("", 0, 0.0, false));
            assert_eq!((list(other, "o").len(), object(other, "l"), whole(other, "none")), (0, None, 0));
        }
    }
}
