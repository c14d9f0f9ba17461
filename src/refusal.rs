//! Every way in which the pipeline can end early: the sum of the errors of its modules. It does not depend on HTTP;
//! [`problem`](crate::problem) decides what the client sees of a refusal.

use crate::authorize::AuthorizeError;
use crate::availability::AvailabilityError;
use crate::content::ContentError;
use crate::cors::CorsError;
use crate::identity::bearer::CredentialsError;
use crate::identity::deny_list::DenyListError;
use crate::identity::dpop::ProofError;
use crate::identity::introspection::IntrospectionError;
use crate::identity::replay::ReplaysUnreachable;
use crate::identity::token::TokenError;
use crate::identity::{IdentityError, KeysUnavailable};
use crate::inspect::InspectError;
use crate::mint::MintError;
use crate::place::{PlaceError, PlaceReason};
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
    /// The request has no route.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// Pages of this origin may not use the route.
    #[error(transparent)]
    Cors(#[from] CorsError),
    /// The route is not available.
    #[error(transparent)]
    Availability(#[from] AvailabilityError),
    /// The route may not be used from where the client is.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// There are no usable credentials.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The token is not valid.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The keys for the token are not available.
    #[error(transparent)]
    Keys(#[from] KeysUnavailable),
    /// The token is revoked, or the deny-list cannot be read.
    #[error(transparent)]
    DenyList(#[from] DenyListError),
    /// The token is opaque, and its issuer says that it is not active, or cannot be asked.
    #[error(transparent)]
    Introspection(#[from] IntrospectionError),
    /// The proof of possession is not valid.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The record of used proofs cannot be read.
    #[error(transparent)]
    Replays(#[from] ReplaysUnreachable),
    /// The caller does not meet the route's requirements.
    #[error(transparent)]
    Authorize(#[from] AuthorizeError),
    /// The request does not have the form that the route accepts.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// The request has no unambiguous path at the origin.
    #[error(transparent)]
    Rewrite(#[from] RewriteError),
    /// The request exceeds a limit.
    #[error(transparent)]
    Throttle(#[from] ThrottleError),
    /// The body cannot be forwarded.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The identity header could not be minted.
    #[error(transparent)]
    Mint(#[from] MintError),
    /// The configuration of the edge cannot be used.
    #[error(transparent)]
    Closed(#[from] ClosedError),
    /// The origin gave no usable response.
    #[error(transparent)]
    Origin(#[from] OriginError),
}

/// Why the gate refuses every request. It has the whole cause, which only the log shows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClosedError {
    /// The policy is missing or broken.
    #[error("the policy cannot be used: {0}")]
    Policy(String),
    /// The signing keys are missing or broken.
    #[error("the signing keys cannot be used: {0}")]
    SigningKeys(String),
    /// The kill switch cannot be read.
    #[error("the kill switch cannot be read: {0}")]
    KillSwitch(String),
    /// The platform gave no randomness.
    #[error("the platform gave no randomness for a request id")]
    Randomness,
}

/// Why there is no response from the origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// It could not be reached, or its response is not HTTP.
    #[error("the origin cannot be reached or its response cannot be read: {0}")]
    Unreachable(String),
    /// It did not respond in time.
    #[error("the origin did not respond in time: {0}")]
    TooSlow(String),
    /// It is unhealthy or has no free connection.
    #[error("the origin accepts no more requests: {0}")]
    Unavailable(String),
    /// It switches protocols (`101`) although the request did not ask for it.
    #[error("the origin responded with status {0}, which cannot be forwarded")]
    UnexpectedStatus(u16),
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
            IdentityError::Replays(error) => error.into(),
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
            | Self::Replays(_) => Step::Identify,
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

    /// A stable slug for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Request(error) => match error {
                RequestError::HostMalformed => "host-malformed",
                RequestError::HostUnknown => "host-unknown",
                RequestError::TargetTooLong { .. } => "target-too-long",
                RequestError::TooManyFields { .. } => "too-many-fields",
                RequestError::TooManyConnectionNames => "too-many-connection-names",
                RequestError::TooManySubprotocols => "too-many-subprotocols",
                RequestError::BearerSubprotocol => "subprotocol-malformed",
                RequestError::TargetMalformed => "target-malformed",
                RequestError::PathAmbiguous(_) => "path-ambiguous",
            },
            Self::Route(RouteError::NoRoute) => "no-route",
            Self::Route(RouteError::MethodNotAllowed { .. }) => "method-not-allowed",
            Self::Cors(CorsError) => "cors-refused",
            Self::Availability(AvailabilityError::Maintenance { .. }) => "maintenance",
            Self::Availability(AvailabilityError::SwitchedOff) => "switched-off",
            Self::Place(PlaceError { reason, .. }) => match reason {
                PlaceReason::Denied(_) => "place-denied",
                PlaceReason::NotAllowed => "place-not-allowed",
                PlaceReason::Unknown(_) => "place-unknown",
            },
            Self::Credentials(error) => match error {
                CredentialsError::Missing => "credentials-missing",
                CredentialsError::Repeated { .. } => "credentials-repeated",
                CredentialsError::OtherScheme => "credentials-other-scheme",
                CredentialsError::Malformed => "credentials-malformed",
            },
            Self::Token(error) => token_code(error),
            Self::Keys(_) => "keys-unavailable",
            Self::DenyList(DenyListError::Revoked { .. }) => "token-revoked",
            Self::DenyList(DenyListError::Unavailable(_)) => "deny-list-unavailable",
            Self::Introspection(IntrospectionError::Inactive) => "token-inactive",
            Self::Introspection(IntrospectionError::Unavailable(_)) => "introspection-unavailable",
            Self::Proof(error) => match error {
                ProofError::Missing => "proof-missing",
                ProofError::Repeated { .. } => "proof-repeated",
                ProofError::Unbound => "proof-unbound",
                ProofError::TooLong => "proof-too-long",
                ProofError::Malformed => "proof-malformed",
                ProofError::Extension { .. } => "proof-extension",
                ProofError::Type => "proof-type",
                ProofError::Algorithm => "proof-algorithm",
                ProofError::Key => "proof-key",
                ProofError::Claim { .. } => "proof-claim",
                ProofError::Method => "proof-method",
                ProofError::Url => "proof-url",
                ProofError::TooOld { .. } => "proof-too-old",
                ProofError::TooEarly { .. } => "proof-too-early",
                ProofError::Token => "proof-token",
                ProofError::OtherKey => "proof-other-key",
                ProofError::Nonce => "proof-nonce",
                ProofError::Signature => "proof-signature",
                ProofError::Replayed => "proof-replayed",
            },
            Self::Replays(_) => "replays-unreachable",
            Self::Authorize(AuthorizeError::Unidentified) => "unidentified",
            Self::Authorize(AuthorizeError::Unbound) => "token-unbound",
            Self::Authorize(AuthorizeError::IssuerNotAccepted { .. }) => "issuer-not-accepted",
            Self::Authorize(AuthorizeError::InsufficientScope { .. }) => "insufficient-scope",
            Self::Authorize(AuthorizeError::ConditionUnmet { .. }) => "condition-unmet",
            Self::Inspect(error) => match error {
                InspectError::NoHandshake => "no-handshake",
                InspectError::QueryTooLong { .. } => "query-too-long",
                InspectError::BodyTooLong { .. } => "body-too-long",
                InspectError::ContentType => "content-type",
                InspectError::HeaderMissing { .. } => "header-missing",
            },
            Self::Rewrite(RewriteError(_)) => "rewrite-ambiguous",
            Self::Content(ContentError::TooLong { .. }) => "body-grew-too-long",
            Self::Content(ContentError::Unreadable) => "body-unreadable",
            Self::Content(ContentError::TooSlow) => "body-too-slow",
            Self::Throttle(ThrottleError::Exceeded { .. }) => "limit-exceeded",
            Self::Throttle(ThrottleError::QueueFull { .. }) => "limit-queue-full",
            Self::Throttle(ThrottleError::Unreachable { .. }) => "counter-unreachable",
            Self::Mint(MintError::IdentityTooLong { .. }) => "identity-too-long",
            Self::Mint(MintError::HeadTooLong { .. }) => "head-too-long",
            Self::Mint(MintError::SigningFailed) => "signing-failed",
            Self::Closed(ClosedError::Policy(_)) => "policy-unusable",
            Self::Closed(ClosedError::SigningKeys(_)) => "signing-keys-unusable",
            Self::Closed(ClosedError::KillSwitch(_)) => "switch-unreadable",
            Self::Closed(ClosedError::Randomness) => "no-randomness",
            Self::Origin(OriginError::Unreachable(_)) => "origin-unreachable",
            Self::Origin(OriginError::TooSlow(_)) => "origin-too-slow",
            Self::Origin(OriginError::Unavailable(_)) => "origin-unavailable",
            Self::Origin(OriginError::UnexpectedStatus(_)) => "origin-unexpected-status",
        }
    }
}

const fn token_code(error: &TokenError) -> &'static str {
    match error {
        TokenError::TooLong { .. } => "token-too-long",
        TokenError::Malformed => "token-malformed",
        TokenError::Extension { .. } => "token-extension",
        TokenError::Algorithm => "token-algorithm",
        TokenError::Type => "token-type",
        TokenError::Missing { .. } => "token-claim-missing",
        TokenError::ClaimMalformed { .. } => "token-claim-malformed",
        TokenError::UnknownIssuer => "token-unknown-issuer",
        TokenError::Audience => "token-audience",
        TokenError::Expired { .. } => "token-expired",
        TokenError::NotYetValid { .. } => "token-not-yet-valid",
        TokenError::TooOld { .. } => "token-too-old",
        TokenError::LivesTooLong { .. } => "token-lives-too-long",
        TokenError::Required { .. } => "token-claim-required",
        TokenError::OtherKind { .. } => "token-other-kind",
        TokenError::Client => "token-client",
        TokenError::Tenant => "token-tenant",
        TokenError::Bound => "token-bound",
        TokenError::UnknownKey => "token-unknown-key",
        TokenError::AmbiguousKey => "token-ambiguous-key",
        TokenError::Signature => "token-signature",
    }
}
