//! A JSON value, read in one pass.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::error::{JsonBodyError, MAX_DEPTH};
use crate::trail::excerpt;

/// A JSON value. Texts without escapes are parts of the body, so a value takes at most some ten times the length of its
/// JSON text.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'body> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number that is written as one: not `5.0` or `5e0`.
    Whole(u64),
    /// A negative number that is written as a whole one.
    Negative(i64),
    /// A number with a fraction or an exponent, or a whole one that no integer of 64 bits has.
    Fraction(f64),
    /// A text.
    Text(Cow<'body, str>),
    /// A list.
    List(Vec<Self>),
    /// An object.
    Object(Object<'body>),
}

/// The members of an object, in the order of the body. No two have the same name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object<'body> {
    members: Vec<(Cow<'body, str>, Value<'body>)>,
}

impl<'body> Value<'body> {
    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The elements, if it is a list.
    #[must_use]
    pub fn list(&self) -> Option<&[Self]> {
        if let Self::List(elements) = self { Some(elements) } else { None }
    }

    /// The members, if it is an object.
    #[must_use]
    pub const fn object(&self) -> Option<&Object<'body>> {
        if let Self::Object(object) = self { Some(object) } else { None }
    }

    /// Whether it is `null`, or an object or a list without content.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::List(elements) => elements.is_empty(),
            Self::Object(object) => object.members.is_empty(),
            _ => false,
        }
    }
}

impl<'body> Object<'body> {
    /// The value of a member, which may be `null`; `None` if there is no such member.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Value<'body>> {
        self.members.iter().find(|(found, _)| found == name).map(|(_, value)| value)
    }

    /// The names of the members.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|(name, _)| name.as_ref())
    }

    /// The members.
    pub fn members(&self) -> impl Iterator<Item = (&str, &Value<'body>)> {
        self.members.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// The first name that is there twice.
    fn repeated(&self) -> Option<&str> {
        /// Most objects have few members, and for those comparing those that look alike is faster than a set.
        const FEW: usize = 32;
        if self.members.len() > FEW {
            let mut seen = HashSet::with_capacity(self.members.len());
            return self.names().find(|name| !seen.insert(*name));
        }
        let mut seen = 0_u64;
        let is_repeated = |(index, name): &(usize, &str)| {
            let bit = bit_of(name);
            let is_alike = seen & bit != 0;
            seen |= bit;
            is_alike && self.names().take(*index).any(|other| other == *name)
        };
        self.names().enumerate().find(is_repeated).map(|(_, name)| name)
    }
}

/// One bit of 64, by the length and the last letters of a name.
fn bit_of(name: &str) -> u64 {
    let last = name.bytes().rev().take(2).fold(name.len(), |sum, byte| sum.wrapping_mul(7).wrapping_add(byte.into()));
    1 << (last % 64)
}

/// Reads a whole JSON text.
///
/// # Errors
/// A [`JsonBodyError`] if it is no JSON, or if two parsers could read it differently.
pub(super) fn parse(json: &str) -> Result<Value<'_>, JsonBodyError> {
    let mut state = State::default();
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let read = Reader { depth: 0, state: &mut state }.deserialize(&mut deserializer);
    let ended = read.and_then(|value| deserializer.end().map(|()| value));
    ended.map_err(|error| state.fault.unwrap_or_else(|| not_json(&error)))
}

/// The error for text that `serde_json` refuses.
fn not_json(error: &serde_json::Error) -> JsonBodyError {
    JsonBodyError::NotJson { line: error.line(), column: error.column() }
}

/// The name of a member, without a copy unless it has escapes.
pub(super) struct Name<'json>(pub(super) Cow<'json, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}

/// What is kept while a body is read.
#[derive(Default)]
struct State<'body> {
    /// What `serde_json` does not refuse by itself.
    fault: Option<JsonBodyError>,
    lists: Spare<Value<'body>>,
    objects: Spare<(Cow<'body, str>, Value<'body>)>,
}

/// Empty vectors that were used before: most lists and objects are short, and growing a vector for each takes longer than
/// reading it.
struct Spare<T>(Vec<Vec<T>>);

impl<T> Default for Spare<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Spare<T> {
    /// An empty vector.
    fn empty(&mut self) -> Vec<T> {
        self.0.pop().unwrap_or_default()
    }

    /// What was read, with no memory that is not used: of many short lists, that would be most of it.
    fn exact(&mut self, mut read: Vec<T>) -> Vec<T> {
        /// The longest that is copied, so that few bytes are spare.
        const SHORT: usize = 64;
        if read.len() > SHORT {
            read.shrink_to_fit();
            return read;
        }
        let mut exact = Vec::with_capacity(read.len());
        exact.append(&mut read);
        self.0.push(read);
        exact
    }
}

/// Reads a value that is nested `depth` levels deep in the body.
struct Reader<'read, 'body> {
    depth: usize,
    state: &'read mut State<'body>,
}

impl<'body> Reader<'_, 'body> {
    /// What is nested in this value.
    fn nested<E: serde::de::Error>(&mut self) -> Result<Reader<'_, 'body>, E> {
        if self.depth >= MAX_DEPTH {
            return Err(self.refuse(JsonBodyError::TooDeep));
        }
        Ok(Reader { depth: self.depth.saturating_add(1), state: self.state })
    }

    fn refuse<E: serde::de::Error>(&mut self, fault: JsonBodyError) -> E {
        let error = E::custom(&fault);
        self.state.fault = Some(fault);
        error
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_, 'de> {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_, 'de> {
    type Value = Value<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value<'de>, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value<'de>, E> {
        Ok(Value::Whole(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value<'de>, E> {
        Ok(Value::Negative(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value<'de>, E> {
        Ok(Value::Fraction(value))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<Value<'de>, A::Error> {
        let mut list = self.state.lists.empty();
        while let Some(element) = elements.next_element_seed(self.nested()?)? {
            list.push(element);
        }
        Ok(Value::List(self.state.lists.exact(list)))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Value<'de>, A::Error> {
        let mut members = self.state.objects.empty();
        while let Some(Name(name)) = entries.next_key()? {
            let value = entries.next_value_seed(self.nested()?)?;
            members.push((name, value));
        }
        let object = Object { members: self.state.objects.exact(members) };
        match object.repeated().map(excerpt) {
            Some(name) => Err(self.refuse(JsonBodyError::Repeated(name))),
            None => Ok(Value::Object(object)),
        }
    }
}
