//! The types of problems: status, slug and title.

/// The problem types. These comments are the text of `docs/reference/problems.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
pub enum Kind {
    /// The request can be read in more than one way, has credentials twice, or asks a model for more than the route admits.
    BadRequest,
    /// There is no bearer token.
    AuthenticationRequired,
    /// The token is not valid. Every cause gives the same response.
    InvalidToken,
    /// The proof of possession is not valid. Every cause gives the same response.
    InvalidProof,
    /// The policy requires a nonce in proofs (`edge.dpop.nonce`), and this proof has no current one; `DPoP-Nonce` gives
    /// it.
    NonceRequired,
    /// The route requires a token that is bound to a key, and this one is not.
    BoundTokenRequired,
    /// The caller has not signed in as, or as recently as, the route requires; the challenge says how (RFC 9470).
    AuthenticationInsufficient,
    /// The token lacks a scope; the challenge names the scopes.
    InsufficientScope,
    /// A condition of the route is not met, the route does not accept the token's issuer, the page may not call it
    /// (CORS), or a forwarded claim could not arrive unchanged.
    Forbidden,
    /// The route may not be used from where the client is.
    PlaceRefused,
    /// The route may not be used from where the client is, and the rule gives legal reasons (RFC 7725).
    LegalReasons,
    /// No route has the path.
    NotFound,
    /// No route has the path with this method.
    MethodNotAllowed,
    /// The body arrives too slowly: more slowly than ten seconds, and then 8 KiB a second.
    RequestTimeout,
    /// The path is longer than 4096 bytes, path and query are longer than 8192, or the query is longer than the route
    /// accepts.
    UriTooLong,
    /// The body is longer than the route accepts.
    ContentTooLarge,
    /// The route does not accept this media type.
    UnsupportedMediaType,
    /// The route's group is closed for maintenance.
    Maintenance,
    /// The policy's `edge.hosts` does not have this host, or not with this port.
    MisdirectedRequest,
    /// There are more than 100 fields or more than 32 names in `Connection`, a token is longer than `edge.max_token`,
    /// or the head is longer than an origin reads.
    HeaderFieldsTooLarge,
    /// The route is a WebSocket, and the request is not an opening handshake.
    UpgradeRequired,
    /// A limit is used up; `Retry-After` and `RateLimit` say when its window ends. Or too many requests wait for an
    /// exact count at the same time: `Retry-After: 1`.
    TooManyRequests,
    /// A budget of the route has less left than the request can cost; the detail says which budget and how much, `Retry-After`
    /// and `RateLimit` when its window ends. With `x-should-retry: false` and no `Retry-After`, the request can cost more
    /// than the whole budget.
    BudgetExceeded,
    /// The origin gave no usable response.
    BadGateway,
    /// The policy, the signing keys, the kill switch, an issuer's keys or response, the deny-list, a counter or the
    /// origin is not available now.
    Unavailable,
    /// The origin was too slow.
    GatewayTimeout,
}

impl Kind {
    /// Every problem type, by status code.
    pub const ALL: [Self; 26] = [
        Self::BadRequest,
        Self::AuthenticationRequired,
        Self::InvalidToken,
        Self::InvalidProof,
        Self::NonceRequired,
        Self::BoundTokenRequired,
        Self::AuthenticationInsufficient,
        Self::InsufficientScope,
        Self::Forbidden,
        Self::PlaceRefused,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::ContentTooLarge,
        Self::UriTooLong,
        Self::UnsupportedMediaType,
        Self::MisdirectedRequest,
        Self::UpgradeRequired,
        Self::TooManyRequests,
        Self::BudgetExceeded,
        Self::HeaderFieldsTooLarge,
        Self::LegalReasons,
        Self::BadGateway,
        Self::Maintenance,
        Self::Unavailable,
        Self::GatewayTimeout,
    ];

    /// The HTTP status code.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.row().0
    }

    /// The slug: what follows `urn:fastgate:problem:`.
    #[must_use]
    pub const fn slug(self) -> &'static str {
        self.row().1
    }

    /// The title that the client sees.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.row().2
    }

    /// Status code, slug and title.
    pub(super) const fn row(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::BadRequest => (400, "bad-request", "The request is malformed or ambiguous"),
            Self::AuthenticationRequired => (401, "authentication-required", "A bearer token is required"),
            Self::InvalidToken => (401, "invalid-token", "The bearer token is not valid"),
            Self::InvalidProof => (401, "invalid-proof", "The proof of possession is not valid"),
            Self::NonceRequired => {
                (401, "proof-nonce-required", "The proof of possession needs a current nonce of this service")
            }
            Self::BoundTokenRequired => (401, "bound-token-required", "A token that is bound to a key is required"),
            Self::AuthenticationInsufficient => {
                (401, "insufficient-user-authentication", "Signing in again, or in a stronger way, is required")
            }
            Self::InsufficientScope => (403, "insufficient-scope", "The token does not have the required scope"),
            Self::Forbidden => (403, "forbidden", "The caller may not do this"),
            Self::PlaceRefused => (403, "place-refused", "This is not available from where you are"),
            Self::LegalReasons => {
                (451, "unavailable-for-legal-reasons", "This is not available from where you are for legal reasons")
            }
            Self::NotFound => (404, "not-found", "There is nothing here"),
            Self::MethodNotAllowed => (405, "method-not-allowed", "This method is not allowed here"),
            Self::RequestTimeout => (408, "request-timeout", "The body arrives too slowly"),
            Self::UriTooLong => (414, "uri-too-long", "The URL is too long"),
            Self::ContentTooLarge => (413, "content-too-large", "The body is too long"),
            Self::UnsupportedMediaType => (415, "unsupported-media-type", "The media type of the body is not accepted"),
            Self::Maintenance => (503, "maintenance", "This is closed for maintenance"),
            Self::MisdirectedRequest => (421, "misdirected-request", "This host is not served here"),
            Self::UpgradeRequired => (426, "upgrade-required", "This is a WebSocket"),
            Self::TooManyRequests => (429, "too-many-requests", "This was used too often"),
            Self::BudgetExceeded => (429, "budget-exceeded", "Less of the budget is left than this can cost"),
            Self::HeaderFieldsTooLarge => {
                (431, "header-fields-too-large", "The header fields are too large or too many")
            }
            Self::BadGateway => (502, "bad-gateway", "The origin gave no usable response"),
            Self::Unavailable => (503, "unavailable", "The service is not available right now"),
            Self::GatewayTimeout => (504, "gateway-timeout", "The origin did not respond in time"),
        }
    }
}
