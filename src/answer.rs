//! What the edge adds to an answer and takes from it, whether the origin gives it or the edge itself does.

use crate::headers::Headers;

/// The edits of an answer's fields, in this order: removed, set, added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerFields {
    remove: Vec<String>,
    set: Headers,
    append: Headers,
}

impl AnswerFields {
    /// The field `name` (lower case) is taken away.
    pub fn remove(&mut self, name: &str) {
        self.remove.push(name.to_owned());
    }

    /// The field stands once, with this value, whatever stood there.
    pub fn set(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.remove(name);
        self.set.append(name, value);
    }

    /// The field stands there besides what is there already.
    pub fn append(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.append.append(name, value);
    }

    /// `headers` after the edits.
    #[must_use]
    pub fn dress(&self, headers: &Headers) -> Headers {
        let kept = headers.iter().filter(|(name, _)| !self.remove.iter().any(|removed| removed == name));
        kept.chain(self.set.iter()).chain(self.append.iter()).collect()
    }
}
