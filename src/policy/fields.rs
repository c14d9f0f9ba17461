//! Edits of header fields (`request_headers`, `response_headers`), and the form that a request must have (`accepts`).
//! Input: documents. Output: [`FieldEdits`] and [`Accepts`].

use std::collections::BTreeMap;
use std::fmt::Arguments;

use serde::Deserialize;

use super::fault::{Fault, Faults};
use crate::headers::{Headers, is_editable_in_responses, is_field_name, is_visible_to_rules};
use crate::json_form::objects;

objects!(FieldEditsDocument, AcceptsDocument);

/// Edits of header fields. Fields that only the edge may set, that carry credentials, or that belong to one connection
/// are refused.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct FieldEditsDocument {
    /// Fields and their values, in printable ASCII. They replace fields of the same name.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
    /// Names of fields that are removed.
    #[serde(default)]
    pub remove: Vec<String>,
}

/// The form that a request must have before the origin receives it.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct AcceptsDocument {
    /// The length of the longest body, in bytes. A request that declares more gets 413. A body that turns out longer on
    /// the way is cut off, and the origin sees it end early. Default: no limit.
    #[serde(default)]
    pub max_body: Option<u64>,
    /// The accepted media types of a body: `application/json`, `image/*`. A request with another gets 415. Default:
    /// all.
    #[serde(default)]
    pub content_types: Vec<String>,
    /// Names of fields that a request must have.
    #[serde(default)]
    pub required_headers: Vec<String>,
    /// The length of the longest query, in bytes, without its `?`. Default: no limit.
    #[serde(default)]
    pub max_query: Option<u64>,
    /// Whether these rules are in shadow mode: a request that they would refuse is logged and passes, and its body is
    /// not cut off. Default: false.
    #[serde(default)]
    pub shadow: bool,
}

/// Edits of fields; the names of fields to remove are in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldEdits {
    /// Fields that replace those of the same name.
    pub set: Headers,
    /// Names of fields that are removed.
    pub remove: Vec<String>,
}

/// The form that a request must have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepts {
    /// The longest body in bytes.
    pub max_body: Option<u64>,
    /// The accepted media types of a body, in lower case; all if empty.
    pub content_types: Vec<String>,
    /// Fields that must be present, in lower case.
    pub required_headers: Vec<String>,
    /// The longest query in bytes.
    pub max_query: Option<u64>,
    /// Whether the rules are in shadow mode.
    pub shadow: bool,
}

impl AcceptsDocument {
    /// The names of the members that it has about bodies. A section of a route that reads the body itself goes with none.
    pub(super) fn members_about_bodies(&self) -> impl Iterator<Item = &'static str> {
        let max_body = self.max_body.is_some().then_some("max_body");
        let content_types = (!self.content_types.is_empty()).then_some("content_types");
        max_body.into_iter().chain(content_types)
    }
}

impl FieldEdits {
    /// Edits of the fields of requests.
    pub(super) fn for_requests(document: FieldEditsDocument, at: Arguments<'_>, faults: &mut Faults) -> Self {
        Self::read(document, is_visible_to_rules, at, faults)
    }

    /// Edits of the fields of responses.
    pub(super) fn for_responses(document: FieldEditsDocument, at: Arguments<'_>, faults: &mut Faults) -> Self {
        Self::read(document, is_editable_in_responses, at, faults)
    }

    fn read(
        document: FieldEditsDocument,
        is_editable: fn(&str) -> bool,
        at: Arguments<'_>,
        faults: &mut Faults,
    ) -> Self {
        for name in document.set.keys().chain(&document.remove) {
            let reserved = !is_editable(name);
            faults.add_if(!is_field_name(name), at, Fault::NotAFieldName);
            faults.add_if(reserved, at, Fault::ReservedField { name: name.clone() });
        }
        for (name, value) in &document.set {
            let is_valid = value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) && value.trim() == value;
            faults.add_if(!is_valid, format_args!("{at}.set.{name}"), Fault::NotAFieldValue);
        }
        Self { set: document.set.into_iter().collect(), remove: lower(document.remove) }
    }

    /// `headers` after the edits.
    #[must_use]
    pub fn apply(&self, headers: &Headers) -> Headers {
        let is_removed =
            |name: &str| self.remove.iter().any(|removed| removed == name) || self.set.all(name).next().is_some();
        headers.iter().filter(|(name, _)| !is_removed(name)).chain(self.set.iter()).collect()
    }
}

impl Accepts {
    /// The longest body that is forwarded, in bytes; `None` if there is no limit, or if the rules are in shadow mode.
    #[must_use]
    pub fn longest_body(&self) -> Option<u64> {
        self.max_body.filter(|_| !self.shadow)
    }

    pub(super) fn read(document: AcceptsDocument, at: Arguments<'_>, faults: &mut Faults) -> Self {
        for (index, media_type) in document.content_types.iter().enumerate() {
            let is_valid = is_media_range(media_type);
            faults.add_if(!is_valid, format_args!("{at}.content_types[{index}]"), Fault::NotAMediaType);
        }
        for (index, name) in document.required_headers.iter().enumerate() {
            let at = format_args!("{at}.required_headers[{index}]");
            faults.add_if(!is_field_name(name), at, Fault::NotAFieldName);
            faults.add_if(!is_visible_to_rules(name), at, Fault::ReservedField { name: name.clone() });
        }
        Self {
            max_body: document.max_body,
            content_types: lower(document.content_types),
            required_headers: lower(document.required_headers),
            max_query: document.max_query,
            shadow: document.shadow,
        }
    }
}

/// Whether this is a media type without parameters, or a range of one type: `image/*` (RFC 9110 §12.5.1). Names contain
/// no other asterisk (RFC 6838 §4.2). `*/*` is refused: an absent list has that meaning.
fn is_media_range(text: &str) -> bool {
    let is_name = |name: &str| is_field_name(name) && !name.contains('*');
    text.split_once('/').is_some_and(|(kind, part)| is_name(kind) && (part == "*" || is_name(part)))
}

fn lower(names: Vec<String>) -> Vec<String> {
    names.into_iter().map(|name| name.to_ascii_lowercase()).collect()
}
