//! Why a body is refused.

/// The greatest depth of nested objects and lists.
pub const MAX_DEPTH: usize = 64;

/// Why a body is not a JSON object with one meaning. It names places and members, and repeats no values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonBodyError {
    /// It is not UTF-8 (RFC 8259 §8.1).
    #[error("it is not UTF-8 at byte {0}")]
    NotUtf8(usize),
    /// It is not JSON, or has a number out of range or half of a surrogate pair.
    #[error("it is not JSON at line {line}, column {column}")]
    NotJson {
        /// The line, from 1.
        line: usize,
        /// The byte in that line, from 1.
        column: usize,
    },
    /// It is another JSON value.
    #[error("it is not a JSON object")]
    NotAnObject,
    /// One object has a member twice.
    #[error("it has the member \"{0}\" twice in one object")]
    Repeated(String),
    /// Objects and lists are nested too deeply.
    #[error("it is nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
}

impl JsonBodyError {
    /// The code for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotUtf8(_) => "body-not-utf8",
            Self::NotJson { .. } => "body-not-json",
            Self::NotAnObject => "body-not-object",
            Self::Repeated(_) => "member-repeated",
            Self::TooDeep => "body-too-deep",
        }
    }
}
