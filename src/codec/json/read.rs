//! From a JSON tree into a type: one small `serde` deserializer over a borrowed [`Value`], the same for all types.
//!
//! serde_json's own would do. But it takes each struct as an array too, each enum as a tree, and each number in three ways, and every type
//! then has code for all of that: on a router's flash that is a third of what reading JSON costs. This one takes what the contracts write.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor};
use serde_json::{Value, map};

use super::BadJson;

/// `tree` as a `T`. Unknown members are ignored.
///
/// # Errors
/// What is missing or of another type.
pub fn read<T: de::DeserializeOwned>(tree: &Value) -> Result<T, BadJson> {
    T::deserialize(Tree(tree))
}

impl de::Error for BadJson {
    #[cold]
    fn custom<T: fmt::Display>(message: T) -> BadJson {
        BadJson(message.to_string())
    }
}

#[derive(Clone, Copy)]
struct Tree<'a>(&'a Value);

impl Tree<'_> {
    /// That it is something else than was looked for.
    #[cold]
    #[inline(never)]
    fn mismatch(self, expected: &dyn de::Expected) -> BadJson {
        let unexpected = match self.0 {
            Value::Null => Unexpected::Unit,
            Value::Bool(b) => Unexpected::Bool(*b),
            Value::Number(n) => match (n.as_u64(), n.as_i64()) {
                (Some(u), _) => Unexpected::Unsigned(u),
                (None, Some(i)) => Unexpected::Signed(i),
                (None, None) => Unexpected::Float(n.as_f64().unwrap_or_default()),
            },
            Value::String(s) => Unexpected::Str(s),
            Value::Array(_) => Unexpected::Seq,
            Value::Object(_) => Unexpected::Map,
        };
        de::Error::invalid_type(unexpected, expected)
    }
}

