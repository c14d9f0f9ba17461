//! Strict JSON forms: a type is an object, a string, or either. By default, serde would also read a list as a struct,
//! member by member, and `{"GET": null}` as the string `"GET"`. The JSON Schema of a policy allows neither.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Unexpected, Visitor};

/// A type that derives `Deserialize` with `#[serde(remote = "Self")]`. The attribute creates a function, which
/// [`derived`](Strict::derived) calls; [`strict!`] implements the traits.
pub(crate) trait Strict: Sized {
    /// Whether the type may be written as an object.
    const OBJECT: bool;
    /// Whether the type may be written as a string.
    const STRING: bool;

    /// Calls the function that serde derives.
    ///
    /// # Errors
    /// The errors of `deserializer`, and an error for each member or value that the type does not have.
    fn derived<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;

    /// Whether the JSON form of this value is a string.
    fn is_string(&self) -> bool {
        !Self::OBJECT
    }
}

/// Reads a value in the form that its type allows.
pub(crate) fn read<'de, T: Strict, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let visitor = StrictVisitor(PhantomData);
    match (T::OBJECT, T::STRING) {
        (true, false) => deserializer.deserialize_map(visitor),
        (false, _) => deserializer.deserialize_str(visitor),
        (true, true) => deserializer.deserialize_any(visitor),
    }
}

struct StrictVisitor<T>(PhantomData<T>);

impl<'de, T: Strict> Visitor<'de> for StrictVisitor<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match (T::OBJECT, T::STRING) {
            (true, true) => "an object or a string",
            (true, false) => "an object",
            (false, _) => "a string",
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
        if !T::OBJECT {
            return Err(A::Error::invalid_type(Unexpected::Map, &self));
        }
        let value = T::derived(MapAccessDeserializer::new(members))?;
        if value.is_string() { Err(A::Error::custom("an object where a string belongs")) } else { Ok(value) }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        if !T::STRING {
            // The text may be a secret in the wrong place.
            return Err(E::invalid_type(Unexpected::Other("a string"), &self));
        }
        T::derived(StrDeserializer::new(text))
    }
}

/// Implements `Deserialize` for a type with `#[serde(remote = "Self")]`. The arguments are: whether it may be an
/// object, whether it may be a string, and, if both, a pattern of the values that are strings.
macro_rules! strict {
    ($name:ident, $object:literal, $string:literal $(, $strings:pat)?) => {
        impl $crate::json_form::Strict for $name {
            const OBJECT: bool = $object;
            const STRING: bool = $string;

            fn derived<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::deserialize(deserializer)
            }
            $(
                fn is_string(&self) -> bool {
                    matches!(self, $strings)
                }
            )?
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::json_form::read(deserializer)
            }
        }
    };
}

/// Implements `Deserialize` for types whose JSON form is an object.
macro_rules! objects {
    ($($name:ident),+) => { $($crate::json_form::strict!($name, true, false);)+ };
}

/// Implements `Deserialize` for types whose JSON form is a string.
macro_rules! strings {
    ($($name:ident),+) => { $($crate::json_form::strict!($name, false, true);)+ };
}

pub(crate) use {objects, strict, strings};

/// An element of a list: a value whose JSON form is a string, of a type that derives `Deserialize`.
struct Listed<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Listed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(ListedVisitor(PhantomData))
    }
}

struct ListedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListedVisitor<T> {
    type Value = Listed<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Listed<T>, E> {
        T::deserialize(StrDeserializer::new(text)).map(Listed)
    }
}

/// Reads a list of strings, for `#[serde(deserialize_with = …)]`.
pub(crate) fn list_of_strings<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let values: Vec<Listed<T>> = Vec::deserialize(deserializer)?;
    Ok(values.into_iter().map(|Listed(value)| value).collect())
}
