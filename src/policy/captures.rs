//! What the parameters of a template stand for in one path, decoded, as Starlette hands it to the endpoint before it
//! converts it.

use std::collections::BTreeMap;

use super::pattern::{Parameter, PathTemplate, Segment};

/// The values of path parameters, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captures(BTreeMap<String, String>);

impl Captures {
    /// What the parameter `name` stands for.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
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

    /// What the parameters stand for in a path of these decoded segments; nothing where the template does not match.
    #[must_use]
    pub fn captures(&self, segments: &[&str]) -> Option<Captures> {
        let own = self.segments();
        let mut captures = BTreeMap::new();
        let mut left = segments;
        for (index, segment) in own.iter().enumerate() {
            if let Segment::Rest(name) = segment {
                // What stands behind a `path` parameter takes its segments from the end; the parameter takes at least one.
                let behind = own.len() - index - 1;
                let taken = left.len().checked_sub(behind).filter(|taken| *taken > 0)?;
                let (rest, tail) = left.split_at_checked(taken)?;
                captures.insert(name.clone(), rest.join("/"));
                left = tail;
                continue;
            }
            let (first, tail) = left.split_first()?;
            match segment {
                Segment::Literal(text) if text == first => {}
                Segment::Parameter(parameter) => {
                    captures.insert(parameter.name.clone(), parameter.capture(first)?.to_owned());
                }
                Segment::Literal(_) | Segment::Rest(_) => return None,
            }
            left = tail;
        }
        left.is_empty().then_some(Captures(captures))
    }
}

#[cfg(test)]
mod tests {
    use super::PathTemplate;

    fn captured(template: &str, path: &str) -> Option<Vec<(String, String)>> {
        let segments: Vec<_> = path.split('/').skip(1).collect();
        let captures = PathTemplate::parse(template).ok()?.captures(&segments)?;
        Some(captures.0.into_iter().collect())
    }

    #[test]
    fn parameters_stand_for_what_starlette_says_they_stand_for() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(captured("/me", "/me"), Some(vec![]));
        assert_eq!(captured("/orders/{id:int}", "/orders/042"), Some(vec![pair("id", "042")]));
        assert_eq!(captured("/r/{name}.csv", "/r/a.b.csv"), Some(vec![pair("name", "a.b")]));
        assert_eq!(captured("/files/{p:path}", "/files/a/b/"), Some(vec![pair("p", "a/b/")]));
        assert_eq!(captured("/files/{p:path}", "/files/"), Some(vec![pair("p", "")]));
        assert_eq!(captured("/f/{p:path}/raw/{n}", "/f/a/raw/raw/x"), Some(vec![pair("n", "x"), pair("p", "a/raw")]));
        assert_eq!(captured("/orders/{id:int}", "/orders/x"), None);
        assert_eq!(captured("/files/{p:path}", "/files"), None);
    }
}
