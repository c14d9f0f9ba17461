//! The members of the body of each API, and the names that parsers take for one of them.
//!
//! Left out of the lists, so that a policy has to name them in `extra_members`: members that choose another price, place or
//! account than the policy meant (`service_tier`, `speed`, `inference_geo`, `workspace_id`, `fallbacks`).

use super::document::{ApiName, InferenceDocument, StateMember};
use super::fault::InferenceFault;
use crate::policy::fault::Faults;

/// `POST /v1/chat/completions`: platform.openai.com/docs/api-reference/chat/create, as of the client 3.57.
const OPENAI_CHAT: [&str; 35] = [
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "modalities",
    "model",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "moderation",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
];
/// `POST /v1/responses`: platform.openai.com/docs/api-reference/responses/create, as of the client 3.57.
const OPENAI_RESPONSES: [&str; 30] = [
    "background",
    "context_management",
    "conversation",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "moderation",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];
/// `POST /v1/embeddings`: platform.openai.com/docs/api-reference/embeddings/create.
const OPENAI_EMBEDDINGS: [&str; 5] = ["dimensions", "encoding_format", "input", "model", "user"];
/// `POST /v1/messages`: docs.anthropic.com/en/api/messages, as of the client 2.14; `top_k` and its neighbours of older ones.
const ANTHROPIC_MESSAGES: [&str; 16] = [
    "cache_control",
    "container",
    "max_tokens",
    "messages",
    "metadata",
    "model",
    "output_config",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
];

/// All members of an API; `None` if every member is forwarded.
#[must_use]
pub const fn members_of(api: ApiName) -> Option<&'static [&'static str]> {
    match api {
        ApiName::OpenaiChat => Some(&OPENAI_CHAT),
        ApiName::OpenaiResponses => Some(&OPENAI_RESPONSES),
        ApiName::OpenaiEmbeddings => Some(&OPENAI_EMBEDDINGS),
        ApiName::AnthropicMessages => Some(&ANTHROPIC_MESSAGES),
        ApiName::Json => None,
    }
}

/// Whether a parser could take `name` for `other`: without regard to case, as Go's `encoding/json` compares, where the long
/// s and the sign of Kelvin are letters, too; or up to a NUL.
#[must_use]
pub fn is_like(name: &str, other: &str) -> bool {
    let folded = |letter: char| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        letter => letter.to_ascii_lowercase(),
    };
    name.chars().take_while(|letter| *letter != '\0').map(folded).eq(other.chars().map(folded))
}

/// Whether a parser could take one of these for the other.
pub(super) fn are_alike(one: &str, other: &str) -> bool {
    is_like(one, other) || is_like(other, one)
}

/// Adds a fault for each of `extra_members` that a parser could take for another member, and for references to state that
/// requests of this API never have.
pub(super) fn check(document: &InferenceDocument, at: &str, faults: &mut Faults) {
    let extra = &document.extra_members;
    let known = members_of(document.api).unwrap_or_default();
    for (index, name) in extra.iter().enumerate() {
        let others = known.iter().copied().chain(extra.iter().take(index).map(String::as_str));
        for other in others.filter(|other| other != name && are_alike(name, other)) {
            let fault = InferenceFault::LikeMember { name: name.clone(), other: other.to_owned() };
            faults.add(format!("{at}.extra_members[{index}]"), fault.into());
        }
    }
    let of_responses =
        [StateMember::PreviousResponseId, StateMember::Conversation, StateMember::Background, StateMember::Prompt];
    let is_never_there = |state: &StateMember| match document.api {
        ApiName::OpenaiChat => of_responses.contains(state),
        ApiName::AnthropicMessages => of_responses.contains(state) || *state == StateMember::Store,
        // In requests without conversations, the whole member judges nothing.
        ApiName::OpenaiResponses | ApiName::OpenaiEmbeddings | ApiName::Json => false,
    };
    let is_idle = document.state.iter().any(is_never_there);
    faults.add_if(is_idle, format_args!("{at}.state"), InferenceFault::NotJudged.into());
}

#[cfg(test)]
mod tests {
    use super::is_like;

    #[test]
    fn names_that_some_parsers_confuse() {
        for name in ["Model", "MODEL", "model\0", "model\0x", "mODEl"] {
            assert!(is_like(name, "model"), "{name}");
        }
        assert!(is_like("\u{17f}tore", "store") && is_like("max_to\u{212a}ens", "max_tokens"));
        for name in ["models", "mode", "m\u{43e}del", "", " model"] {
            assert!(!is_like(name, "model"), "{name}");
        }
    }
}