/// Methods that read as another one.
macro_rules! like {
    ($($method:ident = $other:ident),*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BadJson> {
            self.$other(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Tree<'_> {
    type Error = BadJson;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BadJson> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(b) => visitor.visit_bool(*b),
            Value::Number(n) => match (n.as_u64(), n.as_i64()) {
                (Some(u), _) => visitor.visit_u64(u),
                (None, Some(i)) => visitor.visit_i64(i),
                (None, None) => visitor.visit_f64(n.as_f64().unwrap_or_default()),
            },
            Value::String(s) => visitor.visit_str(s),
            Value::Array(_) => self.deserialize_seq(visitor),
            Value::Object(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BadJson> {
        match self.0 {
            Value::Bool(b) => visitor.visit_bool(*b),
            _ => Err(self.mismatch(&visitor)),
        }
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BadJson> {
        match self.0.as_u64() {
            Some(u) => visitor.visit_u64(u),
            None => Err(self.mismatch(&visitor)),
        }
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BadJson> {
        match self.0.as_i64() {
            Some(i) => visitor.visit_i64(i),
            None => Err(self.mismatch(&visitor)),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BadJson> {
        match self.0.as_f64() {
            Some(f) => visitor.visit_f64(f),
            None => Err(self.mismatch(&visitor)),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BadJson> {
        match self.0 {
            Value::String(s) => visitor.visit_str(s),
            _ => Err(self.mismatch(&visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BadJson> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BadJson> {
        if self.0.is_null() { visitor.visit_unit() } else { Err(self.mismatch(&visitor)) }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BadJson> {
        let Value::Array(list) = self.0 else { return Err(self.mismatch(&visitor)) };
        let mut items = Items(list.iter());
        let read = visitor.visit_seq(&mut items)?;
        // Of a tuple: each item has its place, and there is none more.
        if items.0.len() == 0 { Ok(read) } else { Err(de::Error::custom("a list with too many items")) }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BadJson> {
        match self.0 {
            Value::Object(members) => visitor.visit_map(Members { rest: members.iter(), value: &Value::Null }),
            _ => Err(self.mismatch(&visitor)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, BadJson> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, BadJson> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, BadJson> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _: &'static str, _: usize, visitor: V) -> Result<V::Value, BadJson> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value, BadJson> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value, BadJson> {
        match self.0 {
            Value::String(name) => visitor.visit_enum(Name(name)),
            _ => Err(self.mismatch(&visitor)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BadJson> {
        visitor.visit_unit()
    }

    like!(deserialize_u8 = deserialize_u64, deserialize_u16 = deserialize_u64, deserialize_u32 = deserialize_u64);
    like!(deserialize_i8 = deserialize_i64, deserialize_i16 = deserialize_i64, deserialize_i32 = deserialize_i64);
    like!(deserialize_f32 = deserialize_f64, deserialize_char = deserialize_str, deserialize_string = deserialize_str);
    like!(deserialize_bytes = deserialize_seq, deserialize_byte_buf = deserialize_seq, deserialize_identifier = deserialize_str);
}

struct Items<'a>(std::slice::Iter<'a, Value>);

impl<'de> SeqAccess<'de> for &mut Items<'_> {
    type Error = BadJson;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, BadJson> {
        self.0.next().map(|item| seed.deserialize(Tree(item))).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Members<'a> {
    rest: map::Iter<'a>,
    /// That of the name read last.
    value: &'a Value,
}

impl<'a> Members<'a> {
    #[inline(never)]
    fn step(&mut self) -> Option<&'a str> {
        let (name, value) = self.rest.next()?;
        self.value = value;
        Some(name)
    }
}

impl<'de> MapAccess<'de> for Members<'_> {
    type Error = BadJson;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, BadJson> {
        match self.step() {
            Some(name) => seed.deserialize(Name(name)).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, BadJson> {
        seed.deserialize(Tree(self.value))
    }
}

/// A member's name, or that of an enum's variant.
struct Name<'a>(&'a str);

impl<'de> Deserializer<'de> for Name<'_> {
    type Error = BadJson;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BadJson> {
        visitor.visit_str(self.0)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> EnumAccess<'de> for Name<'_> {
    type Error = BadJson;
    type Variant = Bare;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Bare), BadJson> {
        Ok((seed.deserialize(self)?, Bare))
    }
}

/// A variant that is its name alone.
struct Bare;

impl Bare {
    fn more<T>() -> Result<T, BadJson> {
        Err(de::Error::custom("a name where more should stand"))
    }
}

impl<'de> VariantAccess<'de> for Bare {
    type Error = BadJson;

    fn unit_variant(self) -> Result<(), BadJson> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, BadJson> {
        Bare::more()
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, BadJson> {
        Bare::more()
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, BadJson> {
        Bare::more()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        One,
        Two,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct All {
        small_number: u8,
        number: u64,
        signed: i32,
        fraction: f64,
        text: String,
        flag: bool,
        #[serde(default)]
        absent: Option<u32>,
        kinds: Vec<Kind>,
        pair: (u32, String),
        named: BTreeMap<String, Option<bool>>,
        tree: Value,
    }

    fn all() -> Value {
        json!({
            "smallNumber": 7, "number": 1u64 << 40, "signed": -3, "fraction": 2, "text": "ü", "flag": true, "unknown": [{"x": 1}],
            "kinds": ["two", "one"], "pair": [1, "b"], "named": {"a": null, "b": false}, "tree": {"deep": [1, -1, 1.5, null, "t", {}]},
        })
    }

    #[test]
    fn reads_what_serde_json_reads() {
        let tree = all();
        let ours: All = read(&tree).unwrap();
        assert_eq!(ours, serde_json::from_value(tree).unwrap());
        assert_eq!((ours.number, ours.signed, ours.fraction, ours.absent), (1 << 40, -3, 2.0, None));
    }

    #[test]
    fn says_what_does_not_fit() {
        for (name, value, told) in [
            ("smallNumber", json!(256), "256"),
            ("smallNumber", json!(-1), "-1"),
            ("number", json!(1.5), "1.5"),
            ("flag", json!(1), "boolean"),
            ("text", json!(null), "string"),
            ("kinds", json!(["three"]), "three"),
            ("kinds", json!([{"one": 1}]), "map"),
            ("pair", json!([1]), "length 1"),
            ("pair", json!([1, "b", 2]), "too many"),
            ("named", json!([]), "sequence"),
        ] {
            let mut tree = all();
            tree[name] = value;
            let refused = read::<All>(&tree).unwrap_err().to_string();
            assert!(refused.contains(told), "{name}: {refused}");
        }
        let mut tree = all();
        tree.as_object_mut().unwrap().remove("flag");
        assert!(read::<All>(&tree).unwrap_err().to_string().contains("missing field `flag`"));
        assert!(read::<All>(&json!([7])).is_err(), "a struct is no list");
    }

    proptest! {
        #[test]
        fn any_member_of_any_kind_is_judged_as_serde_json_judges_it(
            name in prop::sample::select(vec!["smallNumber", "number", "signed", "fraction", "text", "flag", "absent", "kinds", "pair", "named", "tree"]),
            value in prop::sample::select(vec![
                json!(null), json!(true), json!(0), json!(-1), json!(300), json!(0.5), json!(u64::MAX), json!(i64::MIN), json!("one"), json!(""),
                json!([]), json!(["one"]), json!([1, "b"]), json!([1, "b", null]), json!({}), json!({"a": true}), json!({"a": 1}),
            ]),
        ) {
            let mut tree = all();
            tree[name] = value;
            prop_assert_eq!(read::<All>(&tree).ok(), serde_json::from_value::<All>(tree).ok());
        }
    }
}
