//! The lists of an MCP server, with only what the caller may use. Input: a [`ListFilter`], which step
//! *mcp* makes from the request, and the response. Output: the response without the elements that the
//! caller is not shown; every other byte is as it came.
//!
//! It is closed by default: a message that could be read in two ways, that is too long, or that responds to another request, is
//! not passed on.

mod error;
mod message;
mod shown;
mod stream;

pub use error::{ListError, MAX_BYTES};
pub use shown::ListFilter;
pub use stream::ListStream;
