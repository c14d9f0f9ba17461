//! Why a message to an MCP server is refused.

use super::versions::VERSIONS;
use crate::json_body::JsonBodyError;
use crate::mcp_session::SessionError;
use crate::trail::excerpt;

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubjectKind {
    /// A tool.
    Tool,
    /// A resource.
    Resource,
    /// A prompt.
    Prompt,
}

impl SubjectKind {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Resource => "resource",
            Self::Prompt => "prompt",
        }
    }
}

/// Why a message to an MCP server is refused. The text is for the log; [`detail`](Self::detail) is for the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum McpError {
    /// The media type is not `application/json`, or the body is encoded.
    #[error("the body is not application/json in UTF-8 without encoding")]
    NotJson,
    /// A request without a message has a body.
    #[error("the request has a body, which only POST has")]
    BodyOfOther,
    /// The body can be read in several ways, or in none.
    #[error("the body has no single meaning: {0}")]
    Body(#[from] JsonBodyError),
    /// The body is a list of messages.
    #[error("the body is a list of messages")]
    Batch,
    /// The body is no message of JSON-RPC 2.0.
    #[error("the message has to be {0}")]
    Malformed(&'static str),
    /// The parameters of a method are missing or malformed.
    #[error("the parameters of the message are missing or malformed: {0}")]
    Parameters(&'static str),
    /// A header field differs from the body that it mirrors.
    #[error("the field {0} does not agree with the body")]
    Mirrored(&'static str),
    /// The version of MCP is not known.
    #[error("the version \"{0}\" of MCP is not known")]
    Version(String),
    /// The session is not one of this caller.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The method is not known, or the policy does not admit it.
    #[error("the method \"{}\" is not admitted", excerpt(.method))]
    UnknownMethod {
        /// Its name.
        method: String,
        /// Whether the message is of the version without sessions.
        is_modern: bool,
    },
    /// There is no such tool, resource or prompt, or not for this caller.
    #[error("the {} \"{}\" is refused: {why}", .kind.name(), excerpt(.name))]
    Unknown {
        /// What it is.
        kind: SubjectKind,
        /// Its name or URI.
        name: String,
        /// Whether the message is of the version without sessions.
        is_modern: bool,
        /// Why, for the log.
        why: String,
    },
    /// The token lacks scopes, and nothing else (RFC 6750 §3.1).
    #[error("the token lacks the scopes {missing:?}")]
    InsufficientScope {
        /// All scopes of the operation.
        required: Vec<String>,
        /// Those that the token lacks.
        missing: Vec<String>,
    },
    /// The operation requires scopes, and the caller is anonymous.
    #[error("the operation requires scopes and the caller is unknown")]
    Unidentified {
        /// All scopes of the operation.
        required: Vec<String>,
    },
}

impl McpError {
    /// The code for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotJson => "mcp-not-json",
            Self::BodyOfOther => "mcp-unexpected-body",
            Self::Body(error) => error.code(),
            Self::Batch => "mcp-batch",
            Self::Malformed(_) => "mcp-malformed",
            Self::Parameters(_) => "mcp-parameters",
            Self::Mirrored(_) => "mcp-header-mismatch",
            Self::Version(_) => "mcp-version-unknown",
            Self::Session(_) => "mcp-session-unknown",
            Self::UnknownMethod { .. } => "mcp-method-unknown",
            Self::Unknown { .. } => "mcp-subject-unknown",
            Self::InsufficientScope { .. } => "mcp-scope-missing",
            Self::Unidentified { .. } => "mcp-unidentified",
        }
    }

    /// What the client may know, and can do. It does not tell what does not exist from what this caller may not use.
    #[must_use]
    pub fn detail(&self) -> String {
        match self {
            Self::NotJson => "send application/json in UTF-8, without Content-Encoding".to_owned(),
            Self::BodyOfOther => "send messages with POST".to_owned(),
            Self::Body(error) => format!("the body has no single meaning: {error}"),
            Self::Batch => "send each message in a request of its own".to_owned(),
            Self::Malformed(_) | Self::Parameters(_) => self.to_string(),
            Self::Mirrored(field) => format!("Header mismatch: {field} does not agree with the body"),
            Self::Version(_) => format!("Unsupported protocol version: send one of {}", VERSIONS.join(", ")),
            Self::Session(_) => "Session not found: initialize a new one".to_owned(),
            Self::UnknownMethod { method, .. } => format!("Method not found: {}", excerpt(method)),
            Self::Unknown { kind, name, .. } => format!("Unknown {}: {}", kind.name(), excerpt(name)),
            Self::InsufficientScope { .. } => "The token does not have the required scopes".to_owned(),
            Self::Unidentified { .. } => "A bearer token is required".to_owned(),
        }
    }
}
