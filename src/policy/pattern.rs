//! Path templates in FastAPI's own syntax, and which of two is more specific.
//!
//! `/orders/{order_id}`, `/orders/{order_id:int}`, `/reports/{name}.csv`, `/files/{path:path}`: a template matches
//! exactly the decoded paths that Starlette's router matches (`starlette.routing.compile_path`). Where Starlette would
//! have to backtrack (two parameters in one segment, two `path` parameters), the template is refused instead: its reading
//! would depend on greediness.

use std::cmp::Ordering;

/// A parsed path template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathTemplate {
    source: String,
    segments: Vec<Segment>,
}

/// One piece of a template between two slashes.
///
/// Segments are ordered by how specific they are: a literal is greater than a parameter, a parameter greater than a
/// `path`; of two parameters the one with more literal text, then with more of it in front, then the one with the narrower
/// convertor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Text that must be there as it stands.
    Literal(String),
    /// One parameter, with literal text around it.
    Parameter(Parameter),
    /// `{name:path}`: one or more segments, whatever they hold. Carries the parameter's name.
    Rest(String),
}

/// A parameter within one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The name between the braces.
    pub name: String,
    /// Literal text before the parameter.
    pub prefix: String,
    /// Literal text behind it.
    pub suffix: String,
    /// What the parameter itself may hold.
    pub convertor: Convertor,
}

/// Starlette's convertors (`starlette.convertors`), from the widest to the narrowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Convertor {
    /// `str`, the default: one or more characters.
    Str,
    /// `float`: digits, and perhaps a point and digits.
    Float,
    /// `int`: digits.
    Int,
    /// `uuid`: 32 hexadecimal digits, the four hyphens optional.
    Uuid,
}

/// Why a text is no path template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It does not begin with `/`.
    #[error("a path begins with \"/\"")]
    NotRooted,
    /// Two slashes follow each other, or a segment is `.` or `..`: no canonical path looks like that.
    #[error("it holds an empty or a dot segment, which no request can match")]
    Unreachable,
    /// A brace has no partner, or a parameter no valid name.
    #[error("a parameter is written {{name}} or {{name:convertor}}")]
    MalformedParameter,
    /// The convertor is none of Starlette's.
    #[error("there is no convertor \"{0}\"; there are str, int, float, uuid and path")]
    UnknownConvertor(String),
    /// Two parameters stand in one segment, a `path` parameter shares its segment, or there are two of them.
    #[error("one parameter a segment, one path parameter a template, and that one alone in its segment")]
    Ambiguous,
    /// Two parameters have the same name.
    #[error("the parameter \"{0}\" stands there twice")]
    RepeatedName(String),
    /// A character that a canonical path never holds.
    #[error("it holds a control character, a backslash, \"?\" or \"#\"")]
    ForbiddenCharacter,
}

