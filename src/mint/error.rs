//! Errors of step *mint*.

use crate::policy::Audience;

/// Why no identity header was minted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MintError {
    /// The identity header is longer than origins read, for example because the token has very many scopes.
    #[error("the identity header would be {bytes} bytes long; its longest part is {part:?} with {of_part} bytes")]
    IdentityTooLong {
        /// Its length.
        bytes: usize,
        /// The longest of the parts that a token determines, by its name in the policy.
        part: String,
        /// The length of this part.
        of_part: usize,
    },
    /// A forwarded claim could not arrive unchanged.
    #[error("the claim {claim:?} cannot be forwarded unchanged: it is too deep, or has a number with too many digits")]
    ClaimNotForwardable {
        /// Its name in the application.
        claim: String,
    },
    /// The head of the request would be longer than servers read.
    #[error("the forwarded head would be {bytes} bytes long")]
    HeadTooLong {
        /// Its length.
        bytes: usize,
    },
    /// The signature could not be made.
    #[error("the identity header could not be signed")]
    SigningFailed,
    /// The origin has a `key`, and the edge has no key to derive a MAC key with. Only requests for such origins are
    /// refused: a policy that arrives before its keys must not close the other origins.
    #[error(
        "the origin with the audience \"{audience}\" has a \"key\", and the secret \"signing-keys\" has no X25519 key; add \
         the one of a new set (`fastgate keys new`), or remove \"key\" from the origin"
    )]
    NoExchangeKey {
        /// The origin's audience.
        audience: Audience,
    },
}

impl MintError {
    /// The code for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::IdentityTooLong { .. } => "identity-too-long",
            Self::ClaimNotForwardable { .. } => "claim-not-forwardable",
            Self::HeadTooLong { .. } => "head-too-long",
            Self::SigningFailed => "signing-failed",
            Self::NoExchangeKey { .. } => "no-exchange-key",
        }
    }
}
