//! Values of members, in the types that the APIs have, and names of members that several steps read.

use super::error::InferenceError;
use crate::json_body::{JsonBody, Value};
use crate::trail::excerpt;

/// The member with the options of a stream.
pub(super) const STREAM_OPTIONS: &str = "stream_options";
/// Its member that asks for the usage.
pub(super) const INCLUDE_USAGE: &str = "include_usage";

/// The value of a member; `None` if it is absent or `null`, which the APIs take for the same.
pub(super) fn value<'read, 'body>(body: &'read JsonBody<'body>, member: &str) -> Option<&'read Value<'body>> {
    body.value(member).filter(|value| **value != Value::Null)
}

/// The elements of a member that is a list; none if it is absent or `null`.
pub(super) fn list<'read, 'body>(
    body: &'read JsonBody<'body>,
    member: &str,
) -> Result<&'read [Value<'body>], InferenceError> {
    match value(body, member) {
        None => Ok(&[]),
        Some(value) => {
            value.list().ok_or_else(|| InferenceError::Malformed { member: excerpt(member), expected: "a list" })
        }
    }
}
