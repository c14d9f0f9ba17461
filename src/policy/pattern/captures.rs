//! The values of path parameters. Input: a template and a decoded path. Output: the values that Starlette passes to the
//! endpoint, each in its canonical spelling, however the client writes it.

use std::collections::BTreeMap;

use serde_json::{Number, Value};

use super::segment::canonical_float;
use super::{Convertor, Parameter, PathTemplate, Segment};

/// The values of path parameters, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captures(BTreeMap<String, Capture>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Capture {
    /// The spelling of [`Convertor::canonical`].
    canonical: String,
    convertor: Convertor,
}

impl Captures {
    /// The value of the parameter `name`, in its canonical spelling ([`Convertor::canonical`]).
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|capture| capture.canonical.as_str())
    }

    /// Whether the claim `value` equals the parameter `name`: a string that the parameter's convertor reads as the same
    /// value or, for `int` and `float`, the JSON number.
    #[must_use]
    pub fn is(&self, name: &str, value: &Value) -> bool {
        self.0
            .get(name)
            .is_some_and(|capture| capture.convertor.canonical_claim(value).as_ref() == Some(&capture.canonical))
    }
}

impl Convertor {
    /// The canonical spelling of a claim; `None` if this convertor cannot read it.
    fn canonical_claim(self, value: &Value) -> Option<String> {
        match (self, value) {
            (Self::Float, Value::String(text)) => text.parse().ok().and_then(non_negative).map(canonical_float),
            (Self::Uuid, Value::String(text)) => self.canonical(plain_uuid(text)),
            (_, Value::String(text)) => self.canonical(text),
            (Self::Int, Value::Number(number)) => whole(number).map(|number| number.to_string()),
            (Self::Float, Value::Number(number)) => number.as_f64().and_then(non_negative).map(canonical_float),
            _ => None,
        }
    }
}

impl PathTemplate {
    /// The names of its parameters, from left to right.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.segments().iter().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Parameter(Parameter { name, .. }) | Segment::Rest(name) => Some(name.as_str()),
        })
    }

    /// The values of the parameters in a path of these decoded segments; `None` if the template does not match.
    #[must_use]
    pub fn captures(&self, segments: &[&str]) -> Option<Captures> {
        let own = self.segments();
        let mut captures = BTreeMap::new();
        let mut remaining = segments;
        for (index, segment) in own.iter().enumerate() {
            if let Segment::Rest(name) = segment {
                // The segments after a `path` parameter match from the end of the path; the parameter matches at least
                // one.
                let following = own.len() - index - 1;
                let taken = remaining.len().checked_sub(following).filter(|taken| *taken > 0)?;
                let (rest, tail) = remaining.split_at_checked(taken)?;
                captures.insert(name.clone(), Capture { canonical: rest.join("/"), convertor: Convertor::Str });
                remaining = tail;
                continue;
            }
            let (first, tail) = remaining.split_first()?;
            match segment {
                Segment::Literal(text) if text == first => {}
                Segment::Parameter(parameter) => {
                    let convertor = parameter.convertor;
                    let canonical = convertor.canonical(parameter.capture(first)?)?;
                    captures.insert(parameter.name.clone(), Capture { canonical, convertor });
                }
                Segment::Literal(_) | Segment::Rest(_) => return None,
            }
            remaining = tail;
        }
        remaining.is_empty().then_some(Captures(captures))
    }
}

fn non_negative(number: f64) -> Option<f64> {
    Some(number).filter(|number| !number.is_nan() && !number.is_sign_negative())
}

/// A number without sign and fraction, in any form of JSON: `7`, `7.0`, `7e0`. `None` if a double cannot represent it
/// exactly.
fn whole(number: &Number) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let of_double = |number: f64| {
        let exact = number.fract() == 0.0 && (0.0..EXACT).contains(&number) && !number.is_sign_negative();
        exact.then(|| format!("{number}").parse().ok()).flatten()
    };
    number.as_u64().or_else(|| number.as_f64().and_then(of_double))
}

/// A UUID without the other notations around it: `{…}` and `urn:uuid:…` (RFC 9562 §4).
fn plain_uuid(text: &str) -> &str {
    let text = text.strip_prefix("urn:uuid:").unwrap_or(text);
    text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::policy::pattern::PathTemplate;

    fn captured(template: &str, path: &str) -> Option<Vec<(String, String)>> {
        let segments: Vec<_> = path.split('/').skip(1).collect();
        let captures = PathTemplate::parse(template).ok()?.captures(&segments)?;
        Some(captures.0.into_iter().map(|(name, capture)| (name, capture.canonical)).collect())
    }

    #[test]
    fn parameters_have_the_values_that_starlette_gives_them() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(captured("/me", "/me"), Some(vec![]));
        assert_eq!(captured("/orders/{id:int}", "/orders/042"), Some(vec![pair("id", "42")]));
        assert_eq!(captured("/r/{name}.csv", "/r/a.b.csv"), Some(vec![pair("name", "a.b")]));
        assert_eq!(captured("/files/{p:path}", "/files/a/b/"), Some(vec![pair("p", "a/b/")]));
        assert_eq!(captured("/files/{p:path}", "/files/"), Some(vec![pair("p", "")]));
        assert_eq!(captured("/f/{p:path}/raw/{n}", "/f/a/raw/raw/x"), Some(vec![pair("n", "x"), pair("p", "a/raw")]));
        assert_eq!(captured("/orders/{id:int}", "/orders/x"), None);
        assert_eq!(captured("/files/{p:path}", "/files"), None);
    }
    #[test]
    fn a_claim_is_compared_with_the_value_not_with_its_spelling() {
        let uuid = "01234567-89ab-cdef-0123-456789abcdef";
        for (template, path, claim, same) in [
            ("/{p:int}", "/007", json!("7"), true),
            ("/{p:int}", "/7", json!("007"), true),
            ("/{p:int}", "/007", json!(7), true),
            ("/{p:int}", "/7", json!(7.0), true),
            ("/{p:int}", "/7", json!(7.5), false),
            ("/{p:int}", "/10000000000000000000000000", json!(1e25), false),
            ("/{p:float}", "/1000", json!("1e3"), true),
            ("/{p:float}", "/1", json!("nan"), false),
            ("/{p:uuid}", "/01234567-89ab-cdef-0123-456789abcdef", json!(format!("urn:uuid:{uuid}")), true),
            ("/{p:uuid}", "/01234567-89ab-cdef-0123-456789abcdef", json!(format!("{{{uuid}}}")), true),
            ("/{p:int}", "/7", json!(-7), false),
            ("/{p:int}", "/7", json!("7.0"), false),
            ("/{p:int}", "/1", json!(true), false),
            ("/{p:float}", "/01", json!("1.0"), true),
            ("/{p:float}", "/1.0", json!(1), true),
            ("/{p:float}", "/0", json!(-0.0), false),
            ("/{p:uuid}", "/0123456789ABCDEF0123456789ABCDEF", json!(uuid), true),
            ("/{p:uuid}", "/01234567-89ab-cdef-0123-456789abcdef", json!(uuid.to_uppercase()), true),
            ("/{p}", "/007", json!("7"), false),
            ("/{p}", "/7", json!(7), false),
            ("/{p:path}", "/a/b", json!("a/b"), true),
        ] {
            let segments: Vec<_> = path.split('/').skip(1).collect();
            let captures = PathTemplate::parse(template).ok().and_then(|template| template.captures(&segments));
            assert_eq!(captures.map(|captures| captures.is("p", &claim)), Some(same), "{template} {path} {claim}");
        }
    }
}
