//! The places of the values of an object's members in its text.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::value::Name;

/// The place of the value of each member called one of `names`, in the order of the text.
pub(super) fn places(object: &str, names: &[&str]) -> Result<Vec<(usize, Range<usize>)>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(object.as_bytes());
    deserializer.deserialize_map(PlacesVisitor { object, names })
}

struct PlacesVisitor<'visit> {
    object: &'visit str,
    names: &'visit [&'visit str],
}

impl<'de> Visitor<'de> for PlacesVisitor<'_> {
    type Value = Vec<(usize, Range<usize>)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut places = Vec::new();
        while let Some(Name(name)) = entries.next_key()? {
            let value: &RawValue = entries.next_value()?;
            if let Some(index) = self.names.iter().position(|wanted| *wanted == name) {
                // The value is a part of the text.
                let start = value.get().as_ptr().addr().saturating_sub(self.object.as_ptr().addr());
                places.push((index, start..start.saturating_add(value.get().len())));
            }
        }
        Ok(places)
    }
}
