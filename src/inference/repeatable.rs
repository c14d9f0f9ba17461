//! Requests whose response may be sent again, to the same request of a caller of the same audience.

use super::facts::Facts;
use crate::json_body::{JsonBody, Value};
use crate::policy::Api;

/// The digest of the body, if the same request would get the same response: an embedding, or a completion that asks for no
/// randomness (`"temperature": 0` with a `seed`, platform.openai.com/docs/api-reference/chat/create#seed). A stream is none
/// of these, nor a request that refers to something outside of it: media, state at the provider, tools that the provider
/// runs, and members that only the policy knows.
pub(super) fn digest(body: &JsonBody<'_>, api: &Api, facts: &Facts) -> Option<[u8; 32]> {
    let is_repeatable = match api {
        Api::OpenAiEmbeddings => true,
        Api::OpenAiChat => is_deterministic(body) && !facts.stream && has_only_itself(body, api, facts),
        // They have no seed, or it is not known what their members mean.
        Api::OpenAiResponses | Api::AnthropicMessages | Api::Json { .. } => false,
    };
    if is_repeatable { body.object().digest() } else { None }
}

/// Whether nothing but the body determines the response.
fn has_only_itself(body: &JsonBody<'_>, api: &Api, facts: &Facts) -> bool {
    let is_known = |name: &str| api.members().is_some_and(|known| known.contains(&name));
    facts.state.is_empty() && facts.types.is_empty() && facts.media.is_empty() && body.object().names().all(is_known)
}

fn is_deterministic(body: &JsonBody<'_>) -> bool {
    let is_zero = match body.value("temperature") {
        Some(Value::Whole(number)) => *number == 0,
        Some(Value::Fraction(number)) => *number == 0.0,
        _ => false,
    };
    is_zero && matches!(body.value("seed"), Some(Value::Whole(_) | Value::Negative(_)))
}
