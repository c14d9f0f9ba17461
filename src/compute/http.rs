//! Requests and responses: what arrives is received without being interpreted by the SDK, what was granted is forwarded
//! byte for byte, and responses are sent with the fields that the library decided on.

pub(super) mod body;
pub(super) mod client;
pub(super) mod forward;
pub(super) mod receive;
pub(super) mod respond;
