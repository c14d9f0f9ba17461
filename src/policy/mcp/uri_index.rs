//! Finds the entries that are for a URI.

use std::collections::{BTreeMap, BTreeSet};

use super::uri::{UriTemplate, folded, is_plain};

/// The URIs and templates of a policy, each with the index of its entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct UriIndex {
    by_text: BTreeMap<String, usize>,
    templates: Vec<(usize, UriTemplate)>,
    /// The URIs without variables, as a server could compare them.
    folded: BTreeSet<Vec<u8>>,
}

impl UriIndex {
    /// Adds what has the entry with this index.
    pub(super) fn add(&mut self, template: UriTemplate, index: usize) {
        self.by_text.insert(template.as_str().to_owned(), index);
        if template.is_exact() {
            self.folded.insert(folded(template.as_str()));
        } else {
            self.templates.push((index, template));
        }
    }

    /// The entry that is written so.
    pub(super) fn written(&self, text: &str) -> Option<usize> {
        self.by_text.get(text).copied()
    }

    /// The entry that is written as `uri` is, or else all whose template matches it; none if it is not known.
    pub(super) fn matching(&self, uri: &str) -> Vec<usize> {
        if let Some(index) = self.written(uri) {
            return vec![index];
        }
        // A server that normalizes URIs would find the resource of the exact entry, which may have other rules.
        if !is_plain(uri) || self.folded.contains(&folded(uri)) {
            return Vec::new();
        }
        self.templates.iter().filter(|(_, template)| template.matches(uri)).map(|(index, _)| *index).collect()
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
        for uri in ["ORDERS://secret", "orders://%73ecret", "orders://SECRET", "orders://secret#x", "orders://\u{455}"]
        {
            assert_eq!(index.matching(uri), [0; 0], "{uri}");
        }
        assert_eq!(index.matching("orders://secrets"), [1, 2]);
        assert_eq!(index.matching("orders://{id}"), [1]);
        assert_eq!((index.written("orders://{id}"), index.written("orders://{i}")), (Some(1), None));
    }
}
