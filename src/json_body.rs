//! Bodies with one meaning. Input: the bytes of a body that is a JSON object. Output: [`JsonBody`], its value, and the body
//! with other values for some members.
//!
//! The edge judges a body that the origin parses again. RFC 8259 §4 leaves open which of two members of the same name
//! counts, and parsers differ in the rest of what is refused here: members of one name at any depth, text that is not
//! UTF-8, numbers that no parser may represent, half of a surrogate pair (§8.2), and deep nesting.

mod body;
mod canonical;
mod error;
mod places;
mod value;

pub use body::{Change, JsonBody};
pub use error::{JsonBodyError, MAX_DEPTH};
pub use value::{Object, Value};
