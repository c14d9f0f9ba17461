//! Why a token is refused.

use super::jws::Malformed;
use crate::time::Seconds;

/// Why a token is not valid. The client gets the same response for all of them except [`TooLong`](Self::TooLong):
/// another token of that issuer would be just as long.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Longer than `edge.max_token` of the policy, or its JOSE header longer than [`MAX_HEADER_CHARACTERS`].
    ///
    /// [`MAX_HEADER_CHARACTERS`]: super::token::MAX_HEADER_CHARACTERS
    #[error(
        "the token, or its JOSE header, is {bytes} bytes long, and {most} are read (\"edge.max_token\" of the policy)"
    )]
    TooLong {
        /// The length of the part that is too long.
        bytes: usize,
        /// The greatest length that is accepted.
        most: u64,
    },
    /// Not three segments of unpadded, canonical base64url with two JSON objects of unique members (RFC 7515 §7.1).
    #[error("the token is not a compact JWS of two JSON objects")]
    Malformed,
    /// `crit`, `b64`, or the `cty` of a nested token: they would change the meaning of the token (RFC 7515 §4.1.11, RFC
    /// 7797, RFC 7519 §5.2).
    #[error("the token's header requires an extension: {member}")]
    Extension {
        /// The member.
        member: &'static str,
    },
    /// `alg` is missing, unknown, or not accepted for this issuer (RFC 8725 §3.1).
    #[error("the token's algorithm is not accepted")]
    Algorithm,
    /// `typ` is missing or not accepted for this issuer (RFC 8725 §3.11).
    #[error("the token's type is not accepted")]
    Type,
    /// A required claim is missing.
    #[error("the token has no claim {claim}")]
    Missing {
        /// The claim.
        claim: &'static str,
    },
    /// A claim has the wrong type or an impossible value.
    #[error("the token's claim {claim} is malformed")]
    ClaimMalformed {
        /// The claim.
        claim: &'static str,
    },
    /// The policy has no issuer with exactly this `iss` (RFC 8725 §3.8).
    #[error("the token's issuer is not one of the policy's")]
    UnknownIssuer,
    /// `aud` names none of the issuer's audiences (RFC 8725 §3.9), or any if the issuer has none.
    #[error("the token is for another audience")]
    Audience,
    /// `exp` has passed (RFC 7519 §4.1.4).
    #[error("the token expired {by} seconds ago")]
    Expired {
        /// The time since `exp`, without leeway.
        by: Seconds,
    },
    /// `nbf` or `iat` is in the future (RFC 7519 §4.1.5, §4.1.6).
    #[error("the token is not valid yet by {claim}")]
    NotYetValid {
        /// The claim.
        claim: &'static str,
    },
    /// `iat` is longer ago than the policy allows.
    #[error("the token was issued {age} seconds ago")]
    TooOld {
        /// The time since `iat`, without leeway.
        age: Seconds,
    },
    /// The time from `iat` to `exp` is longer than the policy allows.
    #[error("the token is valid for {lifetime} seconds")]
    LivesTooLong {
        /// The time from `iat` to `exp`.
        lifetime: Seconds,
    },
    /// A claim is not as the policy, or its preset, requires.
    #[error("the token's claim {} is missing or not as required", claim.escape_debug())]
    Required {
        /// The claim.
        claim: String,
    },
    /// The token has a claim that only tokens of another kind have, such as ID tokens if access tokens are accepted
    /// (RFC 8725 §3.12).
    #[error("the token has a claim {}, which marks another kind of token", claim.escape_debug())]
    OtherKind {
        /// The claim.
        claim: String,
    },
    /// The token was issued to a client that the policy does not list (OpenID Connect Core §3.1.3.7).
    #[error("the token was issued to another client")]
    Client,
    /// The token's tenant is missing, not one of the issuer's, or not the one in `iss`.
    #[error("the token's tenant is missing or another one")]
    Tenant,
    /// The token is bound to a key or certificate (`cnf`, RFC 7800 §3.1), and possession of it is not proven.
    #[error("the token is bound to a key whose possession was not proven")]
    Bound,
    /// No key of the issuer has this `kid` and accepts this algorithm.
    #[error("the issuer has no key for this token")]
    UnknownKey,
    /// The token does not name its key uniquely, and several fit.
    #[error("several keys of the issuer may have signed the token, and it names none")]
    AmbiguousKey,
    /// The signature is not valid for the key.
    #[error("the signature is not valid")]
    Signature,
}

impl TokenError {
    /// The code for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "token-too-long",
            Self::Malformed => "token-malformed",
            Self::Extension { .. } => "token-extension",
            Self::Algorithm => "token-algorithm",
            Self::Type => "token-type",
            Self::Missing { .. } => "token-claim-missing",
            Self::ClaimMalformed { .. } => "token-claim-malformed",
            Self::UnknownIssuer => "token-unknown-issuer",
            Self::Audience => "token-audience",
            Self::Expired { .. } => "token-expired",
            Self::NotYetValid { .. } => "token-not-yet-valid",
            Self::TooOld { .. } => "token-too-old",
            Self::LivesTooLong { .. } => "token-lives-too-long",
            Self::Required { .. } => "token-claim-required",
            Self::OtherKind { .. } => "token-other-kind",
            Self::Client => "token-client",
            Self::Tenant => "token-tenant",
            Self::Bound => "token-bound",
            Self::UnknownKey => "token-unknown-key",
            Self::AmbiguousKey => "token-ambiguous-key",
            Self::Signature => "token-signature",
        }
    }
}

impl From<Malformed> for TokenError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}
