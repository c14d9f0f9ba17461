//! Reads a token as leniently as possible. Shares no code with the library.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// JSON with all its members in their order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Header and payload, as octets and, if possible, as JSON.
#[derive(Debug)]
pub(crate) struct Reading<'token> {
    pub(crate) compact: &'token str,
    pub(crate) texts: Vec<Vec<u8>>,
    header: Option<Json>,
    claims: Option<Json>,
}

impl<'token> Reading<'token> {
    pub(crate) fn of(compact: &'token str) -> Self {
        let decoded = |segment: &str| LENIENT.decode(segment).unwrap_or_default();
        let texts: Vec<_> = compact.split('.').take(2).map(decoded).collect();
        let json = |at: usize| texts.get(at).and_then(|text| serde_json::from_slice(text).ok());
        let (header, claims) = (json(0), json(1));
        Self { compact, texts, header, claims }
    }

    /// A header member: the last of that name, as in most parsers.
    pub(crate) fn header(&self, name: &str) -> Option<&Json> {
        self.header.as_ref()?.member(name)
    }

    /// A claim, likewise.
    pub(crate) fn claim(&self, name: &str) -> Option<&Json> {
        self.claims.as_ref()?.member(name)
    }

    pub(crate) fn both(&self) -> impl Iterator<Item = &Json> {
        self.header.iter().chain(&self.claims)
    }

    /// The texts without string literals.
    pub(crate) fn outside_literals(&self) -> Vec<String> {
        self.texts.iter().map(|text| outside_literals(&String::from_utf8_lossy(text))).collect()
    }
}

impl Json {
    pub(crate) fn member(&self, wanted: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        members.iter().rev().find(|(name, _)| name == wanted).map(|(_, value)| value)
    }

    pub(crate) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(crate) const fn number(&self) -> Option<f64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    /// Whether two members of one object have the same name, at any depth.
    pub(crate) fn repeats(&self) -> bool {
        match self {
            Self::List(list) => list.iter().any(Self::repeats),
            Self::Object(members) => {
                let twice = |at: usize| members[..at].iter().any(|(name, _)| *name == members[at].0);
                (0..members.len()).any(twice) || members.iter().any(|(_, value)| value.repeats())
            }
            _ => false,
        }
    }
}

fn outside_literals(text: &str) -> String {
    let (mut outside, mut within, mut escaped) = (String::new(), false, false);
    for letter in text.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if within => escaped = true,
            '"' => within = !within,
            _ if !within => outside.push(letter),
            _ => {}
        }
    }
    outside
}

/// The depth of nested lists and objects.
pub(crate) fn depth(outside_literals: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for letter in outside_literals.chars() {
        match letter {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyJson)
    }
}

struct AnyJson;

impl<'de> Visitor<'de> for AnyJson {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "no rule depends on it")]
    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "no rule depends on it")]
    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = elements.next_element()? {
            list.push(value);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = entries.next_entry()? {
            members.push(member);
        }
        Ok(Json::Object(members))
    }
}
