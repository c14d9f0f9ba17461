//! `rewrite` of a route. Input: a [`RewriteDocument`] and the path of the route. Output: the template of the path at
//! the origin.

use serde::Deserialize;

use super::fault::{Fault, Faults};
use super::pattern::captures::Captures;
use super::pattern::{Convertor, Parameter, PathTemplate, Segment};
use crate::json_form::objects;

objects!(RewriteDocument);

/// The path at the origin: either prefixes, of which `strip_prefix` is removed before `add_prefix` is added, or another
/// template.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct RewriteDocument {
    /// The segments at the beginning of `path` that the path at the origin lacks: `/api`.
    #[serde(default)]
    pub strip_prefix: Option<String>,
    /// The segments that the path at the origin has in front: `/v2`.
    #[serde(default)]
    pub add_prefix: Option<String>,
    /// The template of the path at the origin. It may use parameters of `path`, each with the same convertor or with
    /// none.
    #[serde(default)]
    pub template: Option<String>,
}

impl RewriteDocument {
    /// The template at the origin for a route with the template `path`; `None` if there is a fault.
    pub(super) fn read(&self, path: &PathTemplate, at: &str, faults: &mut Faults) -> Option<PathTemplate> {
        let source = match (&self.template, &self.strip_prefix, &self.add_prefix) {
            (Some(template), None, None) => Some(template.clone()),
            (None, None, None) | (Some(_), _, _) => None,
            (None, strip, add) => with_other_prefix(path.as_str(), strip.as_deref(), add.as_deref()),
        };
        let Some(source) = source else {
            faults.add(at, Fault::NotARewrite);
            return None;
        };
        let template = PathTemplate::parse(&source).map_err(|error| faults.add(at, error.into())).ok()?;
        for segment in template.segments() {
            if let Some(name) = unfilled_parameter(segment, path) {
                faults.add(at, Fault::RewriteParameter { name: name.to_owned() });
            }
        }
        Some(template)
    }
}

fn with_other_prefix(path: &str, strip: Option<&str>, add: Option<&str>) -> Option<String> {
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

/// The parameter of `segment` that `path` cannot fill. A parameter gets the value of the parameter of the same name,
/// and must match it.
fn unfilled_parameter<'segment>(segment: &'segment Segment, path: &PathTemplate) -> Option<&'segment str> {
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
    /// The decoded path for this template and `captures`; `None` if a value is missing.
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
