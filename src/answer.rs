//! What the edge adds to an answer and takes from it, whether the origin gives it or the edge itself does.

use crate::headers::Headers;
use crate::policy::fields::FieldEdits;

/// The security fields and their values.
const SECURITY: [(&str, &str); 5] = [
    ("strict-transport-security", "max-age=31536000; includeSubDomains"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("content-security-policy", "frame-ancestors 'none'"),
    ("referrer-policy", "no-referrer"),
];

/// The edits of an answer's fields, in this order: the route's own of what its origin says, removed, set, added, filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerFields {
    route: FieldEdits,
    remove: Vec<String>,
    set: Headers,
    append: Headers,
    missing: Headers,
}

impl AnswerFields {
    /// The field `name` (lower case) is taken away.
    pub fn remove(&mut self, name: &str) {
        self.remove.push(name.to_owned());
    }

    /// The field stands once, with this value, whatever stood there.
    pub fn set(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.remove(name);
        self.set = self.set.iter().filter(|(known, _)| *known != name).collect();
        self.set.append(name, value);
    }

    /// The field stands there besides what is there already.
    pub fn append(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.append.append(name, value);
    }

    /// Makes the edits that a route asks for. They are about its origin's answers: a refusal of the edge keeps its challenge,
    /// its media type, and that no cache keeps it.
    pub fn edit(&mut self, edits: &FieldEdits) {
        self.route.clone_from(edits);
    }

    /// The field gets this value where nothing gives it one.
    pub fn fill_in(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.missing.append(name, value);
    }

    /// Tells the client the nonce of its next proofs (RFC 9449 §8.2, §9), pages of other origins included, where any may see
    /// the answer. It is not kept in caches: nobody is to be told an old one.
    pub fn give_nonce(&mut self, nonce: &str) {
        self.set("dpop-nonce", nonce);
        self.set("cache-control", "no-store");
        if self.set.all("access-control-allow-origin").next().is_some() {
            self.append("access-control-expose-headers", "DPoP-Nonce, WWW-Authenticate");
        }
    }

    /// The security fields, as strict as an API bears.
    pub fn secure(&mut self) {
        for (name, value) in SECURITY {
            self.fill_in(name, value);
        }
    }

    /// The fields of an origin's answer after all edits.
    #[must_use]
    pub fn dress_origins(&self, headers: &Headers) -> Headers {
        self.dress(&self.route.apply(headers))
    }

    /// The fields of an answer of the edge itself, after the edits but the route's own.
    #[must_use]
    pub fn dress(&self, headers: &Headers) -> Headers {
        let kept = headers.iter().filter(|(name, _)| !self.remove.iter().any(|removed| removed == name));
        let mut dressed: Headers = kept.chain(self.set.iter()).chain(self.append.iter()).collect();
        for (name, value) in self.missing.iter() {
            if dressed.all(name).next().is_none() {
                dressed.append(name, value);
            }
        }
        dressed
    }
}
