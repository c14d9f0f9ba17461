//! Reads a JSON value to its end, and keeps none of it.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::error::{JsonBodyError, MAX_DEPTH};
use crate::trail::excerpt;

/// Checks a value that is nested `depth` levels deep in the body.
pub(super) fn check(json: &str, depth: usize) -> Result<(), JsonBodyError> {
    let mut fault = None;
    let mut deserializer = serde_json::Deserializer::from_slice(json.as_bytes());
    let read = Checked { depth, fault: &mut fault }.deserialize(&mut deserializer);
    match (fault, read) {
        (Some(fault), _) => Err(fault),
        (None, read) => read.map_err(|error| not_json(&error)),
    }
}

/// The error for text that `serde_json` refuses.
pub(super) fn not_json(error: &serde_json::Error) -> JsonBodyError {
    JsonBodyError::NotJson { line: error.line(), column: error.column() }
}

/// The names of an object's members so far. Most objects have few, and for those a list is faster than a set.
#[derive(Default)]
pub(super) struct Names<'json> {
    few: Vec<Cow<'json, str>>,
    many: HashSet<Cow<'json, str>>,
}

impl<'json> Names<'json> {
    const FEW: usize = 16;

    /// Adds a name.
    ///
    /// # Errors
    /// [`JsonBodyError::Repeated`] if it is there already.
    pub(super) fn add(&mut self, name: Cow<'json, str>) -> Result<(), JsonBodyError> {
        let is_new = if self.many.is_empty() { !self.few.contains(&name) } else { !self.many.contains(&name) };
        if !is_new {
            return Err(JsonBodyError::Repeated(excerpt(&name)));
        }
        if self.many.is_empty() && self.few.len() < Self::FEW {
            self.few.push(name);
        } else {
            self.many.extend(self.few.drain(..));
            self.many.insert(name);
        }
        Ok(())
    }
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

/// A value that is read and dropped. `fault` gets what `serde_json` does not refuse by itself.
struct Checked<'fault> {
    depth: usize,
    fault: &'fault mut Option<JsonBodyError>,
}

impl Checked<'_> {
    /// What is nested in this value.
    fn nested<E: serde::de::Error>(&mut self) -> Result<Checked<'_>, E> {
        if self.depth >= MAX_DEPTH {
            return Err(self.refuse(JsonBodyError::TooDeep));
        }
        Ok(Checked { depth: self.depth.saturating_add(1), fault: self.fault })
    }

    fn refuse<E: serde::de::Error>(&mut self, fault: JsonBodyError) -> E {
        let error = E::custom(&fault);
        *self.fault = Some(fault);
        error
    }
}

impl<'de> DeserializeSeed<'de> for Checked<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Checked<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        while elements.next_element_seed(self.nested()?)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        let mut names = Names::default();
        while let Some(Name(name)) = members.next_key()? {
            names.add(name).map_err(|fault| self.refuse::<A::Error>(fault))?;
            members.next_value_seed(self.nested()?)?;
        }
        Ok(())
    }
}
