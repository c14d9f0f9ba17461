//! The members of the body that are judged, the names of all of them, and the fields that say what the body is.

use super::error::InferenceError;
use crate::headers::Headers;
use crate::json_body::JsonBody;
use crate::policy::{Api, ApiName, Inference, is_like, members_of};
use crate::trail::excerpt;

impl Api {
    /// All its members; `None` if every member is forwarded.
    const fn members(&self) -> Option<&'static [&'static str]> {
        members_of(match self {
            Self::OpenAiChat => ApiName::OpenaiChat,
            Self::OpenAiResponses => ApiName::OpenaiResponses,
            Self::OpenAiEmbeddings => ApiName::OpenaiEmbeddings,
            Self::AnthropicMessages => ApiName::AnthropicMessages,
            Self::Json { .. } => ApiName::Json,
        })
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
    use super::is_json;
    use crate::headers::Headers;

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
