//! The members of objects in a body, and what is nested in objects of types that are not known here.

use std::collections::BTreeSet;

use serde_json::value::RawValue;

use super::error::InferenceError;
use super::members::is_like;
use super::values::parsed;
use crate::json_body::{Member, members};
use crate::policy::{Media, StateMember};
use crate::trail::excerpt;

/// What was found in a request.
#[derive(Debug)]
pub(super) struct Found<'policy> {
    pub(super) types: BTreeSet<(String, String)>,
    pub(super) media: BTreeSet<Media>,
    pub(super) state: BTreeSet<StateMember>,
    /// The members that the policy admits in addition to those that are known.
    pub(super) extra: &'policy BTreeSet<String>,
}

impl<'policy> Found<'policy> {
    pub(super) const fn new(extra: &'policy BTreeSet<String>) -> Self {
        Self { types: BTreeSet::new(), media: BTreeSet::new(), state: BTreeSet::new(), extra }
    }

    /// Something of a type that only the policy can admit. What it contains at any depth counts as if it were elsewhere.
    pub(super) fn other(&mut self, member: &str, kind: &str, json: &RawValue) -> Result<(), InferenceError> {
        self.types.insert((member.to_owned(), kind.to_owned()));
        search(json, member, self)
    }
}

/// The members of an object that is nested in the member `within`.
pub(super) struct Members<'json, 'name> {
    members: Vec<Member<'json>>,
    within: &'name str,
}

impl<'json, 'name> Members<'json, 'name> {
    /// Reads an object.
    pub(super) fn of(json: &'json RawValue, within: &'name str) -> Result<Self, InferenceError> {
        let expected = "a list of objects as the API has";
        let malformed = |_| InferenceError::Malformed { member: excerpt(within), expected };
        let members = members(json.get()).map_err(malformed)?;
        Ok(Self { members, within })
    }

    /// The value of a member; `None` if it is `null`.
    pub(super) fn value(&self, name: &str) -> Option<&'json RawValue> {
        self.members
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| *value)
            .filter(|value| value.get() != "null")
    }

    /// The type; `None` if it has none.
    pub(super) fn kind(&self) -> Result<Option<String>, InferenceError> {
        let malformed = || InferenceError::Malformed { member: excerpt(self.within), expected: "typed by texts" };
        self.value("type").map(|json| parsed(json.get()).ok_or_else(malformed)).transpose()
    }

    /// Checks that all members are known, or among those that the policy adds.
    pub(super) fn are_among(&self, known: &[&'static str], extra: &BTreeSet<String>) -> Result<(), InferenceError> {
        self.has_no_likeness_of(known)?;
        let is_known = |name: &str| known.contains(&name) || extra.contains(name);
        match self.members.iter().find(|(name, _)| !is_known(name)) {
            Some((name, _)) => Err(InferenceError::UnknownMember(excerpt(&format!("{}[].{name}", self.within)))),
            None => Ok(()),
        }
    }

    /// Checks that no member can be taken for one of these.
    pub(super) fn has_no_likeness_of(&self, known: &[&'static str]) -> Result<(), InferenceError> {
        for (name, _) in self.members.iter().filter(|(name, _)| !known.contains(&name.as_ref())) {
            if let Some(other) = known.iter().find(|other| is_like(name, other)) {
                return Err(InferenceError::UnclearMember { name: excerpt(name), other });
            }
        }
        Ok(())
    }
}

/// Searches a value at every depth for media, and for references to state at the provider.
fn search(json: &RawValue, member: &str, found: &mut Found<'_>) -> Result<(), InferenceError> {
    let malformed = || InferenceError::Malformed { member: excerpt(member), expected: "as the API has it" };
    let value: serde_json::Value = parsed(json.get()).ok_or_else(malformed)?;
    let mut open = vec![&value];
    while let Some(value) = open.pop() {
        match value {
            serde_json::Value::Array(list) => open.extend(list),
            serde_json::Value::Object(members) => {
                for (name, inside) in members {
                    note(name, inside, found);
                    open.push(inside);
                }
                let is_only_a_reference = members.contains_key("id")
                    && members.keys().all(|name| matches!(name.as_str(), "id" | "type" | "status"));
                if is_only_a_reference {
                    found.state.insert(StateMember::ItemReference);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Notes what a member of such a value says.
fn note(name: &str, value: &serde_json::Value, found: &mut Found<'_>) {
    let is = |other: &str| is_like(name, other);
    if value.is_null() {
        return;
    }
    // The container of a tool is one that is kept, by its id, or the description of a new one.
    let is_kept = (is("container") && value.is_string())
        || ["file_id", "file_ids", "container_id", "vector_store_ids"].into_iter().any(is);
    if is_kept {
        found.state.insert(StateMember::Files);
    }
    let kind = value.as_str().filter(|_| is("type")).unwrap_or_default();
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
