//! Where a route's requests go at the origin: the path as the origin's own template has it.

use serde::Deserialize;

use super::fault::{Fault, Faults};
use super::json_form::objects;
use super::pattern::captures::Captures;
use super::pattern::{Convertor, Parameter, PathTemplate, Segment};

objects!(RewriteDocument);

/// How the path is rewritten: a prefix stripped, then one added; or another template altogether.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct RewriteDocument {
    /// Whole segments at the beginning of `path` that the origin does not have: `/api`.
    #[serde(default)]
    pub strip_prefix: Option<String>,
    /// Whole segments that the origin has before it: `/v2`.
    #[serde(default)]
    pub add_prefix: Option<String>,
    /// The origin's template, made of parameters of `path`.
    #[serde(default)]
    pub template: Option<String>,
}

impl RewriteDocument {
    /// The template by which the origin knows what `path` stands for.
    pub(super) fn read(&self, path: &PathTemplate, at: &str, faults: &mut Faults) -> Option<PathTemplate> {
        let source = match (&self.template, &self.strip_prefix, &self.add_prefix) {
            (Some(template), None, None) => Some(template.clone()),
            (None, None, None) | (Some(_), _, _) => None,
            (None, strip, add) => moved(path.as_str(), strip.as_deref(), add.as_deref()),
        };
        let Some(source) = source else {
            faults.add(at, Fault::NotARewrite);
            return None;
        };
        let template = PathTemplate::parse(&source).map_err(|error| faults.add(at, error.into())).ok()?;
        for segment in template.segments() {
            if let Some(name) = parameter_that_does_not_fit(segment, path) {
                faults.add(at, Fault::RewriteParameter { name: name.to_owned() });
            }
        }
        Some(template)
    }
}

fn moved(path: &str, strip: Option<&str>, add: Option<&str>) -> Option<String> {
    let is_prefix = |prefix: &str| prefix.starts_with('/') && !prefix.ends_with('/') && !prefix.contains(['{', '}']);
    if !strip.into_iter().chain(add).all(is_prefix) {
        return None;
    }
    let rest = match strip {
        Some(prefix) => path.strip_prefix(prefix).filter(|rest| rest.starts_with('/'))?,
        None => path,
    };
    Some(format!("{}{rest}", add.unwrap_or_default()))
}

/// A parameter is filled with what the parameter of the same name stands for, which must be something that it matches.
fn parameter_that_does_not_fit<'segment>(segment: &'segment Segment, path: &PathTemplate) -> Option<&'segment str> {
    let fits = |known: &Segment| match (segment, known) {
        (Segment::Rest(name), Segment::Rest(known)) => name == known,
        (Segment::Parameter(filled), Segment::Parameter(known)) => {
            filled.name == known.name && (filled.convertor == known.convertor || filled.convertor == Convertor::Str)
        }
        _ => false,
    };
    match segment {
        Segment::Literal(_) => None,
        Segment::Parameter(Parameter { name, .. }) | Segment::Rest(name) => {
            (!path.segments().iter().any(fits)).then_some(name)
        }
    }
}

impl PathTemplate {
    /// The decoded path that this template makes of `captures`; nothing where one is missing.
    #[must_use]
    pub fn fill(&self, captures: &Captures) -> Option<String> {
        let mut path = String::new();
        for segment in self.segments() {
            path.push('/');
            match segment {
                Segment::Literal(text) => path.push_str(text),
                Segment::Rest(name) => path.push_str(captures.value(name)?),
                Segment::Parameter(Parameter { name, prefix, suffix, .. }) => {
                    path.extend([prefix.as_str(), captures.value(name)?, suffix.as_str()]);
                }
            }
        }
        Some(path)
    }
}
