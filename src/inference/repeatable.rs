//! Requests whose response may be sent again, to the same request of a caller of the same audience.

use super::facts::Facts;
use crate::json_body::{JsonBody, Value};
use crate::policy::Api;

/// The digest of the body, if the same request would get the same response: an embedding, or one that asks for no randomness
/// (`"temperature": 0` with a `seed`, platform.openai.com/docs/api-reference/chat/create#seed). A stream, and a request that
/// refers to state at the provider or lets the provider use tools, is none of these.
pub(super) fn digest(body: &JsonBody<'_>, api: &Api, facts: &Facts) -> Option<[u8; 32]> {
    let is_repeatable = match api {
        Api::OpenAiEmbeddings => true,
        Api::OpenAiChat | Api::OpenAiResponses | Api::AnthropicMessages | Api::Json { .. } => is_deterministic(body),
    };
    let is_alone = !facts.stream && facts.state.is_empty() && facts.types.is_empty();
    if is_repeatable && is_alone && body.value(SEARCH).is_none() { body.object().digest() } else { None }
}

/// The member with which the provider searches the web for a chat completion.
const SEARCH: &str = "web_search_options";

fn is_deterministic(body: &JsonBody<'_>) -> bool {
    let is_zero = match body.value("temperature") {
        Some(Value::Whole(number)) => *number == 0,
        Some(Value::Fraction(number)) => *number == 0.0,
        _ => false,
    };
    is_zero && matches!(body.value("seed"), Some(Value::Whole(_) | Value::Negative(_)))
}
