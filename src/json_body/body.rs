//! A body, and the body with other values for some of its members.

use std::borrow::Cow;
use std::ops::Range;

use super::error::JsonBodyError;
use super::places::{Place, inner, place, place_of};
use super::value::{Object, Value, parse};

/// A change of a member.
#[derive(Clone, Copy, Debug)]
pub enum Change<'change> {
    /// Its value becomes this JSON text.
    Value(&'change str),
    /// This text is put behind its value: a comma, and a further member.
    Behind(&'change str),
    /// Of its value, a list, only the elements stay for which this is `true`.
    Elements(&'change [bool]),
}

/// A JSON object that was read to its end.
#[derive(Clone, Debug)]
pub struct JsonBody<'body> {
    text: &'body str,
    object: Object<'body>,
}

impl<'body> JsonBody<'body> {
    /// Reads a whole body.
    ///
    /// # Errors
    /// A [`JsonBodyError`] if it is no JSON object, or if two parsers could read it differently.
    pub fn parse(body: &'body [u8]) -> Result<Self, JsonBodyError> {
        let text = std::str::from_utf8(body).map_err(|error| JsonBodyError::NotUtf8(error.valid_up_to()))?;
        if !text.trim_ascii_start().starts_with('{') {
            // Whether it is another JSON value or none at all makes no difference to the client.
            return Err(JsonBodyError::NotAnObject);
        }
        match parse(text)? {
            Value::Object(object) => Ok(Self { text, object }),
            _ => Err(JsonBodyError::NotAnObject),
        }
    }

    /// The object.
    #[must_use]
    pub const fn object(&self) -> &Object<'body> {
        &self.object
    }

    /// The value of a member, which may be `null`; `None` if there is no such member.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Value<'body>> {
        self.object.value(name)
    }

    /// The length of the body in bytes.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.text.len()
    }

    /// The JSON text of a member's value; `None` if there is no such member.
    #[must_use]
    pub fn text_of(&self, name: &str) -> Option<&'body str> {
        self.text.get(self.place_of(name)?)
    }

    /// The place of a member's value; `None` if there is no such member.
    fn place_of(&self, name: &str) -> Option<Range<usize>> {
        match self.value(name)? {
            // It is a part of the body, between two quotes. Other values are sought, which takes time.
            Value::Text(Cow::Borrowed(value)) => {
                let inside = place(self.text, value);
                Some(inside.start.checked_sub(1)?..inside.end.saturating_add(1))
            }
            // The text was parsed before, so that it can be read.
            _ => place_of(self.text, name).ok()?,
        }
    }

    /// The body with other values for these members, each as a name and JSON text. A member that is not there is put at the
    /// beginning; all other bytes are as before.
    #[must_use]
    pub fn with(&self, changes: &[(&str, String)]) -> String {
        let mut edits: Vec<(Range<usize>, String)> = Vec::with_capacity(changes.len());
        let mut added = Vec::new();
        for (name, value) in changes {
            match self.place_of(name) {
                Some(place) => edits.push((place, value.clone())),
                None => added.push(format!("{}:{value}", serde_json::Value::from(*name))),
            }
        }
        if !added.is_empty() {
            let inside = self.text.find('{').map_or(0, |brace| brace.saturating_add(1));
            let separator = if self.object.names().next().is_none() { "" } else { "," };
            edits.push((inside..inside, added.join(",") + separator));
        }
        edits.sort_by_key(|(place, _)| place.start);
        self.edited(edits.iter().map(|(place, value)| (place.clone(), value.as_str())))
    }

    /// The body with these changes of members of the object that is the value of `outer`. All other bytes are as before.
    /// `None` if a member is not there, or is no list where one is needed.
    #[must_use]
    pub fn with_inner(&self, outer: &str, changes: &[(&str, Change<'_>)]) -> Option<String> {
        let is_list = |change: &Change<'_>| matches!(change, Change::Elements(_));
        let names: Vec<(&str, bool)> = changes.iter().map(|(name, change)| (*name, is_list(change))).collect();
        let places = inner(self.text, outer, &names).ok()?;
        if places.len() != changes.len() {
            return None;
        }
        // The places are in the order of the text.
        let mut edits: Vec<(Range<usize>, &str)> = Vec::new();
        for (index, place) in &places {
            match (place, changes.get(*index)?.1) {
                (Place::Value(place), Change::Value(value)) => edits.push((place.clone(), value)),
                (Place::Value(place), Change::Behind(text)) => edits.push((place.end..place.end, text)),
                (Place::Elements(elements), Change::Elements(stay)) if elements.len() == stay.len() => {
                    edits.extend(removed(elements, stay).map(|place| (place, "")));
                }
                _ => return None,
            }
        }
        Some(self.edited(edits.into_iter()))
    }

    /// The body with other text at these places, which are in order.
    fn edited<'edit>(&self, edits: impl Iterator<Item = (Range<usize>, &'edit str)>) -> String {
        let mut text = String::with_capacity(self.text.len().saturating_add(64));
        let mut copied = 0;
        for (place, value) in edits {
            text.push_str(self.text.get(copied..place.start).unwrap_or_default());
            text.push_str(value);
            copied = place.end;
        }
        text.push_str(self.text.get(copied..).unwrap_or_default());
        text
    }
}

