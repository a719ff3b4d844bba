//! The canonical form (JCS, RFC 8785), written straight from the tree: no library re-reads each name, and none writes each integer as the
//! fraction it is not.

use std::fmt::Write as _;

use serde_json::Value;

use super::MAX_INTEGER;

/// The canonical form: what is hashed and signed.
pub fn canonical(value: &Value) -> Vec<u8> {
    let mut out = String::new();
    write(value, &mut out);
    out.into_bytes()
}

// Writing into a String does not fail.
fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(n) => match (n.as_i64(), n.as_f64()) {
            (Some(i), _) if i.unsigned_abs() <= MAX_INTEGER => _ = write!(out, "{i}"),
            (_, f) => number(f.unwrap_or_default(), out),
        },
        Value::String(s) => text(s, out),
        Value::Array(list) => {
            out.push('[');
            for (n, item) in list.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            // By UTF-16 (RFC 8785, 3.2.3), which is another order than the tree's only beyond U+FFFF.
            members.sort_unstable_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (n, (name, member)) in members.into_iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                text(name, out);
                out.push(':');
                write(member, out);
            }
            out.push('}');
        }
    }
}

fn text(s: &str, out: &mut String) {
    out.push('"');
    for c in s.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\0'..='\x1f' => _ = write!(out, "\\u{:04x}", c as u32),
            _ => out.push(c),
        }
    }
    out.push('"');
}

/// As ECMAScript writes a number (ECMA-262, Number::toString), which `f` is: finite.
fn number(f: f64, out: &mut String) {
    if f == 0.0 {
        // Minus nought, too.
        return out.push('0');
    }
    // The fewest digits that are this number and no other: `1.25e-7`.
    let shortest = format!("{:e}", f.abs());
    let (digits, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let mut digits: String = digits.chars().filter(|&c| c != '.').collect();
    to_even(f.abs(), &mut digits);
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if f < 0.0 {
        out.push('-');
    }
    let point = exponent + 1;
    let all = digits.len() as i32;
    let zeros = |out: &mut String, n: i32| (0..n).for_each(|_| out.push('0'));
    match point {
        1..=21 if all <= point => {
            out.push_str(&digits);
            zeros(out, point - all);
        }
        1..=21 => _ = write!(out, "{}.{}", &digits[..point as usize], &digits[point as usize..]),
        -5..=0 => {
            out.push_str("0.");
            zeros(out, -point);
            out.push_str(&digits);
        }
        _ => {
            let rest = if all > 1 { "." } else { "" };
            _ = write!(out, "{}{rest}{}e{exponent:+}", &digits[..1], &digits[1..]);
        }
    }
}

/// Where two numbers of as many digits are as near to `f`, ECMAScript takes the even one, and the library the greater.
fn to_even(f: f64, digits: &mut String) {
    let odd = digits.bytes().last().is_some_and(|last| last % 2 == 1);
    // Fewer digits than 16 always tell a number from its neighbours: there is nothing halfway.
    if !odd || digits.len() < 16 {
        return;
    }
    let exact = format!("{f:.60e}");
    let exact: String = exact.chars().take_while(|&c| c != 'e').filter(char::is_ascii_digit).collect();
    let Some(last) = digits.pop() else { return };
    let before = char::from(last as u8 - 1);
    digits.push(before);
    let halfway = exact.strip_prefix(digits.as_str()).and_then(|rest| rest.strip_prefix('5')).is_some_and(|rest| rest.bytes().all(|d| d == b'0'));
    if !halfway {
        digits.pop();
        digits.push(last);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_tree() -> impl Strategy<Value = Value> {
        let number = prop_oneof![any::<u64>().prop_map(Value::from), any::<i64>().prop_map(Value::from), any::<f64>().prop_map(Value::from)];
        let near = (any::<i32>(), -25i32..25).prop_map(|(n, e)| Value::from(f64::from(n) * 10f64.powi(e)));
        let text = ".{0,6}|[\\x00-\\x20\"\\\\\u{e000}\u{ffff}\u{10000}\u{10ffff}]{0,6}";
        let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), number, near, text.prop_map(Value::from)];
        leaf.prop_recursive(3, 24, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(text, inner, 0..6).prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    #[test]
    #[expect(clippy::excessive_precision, reason = "the halves are written out")]
    fn halfway_is_even() {
        for (f, wanted) in [(1_177_760_946_450_233.25, "1177760946450233.2"), (1_177_760_946_450_233.75, "1177760946450233.8")] {
            assert_eq!(String::from_utf8(canonical(&Value::from(f))).unwrap(), wanted);
        }
    }

    proptest! {
        #[test]
        fn it_is_what_another_library_writes(tree in any_tree()) {
            let theirs = serde_json_canonicalizer::to_vec(&tree).unwrap();
            prop_assert_eq!(String::from_utf8(canonical(&tree)).unwrap(), String::from_utf8(theirs).unwrap());
        }

        #[test]
        fn so_is_every_number(bits in any::<u64>(), places in 0i32..40) {
            for f in [f64::from_bits(bits), (bits as f64) / 10f64.powi(places), 10f64.powi(places - 20), -(bits as f64)] {
                if let Some(n) = serde_json::Number::from_f64(f) {
                    let tree = Value::Number(n);
                    prop_assert_eq!(canonical(&tree), serde_json_canonicalizer::to_vec(&tree).unwrap(), "{}", f);
                }
            }
        }
    }
}
