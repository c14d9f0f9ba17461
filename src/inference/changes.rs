//! What the edge changes in a body: the name of the model, and, if a stream must say what it cost,
//! `stream_options.include_usage` (platform.openai.com/docs/api-reference/chat/create#stream_options).

use super::error::InferenceError;
use super::facts::Facts;
use super::values::{INCLUDE_USAGE, STREAM_OPTIONS, value};
use crate::json_body::{JsonBody, Value};
use crate::policy::{Api, Inference, Model};

/// A body as the origin receives it.
pub(super) struct Changed {
    /// The whole body; `None` if it is as it arrived.
    pub(super) body: Option<String>,
    /// Whether the edge asks for the usage, and the client did not.
    pub(super) adds_usage: bool,
}

/// Makes the changes that the policy asks for.
///
/// # Errors
/// [`InferenceError::Malformed`] if the options of a stream are not as the API has them.
pub(super) fn changed(
    body: &JsonBody<'_>,
    facts: &Facts,
    inference: &Inference,
    model: &Model,
) -> Result<Changed, InferenceError> {
    let mut changes = Vec::new();
    if let Some(name) = &model.name_at_origin {
        changes.push((inference.api.model_member(), serde_json::Value::from(name.as_str()).to_string()));
    }
    let asks_for_usage = inference.api == Api::OpenAiChat && facts.stream && inference.spending.reads_usage();
    let options = if asks_for_usage { with_usage(body)? } else { None };
    let adds_usage = options.is_some();
    changes.extend(options.map(|options| (STREAM_OPTIONS, options)));
    let body = (!changes.is_empty()).then(|| body.with(&changes));
    Ok(Changed { body, adds_usage })
}

/// The options of a stream with usage; `None` if the client asks for it.
fn with_usage(body: &JsonBody<'_>) -> Result<Option<String>, InferenceError> {
    let malformed = |member: &str, expected| InferenceError::Malformed { member: member.to_owned(), expected };
    let added = (INCLUDE_USAGE, "true".to_owned());
    let options = match value(body, STREAM_OPTIONS) {
        None => return Ok(Some(format!("{{\"{INCLUDE_USAGE}\":true}}"))),
        Some(options) => options.object().ok_or_else(|| malformed(STREAM_OPTIONS, "an object"))?,
    };
    match options.value(INCLUDE_USAGE) {
        Some(Value::Bool(true)) => Ok(None),
        None | Some(Value::Null | Value::Bool(false)) => {
            let text = body.text_of(STREAM_OPTIONS).unwrap_or("{}");
            Ok(Some(JsonBody::parse(text.as_bytes())?.with(&[added])))
        }
        Some(_) => Err(malformed("stream_options.include_usage", "true or false")),
    }
}
