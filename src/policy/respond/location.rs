//! The location of a redirect: a text with the values of path parameters.

use std::fmt;

use super::fault::RespondFault;
use crate::policy::fault::{Fault, Faults};
use crate::policy::names::is_bare_host;
use crate::policy::pattern::captures::Captures;
use crate::policy::pattern::{PathTemplate, Segment};

/// Where a redirect leads. A value of a parameter never changes the host: it is percent-encoded, only behind the host, and
/// a path never begins with two slashes, which would make its first segment a host (RFC 3986 §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    source: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Parameter {
        name: String,
        /// Whether its value may have several segments.
        is_path: bool,
    },
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.source)
    }
}

impl Location {
    /// Reads a location of a route with this path.
    pub(super) fn read(source: &str, template: &PathTemplate, at: &str, faults: &mut Faults) -> Option<Self> {
        let parts = if is_location(source) { parts(source) } else { None };
        let Some(mut parts) = parts else {
            faults.add(at, RespondFault::NotALocation.into());
            return None;
        };
        for part in &mut parts {
            let Part::Parameter { name, is_path } = part else { continue };
            *is_path = template.segments().iter().any(|segment| matches!(segment, Segment::Rest(rest) if rest == name));
            let is_known = template.parameters().any(|known| known == name);
            faults.add_if(!is_known, at, Fault::UnknownParameter { name: name.clone() });
        }
        Some(Self { source: source.to_owned(), parts })
    }

    /// The value of `Location` for a request with these values of path parameters.
    #[must_use]
    pub fn fill(&self, captures: &Captures) -> String {
        let mut filled = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Parameter { name, is_path } => {
                    encode(captures.value(name).unwrap_or_default(), *is_path, &mut filled);
                }
            }
        }
        match filled.strip_prefix('/') {
            Some(rest) => format!("/{}", rest.trim_start_matches('/')),
            None => filled,
        }
    }
}

/// Whether `source` is a path, or an https URL whose host is written out.
fn is_location(source: &str) -> bool {
    let is_plain = source.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\\"<>^`|".contains(&byte));
    let is_path = source.starts_with('/') && !source.starts_with("//");
    let host = source.strip_prefix("https://").and_then(|rest| rest.split(['/', '?', '#']).next());
    is_plain && (is_path || host.is_some_and(is_bare_host))
}

/// The text in parts; `None` if its braces do not enclose names.
fn parts(source: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = source;
    while let Some((text, behind)) = rest.split_once('{') {
        let (name, behind) = behind.split_once('}')?;
        if text.contains('}') || name.is_empty() || name.contains('{') {
            return None;
        }
        parts.push(Part::Text(text.to_owned()));
        parts.push(Part::Parameter { name: name.to_owned(), is_path: false });
        rest = behind;
    }
    if rest.contains('}') {
        return None;
    }
    parts.push(Part::Text(rest.to_owned()));
    Some(parts)
}

/// Appends `value` with everything percent-encoded except unreserved characters (RFC 3986 §2.3), and slashes if it is a
/// path.
fn encode(value: &str, is_path: bool, into: &mut String) {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let digit = |number: u8| DIGITS.get(usize::from(number)).copied().unwrap_or_default();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (is_path && byte == b'/') {
            into.push(char::from(byte));
        } else {
            into.extend(['%', digit(byte >> 4), digit(byte & 0xf)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Location;
    use crate::policy::fault::Faults;
    use crate::policy::pattern::PathTemplate;

    fn filled(source: &str, template: &str, path: &str) -> Option<String> {
        let template = PathTemplate::parse(template).unwrap();
        let mut faults = Faults::default();
        let location = Location::read(source, &template, "$", &mut faults)?;
        faults.none_or(()).ok()?;
        let segments: Vec<_> = path.split('/').skip(1).collect();
        Some(location.fill(&template.captures(&segments).unwrap()))
    }

    #[test]
    fn a_value_stays_within_the_path() {
        for (source, template, path, location) in [
            ("/new", "/old", "/old", "/new"),
            ("/new/{id}?from={id}#top", "/old/{id}", "/old/a b&c", "/new/a%20b%26c?from=a%20b%26c#top"),
            ("/{p}", "/old/{p:path}", "/old/a/b?c", "/a/b%3Fc"),
            ("/{p}/{id}", "/{p:path}/{id}", "//evil.example", "/evil.example"),
            ("/{p}", "/old/{p:path}", "/old//evil.example", "/evil.example"),
            ("/{id}", "/old/{id}", "/old/\\evil.example", "/%5Cevil.example"),
            ("/x/{id}", "/old/{id}", "/old/é\r\n", "/x/%C3%A9%0D%0A"),
            ("https://a.example/{p}", "/old/{p:path}", "/old/@evil.example", "https://a.example/%40evil.example"),
            ("https://a.example:8443?x={id}", "/{id}", "/a:b", "https://a.example:8443?x=a%3Ab"),
        ] {
            assert_eq!(filled(source, template, path).as_deref(), Some(location), "{source} {path}");
        }
    }

    #[test]
    fn other_locations_are_refused() {
        for source in [
            "",
            "new",
            "//evil.example",
            "http://a.example/",
            "https://",
            "https:///a",
            "https://{id}/",
            "/a b",
            "/{",
            "/}",
            "https://a.example{id}",
            "https://u@a.example/",
            "/\\a",
            "javascript:alert(1)",
            "/{}",
            "/{{id}}",
            "/{other}",
            "/é",
        ] {
            assert_eq!(filled(source, "/{id}", "/1"), None, "{source}");
        }
    }
}
