//! One segment of a path template: what it matches, and the order by how specific segments are.

use std::cmp::Ordering;

use super::error::TemplateError;

/// The part of a template between two slashes.
///
/// Segments are ordered by how specific they are. A literal is greater than a parameter, and a parameter is greater
/// than a `path` parameter. Of two parameters, the greater is the one with more literal text, then with the longer
/// prefix, then with the narrower convertor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Text that the path must contain unchanged.
    Literal(String),
    /// One parameter, with literal text around it.
    Parameter(Parameter),
    /// `{name:path}`: one or more segments of any text. Contains the parameter's name.
    Rest(String),
}

/// A parameter within one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The name between the braces.
    pub name: String,
    /// Literal text before the parameter.
    pub prefix: String,
    /// Literal text after the parameter.
    pub suffix: String,
    /// The texts that the parameter matches.
    pub convertor: Convertor,
}

/// Starlette's convertors (`starlette.convertors`), from the widest to the narrowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Convertor {
    /// `str`, the default: one or more characters.
    Str,
    /// `float`: digits, optionally followed by a point and digits.
    Float,
    /// `int`: digits.
    Int,
    /// `uuid`: 32 hexadecimal digits, the four hyphens optional.
    Uuid,
}

impl Segment {
    pub(super) fn parse(text: &str) -> Result<Self, TemplateError> {
        let Some((prefix, rest)) = text.split_once('{') else {
            return if text.contains('}') {
                Err(TemplateError::MalformedParameter)
            } else {
                Ok(Self::Literal(text.to_owned()))
            };
        };
        let (parameter, suffix) = rest.split_once('}').ok_or(TemplateError::MalformedParameter)?;
        if suffix.contains('{') {
            return Err(TemplateError::Ambiguous);
        }
        if prefix.contains('}') || suffix.contains('}') {
            return Err(TemplateError::MalformedParameter);
        }
        let (name, convertor) = parameter.split_once(':').unwrap_or((parameter, "str"));
        if !is_identifier(name) {
            return Err(TemplateError::MalformedParameter);
        }
        let convertor = match convertor {
            "path" if prefix.is_empty() && suffix.is_empty() => return Ok(Self::Rest(name.to_owned())),
            "path" => return Err(TemplateError::Ambiguous),
            "str" => Convertor::Str,
            "int" => Convertor::Int,
            "float" => Convertor::Float,
            "uuid" => Convertor::Uuid,
            _ => return Err(TemplateError::UnknownConvertor(convertor.to_owned())),
        };
        Ok(Self::Parameter(Parameter {
            name: name.to_owned(),
            prefix: prefix.to_owned(),
            suffix: suffix.to_owned(),
            convertor,
        }))
    }

    /// Compares two segments. The greater one is more specific; equal segments match the same texts.
    #[must_use]
    pub fn cmp_specificity(&self, other: &Self) -> Ordering {
        const fn kind(segment: &Segment) -> u8 {
            match segment {
                Segment::Literal(_) => 2,
                Segment::Parameter(_) => 1,
                Segment::Rest(_) => 0,
            }
        }
        match (self, other) {
            (Self::Literal(one), Self::Literal(two)) => one.cmp(two),
            (Self::Parameter(one), Self::Parameter(two)) => one.cmp_specificity(two),
            _ => kind(self).cmp(&kind(other)),
        }
    }
}

impl Parameter {
    /// The value of the parameter in `segment`; `None` if it does not match.
    #[must_use]
    pub fn capture<'path>(&self, segment: &'path str) -> Option<&'path str> {
        let value = segment.strip_prefix(self.prefix.as_str())?.strip_suffix(self.suffix.as_str())?;
        self.convertor.accepts(value).then_some(value)
    }

    /// Compares two parameters. The greater one is more specific. Ties are broken by the literal texts, so that equal
    /// parameters match the same texts.
    #[must_use]
    pub fn cmp_specificity(&self, other: &Self) -> Ordering {
        let rank = |parameter: &Self| {
            (parameter.prefix.len() + parameter.suffix.len(), parameter.prefix.len(), parameter.convertor)
        };
        rank(self).cmp(&rank(other)).then_with(|| (&self.prefix, &self.suffix).cmp(&(&other.prefix, &other.suffix)))
    }
}

