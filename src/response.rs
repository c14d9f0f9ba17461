//! The edits of a response's fields, whether the response comes from the origin or from the edge.

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

/// The edits of a response's fields, applied in this order: the route's own to the origin's fields, remove, set,
/// append, fill in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseFields {
    route: FieldEdits,
    remove: Vec<String>,
    set: Headers,
    append: Headers,
    missing: Headers,
}

impl ResponseFields {
    /// Removes the field `name` (lower case).
    pub fn remove(&mut self, name: &str) {
        self.remove.push(name.to_owned());
    }

    /// Sets the field to this one value, whatever it was.
    pub fn set(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.remove(name);
        self.set = self.set.iter().filter(|(known, _)| *known != name).collect();
        self.set.append(name, value);
    }

    /// Adds a value to the field.
    pub fn append(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.append.append(name, value);
    }

    /// Adds the edits of a route. They apply only to responses of its origin: a refusal by the edge keeps its
    /// challenge, its media type and its `no-store`.
    pub fn edit(&mut self, edits: &FieldEdits) {
        self.route.clone_from(edits);
    }

    /// Gives the field this value if it has none.
    pub fn fill_in(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.missing.append(name, value);
    }

    /// Tells the client the nonce of its next proofs (RFC 9449 §8.2, §9), and pages of other origins too if they may
    /// read the response. Caches must not store it, because they would return an old nonce.
    pub fn give_nonce(&mut self, nonce: &str) {
        self.set("dpop-nonce", nonce);
        self.set("cache-control", "no-store");
        if self.set.all("access-control-allow-origin").next().is_some() {
            self.append("access-control-expose-headers", "DPoP-Nonce, WWW-Authenticate");
        }
    }

    /// Fills in the security fields, in a form as strict as an API allows.
    pub fn secure(&mut self) {
        for (name, value) in SECURITY {
            self.fill_in(name, value);
        }
    }

    /// The fields of an origin's response after all edits.
    #[must_use]
    pub fn apply_to_origin(&self, headers: &Headers) -> Headers {
        self.apply(&self.route.apply(headers))
    }

    /// The fields of a response of the edge itself, after all edits except the route's own.
    #[must_use]
    pub fn apply(&self, headers: &Headers) -> Headers {
        let kept = headers.iter().filter(|(name, _)| !self.remove.iter().any(|removed| removed == name));
        let mut edited: Headers = kept.chain(self.set.iter()).chain(self.append.iter()).collect();
        for (name, value) in self.missing.iter() {
            if edited.all(name).next().is_none() {
                edited.append(name, value);
            }
        }
        edited
    }
}
