//! The form of a problem: problem details (RFC 9457), or the error of the API whose clients send the requests. These clients
//! read nothing else.

use serde_json::{Value, json};

use super::kind::Kind;
use crate::policy::Api;

/// The form of the body of a problem.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Form {
    /// `application/problem+json`.
    #[default]
    Problem,
    /// `{"error": {"message", "type", "param", "code"}}`, platform.openai.com/docs/guides/error-codes.
    OpenAi,
    /// `{"type": "error", "error": {"type", "message"}}`, docs.anthropic.com/en/api/errors.
    Anthropic,
    /// `{"jsonrpc", "id", "error": {"code", "message", "data"}}`, jsonrpc.org/specification; `rpc.rs` writes it.
    JsonRpc,
}

impl Form {
    pub(super) const fn of(api: &Api) -> Self {
        match api {
            Api::OpenAiChat | Api::OpenAiResponses | Api::OpenAiEmbeddings => Self::OpenAi,
            Api::AnthropicMessages => Self::Anthropic,
            Api::Json { .. } => Self::Problem,
        }
    }

    /// The media type.
    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Problem => "application/problem+json",
            Self::OpenAi | Self::Anthropic | Self::JsonRpc => "application/json",
        }
    }

    /// The body for a problem of this kind.
    pub(super) fn body(self, kind: Kind, detail: Option<&Detail>) -> Value {
        let (status, slug, title) = kind.row();
        let message = detail.map_or(title, |detail| &detail.message);
        let member = detail.and_then(|detail| detail.member.as_deref());
        match self {
            Self::Problem | Self::JsonRpc => {
                let mut problem =
                    json!({ "type": format!("urn:fastgate:problem:{slug}"), "title": title, "status": status });
                if let (Some(members), Some(detail)) = (problem.as_object_mut(), detail) {
                    members.insert("detail".to_owned(), json!(detail.message));
                }
                problem
            }
            Self::OpenAi => {
                let (error, code) = match kind {
                    // What its clients know from an account that has spent its budget.
                    Kind::BudgetExceeded => ("insufficient_quota", "insufficient_quota"),
                    _ => openai(status, slug),
                };
                json!({ "error": { "message": message, "type": error, "param": member, "code": code } })
            }
            Self::Anthropic => {
                json!({ "type": "error", "error": { "type": anthropic(status), "message": message } })
            }
        }
    }
}

/// What a client may know of a refusal besides its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Detail {
    pub(super) message: String,
    /// The member of the request that is refused.
    pub(super) member: Option<String>,
}

/// `type` and `code` of OpenAI's errors.
const fn openai(status: u16, slug: &'static str) -> (&'static str, &'static str) {
    match status {
        401 => ("authentication_error", "invalid_api_key"),
        403 => ("permission_error", slug),
        429 => ("rate_limit_error", "rate_limit_exceeded"),
        500.. => ("server_error", slug),
        _ => ("invalid_request_error", slug),
    }
}

/// `type` of Anthropic's errors.
const fn anthropic(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 => "overloaded_error",
        504 => "timeout_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}
