//! Why the caller is not identified: one type for all errors of step *identify*.

use super::bearer::CredentialsError;
use super::deny_list::DenyListError;
use super::dpop::ProofError;
use super::dpop::used::UsedProofsUnreachable;
use super::introspection::IntrospectionError;
use super::key_source::KeysUnavailable;
use super::token_error::TokenError;

/// Why the caller is not identified.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// There are no usable credentials.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The token is not valid.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The token cannot be verified, because the keys are not available.
    #[error(transparent)]
    Keys(#[from] KeysUnavailable),
    /// The token is revoked, or it is unknown whether it is.
    #[error(transparent)]
    DenyList(#[from] DenyListError),
    /// The token is opaque, and its issuer does not report it as active.
    #[error(transparent)]
    Introspection(#[from] IntrospectionError),
    /// The proof of possession is not valid.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// It is unknown whether the proof was used before.
    #[error(transparent)]
    UsedProofs(#[from] UsedProofsUnreachable),
}

impl IdentityError {
    /// The code for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Credentials(error) => error.code(),
            Self::Token(error) => error.code(),
            Self::Keys(error) => error.code(),
            Self::DenyList(error) => error.code(),
            Self::Introspection(error) => error.code(),
            Self::Proof(error) => error.code(),
            Self::UsedProofs(error) => error.code(),
        }
    }
}
