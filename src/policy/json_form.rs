//! What serde reads more freely than a policy is meant: a list as a struct, its members in their order, and `{"GET": null}`
//! as a word. The JSON Schema has neither, and neither says what it means.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Unexpected, Visitor};

/// How a type is read that derives `Deserialize` with `#[serde(remote = "Self")]`, which leaves its reading to this.
pub(super) trait Strict: Sized {
    /// Whether an object may stand there.
    const OBJECT: bool;
    /// Whether a word may stand there.
    const WORD: bool;

    /// The derived reading.
    ///
    /// # Errors
    /// Those of `deserializer`, and what the type does not know.
    fn derived<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;

    /// Whether this value is written as a word.
    fn is_word(&self) -> bool {
        !Self::OBJECT
    }
}

/// Reads a value that is an object, a word, or one of the two, as its type says.
pub(super) fn read<'de, T: Strict, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let visitor = StrictVisitor(PhantomData);
    match (T::OBJECT, T::WORD) {
        (true, false) => deserializer.deserialize_map(visitor),
        (false, _) => deserializer.deserialize_str(visitor),
        (true, true) => deserializer.deserialize_any(visitor),
    }
}

struct StrictVisitor<T>(PhantomData<T>);

impl<'de, T: Strict> Visitor<'de> for StrictVisitor<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match (T::OBJECT, T::WORD) {
            (true, true) => "an object or a text",
            (true, false) => "an object",
            (false, _) => "a text",
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
        if !T::OBJECT {
            return Err(A::Error::invalid_type(Unexpected::Map, &self));
        }
        let value = T::derived(MapAccessDeserializer::new(members))?;
        if value.is_word() { Err(A::Error::custom("an object where a text belongs")) } else { Ok(value) }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        if !T::WORD {
            return Err(E::invalid_type(Unexpected::Str(text), &self));
        }
        T::derived(StrDeserializer::new(text))
    }
}

/// Implements `Deserialize` for a type with `#[serde(remote = "Self")]`: whether it is written as an object, as a word or as
/// either; in that case, which of its values are words.
macro_rules! strict {
    ($name:ident, $object:literal, $word:literal $(, $words:pat)?) => {
        impl $crate::policy::json_form::Strict for $name {
            const OBJECT: bool = $object;
            const WORD: bool = $word;

            fn derived<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::deserialize(deserializer)
            }
            $(
                fn is_word(&self) -> bool {
                    matches!(self, $words)
                }
            )?
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::policy::json_form::read(deserializer)
            }
        }
    };
}

/// Types that are written as objects.
macro_rules! objects {
    ($($name:ident),+) => { $($crate::policy::json_form::strict!($name, true, false);)+ };
}

/// Types that are written as words.
macro_rules! words {
    ($($name:ident),+) => { $($crate::policy::json_form::strict!($name, false, true);)+ };
}

pub(super) use {objects, strict, words};

/// A word of a type that is also read elsewhere.
struct Word<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(WordVisitor(PhantomData))
    }
}

struct WordVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for WordVisitor<T> {
    type Value = Word<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Word<T>, E> {
        T::deserialize(StrDeserializer::new(text)).map(Word)
    }
}

/// Reads a list of words, for `#[serde(deserialize_with = …)]`.
pub(super) fn list_of_words<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let words: Vec<Word<T>> = Vec::deserialize(deserializer)?;
    Ok(words.into_iter().map(|Word(word)| word).collect())
}