/// What is removed with the elements that do not stay: each with what is between it and its neighbor. Behind an element that
/// stays, that is what is before it; otherwise what is behind it.
fn removed<'list>(elements: &'list [Range<usize>], stay: &'list [bool]) -> impl Iterator<Item = Range<usize>> + 'list {
    let first_that_stays = stay.iter().position(|stays| *stays).unwrap_or(stay.len());
    let last = elements.len().saturating_sub(1);
    elements.iter().zip(stay).enumerate().filter(|(_, (_, stays))| !**stays).map(move |(index, (element, _))| {
        if index < first_that_stays {
            let next = elements.get(index.saturating_add(1)).filter(|_| index < last);
            element.start..next.map_or(element.end, |next| next.start)
        } else {
            let before = index.checked_sub(1).and_then(|before| elements.get(before));
            before.map_or(element.start, |before| before.end)..element.end
        }
    })
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::super::{Change, JsonBody, JsonBodyError, MAX_DEPTH, Value};

    fn parsed(json: &str) -> Result<JsonBody<'_>, JsonBodyError> {
        JsonBody::parse(json.as_bytes())
    }

    #[test]
    fn a_member_that_is_there_twice_is_refused_at_every_depth_and_in_every_spelling() {
        let many = (0..40).map(|number| format!("\"m{number}\":0,")).collect::<Vec<_>>().concat();
        let alike = (10..30).map(|number| format!("\"{number} names\":0,")).collect::<Vec<_>>().concat();
        for json in [
            r#"{"model":"a","model":"b"}"#.to_owned(),
            r#"{"model":"a","mod\u0065l":"b"}"#.to_owned(),
            r#"{"a":[{"b":{"c":1,"d":2,"c":3}}]}"#.to_owned(),
            format!("{{\"a\":{{{many}\"m39\":1}}}}"),
            format!("{{\"a\":{{{many}\"m3\":1}}}}"),
            format!("{{{many}\"m7\":1}}"),
            format!("{{{alike}\"18 names\":1}}"),
        ] {
            assert!(matches!(parsed(&json), Err(JsonBodyError::Repeated(_))), "{json}");
        }
        assert!(parsed(r#"{"a":{"b":1},"b":{"b":2},"c":[{"b":1},{"b":1}]}"#).is_ok());
        assert!(parsed(&format!("{{{alike}\"n\":[{{{many}\"n\":1}}]}}")).is_ok());
    }

    #[test]
    fn what_parsers_read_differently_is_refused() {
        for json in [
            "{",
            "{}x",
            "{} {}",
            "{\"a\":1,}",
            "{'a':1}",
            "{a:1}",
            "{\"a\":NaN}",
            "{\"a\":Infinity}",
            "{\"a\":1e400}",
            "{\"a\":01}",
            "{\"a\":+1}",
            "{\"a\":.5}",
            "{\"a\":\"\\ud800\"}",
            "{\"\\ud800\":1}",
            "{\"a\":\"\\udc00\\ud800\"}",
            "{\"a\":\"\n\"}",
            "{\"a\":\"\\x41\"}",
            "{\"a\":1 /* */}",
            "{\"a\":[1}",
            "{\"a\":\"\0\"}",
            "{\"a\"}",
        ] {
            assert!(matches!(parsed(json), Err(JsonBodyError::NotJson { .. })), "{json}");
        }
        for json in ["", " ", "[]", "[{}]", "\"a\"", "1", "null", "\u{feff}{}", "\u{a0}{}"] {
            assert!(matches!(parsed(json), Err(JsonBodyError::NotAnObject)), "{json}");
        }
        assert_eq!(JsonBody::parse(b"{\"a\":\"\xff\"}").err(), Some(JsonBodyError::NotUtf8(6)));
        assert_eq!(JsonBody::parse(b"\xff\xfe{\0}\0").err(), Some(JsonBodyError::NotUtf8(0)));
    }

    #[test]
    fn nesting_is_limited() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(parsed(&nested(MAX_DEPTH - 1)).is_ok());
        assert_eq!(parsed(&nested(MAX_DEPTH)).err(), Some(JsonBodyError::TooDeep));
        assert_eq!(parsed(&nested(10_000)).err(), Some(JsonBodyError::TooDeep));
        let objects = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
        assert_eq!(parsed(&objects).err(), Some(JsonBodyError::TooDeep));
    }

    #[test]
    fn a_change_leaves_every_other_byte_as_it_was() {
        let text = " {\"messages\" : [1.0e2, \"\\u00e9\"],\r\n\t\"m\\u006fdel\":  \"small\" , \"n\":1 } ";
        let body = parsed(text).expect("valid");
        assert_eq!(body.value("model"), Some(&Value::Text(Cow::Borrowed("small"))));
        assert_eq!(body.object().names().collect::<Vec<_>>(), ["messages", "model", "n"]);
        let changed = body.with(&[("model", "\"a-much-longer-name\"".to_owned())]);
        assert_eq!(changed, text.replace("\"small\"", "\"a-much-longer-name\""));
        let both = body.with(&[("stream_options", "{}".to_owned()), ("model", "\"x\"".to_owned())]);
        assert_eq!(both, text.replace("\"small\"", "\"x\"").replacen('{', "{\"stream_options\":{},", 1));
        assert_eq!(body.with(&[]), text);
        let texts = parsed("{\"a\": \"\", \"b\": \"\\u0062\" , \"c\":\"c\",\"d\":[0 ] }").expect("valid");
        let all = ["d", "c", "b", "a"].map(|name| (name, name.len().to_string()));
        assert_eq!(texts.with(&all), "{\"a\": 1, \"b\": 1 , \"c\":1,\"d\":1 }");
        assert_eq!(
            ["a", "b", "c", "d", "e"].map(|name| texts.text_of(name)),
            [Some("\"\""), Some("\"\\u0062\""), Some("\"c\""), Some("[0 ]"), None]
        );
        let empty = parsed("{ }").expect("valid");
        assert_eq!(empty.with(&[("a", "1".to_owned())]), "{\"a\":1 }");
        let two = empty.with(&[("a", "1".to_owned()), ("b", "2".to_owned())]);
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&two).expect("valid"),
            serde_json::json!({"a": 1, "b": 2})
        );
    }

    #[test]
    fn elements_are_removed_with_the_commas_between_them() {
        let text =
            " { \"result\" : {\"n\":1 , \"to\\u006fls\": [ {\"a\":\"]\"} ,\n2,\t[3, 4] ] ,\"ttl\":5}, \"tools\":[0] } ";
        let body = parsed(text).expect("valid");
        for (stay, list) in [
            ([true, true, true], "[ {\"a\":\"]\"} ,\n2,\t[3, 4] ]"),
            ([true, true, false], "[ {\"a\":\"]\"} ,\n2 ]"),
            ([true, false, true], "[ {\"a\":\"]\"},\t[3, 4] ]"),
            ([true, false, false], "[ {\"a\":\"]\"} ]"),
            ([false, true, true], "[ 2,\t[3, 4] ]"),
            ([false, true, false], "[ 2 ]"),
            ([false, false, true], "[ [3, 4] ]"),
            ([false, false, false], "[  ]"),
        ] {
            let changed = body.with_inner("result", &[("tools", Change::Elements(&stay))]);
            assert_eq!(changed.as_deref(), Some(text.replace("[ {\"a\":\"]\"} ,\n2,\t[3, 4] ]", list).as_str()));
        }
        let changed = body.with_inner("result", &[("ttl", Change::Behind(",\"x\":0")), ("n", Change::Value("\"y\""))]);
        let expected = text.replace("\"n\":1", "\"n\":\"y\"").replace("\"ttl\":5", "\"ttl\":5,\"x\":0");
        assert_eq!(changed, Some(expected));
        assert_eq!(body.with_inner("result", &[]).as_deref(), Some(text));
        for changes in
            [("none", Change::Value("1")), ("tools", Change::Elements(&[true])), ("n", Change::Elements(&[]))]
        {
            assert_eq!(body.with_inner("result", &[changes]), None);
        }
    }
}
