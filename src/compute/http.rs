//! Requests and responses. Requests are received without being interpreted by the SDK and forwarded exactly as granted;
//! responses are sent with the fields that the library decided on.

pub(super) mod body;
pub(super) mod cached;
pub(super) mod charged;
pub(super) mod client;
mod copy;
pub(super) mod forward;
pub(super) mod listed;
mod listing;
mod observed;
mod purge;
pub(super) mod receive;
pub(super) mod respond;
mod send_error;
mod short;

/// The size in bytes of the largest piece of a content that is read at once. What one read delivers is written at once.
const PIECE: usize = 16 * 1024;