impl PathTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// A [`TemplateError`] that says what is wrong with it.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        let path = source.strip_prefix('/').ok_or(TemplateError::NotRooted)?;
        if source.chars().any(|letter| letter.is_control() || matches!(letter, '\\' | '?' | '#')) {
            return Err(TemplateError::ForbiddenCharacter);
        }
        let segments = path.split('/').map(Segment::parse).collect::<Result<Vec<_>, _>>()?;
        let last = segments.len().saturating_sub(1);
        let mut names = Vec::new();
        let mut rests = 0;
        for (index, segment) in segments.iter().enumerate() {
            match segment {
                Segment::Literal(text) if text == "." || text == ".." || (text.is_empty() && index != last) => {
                    return Err(TemplateError::Unreachable);
                }
                Segment::Literal(_) => {}
                Segment::Parameter(Parameter { name, .. }) | Segment::Rest(name) => names.push(name.clone()),
            }
            rests += usize::from(matches!(segment, Segment::Rest(_)));
        }
        if rests > 1 {
            return Err(TemplateError::Ambiguous);
        }
        names.sort_unstable();
        if let Some(name) =
            names.windows(2).find_map(|pair| (pair.first() == pair.last()).then(|| pair.first())).flatten()
        {
            return Err(TemplateError::RepeatedName(name.clone()));
        }
        Ok(Self { source: source.to_owned(), segments })
    }

    /// The template as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Its segments after the first slash; `/` has one, which is empty.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Whether both match exactly the same paths, names of parameters aside.
    #[must_use]
    pub fn matches_the_same(&self, other: &Self) -> bool {
        self.cmp_specificity(other) == Ordering::Equal
    }

    /// Greater is more specific: the first segment that differs decides, as in [`Segment::cmp_specificity`]. Of two `path`
    /// parameters at the same place, the one with more behind it is: it leaves less to the parameter.
    #[must_use]
    pub fn cmp_specificity(&self, other: &Self) -> Ordering {
        let lengths = self.segments.len().cmp(&other.segments.len());
        let pairs = self.segments.iter().zip(&other.segments);
        pairs
            .map(|pair| match pair {
                (Segment::Rest(_), Segment::Rest(_)) => lengths,
                (one, two) => one.cmp_specificity(two),
            })
            .find(|order| order.is_ne())
            .unwrap_or(lengths)
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, TemplateError> {
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

    /// Greater is more specific; equal means that both match the same texts.
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
    /// The part of `segment` that the parameter stands for, if it matches.
    #[must_use]
    pub fn capture<'path>(&self, segment: &'path str) -> Option<&'path str> {
        let value = segment.strip_prefix(self.prefix.as_str())?.strip_suffix(self.suffix.as_str())?;
        self.convertor.accepts(value).then_some(value)
    }

    /// Greater is more specific. The texts themselves break ties, so that equality means equal matches.
    #[must_use]
    pub fn cmp_specificity(&self, other: &Self) -> Ordering {
        let rank = |parameter: &Self| {
            (parameter.prefix.len() + parameter.suffix.len(), parameter.prefix.len(), parameter.convertor)
        };
        rank(self).cmp(&rank(other)).then_with(|| (&self.prefix, &self.suffix).cmp(&(&other.prefix, &other.suffix)))
    }
}

impl Convertor {
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
    use super::{Convertor, PathTemplate, TemplateError, is_uuid};

    #[test]
    fn the_more_specific_template_is_the_greater() {
        let ordered = [
            "/{p:path}",
            "/{a}",
            "/{a}/{p:path}",
            "/{a:float}",
            "/{a:int}",
            "/{a:uuid}",
            "/{a}.csv",
            "/v{a}.csv",
            "/me",
        ];
        for pair in ordered.windows(2) {
            let [less, more] = pair else { continue };
            let (Ok(one), Ok(two)) = (PathTemplate::parse(less), PathTemplate::parse(more)) else { panic!("{pair:?}") };
            assert!(one.cmp_specificity(&two).is_lt(), "{less} is less specific than {more}");
        }
    }

    #[test]
    fn templates_that_no_reading_fits_are_refused() {
        for (source, error) in [
            ("orders", TemplateError::NotRooted),
            ("/a//b", TemplateError::Unreachable),
            ("/a/../b", TemplateError::Unreachable),
            ("/{", TemplateError::MalformedParameter),
            ("/a}", TemplateError::MalformedParameter),
            ("/{1a}", TemplateError::MalformedParameter),
            ("/{}", TemplateError::MalformedParameter),
            ("/{a}-{b}", TemplateError::Ambiguous),
            ("/x{a:path}", TemplateError::Ambiguous),
            ("/{a:path}/{b:path}", TemplateError::Ambiguous),
            ("/{a}/{a}", TemplateError::RepeatedName("a".into())),
            ("/{a:regex}", TemplateError::UnknownConvertor("regex".into())),
            ("/a?b", TemplateError::ForbiddenCharacter),
        ] {
            assert_eq!(PathTemplate::parse(source).err(), Some(error), "{source}");
        }
    }

    #[test]
    fn convertors_accept_what_starlette_accepts() {
        assert!(Convertor::Float.accepts("1.5") && Convertor::Float.accepts("15"));
        assert!(!Convertor::Float.accepts("1.") && !Convertor::Float.accepts(".5") && !Convertor::Int.accepts("-1"));
        assert!(!Convertor::Int.accepts("١"));
        assert!(is_uuid("0123456789abcdef0123456789ABCDEF"));
        assert!(is_uuid("01234567-89ab-cdef-0123-456789abcdef"));
        assert!(!is_uuid("0123456-789ab-cdef-0123-456789abcdef") && !is_uuid("é123456789abcdef0123456789ABCDEF"));
    }
}
