//! What requests of one conversation have in common: its beginning. Servers of models keep what they computed for the
//! beginning of an input, so that the next request of the conversation is cheaper there.

use sha2::{Digest as _, Sha256};

use super::values::value;
use crate::digest::add_parts;
use crate::json_body::{JsonBody, Value};
use crate::policy::Api;

/// How much of the instructions, and of each message, counts, in bytes.
const MOST: usize = 8 * 1024;

/// The digest of the beginning of a conversation with `model`: instructions, and messages up to the first one of the user.
/// `prompt_cache_key`, or the id of a conversation at the provider, counts in its place. `None` if the API has no
/// conversations.
pub(super) fn conversation(body: &JsonBody<'_>, api: &Api, model: &str) -> Option<[u8; 32]> {
    let (instructions, messages) = match api {
        Api::OpenAiChat => (None, "messages"),
        Api::AnthropicMessages => (Some("system"), "messages"),
        Api::OpenAiResponses => (Some("instructions"), "input"),
        Api::OpenAiEmbeddings | Api::Json { .. } => return None,
    };
    let mut digest = Sha256::new();
    if let Some(named) = ["prompt_cache_key", "conversation"].into_iter().find_map(|member| value(body, member)) {
        add_parts(&mut digest, ["named", model]);
        add(named, &mut digest);
        return Some(digest.finalize().into());
    }
    add_parts(&mut digest, ["begins", model]);
    if let Some(instructions) = instructions.and_then(|member| value(body, member)) {
        add(instructions, &mut digest);
    }
    match value(body, messages) {
        Some(Value::List(messages)) => {
            for message in messages {
                let member = |name| message.object().and_then(|message| message.value(name));
                let role = member("role").and_then(Value::text).unwrap_or_default();
                add_parts(&mut digest, [role]);
                // The other members of a message, such as its id, may be absent when the client sends it again.
                add(member("content").unwrap_or(message), &mut digest);
                if role == "user" {
                    break;
                }
            }
        }
        // A text is short for one message of the user.
        Some(input) => {
            add_parts(&mut digest, ["user"]);
            add(input, &mut digest);
        }
        None => {}
    }
    Some(digest.finalize().into())
}

/// Adds the beginning of a value to the digest.
fn add(value: &Value<'_>, digest: &mut Sha256) {
    let mut beginning = Vec::new();
    collect(value, &mut beginning);
    add_parts(digest, [beginning]);
}

/// Collects a value, as far as there is room. Different values may give the same bytes; they then get the same backend. What
/// clients write in several ways gives the same bytes: a text, and a list with a part that is this text. Markers of what the
/// provider shall keep move on with each message.
fn collect(value: &Value<'_>, beginning: &mut Vec<u8>) {
    let mut add_bytes = |bytes: &[u8]| {
        let room = MOST.saturating_sub(beginning.len());
        beginning.extend(bytes.iter().take(room));
    };
    match value {
        Value::Null => {}
        Value::Bool(value) => add_bytes(&[u8::from(*value)]),
        Value::Whole(number) => add_bytes(&number.to_be_bytes()),
        Value::Negative(number) => add_bytes(&number.to_be_bytes()),
        Value::Fraction(number) => add_bytes(&number.to_be_bytes()),
        Value::Text(text) => add_bytes(text.as_bytes()),
        Value::List(elements) => elements.iter().for_each(|element| collect(element, beginning)),
        Value::Object(object) => {
            let members = object.members().filter(|(name, _)| !matches!(*name, "type" | "cache_control"));
            members.for_each(|(_, value)| collect(value, beginning));
        }
    }
}