impl Convertor {
    /// The canonical spelling of the value that `text` denotes; `None` if the convertor does not match it. The
    /// framework converts a value before the endpoint gets it (`starlette.convertors`): `7` and `007` are one order, a
    /// UUID is the same in upper and lower case and without hyphens.
    ///
    /// The canonical `int` has no leading zeros. The canonical `uuid` is in lower case with its four hyphens (RFC 9562
    /// §4). The canonical `float` is the shortest decimal that denotes the same 64-bit number, always with a point. The
    /// convertor matches its own canonical spelling.
    #[must_use]
    pub fn canonical(self, text: &str) -> Option<String> {
        if !self.accepts(text) {
            return None;
        }
        match self {
            Self::Str => Some(text.to_owned()),
            Self::Int => Some(without_leading_zeros(text).to_owned()),
            Self::Float => text.parse().ok().map(canonical_float),
            Self::Uuid => Some(canonical_uuid(text)),
        }
    }

    fn accepts(self, value: &str) -> bool {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match self {
            Self::Str => !value.is_empty(),
            Self::Int => digits(value),
            Self::Float => {
                value.split_once('.').map_or_else(|| digits(value), |(whole, part)| digits(whole) && digits(part))
            }
            Self::Uuid => is_uuid(value),
        }
    }
}

fn without_leading_zeros(digits: &str) -> &str {
    let stripped = digits.trim_start_matches('0');
    if stripped.is_empty() { "0" } else { stripped }
}

/// The canonical spelling of a number without sign. Python's `float` also reads digits that are too large for 64 bits
/// as infinity; the canonical spelling of infinity is the first power of ten that is too large.
pub(super) fn canonical_float(value: f64) -> String {
    if value.is_infinite() {
        return format!("1{}.0", "0".repeat(309));
    }
    let text = value.to_string();
    if text.contains('.') { text } else { format!("{text}.0") }
}

fn canonical_uuid(text: &str) -> String {
    let mut canonical = String::with_capacity(36);
    for (index, digit) in text.chars().filter(char::is_ascii_hexdigit).enumerate() {
        if matches!(index, 8 | 12 | 16 | 20) {
            canonical.push('-');
        }
        canonical.push(digit.to_ascii_lowercase());
    }
    canonical
}

/// Starlette's pattern: groups of 8, 4, 4, 4 and 12 hexadecimal digits, each hyphen between them optional.
fn is_uuid(value: &str) -> bool {
    let mut rest = value;
    for (index, length) in [8, 4, 4, 4, 12].into_iter().enumerate() {
        if index > 0 {
            rest = rest.strip_prefix('-').unwrap_or(rest);
        }
        let Some((group, tail)) = rest.split_at_checked(length) else { return false };
        if !group.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return false;
        }
        rest = tail;
    }
    rest.is_empty()
}

fn is_identifier(name: &str) -> bool {
    let mut letters = name.bytes();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == b'_')
}

#[cfg(test)]
mod tests {
    use super::{Convertor, is_uuid};

    #[test]
    fn convertors_accept_what_starlette_accepts() {
        assert!(Convertor::Float.accepts("1.5") && Convertor::Float.accepts("15"));
        assert!(!Convertor::Float.accepts("1.") && !Convertor::Float.accepts(".5") && !Convertor::Int.accepts("-1"));
        assert!(!Convertor::Int.accepts("١"));
        assert!(is_uuid("0123456789abcdef0123456789ABCDEF"));
        assert!(is_uuid("01234567-89ab-cdef-0123-456789abcdef"));
        assert!(!is_uuid("0123456-789ab-cdef-0123-456789abcdef") && !is_uuid("é123456789abcdef0123456789ABCDEF"));
    }
    #[test]
    fn one_value_has_one_spelling() {
        use Convertor::{Float, Int, Str, Uuid};
        let uuid = "01234567-89ab-cdef-0123-456789abcdef";
        let vast = format!("1{}.0", "0".repeat(309));
        for (convertor, text, canonical) in [
            (Str, "007", Some("007")),
            (Int, "7", Some("7")),
            (Int, "007", Some("7")),
            (Int, "000", Some("0")),
            (Int, "340282366920938463463374607431768211456", Some("340282366920938463463374607431768211456")),
            (Int, "+7", None),
            (Float, "1", Some("1.0")),
            (Float, "01", Some("1.0")),
            (Float, "1.00", Some("1.0")),
            (Float, "1.50", Some("1.5")),
            (Float, "0", Some("0.0")),
            (Float, "0.1000000000000000055", Some("0.1")),
            (Float, &"9".repeat(400), Some(&vast)),
            (Float, &vast, Some(&vast)),
            (Float, "1e3", None),
            (Uuid, uuid, Some(uuid)),
            (Uuid, "0123456789ABCDEF0123456789ABCDEF", Some(uuid)),
            (Uuid, "01234567-89abcdef-0123456789aBcDeF", Some(uuid)),
            (Uuid, "{01234567-89ab-cdef-0123-456789abcdef}", None),
        ] {
            assert_eq!(convertor.canonical(text).as_deref(), canonical, "{convertor:?} {text}");
        }
    }
}
