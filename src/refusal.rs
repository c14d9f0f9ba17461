//! Every way in which the pipeline can end early: the sum of the errors of its modules. It knows nothing of HTTP;
//! [`problem`](crate::problem) decides what the client sees of a refusal.

use crate::authorize::AuthorizeError;
use crate::availability::AvailabilityError;
use crate::content::ContentError;
use crate::cors::CorsError;
use crate::identity::bearer::CredentialsError;
use crate::identity::deny_list::DenyListError;
use crate::identity::dpop::ProofError;
use crate::identity::dpop::used::UsedProofsUnreachable;
use crate::identity::introspection::IntrospectionError;
use crate::identity::token::TokenError;
use crate::identity::{IdentityError, KeysUnavailable};
use crate::inspect::InspectError;
use crate::mint::MintError;
use crate::place::PlaceError;
use crate::request::RequestError;
use crate::rewrite::RewriteError;
use crate::route::RouteError;
use crate::throttle::ThrottleError;
use crate::trail::Step;

/// Why a request is not forwarded, or why the response is not the origin's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The request has no canonical form.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// No route names it.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// Pages of this origin may not use it.
    #[error(transparent)]
    Cors(#[from] CorsError),
    /// The route is not available.
    #[error(transparent)]
    Availability(#[from] AvailabilityError),
    /// It may not be asked from there.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// There are no usable credentials.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The token is not good.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The token could not be checked.
    #[error(transparent)]
    Keys(#[from] KeysUnavailable),
    /// The token is revoked, or it cannot be told whether it is.
    #[error(transparent)]
    DenyList(#[from] DenyListError),
    /// The token is opaque, and its issuer does not vouch for it.
    #[error(transparent)]
    Introspection(#[from] IntrospectionError),
    /// The proof of possession is not good.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// Whether the proof was used before could not be checked.
    #[error(transparent)]
    UsedProofs(#[from] UsedProofsUnreachable),
    /// The caller may not.
    #[error(transparent)]
    Authorize(#[from] AuthorizeError),
    /// It does not look as it must.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// It has no path at the origin.
    #[error(transparent)]
    Rewrite(#[from] RewriteError),
    /// It is one too many.
    #[error(transparent)]
    Throttle(#[from] ThrottleError),
    /// Its body cannot be forwarded.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The identity header could not be made.
    #[error(transparent)]
    Mint(#[from] MintError),
    /// The edge is not configured as it must be to judge anything.
    #[error(transparent)]
    Closed(#[from] ClosedError),
    /// The origin gave no answer.
    #[error(transparent)]
    Origin(#[from] OriginError),
}

/// Why the gate is closed altogether. Carries the whole cause, for the log alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClosedError {
    /// The policy is missing or broken.
    #[error("the policy cannot be used: {0}")]
    Policy(String),
    /// The signing keys are missing or broken.
    #[error("the signing keys cannot be used: {0}")]
    SigningKeys(String),
    /// What is switched off is not known.
    #[error("what is switched off cannot be read: {0}")]
    KillSwitch(String),
    /// The platform gave no randomness.
    #[error("there is no randomness for a request id")]
    Randomness,
}

impl ClosedError {
    /// The code for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Policy(_) => "policy-unusable",
            Self::SigningKeys(_) => "signing-keys-unusable",
            Self::KillSwitch(_) => "switch-unreadable",
            Self::Randomness => "no-randomness",
        }
    }
}

/// Why there is no response of the origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// It could not be reached, or what it sent is not HTTP.
    #[error("the origin cannot be reached or its answer cannot be read: {0}")]
    Unreachable(String),
    /// It did not answer in time.
    #[error("the origin did not answer in time: {0}")]
    TooSlow(String),
    /// It is unhealthy or has no connection to spare.
    #[error("the origin takes no more requests: {0}")]
    Unavailable(String),
    /// It wants to speak another protocol (`101`), which nobody asked for.
    #[error("the origin answered with status {0}, which cannot be passed on")]
    UnexpectedStatus(u16),
}

impl OriginError {
    /// The code for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "origin-unreachable",
            Self::TooSlow(_) => "origin-too-slow",
            Self::Unavailable(_) => "origin-unavailable",
            Self::UnexpectedStatus(_) => "origin-unexpected-status",
        }
    }
}

impl From<IdentityError> for Refusal {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Credentials(error) => error.into(),
            IdentityError::Token(error) => error.into(),
            IdentityError::Keys(error) => error.into(),
            IdentityError::DenyList(error) => error.into(),
            IdentityError::Introspection(error) => error.into(),
            IdentityError::Proof(error) => error.into(),
            IdentityError::UsedProofs(error) => error.into(),
        }
    }
}

impl Refusal {
    /// The step that refused.
    #[must_use]
    pub const fn step(&self) -> Step {
        match self {
            Self::Request(_) => Step::Normalize,
            Self::Cors(_) => Step::Cors,
            Self::Route(_) => Step::Match,
            Self::Availability(_) => Step::Availability,
            Self::Place(_) => Step::Place,
            Self::Credentials(_)
            | Self::Token(_)
            | Self::Keys(_)
            | Self::DenyList(_)
            | Self::Introspection(_)
            | Self::Proof(_)
            | Self::UsedProofs(_) => Step::Identify,
            Self::Authorize(_) => Step::Authorize,
            Self::Inspect(_) => Step::Inspect,
            Self::Throttle(_) => Step::Throttle,
            Self::Rewrite(_) => Step::Rewrite,
            Self::Content(_) => Step::Content,
            Self::Mint(_) => Step::Mint,
            Self::Closed(_) => Step::Configure,
            Self::Origin(_) => Step::Forward,
        }
    }

    /// The code for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Request(error) => error.code(),
            Self::Route(error) => error.code(),
            Self::Cors(error) => error.code(),
            Self::Availability(error) => error.code(),
            Self::Place(error) => error.code(),
            Self::Credentials(error) => error.code(),
            Self::Token(error) => error.code(),
            Self::Keys(error) => error.code(),
            Self::DenyList(error) => error.code(),
            Self::Introspection(error) => error.code(),
            Self::Proof(error) => error.code(),
            Self::UsedProofs(error) => error.code(),
            Self::Authorize(error) => error.code(),
            Self::Inspect(error) => error.code(),
            Self::Rewrite(error) => error.code(),
            Self::Throttle(error) => error.code(),
            Self::Content(error) => error.code(),
            Self::Mint(error) => error.code(),
            Self::Closed(error) => error.code(),
            Self::Origin(error) => error.code(),
        }
    }
}
