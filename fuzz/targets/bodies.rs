//! Bodies of requests that the edge reads.

use std::collections::BTreeMap;

use fastgate::json_body::{self, Change, JsonBody};
use serde_json::Value;
use serde_json::value::RawValue;

/// A body that is accepted is one JSON object that `serde_json` reads in the same way, has each member once, and keeps
/// every byte outside a member that is replaced.
pub fn json_body(data: &[u8]) {
    let Ok(body) = JsonBody::parse(data) else { return };
    let text = std::str::from_utf8(data).unwrap();
    let whole: Value = serde_json::from_str(text).unwrap();
    let members = whole.as_object().unwrap();
    let names: Vec<String> = body.object().names().map(str::to_owned).collect();
    assert_eq!(names.len(), members.len(), "{text}");
    assert_eq!(plain(&json_body::Value::Object(body.object().clone())), whole, "{text}");
    // The digest is that of the value, however it is written, and of no other value.
    let rewritten = serde_json::to_string_pretty(&whole).unwrap();
    let digest = |text: &str| JsonBody::parse(text.as_bytes()).unwrap().object().digest();
    assert_eq!(body.object().digest(), digest(&rewritten), "{text}");
    let raw: BTreeMap<String, &RawValue> = serde_json::from_str(text).unwrap();
    for name in &names {
        let replaced = body.with(&[(name, "\"\\u0000other\"".to_owned())]);
        let (before, after) = around(text, &replaced);
        assert!(before + after >= text.len() - raw[name].get().len(), "{text} became {replaced}");
        let mut expected = members.clone();
        expected.insert(name.clone(), Value::from("\0other"));
        assert_eq!(serde_json::from_str::<Value>(&replaced).unwrap(), Value::Object(expected), "{replaced}");
    }
    if !members.contains_key("added") {
        let added = body.with(&[("added", "{}".to_owned())]);
        assert!(body.object().digest().is_none_or(|found| digest(&added) != Some(found)), "{text}");
        let mut expected = members.clone();
        expected.insert("added".to_owned(), Value::Object(serde_json::Map::new()));
        assert_eq!(
            JsonBody::parse(added.as_bytes()).unwrap().value("added").map(plain),
            Some(Value::Object(serde_json::Map::new()))
        );
        assert_eq!(serde_json::from_str::<Value>(&added).unwrap(), Value::Object(expected), "{added}");
    }
    assert_eq!(body.with(&[]), text);
    for (outer, inner) in members.iter().filter_map(|(name, value)| Some((name, value.as_object()?))) {
        for (name, list) in inner.iter().filter_map(|(name, value)| Some((name, value.as_array()?))) {
            // Several elements stay, or none, or all.
            for pattern in [0, usize::MAX, 0x5a5a, 0x0ff0] {
                let stay: Vec<bool> = (0..list.len()).map(|index| pattern >> (index % 16) & 1 == 1).collect();
                let changed = body.with_inner(outer, &[(name, Change::Elements(&stay))]).unwrap();
                let kept = list.iter().zip(&stay).filter(|(_, stays)| **stays).map(|(element, _)| element.clone());
                let mut expected = whole.clone();
                expected[outer][name] = kept.collect();
                assert_eq!(serde_json::from_str::<Value>(&changed).unwrap(), expected, "{changed}");
                let (before, after) = around(text, &changed);
                assert!(before + after >= changed.len() || stay.contains(&true), "{text} became {changed}");
            }
        }
    }
}

/// The value as `serde_json` has it.
fn plain(value: &json_body::Value<'_>) -> Value {
    match value {
        json_body::Value::Null => Value::Null,
        json_body::Value::Bool(value) => Value::from(*value),
        json_body::Value::Whole(value) => Value::from(*value),
        json_body::Value::Negative(value) => Value::from(*value),
        json_body::Value::Fraction(value) => Value::from(*value),
        json_body::Value::Text(text) => Value::from(text.as_ref()),
        json_body::Value::List(elements) => elements.iter().map(plain).collect(),
        json_body::Value::Object(object) => {
            object.members().map(|(name, value)| (name.to_owned(), plain(value))).collect()
        }
    }
}

/// The lengths of the longest common beginning and end of two texts, in bytes of the first, which do not overlap.
fn around(one: &str, other: &str) -> (usize, usize) {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let before = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    let after = one.iter().rev().zip(other.iter().rev()).take_while(|(one, other)| one == other).count();
    (before, after.min(one.len() - before))
}
