//! The edits of a response's fields, whether the response comes from the origin or from the edge.

use crate::headers::{Headers, is_response_field};
use crate::mcp_session::{SESSION_ID, SessionEdit};
use crate::policy::fields::FieldEdits;

/// The security fields and their values.
const SECURITY: [(&str, &str); 5] = [
    ("strict-transport-security", "max-age=31536000; includeSubDomains"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("content-security-policy", "frame-ancestors 'none'"),
    ("referrer-policy", "no-referrer"),
];

/// The edits of a response's fields, applied in this order: that of the session and the route's own to the origin's fields,
/// remove, set, append, fill in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseFields {
    session: Option<Box<SessionEdit>>,
    route: FieldEdits,
    remove: Vec<String>,
    set: Headers,
    append: Headers,
    missing: Headers,
}

/// Changes of a response's fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChanges<'names> {
    /// The names of fields that are removed.
    pub remove: Vec<&'names str>,
    /// The fields that are then added.
    pub append: Headers,
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

    /// Edits the id of a session of MCP, which only responses of the origin have.
    pub fn edit_session(&mut self, edit: SessionEdit) {
        self.session = Some(Box::new(edit));
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
        match &self.session {
            Some(edit) => self.apply(&self.route.apply(&edit.apply(headers))),
            None => self.apply(&self.route.apply(headers)),
        }
    }

    /// What [`apply_to_origin`](Self::apply_to_origin) after [`response_fields`](crate::headers::response_fields) changes
    /// of a response with fields of these names (lower case), if that does not depend on their values: if there is no
    /// `connection` and no id of a session among them, and the route has no edits.
    #[must_use]
    pub fn changes<'names>(&self, names: &'names [String]) -> Option<FieldChanges<'names>> {
        let has_session = self.session.is_some() && names.iter().any(|name| name == SESSION_ID);
        if has_session || self.route != FieldEdits::default() || names.iter().any(|name| name == "connection") {
            return None;
        }
        let (kept, removed): (Vec<_>, Vec<_>) =
            names.iter().map(String::as_str).partition(|name| is_response_field(name) && !self.removes(name));
        let mut append: Headers = self.set.iter().chain(self.append.iter()).collect();
        for (name, value) in self.missing.iter() {
            if !kept.contains(&name) && append.all(name).next().is_none() {
                append.append(name, value);
            }
        }
        Some(FieldChanges { remove: removed, append })
    }

    fn removes(&self, name: &str) -> bool {
        self.remove.iter().any(|removed| removed == name)
    }

    /// The fields of a response of the edge itself, after all edits except the route's own.
    #[must_use]
    pub fn apply(&self, headers: &Headers) -> Headers {
        let kept = headers.iter().filter(|(name, _)| !self.removes(name));
        let mut edited: Headers = kept.chain(self.set.iter()).chain(self.append.iter()).collect();
        for (name, value) in self.missing.iter() {
            if edited.all(name).next().is_none() {
                edited.append(name, value);
            }
        }
        edited
    }
}

#[cfg(test)]
mod tests {
    use super::{ResponseFields, SessionEdit};
    use crate::headers::{Headers, response_fields};

    /// Field names that pass, that do not pass, and that edits touch.
    const NAMES: [&str; 10] = [
        "content-type",
        "content-length",
        "x-request-id",
        "fastgate_identity",
        "surrogate-key",
        "keep-alive",
        "cache-control",
        "vary",
        "x-frame-options",
        "dpop-nonce",
    ];

    fn edits() -> [ResponseFields; 3] {
        let (mut some, mut secure) = (ResponseFields::default(), ResponseFields::default());
        some.set("access-control-allow-origin", "https://app.example");
        some.append("vary", "Origin");
        some.give_nonce("n-1");
        secure.secure();
        secure.append("x-frame-options", "SAMEORIGIN");
        secure.remove("content-type");
        [ResponseFields::default(), some, secure]
    }

    #[test]
    fn changes_by_name_make_the_same_fields_as_a_copy() {
        for (number, edits) in edits().iter().enumerate() {
            for set in 0_u32..1 << NAMES.len() {
                let present = |index: &usize| set & (1 << index) != 0;
                let arrived: Headers = (0..NAMES.len())
                    .filter(present)
                    .flat_map(|index| [(NAMES[index], format!("a{index}")), (NAMES[index], format!("b{index}"))])
                    .collect();
                let names: Vec<_> = (0..NAMES.len()).filter(present).map(|index| NAMES[index].to_owned()).collect();
                let changes = edits.changes(&names).unwrap();
                let kept = arrived.iter().filter(|(name, _)| !changes.remove.contains(name));
                let sent: Headers = kept.chain(changes.append.iter()).collect();
                assert_eq!(sent, edits.apply_to_origin(&response_fields(&arrived)), "edits {number}, {names:?}");
            }
        }
    }

    #[test]
    fn values_decide_if_connection_names_fields_or_they_are_edited() {
        assert_eq!(ResponseFields::default().changes(&["connection".to_owned()]), None);
        let mut edited = ResponseFields::default();
        edited.edit(&crate::policy::fields::FieldEdits { remove: vec!["server".to_owned()], set: Headers::default() });
        assert_eq!(edited.changes(&["server".to_owned()]), None);
        let (mut session, id) = (ResponseFields::default(), ["mcp-session-id".to_owned()]);
        assert!(session.changes(&id).is_some());
        session.edit_session(SessionEdit::Remove);
        assert_eq!(session.changes(&id), None);
        assert!(session.changes(&["server".to_owned()]).is_some());
    }
}
