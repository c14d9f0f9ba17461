//! Why a response with a list is not passed on.

use crate::json_body::JsonBodyError;

/// The greatest length of a response, or of an event of a stream, in bytes.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Why a response is not passed on. The text is for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// It cannot be filtered without knowing its form.
    #[error("its media type is neither application/json nor text/event-stream, or it is encoded")]
    MediaType,
    /// It is too long.
    #[error("it is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// It broke off.
    #[error("it breaks off")]
    Incomplete,
    /// It can be read in several ways, or in none.
    #[error("it has no single meaning: {0}")]
    Body(#[from] JsonBodyError),
    /// It is no message that can be filtered.
    #[error("it has to be {0}")]
    Malformed(&'static str),
    /// It responds to another request.
    #[error("its id is not the one of the request")]
    OtherId,
}
