//! Values of members, in the types that the APIs have.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::InferenceError;
use crate::json_body::JsonBody;
use crate::trail::excerpt;

/// A value of this type; `None` if it has another one.
pub(super) fn parsed<'json, T: Deserialize<'json>>(json: &'json str) -> Option<T> {
    serde_json::from_slice(json.as_bytes()).ok()
}

/// The elements of a member that is a list; none if it is absent or `null`.
pub(super) fn list<'body>(body: &JsonBody<'body>, member: &str) -> Result<Vec<&'body RawValue>, InferenceError> {
    match body.value(member) {
        None | Some("null") => Ok(Vec::new()),
        Some(json) => {
            parsed(json).ok_or_else(|| InferenceError::Malformed { member: excerpt(member), expected: "a list" })
        }
    }
}

/// Whether a member that is an object or a list has no content. One of another type counts as having some.
pub(super) fn is_empty(json: &str) -> bool {
    let inside = json.strip_prefix(['[', '{']).and_then(|rest| rest.strip_suffix([']', '}']));
    json == "null" || inside.is_some_and(|inside| inside.trim_ascii().is_empty())
}

/// A text as a value.
pub(super) fn raw<'json>(json: &'json str, member: &str) -> Result<&'json RawValue, InferenceError> {
    parsed(json).ok_or_else(|| InferenceError::Malformed { member: excerpt(member), expected: "JSON" })
}
