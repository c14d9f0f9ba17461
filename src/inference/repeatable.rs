//! Requests whose response may be sent again, to the same request of a caller of the same audience.

use std::collections::BTreeSet;

use super::facts::Facts;
use crate::json_body::{JsonBody, Value};
use crate::policy::{Api, Inference};

/// The digest of the body, if the same request would get the same response: an embedding, or a completion that asks for no
/// randomness (`"temperature": 0` with a `seed`, platform.openai.com/docs/api-reference/chat/create#seed). A stream is none
/// of these, nor a request that refers to something outside of it: media, state at the provider, tools that the provider
/// runs, and members that only the policy knows.
pub(super) fn digest(body: &JsonBody<'_>, inference: &Inference, facts: &Facts) -> Option<[u8; 32]> {
    let is_repeatable =
        inference.api.is_repeatable() && (inference.api == Api::OpenAiEmbeddings || is_deterministic(body));
    let is_alone = !facts.stream && facts.state.is_empty() && facts.types.is_empty() && facts.media.is_empty();
    let extra = &inference.extra_members;
    let is_known = extra.is_empty() || !body.object().members().any(|(name, value)| has_extra(name, value, extra));
    if is_repeatable && is_alone && is_known { body.object().digest() } else { None }
}

/// Whether a member, or one within its value, is among these.
fn has_extra(name: &str, value: &Value<'_>, extra: &BTreeSet<String>) -> bool {
    let within = |value: &Value<'_>| match value {
        Value::Object(object) => object.members().any(|(name, value)| has_extra(name, value, extra)),
        Value::List(elements) => elements.iter().any(|element| has_extra("", element, extra)),
        _ => false,
    };
    extra.contains(name) || within(value)
}

fn is_deterministic(body: &JsonBody<'_>) -> bool {
    let is_zero = match body.value("temperature") {
        Some(Value::Whole(number)) => *number == 0,
        Some(Value::Fraction(number)) => *number == 0.0,
        _ => false,
    };
    is_zero && matches!(body.value("seed"), Some(Value::Whole(_) | Value::Negative(_)))
}
