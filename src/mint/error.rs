//! Errors of step *mint*.

/// Why no identity header was minted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MintError {
    /// The identity header is longer than origins read, for example because the token has very many scopes.
    #[error("the identity header would be {bytes} bytes long; its longest part is \"{part}\" with {of_part} bytes")]
    IdentityTooLong {
        /// Its length.
        bytes: usize,
        /// The longest of the parts that a token determines, by its name in the policy.
        part: String,
        /// The length of this part.
        of_part: usize,
    },
    /// A forwarded claim could not arrive unchanged.
    #[error(
        "the claim \"{claim}\" cannot be forwarded unchanged: it is too deep, or has a number with too many digits"
    )]
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
        }
    }
}
