//! JSON objects in which every member name occurs once, at every depth.
//!
//! RFC 7515 §4 and RFC 7519 §4 let a parser refuse repeated names or take the last one; two parsers that choose
//! differently read two different tokens. Here a repeated name is an error. Depth is bounded by `serde_json`.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

/// Parses `json` as an object with unique member names.
///
/// # Errors
/// Not UTF-8, not JSON, not an object, nested deeper than 128, or a member name that occurs twice in one object.
pub fn parse_object(json: &[u8]) -> Result<Map<String, Value>, serde_json::Error> {
    match serde_json::from_slice(json)? {
        Unique(Value::Object(members)) => Ok(members),
        Unique(_) => Err(serde_json::Error::custom("not an object")),
    }
}

struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Unique)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Unique(value)) = elements.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            match members.entry(name) {
                Entry::Vacant(place) => place.insert(entries.next_value::<Unique>()?.0),
                Entry::Occupied(earlier) => {
                    return Err(A::Error::custom(format_args!("the member {:?} occurs twice", earlier.key())));
                }
            };
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::parse_object;

    #[test]
    fn repeated_names_are_refused_at_every_depth_and_in_every_spelling() {
        for json in [r#"{"a":1,"a":1}"#, r#"{"sub":1,"s\u0075b":1}"#, r#"{"x":[{"a":1,"a":2}]}"#] {
            assert!(parse_object(json.as_bytes()).is_err(), "{json}");
        }
        assert!(parse_object(br#"{"a":{"b":1},"b":2}"#).is_ok());
    }

    #[test]
    fn what_is_not_an_object_is_refused() {
        let deep = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
        for json in
            ["[]", "\"x\"", "1", "null", "", "{", "{} x", "\u{feff}{}", r#"{"a":"\ud800"}"#, r#"{"a":1e400}"#, &deep]
        {
            assert!(parse_object(json.as_bytes()).is_err());
        }
        assert!(parse_object(b"{\"a\":\"\xff\"}").is_err());
    }
}
