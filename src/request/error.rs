//! The limits of a request's head, and why a request has no canonical form.

use super::path::Ambiguity;
use crate::headers::MAX_CONNECTION_NAMES;

/// The longest request target that is read, in bytes: Fastly's own limit on a URL.
pub const MAX_TARGET_BYTES: usize = 8192;
/// The longest path that is read, in bytes, both as received and in canonical form: it is signed into the identity
/// header, whose length servers limit.
pub const MAX_PATH_BYTES: usize = 4096;
/// The most header fields that a request may carry.
pub const MAX_FIELDS: usize = 100;
/// The most elements of the list that are read, empty ones included, as in `Connection`. Real clients offer two or
/// three.
pub const MAX_SUBPROTOCOLS: usize = 32;

/// Why a request has no canonical form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// There is no `Host`, or more than one, or it cannot be parsed (RFC 9112 §3.2).
    #[error("the Host header is missing, repeated or malformed")]
    HostMalformed,
    /// The host is not in the policy's `edge.hosts`, or its port is not one of theirs (RFC 9110 §15.5.20).
    #[error("the Host header names a host or a port that is not in the policy's edge.hosts")]
    HostUnknown,
    /// The target is longer than [`MAX_TARGET_BYTES`], or its path longer than [`MAX_PATH_BYTES`].
    #[error("the request target is {bytes} bytes long")]
    TargetTooLong {
        /// Its length.
        bytes: usize,
    },
    /// There are more than [`MAX_FIELDS`] fields.
    #[error("the request has {count} header fields")]
    TooManyFields {
        /// Their number.
        count: usize,
    },
    /// `Connection` has more than [`MAX_CONNECTION_NAMES`] elements.
    #[error("the Connection header names more than {MAX_CONNECTION_NAMES} fields")]
    TooManyConnectionNames,
    /// `Sec-WebSocket-Protocol` has more than [`MAX_SUBPROTOCOLS`] elements, on a route that takes a token from it.
    #[error("the handshake offers more than {MAX_SUBPROTOCOLS} subprotocols")]
    TooManySubprotocols,
    /// On such a route, the list does not name `bearer` exactly once, in lower case, with one token directly after it.
    #[error("the subprotocols name \"bearer\" in another form than \"bearer, <token>\"")]
    BearerSubprotocol,
    /// The target is not a path (`*`, an authority) or its query holds a control character.
    #[error("the request target is not a path with a query")]
    TargetMalformed,
    /// The path can be read in more than one way.
    #[error("the path is ambiguous: {0}")]
    PathAmbiguous(#[from] Ambiguity),
}

impl RequestError {
    /// The code for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::HostMalformed => "host-malformed",
            Self::HostUnknown => "host-unknown",
            Self::TargetTooLong { .. } => "target-too-long",
            Self::TooManyFields { .. } => "too-many-fields",
            Self::TooManyConnectionNames => "too-many-connection-names",
            Self::TooManySubprotocols => "too-many-subprotocols",
            Self::BearerSubprotocol => "subprotocol-malformed",
            Self::TargetMalformed => "target-malformed",
            Self::PathAmbiguous(_) => "path-ambiguous",
        }
    }
}
