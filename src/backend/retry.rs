//! What the outcome of a request says about its backend, and whether the request may be sent again.

/// The outcome of a request that was sent to a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The backend responded.
    Responded,
    /// It gave no response: it could not be reached, or the connection broke.
    Failed,
    /// It did not respond in time, or responded that it cannot: 502, 503 or 504 (RFC 9110 §15.6.3 to §15.6.5). Whether it
    /// does may depend on what the caller asks for.
    Doubtful,
    /// There is no response, and the cause may be the client's body.
    Unclear,
}

impl Outcome {
    /// The outcome of a response with `status`.
    #[must_use]
    pub const fn of_status(status: u16) -> Self {
        match status {
            502..=504 => Self::Doubtful,
            _ => Self::Responded,
        }
    }
}

/// Whether a request with this method may be sent twice: the methods that RFC 9110 §9.2.2 defines as idempotent, of those
/// that are forwarded.
#[must_use]
pub fn may_resend(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE")
}
