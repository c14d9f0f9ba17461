//! A JSON object that a client sends, with one meaning for all readers. Input: the bytes of a body. Output: a [`JsonBody`],
//! whose members the edge judges, and of which it may replace a few; every other byte stays as it was sent.
//!
//! The edge and the application must read the same object. RFC 8259 §4 leaves open which of two members of one name
//! counts, and parsers differ in the rest of what is refused here: members of one name at any depth, text that is not
//! UTF-8, numbers that no parser may represent, half of a surrogate pair (§8.2), and deep nesting.

mod error;
mod members;
mod strict;

pub use error::{JsonBodyError, MAX_DEPTH};
pub use members::{JsonBody, Member, members};
