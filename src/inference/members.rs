//! The members of the body of each API, and the fields that say what the body is.
//!
//! Left out of the lists, so that a policy has to name them in `extra_members`: members that choose another price, place or
//! account than the policy meant (`service_tier`, `speed`, `inference_geo`, `workspace_id`, `fallbacks`).

use super::error::InferenceError;
use crate::headers::Headers;
use crate::json_body::JsonBody;
use crate::policy::{Api, Inference};
use crate::trail::excerpt;

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

impl Api {
    /// The member with the name of the model.
    pub(super) fn model_member(&self) -> &str {
        match self {
            Self::Json { model, .. } => model,
            _ => "model",
        }
    }

    /// The members that limit the tokens of the response; the one to write comes first.
    pub(super) fn token_members(&self) -> Vec<&str> {
        match self {
            Self::OpenAiChat => vec!["max_completion_tokens", "max_tokens"],
            Self::OpenAiResponses => vec!["max_output_tokens"],
            Self::OpenAiEmbeddings => Vec::new(),
            Self::AnthropicMessages => vec!["max_tokens"],
            Self::Json { max_tokens, .. } => max_tokens.as_deref().into_iter().collect(),
        }
    }

    /// All its members; `None` if every member is forwarded.
    const fn members(&self) -> Option<&'static [&'static str]> {
        match self {
            Self::OpenAiChat => Some(&OPENAI_CHAT),
            Self::OpenAiResponses => Some(&OPENAI_RESPONSES),
            Self::OpenAiEmbeddings => Some(&OPENAI_EMBEDDINGS),
            Self::AnthropicMessages => Some(&ANTHROPIC_MESSAGES),
            Self::Json { .. } => None,
        }
    }
}

/// Checks the names of the members. Parsers that ignore case, or that end a name at NUL, must not find another model or
/// limit than the edge.
pub(super) fn check_names(body: &JsonBody<'_>, inference: &Inference) -> Result<(), InferenceError> {
    let Some(known) = inference.api.members() else {
        let judged: Vec<&str> =
            std::iter::once(inference.api.model_member()).chain(inference.api.token_members()).collect();
        let is_unclear = |name: &&str| !judged.contains(name) && judged.iter().any(|other| is_like(name, other));
        return match body.object().names().find(is_unclear) {
            Some(name) => Err(InferenceError::UnclearMember { name: excerpt(name), other: "one that is judged" }),
            None => Ok(()),
        };
    };
    for name in body.object().names() {
        if known.contains(&name) {
            continue;
        }
        if let Some(other) = known.iter().find(|other| is_like(name, other)) {
            return Err(InferenceError::UnclearMember { name: excerpt(name), other });
        }
        if !inference.extra_members.contains(name) {
            return Err(InferenceError::UnknownMember(excerpt(name)));
        }
    }
    Ok(())
}

/// Whether a parser could take `name` for `other`: without regard to case, as Go's `encoding/json` compares, where the long
/// s and the sign of Kelvin are letters, too; or up to a NUL.
pub(super) fn is_like(name: &str, other: &str) -> bool {
    let folded = |letter: char| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        letter => letter.to_ascii_lowercase(),
    };
    let name = name.split('\0').next().unwrap_or_default();
    name.chars().map(folded).eq(other.chars().map(folded))
}

/// Whether the fields say that the body is JSON in UTF-8, as it is: a reader that decodes it before would read something
/// else.
pub(super) fn is_json(headers: &Headers) -> bool {
    let mut types = headers.all("content-type");
    let (Some(value), None) = (types.next(), types.next()) else { return false };
    let Ok(value) = std::str::from_utf8(value) else { return false };
    let mut parts = value.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|media_type| media_type.eq_ignore_ascii_case("application/json"));
    let is_utf8 = |part: &str| {
        part.split_once('=').is_none_or(|(name, value)| {
            !name.trim().eq_ignore_ascii_case("charset") || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
    };
    is_json && parts.all(is_utf8) && headers.all("content-encoding").next().is_none()
}

#[cfg(test)]
mod tests {
    use super::{is_json, is_like};
    use crate::headers::Headers;

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

    #[test]
    fn the_fields_of_json() {
        let of = |fields: &[(&str, &str)]| is_json(&fields.iter().copied().collect::<Headers>());
        assert!(of(&[("content-type", "application/json")]));
        assert!(of(&[("content-type", "Application/JSON ; charset=\"UTF-8\"; x=1")]));
        for value in ["text/json", "application/json; charset=utf-16", "application/jsonx", "", "application/json, a/b"]
        {
            assert!(!of(&[("content-type", value)]), "{value}");
        }
        assert!(!of(&[]));
        assert!(!of(&[("content-type", "application/json"), ("content-type", "application/json")]));
        assert!(!of(&[("content-type", "application/json"), ("content-encoding", "gzip")]));
    }
}
