//! One digest for all spellings of a value.

use sha2::{Digest as _, Sha256};

use super::value::{Object, Value};

/// The whole numbers up to this one are those that every parser reads exactly (RFC 8259 §6).
const MAX_EXACT: f64 = 9_007_199_254_740_991.0;

impl Object<'_> {
    /// A digest of the object, which does not depend on the order of members, on white space, or on escapes in texts. A
    /// whole number differs from a fraction: `1` from `1.0`. Fractions that are the same as a double (IEEE 754) do not differ.
    /// `None` if it has a number that such parsers read differently.
    #[must_use]
    pub fn digest(&self) -> Option<[u8; 32]> {
        let mut digest = Sha256::new();
        add_object(&mut digest, self)?;
        Some(digest.finalize().into())
    }
}

/// Adds a value. Each kind has a tag, and what can have any length has it before its content, so no two values look alike.
fn add(digest: &mut Sha256, value: &Value<'_>) -> Option<()> {
    match value {
        Value::Null => digest.update(b"n"),
        Value::Bool(value) => digest.update([b'b', u8::from(*value)]),
        Value::Whole(number) => add_tagged(digest, b'w', number.to_be_bytes()),
        Value::Negative(number) => add_tagged(digest, b'i', number.to_be_bytes()),
        // Of `-0`, some parsers make a whole number and others a fraction.
        Value::Fraction(number) if number.abs() <= MAX_EXACT && (*number != 0.0 || number.is_sign_positive()) => {
            add_tagged(digest, b'f', number.to_bits().to_be_bytes());
        }
        Value::Fraction(_) => return None,
        Value::Text(text) => add_text(digest, text),
        Value::List(elements) => {
            add_tagged(digest, b'l', length(elements.len()));
            for element in elements {
                add(digest, element)?;
            }
        }
        Value::Object(object) => add_object(digest, object)?,
    }
    Some(())
}

fn add_object(digest: &mut Sha256, object: &Object<'_>) -> Option<()> {
    let mut members: Vec<_> = object.members().collect();
    members.sort_unstable_by_key(|(name, _)| *name);
    add_tagged(digest, b'o', length(members.len()));
    for (name, value) in members {
        add_text(digest, name);
        add(digest, value)?;
    }
    Some(())
}

fn add_text(digest: &mut Sha256, text: &str) {
    add_tagged(digest, b't', length(text.len()));
    digest.update(text.as_bytes());
}

fn add_tagged(digest: &mut Sha256, tag: u8, content: [u8; 8]) {
    digest.update([tag]);
    digest.update(content);
}

fn length(length: usize) -> [u8; 8] {
    u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use crate::json_body::JsonBody;

    fn digest(body: &str) -> Option<[u8; 32]> {
        JsonBody::parse(body.as_bytes()).unwrap().object().digest()
    }

    #[test]
    fn spellings_of_one_value_have_one_digest() {
        for (one, other) in [
            (r#"{"a":1,"b":[true,null]}"#, "{ \"b\" : [true, null],\n\"a\":1 }"),
            (r#"{"a":"\u00e9\/"}"#, "{\"a\":\"é/\"}"),
            (r#"{"\u0061":{"c":-1,"b":0.5}}"#, r#"{"a":{"b":5e-1,"c":-1}}"#),
        ] {
            assert!(digest(one).is_some());
            assert_eq!(digest(one), digest(other), "{one} {other}");
        }
    }

    #[test]
    fn other_values_have_other_digests() {
        let bodies = [
            r#"{"a":1}"#,
            r#"{"a":1.0}"#,
            r#"{"a":-1}"#,
            r#"{"a":"1"}"#,
            r#"{"a":true}"#,
            r#"{"a":null}"#,
            r#"{"a":[1]}"#,
            r#"{"a":[[1]]}"#,
            r#"{"a":[]}"#,
            r#"{"a":{}}"#,
            r#"{"a":[],"b":[]}"#,
            r#"{"a":["b"]}"#,
            r#"{"a":["",""]}"#,
            r#"{"a":"b"}"#,
            r#"{"b":"a"}"#,
            r#"{"a":{"b":1}}"#,
            r#"{"a":["b",1]}"#,
            r#"{"a":0}"#,
            r#"{"a":0.0}"#,
            r#"{"a":[2,1]}"#,
            r#"{"a":[1,2]}"#,
            "{}",
        ];
        let digests: Vec<_> = bodies.iter().map(|body| digest(body).unwrap()).collect();
        for (index, found) in digests.iter().enumerate() {
            assert!(!digests[..index].contains(found), "{}", bodies[index]);
        }
    }

    #[test]
    fn a_number_that_parsers_read_differently_has_none() {
        for number in ["18446744073709551617", "1e300", "-9007199254740993.5", "-0", "-0.0", "-1e-400"] {
            assert_eq!(digest(&format!("{{\"a\":[{number}]}}")), None, "{number}");
        }
    }
}
