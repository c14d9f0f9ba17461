//! Path templates in FastAPI's syntax, and their order by how specific they are.
//!
//! `/orders/{order_id}`, `/orders/{order_id:int}`, `/reports/{name}.csv`, `/files/{path:path}`: a template matches
//! exactly the decoded paths that Starlette's router matches (`starlette.routing.compile_path`). If Starlette would
//! have to backtrack (two parameters in one segment, two `path` parameters), the template is refused, because the
//! result would depend on greediness.

pub(super) mod captures;
mod error;
mod segment;

use std::cmp::Ordering;

pub use error::{MAX_SEGMENTS, TemplateError};
pub use segment::{Convertor, Parameter, Segment};

/// A parsed path template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathTemplate {
    source: String,
    segments: Vec<Segment>,
}

impl PathTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// A [`TemplateError`] if the text is not a template.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        let path = source.strip_prefix('/').ok_or(TemplateError::NotRooted)?;
        if source.chars().any(|letter| letter.is_control() || matches!(letter, '\\' | '?' | '#')) {
            return Err(TemplateError::ForbiddenCharacter);
        }
        if holds_escape(source) {
            return Err(TemplateError::PercentEncoded);
        }
        let count = path.split('/').count();
        if count > MAX_SEGMENTS {
            return Err(TemplateError::TooManySegments(count));
        }
        let segments = path.split('/').map(Segment::parse).collect::<Result<Vec<_>, _>>()?;
        let last = segments.len().saturating_sub(1);
        let mut names = Vec::new();
        let mut path_parameters = 0;
        for (index, segment) in segments.iter().enumerate() {
            match segment {
                Segment::Literal(text) if text == "." || text == ".." || (text.is_empty() && index != last) => {
                    return Err(TemplateError::Unreachable);
                }
                Segment::Literal(_) => {}
                Segment::Parameter(Parameter { name, .. }) | Segment::Rest(name) => names.push(name.clone()),
            }
            path_parameters += usize::from(matches!(segment, Segment::Rest(_)));
        }
        if path_parameters > 1 {
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

    /// Its segments after the first slash. `/` has one segment, which is empty.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Whether the parameter `name` is written without a convertor, or with `path`. It matches any text, and the
    /// application may still convert it: FastAPI reads `order_id: int` from `{order_id}` and from `{order_id:path}`,
    /// and takes `7`, `07`, `+7` and `7.0` for one number.
    #[must_use]
    pub fn leaves_type_open(&self, name: &str) -> bool {
        let is_rest = |segment: &Segment| matches!(segment, Segment::Rest(rest) if rest == name);
        self.source.contains(&format!("{{{name}}}")) || self.segments.iter().any(is_rest)
    }

    /// Compares two templates. The greater one is more specific; equal templates match exactly the same paths, and may
    /// differ in the names of parameters. The first segment that differs decides, as in [`Segment::cmp_specificity`].
    /// If both have a `path` parameter at the same place, the template with more segments is more specific.
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

/// Whether a `%` is followed by two hexadecimal digits (RFC 3986 §2.1).
fn holds_escape(text: &str) -> bool {
    text.split('%').skip(1).any(|rest| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2)
}

#[cfg(test)]
mod tests {
    use super::{PathTemplate, TemplateError};

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
    fn malformed_and_ambiguous_templates_are_refused() {
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
            ("/caf%C3%A9", TemplateError::PercentEncoded),
            ("/{a}%2f", TemplateError::PercentEncoded),
        ] {
            assert_eq!(PathTemplate::parse(source).err(), Some(error), "{source}");
        }
    }
}
