//! Numbers outside the range that the JSON Schema of a policy has for them.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

/// What is wrong with a value in place of a whole number, and the remedy; `None` if the schema has no range for it.
pub(super) fn range_fault(error: &ValidationError<'_>, schema: &Value) -> Option<(String, String)> {
    let path = error.schema_path().as_str();
    let number = schema.pointer(path.rsplit_once('/')?.0)?;
    let (least, most) = (number.get("minimum")?.as_u64()?, number.get("maximum")?.as_u64()?);
    // A type as a whole is no range that an author would know.
    if [u64::from(u8::MAX), u64::from(u16::MAX)].contains(&most) {
        return None;
    }
    match error.kind() {
        ValidationErrorKind::Minimum { .. } | ValidationErrorKind::Maximum { .. } => Some((
            format!("is {}, outside {least} to {most}", error.instance()),
            "write a number in that range".to_owned(),
        )),
        ValidationErrorKind::Type { .. } => {
            Some(("is not a whole number".to_owned(), format!("write a whole number from {least} to {most}")))
        }
        _ => None,
    }
}
