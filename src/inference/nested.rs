//! The members of objects in a body, and what is nested in objects of types that are not known here.

use std::collections::BTreeSet;

use super::error::InferenceError;
use crate::json_body::{Object, Value};
use crate::policy::{Media, StateMember, is_like};
use crate::trail::excerpt;

/// What was found in a request.
#[derive(Debug)]
pub(super) struct Found<'read> {
    pub(super) types: BTreeSet<(&'read str, &'read str)>,
    pub(super) media: BTreeSet<Media>,
    pub(super) state: BTreeSet<StateMember>,
    /// The members that the policy admits in addition to those that are known.
    pub(super) extra: &'read BTreeSet<String>,
}

impl<'read> Found<'read> {
    pub(super) const fn new(extra: &'read BTreeSet<String>) -> Self {
        Self { types: BTreeSet::new(), media: BTreeSet::new(), state: BTreeSet::new(), extra }
    }

    /// Something of a type that only the policy can admit. What it contains at any depth counts as if it were elsewhere.
    pub(super) fn other(&mut self, member: &'read str, kind: Option<&'read str>, value: &Value<'_>) {
        self.types.insert((member, kind.unwrap_or_default()));
        search(value, self);
    }
}

/// The members of an object that is nested in the member `within`.
#[derive(Clone, Copy)]
pub(super) struct Members<'read, 'body> {
    object: &'read Object<'body>,
    within: &'read str,
    /// Whether the object is in a list.
    is_listed: bool,
}

impl<'read, 'body> Members<'read, 'body> {
    /// The members of an object in a list.
    pub(super) fn of(value: &'read Value<'body>, within: &'read str) -> Result<Self, InferenceError> {
        let expected = "a list of objects as the API has";
        let malformed = || InferenceError::Malformed { member: excerpt(within), expected };
        Ok(Self { object: value.object().ok_or_else(malformed)?, within, is_listed: true })
    }

    /// The members of an object that is the value of a member.
    pub(super) fn of_object(value: &'read Value<'body>, within: &'read str) -> Result<Self, InferenceError> {
        let malformed = || InferenceError::Malformed { member: excerpt(within), expected: "an object" };
        Ok(Self { object: value.object().ok_or_else(malformed)?, within, is_listed: false })
    }

    /// The value of a member; `None` if it is `null`.
    pub(super) fn value(&self, name: &str) -> Option<&'read Value<'body>> {
        self.object.value(name).filter(|value| **value != Value::Null)
    }

    /// The type; `None` if it has none.
    pub(super) fn kind(&self) -> Result<Option<&'read str>, InferenceError> {
        let malformed = || InferenceError::Malformed { member: excerpt(self.within), expected: "typed by texts" };
        self.value("type").map(|value| value.text().ok_or_else(malformed)).transpose()
    }

    /// Checks that all members are known, or among those that the policy adds.
    pub(super) fn are_among(&self, known: &[&'static str], extra: &BTreeSet<String>) -> Result<(), InferenceError> {
        let mut unknown = None;
        for name in self.object.names().filter(|name| !known.contains(name)) {
            is_like_none(name, known)?;
            if unknown.is_none() && !extra.contains(name) {
                unknown = Some(name);
            }
        }
        match unknown {
            Some(name) => {
                let list = if self.is_listed { "[]" } else { "" };
                Err(InferenceError::UnknownMember(excerpt(&format!("{}{list}.{name}", self.within))))
            }
            None => Ok(()),
        }
    }

    /// Checks that no member can be taken for one of these.
    pub(super) fn has_no_likeness_of(&self, known: &[&'static str]) -> Result<(), InferenceError> {
        self.object.names().filter(|name| !known.contains(name)).try_for_each(|name| is_like_none(name, known))
    }
}

/// Checks that a member that is not among these cannot be taken for one of them.
fn is_like_none(name: &str, known: &[&'static str]) -> Result<(), InferenceError> {
    match known.iter().find(|other| is_like(name, other)) {
        Some(other) => Err(InferenceError::UnclearMember { name: excerpt(name), other }),
        None => Ok(()),
    }
}

/// Searches a value at every depth, of which no body has many, for media and for references to state at the provider.
fn search(value: &Value<'_>, found: &mut Found<'_>) {
    match value {
        Value::List(elements) => elements.iter().for_each(|element| search(element, found)),
        Value::Object(object) => {
            for (name, inside) in object.members() {
                note(name, inside, found);
                search(inside, found);
            }
            let is_only_a_reference =
                object.value("id").is_some() && object.names().all(|name| matches!(name, "id" | "type" | "status"));
            if is_only_a_reference {
                found.state.insert(StateMember::ItemReference);
            }
        }
        _ => {}
    }
}

/// Notes what a member of such a value says.
fn note(name: &str, value: &Value<'_>, found: &mut Found<'_>) {
    let is = |other: &str| is_like(name, other);
    if *value == Value::Null {
        return;
    }
    // The container of a tool is one that is kept, by its id, or the description of a new one.
    let is_kept = (is("container") && value.text().is_some())
        || ["file_id", "file_ids", "container_id", "vector_store_ids"].into_iter().any(is);
    if is_kept {
        found.state.insert(StateMember::Files);
    }
    let kind = value.text().filter(|_| is("type")).unwrap_or_default();
    if is("image_url") || matches!(kind, "image" | "image_url" | "input_image" | "computer_screenshot") {
        found.media.insert(Media::Image);
    }
    if is("input_audio") || kind == "input_audio" {
        found.media.insert(Media::Audio);
    }
    if is("file_data") || is("file_url") || matches!(kind, "document" | "file" | "input_file") {
        found.media.insert(Media::File);
    }
}
