//! The places of the values of an object's members in its text.

use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::value::Name;

/// The place of the value of the member called `name`; `None` if there is none.
pub(super) fn place_of(object: &str, name: &str) -> Result<Option<Range<usize>>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(object);
    deserializer.deserialize_map(PlaceVisitor { object, name })
}

struct PlaceVisitor<'visit> {
    object: &'visit str,
    name: &'visit str,
}

impl<'de> Visitor<'de> for PlaceVisitor<'_> {
    type Value = Option<Range<usize>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(Name(name)) = entries.next_key()? {
            if name == self.name {
                let value: &RawValue = entries.next_value()?;
                found = Some(place(self.object, value.get()));
            } else {
                let _: IgnoredAny = entries.next_value()?;
            }
        }
        Ok(found)
    }
}

/// The place of a part of the text.
pub(super) fn place(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(text.as_ptr().addr());
    start..start.saturating_add(part.len())
}

/// Where a member is.
pub(super) enum Place {
    /// Its value.
    Value(Range<usize>),
    /// The elements of its value, which is a list.
    Elements(Vec<Range<usize>>),
}

/// The places of members of the object that is the value of `outer`: of each called one of `names`, in the order of the
/// text. With `true`, its value is a list, whose elements are sought.
pub(super) fn inner(text: &str, outer: &str, names: &[(&str, bool)]) -> Result<Vec<(usize, Place)>, serde_json::Error> {
    let mut places = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Inside { text, depth: Depth::Outer(outer), names, places: &mut places }.deserialize(&mut deserializer)?;
    Ok(places)
}

/// Visits a value within the text.
struct Inside<'visit> {
    text: &'visit str,
    depth: Depth<'visit>,
    names: &'visit [(&'visit str, bool)],
    places: &'visit mut Vec<(usize, Place)>,
}

/// How deep the value is.
#[derive(Clone, Copy)]
enum Depth<'visit> {
    /// It is the whole text, and has the member with this name.
    Outer(&'visit str),
    /// It is the value of that member.
    Inner,
    /// It is the list with this index.
    List(usize),
}

impl<'de> DeserializeSeed<'de> for Inside<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.depth {
            Depth::List(_) => deserializer.deserialize_seq(self),
            Depth::Outer(_) | Depth::Inner => deserializer.deserialize_map(self),
        }
    }
}

impl<'de> Visitor<'de> for Inside<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let Inside { text, depth, names, places } = self;
        while let Some(Name(name)) = entries.next_key()? {
            if let Depth::Outer(outer) = depth {
                if name == outer {
                    entries.next_value_seed(Inside { text, depth: Depth::Inner, names, places: &mut *places })?;
                } else {
                    let _: IgnoredAny = entries.next_value()?;
                }
                continue;
            }
            match names.iter().position(|(wanted, _)| *wanted == name).map(|index| (index, names.get(index))) {
                Some((index, Some((_, true)))) => {
                    entries.next_value_seed(Inside { text, depth: Depth::List(index), names, places: &mut *places })?;
                }
                Some((index, _)) => {
                    let value: &RawValue = entries.next_value()?;
                    places.push((index, Place::Value(place(text, value.get()))));
                }
                None => {
                    let _: IgnoredAny = entries.next_value()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let mut found = Vec::new();
        while let Some(element) = elements.next_element::<&RawValue>()? {
            found.push(place(self.text, element.get()));
        }
        if let Depth::List(index) = self.depth {
            self.places.push((index, Place::Elements(found)));
        }
        Ok(())
    }
}
