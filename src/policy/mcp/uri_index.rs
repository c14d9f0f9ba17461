//! Finds the entries that are for a URI.

use std::collections::{BTreeMap, BTreeSet};

use super::uri::{UriTemplate, decoded, is_plain, readings};

/// The URIs and templates of a policy, each with the index of its entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct UriIndex {
    by_text: BTreeMap<String, usize>,
    templates: Vec<(usize, UriTemplate)>,
    /// The URIs without variables, in lower case with percent-encoded characters decoded.
    exact: BTreeSet<Vec<u8>>,
}

impl UriIndex {
    /// Adds what has the entry with this index.
    pub(super) fn add(&mut self, template: UriTemplate, index: usize) {
        self.by_text.insert(template.as_str().to_owned(), index);
        if template.is_exact() {
            self.exact.insert(decoded(template.as_str()));
        } else {
            self.templates.push((index, template));
        }
    }

    /// The entry that is written so.
    pub(super) fn written(&self, text: &str) -> Option<usize> {
        self.by_text.get(text).copied()
    }

    /// The entry that is written as `uri` is, or else all whose template matches it; none if it is not known. Servers read
    /// URIs in different ways, so that the entries of all templates count that one of them could find.
    pub(super) fn matching(&self, uri: &str) -> Vec<usize> {
        if let Some(index) = self.written(uri) {
            return vec![index];
        }
        let readings = readings(uri);
        // A server that normalizes URIs would find the resource of the exact entry, which may have other rules.
        if !is_plain(uri) || readings.iter().any(|reading| self.exact.contains(reading)) {
            return Vec::new();
        }
        if !self.templates.iter().any(|(_, template)| template.matches(uri)) {
            return Vec::new();
        }
        let could_be = |template: &UriTemplate| template.matches(uri) || template.could_match(&readings);
        self.templates.iter().filter(|(_, template)| could_be(template)).map(|(index, _)| *index).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{UriIndex, UriTemplate};

    #[test]
    fn other_spellings_of_a_uri_are_not_known() {
        let mut index = UriIndex::default();
        for (number, text) in ["orders://secret", "orders://{id}", "{x}://{y}"].into_iter().enumerate() {
            index.add(UriTemplate::parse(text).expect("valid"), number);
        }
        assert_eq!(index.matching("orders://secret"), [0]);
        for uri in [
            "ORDERS://secret",
            "orders://%73ecret",
            "orders://SECRET",
            "orders://secret#x",
            "orders://secret?",
            "orders://secret?x=1",
            "orders://%53ecret?#",
            "orders://\u{455}",
        ] {
            assert_eq!(index.matching(uri), [0; 0], "{uri}");
        }
        assert_eq!(index.matching("orders://secrets"), [1, 2]);
        assert_eq!(index.matching("orders://{id}"), [1]);
        assert_eq!((index.written("orders://{id}"), index.written("orders://{i}")), (Some(1), None));
        // Servers may leave variables empty, cut the query or the fragment off, and decode what is percent-encoded.
        let mut index = UriIndex::default();
        let templates = ["o://{id}/secret", "o://{id}/{part}", "o://admin-{id}", "o://{id}", "o://{a}/big|file"];
        for (number, text) in templates.into_iter().enumerate() {
            index.add(UriTemplate::parse(text).expect("valid"), number);
        }
        for uri in ["o://7/secret?", "o://7/secret?x=1", "o://7/secret#x", "o://7/SECRET", "o://7/%73ecret"] {
            assert_eq!(index.matching(uri), [0, 1], "{uri}");
        }
        assert_eq!((index.matching("o://admin-"), index.matching("o://Admin-?")), (vec![2, 3], vec![2, 3]));
        assert_eq!((index.matching("o://7/big%7Cfile"), index.matching("o://7/big%7cfile?")), (vec![1, 4], vec![1, 4]));
        assert_eq!((index.matching("o://7/x"), index.matching("o://7")), (vec![1], vec![3]));
        assert_eq!(index.matching("o:///secret"), [0; 0], "no template matches it as it is");
    }
}
