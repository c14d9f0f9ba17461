//! Why a request to a model is refused.

use crate::json_body::JsonBodyError;
use crate::policy::{Media, StateMember};

/// Why a request to a model is refused. The text is for the log; [`detail`](Self::detail) is for the client. Neither
/// repeats more of the body than names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InferenceError {
    /// The media type is not `application/json`, or the body is encoded.
    #[error("the body is not application/json in UTF-8 without encoding")]
    NotJson,
    /// The body can be read in several ways, or in none.
    #[error("the body has no single meaning: {0}")]
    Body(#[from] JsonBodyError),
    /// A member that the API does not have.
    #[error("the member \"{0}\" is not known")]
    UnknownMember(String),
    /// A member whose name some parsers take for that of another one.
    #[error("the member \"{name}\" can be taken for {other}")]
    UnclearMember {
        /// Its name.
        name: String,
        /// The name that it can be taken for.
        other: &'static str,
    },
    /// A member is missing, or has another type or range.
    #[error("the member \"{member}\" is missing or malformed: it has to be {expected}")]
    Malformed {
        /// Its name.
        member: String,
        /// What it has to be.
        expected: &'static str,
    },
    /// The model is not known, or not for this caller.
    #[error("the model \"{model}\" is refused: {why}")]
    Model {
        /// Its name, cut off if it is long.
        model: String,
        /// Why, for the log.
        why: String,
    },
    /// The request does not say how many tokens the response may have.
    #[error("the member \"{member}\" is missing, which may be at most {most}")]
    NoTokenLimit {
        /// The member that would say it.
        member: String,
        /// The most tokens.
        most: u64,
    },
    /// The request asks for too much.
    #[error("the member \"{member}\" is {value}, and may be at most {most}")]
    TooMany {
        /// The member.
        member: String,
        /// Its value.
        value: u64,
        /// The greatest value.
        most: u64,
    },
    /// Streams are refused.
    #[error("the response would be a stream")]
    Stream,
    /// Tools are refused.
    #[error("the request offers tools")]
    Tools,
    /// A type of tools, of items of the input or of their parts is refused.
    #[error("\"{member}\" has the type \"{kind}\"")]
    Type {
        /// The member that it is in.
        member: String,
        /// The type, cut off if it is long.
        kind: String,
    },
    /// The input contains something besides text.
    #[error("the input contains {0:?}")]
    Media(Media),
    /// The request refers to state at the provider.
    #[error("the request refers to state at the provider: {0:?}")]
    State(StateMember),
}

impl InferenceError {
    /// The code for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotJson => "inference-not-json",
            Self::Body(error) => error.code(),
            Self::UnknownMember(_) => "member-unknown",
            Self::UnclearMember { .. } => "member-unclear",
            Self::Malformed { .. } => "member-malformed",
            Self::Model { .. } => "model-refused",
            Self::NoTokenLimit { .. } => "token-limit-missing",
            Self::TooMany { .. } => "too-much-asked",
            Self::Stream => "stream-refused",
            Self::Tools => "tools-refused",
            Self::Type { .. } => "type-refused",
            Self::Media(_) => "media-refused",
            Self::State(_) => "state-refused",
        }
    }

    /// What the client may know, and can do. It does not tell a model that does not exist from one that this caller may not
    /// use.
    #[must_use]
    pub fn detail(&self) -> String {
        match self {
            Self::NotJson => "send application/json in UTF-8, without Content-Encoding".to_owned(),
            Self::Body(error) => format!("the body has no single meaning: {error}"),
            Self::UnknownMember(name) => {
                format!("the member \"{name}\" is not known here: leave it out, or have it added to \"extra_members\"")
            }
            Self::Model { model, .. } => format!("the model \"{model}\" is not available to you"),
            Self::Stream => "streams are not available here: leave \"stream\" out".to_owned(),
            Self::Tools => "tools are not available here".to_owned(),
            Self::Type { member, kind } => format!("the type \"{kind}\" in \"{member}\" is not available here"),
            Self::Media(media) => format!("input of the kind {media:?} is not available here").to_lowercase(),
            Self::State(_) => "requests that refer to state at the provider are not available here".to_owned(),
            Self::UnclearMember { .. } | Self::Malformed { .. } | Self::NoTokenLimit { .. } | Self::TooMany { .. } => {
                self.to_string()
            }
        }
    }

    /// The member of the request that is refused, if it is one.
    #[must_use]
    pub fn member(&self) -> Option<&str> {
        match self {
            Self::UnknownMember(name) | Self::UnclearMember { name, .. } => Some(name),
            Self::Malformed { member, .. }
            | Self::NoTokenLimit { member, .. }
            | Self::TooMany { member, .. }
            | Self::Type { member, .. } => Some(member),
            Self::Model { .. } => Some("model"),
            Self::Stream => Some("stream"),
            Self::Tools => Some("tools"),
            Self::NotJson | Self::Body(_) | Self::Media(_) | Self::State(_) => None,
        }
    }
}
