//! The table that decides which [`Problem`] the client sees of each [`Refusal`]. The match has no wildcard for a whole
//! refusal, so a new kind of refusal does not compile until it is added here.

use super::Problem;
use super::challenge::Challenge;
use super::form::{Detail, Form};
use super::kind::Kind;
use super::rpc;
use crate::authorize::AuthorizeError;
use crate::availability::AvailabilityError;
use crate::budget::BudgetError;
use crate::content::ContentError;
use crate::identity::IdentityError;
use crate::identity::bearer::CredentialsError;
use crate::identity::deny_list::DenyListError;
use crate::identity::dpop::ProofError;
use crate::identity::introspection::IntrospectionError;
use crate::identity::token::TokenError;
use crate::inference::InferenceError;
use crate::inspect::InspectError;
use crate::mcp_request::{McpError, RequestId};
use crate::mint::MintError;
use crate::place::PlaceError;
use crate::refusal::{ClosedError, OriginError, Refusal};
use crate::request::RequestError;
use crate::respond::RespondError;
use crate::response::ResponseFields;
use crate::route::RouteError;
use crate::throttle::{ThrottleError, ratelimit_fields};
use crate::time::Seconds;

/// `Retry-After` of a temporary failure, in seconds.
const RETRY_AFTER: &str = "5";

impl From<&Refusal> for Problem {
    #[expect(clippy::too_many_lines, reason = "one table")]
    fn from(refusal: &Refusal) -> Self {
        let with = |kind, fields| Self {
            kind,
            fields,
            challenge: None,
            detail: None,
            rpc: None,
            request_id: RequestId::default(),
            form: Form::default(),
            response: ResponseFields::default(),
        };
        let plain = |kind| with(kind, Vec::new());
        let challenge = |kind, challenge| Self { challenge: Some(challenge), ..plain(kind) };
        let later = || with(Kind::Unavailable, vec![("retry-after", RETRY_AFTER.to_owned())]);
        let too_long = |most: u64| {
            let message = format!("the body is longer than the {most} bytes that are accepted here");
            Self { detail: Some(Detail { message, member: None }), ..plain(Kind::ContentTooLarge) }
        };
        match refusal {
            Refusal::Request(error) => match error {
                RequestError::HostMalformed | RequestError::TargetMalformed | RequestError::PathAmbiguous(_) => {
                    plain(Kind::BadRequest)
                }
                RequestError::HostUnknown => plain(Kind::MisdirectedRequest),
                RequestError::TargetTooLong { .. } => plain(Kind::UriTooLong),
                RequestError::TooManyFields { .. }
                | RequestError::TooManyConnectionNames
                | RequestError::TooManySubprotocols => plain(Kind::HeaderFieldsTooLarge),
                RequestError::BearerSubprotocol => challenge(Kind::BadRequest, Challenge::because("invalid_request")),
            },
            Refusal::Route(RouteError::NoRoute) | Refusal::Respond(RespondError::NoFile { .. }) => {
                plain(Kind::NotFound)
            }
            Refusal::Route(RouteError::MethodNotAllowed { allowed }) => {
                with(Kind::MethodNotAllowed, vec![("allow", allowed.join(", "))])
            }
            Refusal::Cors(_) | Refusal::Mint(MintError::ClaimNotForwardable { .. }) => plain(Kind::Forbidden),
            Refusal::Availability(AvailabilityError::Maintenance { retry_after, .. }) => {
                with(Kind::Maintenance, vec![("retry-after", retry_after.to_string())])
            }
            Refusal::Place(PlaceError { legal: true, .. }) => plain(Kind::LegalReasons),
            Refusal::Place(PlaceError { legal: false, .. }) => plain(Kind::PlaceRefused),
            Refusal::Identity(IdentityError::Credentials(
                CredentialsError::Missing | CredentialsError::OtherScheme,
            ))
            | Refusal::Authorize(AuthorizeError::Unidentified) => {
                challenge(Kind::AuthenticationRequired, Challenge::default())
            }
            Refusal::Identity(IdentityError::Credentials(CredentialsError::Repeated { .. })) => {
                challenge(Kind::BadRequest, Challenge::because("invalid_request"))
            }
            Refusal::Identity(IdentityError::Token(TokenError::TooLong { .. })) => plain(Kind::HeaderFieldsTooLarge),
            Refusal::Identity(
                IdentityError::Credentials(CredentialsError::Malformed)
                | IdentityError::Token(_)
                | IdentityError::DenyList(DenyListError::Revoked { .. })
                | IdentityError::Introspection(IntrospectionError::Inactive),
            ) => challenge(Kind::InvalidToken, Challenge::because("invalid_token")),
            Refusal::Identity(IdentityError::Proof(ProofError::Nonce)) => {
                challenge(Kind::NonceRequired, Challenge::proving("use_dpop_nonce"))
            }
            Refusal::Identity(IdentityError::Proof(_)) => {
                challenge(Kind::InvalidProof, Challenge::proving("invalid_dpop_proof"))
            }
            Refusal::Authorize(AuthorizeError::Unbound) => {
                challenge(Kind::BoundTokenRequired, Challenge::proving("invalid_token"))
            }
            Refusal::Authorize(AuthorizeError::IssuerNotAccepted { .. } | AuthorizeError::ConditionUnmet { .. }) => {
                plain(Kind::Forbidden)
            }
            Refusal::Authorize(AuthorizeError::InsufficientScope { required, .. }) => challenge(
                Kind::InsufficientScope,
                Challenge { scope: Some(required.join(" ")), ..Challenge::because("insufficient_scope") },
            ),
            Refusal::Authorize(AuthorizeError::AuthenticationInsufficient(required)) => challenge(
                Kind::AuthenticationInsufficient,
                Challenge {
                    acr_values: Some(required.acr.join(" ")).filter(|values| !values.is_empty()),
                    max_age: required.max_age.map(Seconds::as_u64),
                    ..Challenge::because("insufficient_user_authentication")
                },
            ),
            Refusal::Inspect(error) => match error {
                // RFC 9110 §15.5.22: the response names the protocol that is required.
                InspectError::NoHandshake => with(Kind::UpgradeRequired, vec![("upgrade", "websocket".to_owned())]),
                InspectError::QueryTooLong { .. } => plain(Kind::UriTooLong),
                InspectError::BodyTooLong { most } => too_long(*most),
                InspectError::ContentType => plain(Kind::UnsupportedMediaType),
                InspectError::HeaderMissing { .. } => plain(Kind::BadRequest),
            },
            Refusal::Content(ContentError::TooLong { most }) => too_long(*most),
            Refusal::Content(ContentError::TooSlow) => plain(Kind::RequestTimeout),
            Refusal::Content(ContentError::Unreadable) | Refusal::Rewrite(_) => plain(Kind::BadRequest),
            Refusal::Inference(error) => {
                let kind = match error {
                    InferenceError::NotJson => Kind::UnsupportedMediaType,
                    InferenceError::Body(_)
                    | InferenceError::UnknownMember(_)
                    | InferenceError::UnclearMember { .. }
                    | InferenceError::Malformed { .. }
                    | InferenceError::NoTokenLimit { .. }
                    | InferenceError::TooMany { .. } => Kind::BadRequest,
                    InferenceError::Model { .. }
                    | InferenceError::Stream
                    | InferenceError::Tools
                    | InferenceError::Type { .. }
                    | InferenceError::Media(_)
                    | InferenceError::State(_) => Kind::Forbidden,
                };
                let detail = Detail { message: error.detail(), member: error.member().map(str::to_owned) };
                Self { detail: Some(detail), ..plain(kind) }
            }
            Refusal::Mcp(error) => {
                let (kind, rpc) = rpc::row(error);
                let scopes = |required: &[String]| Some(required.join(" "));
                let challenge = match error {
                    McpError::InsufficientScope { required, .. } => {
                        Some(Challenge { scope: scopes(required), ..Challenge::because("insufficient_scope") })
                    }
                    McpError::Unidentified { required } => {
                        Some(Challenge { scope: scopes(required), ..Challenge::default() })
                    }
                    _ => None,
                };
                let detail = Some(Detail { message: error.detail(), member: None });
                Self { challenge, detail, rpc: Some(rpc), ..plain(kind) }
            }
            Refusal::Throttle(ThrottleError::Exceeded { quota }) => {
                let retry_after = ("retry-after", quota.retry_after().to_string());
                let announced = ratelimit_fields(std::slice::from_ref(quota));
                with(Kind::TooManyRequests, std::iter::once(retry_after).chain(announced).collect())
            }
            Refusal::Budget(error @ (BudgetError::Exceeded { quota, .. } | BudgetError::TooLarge { quota, .. })) => {
                // A request that is never admitted has no time to wait for.
                let retry = match error {
                    BudgetError::TooLarge { .. } => ("x-should-retry", "false".to_owned()),
                    _ => ("retry-after", quota.retry_after().to_string()),
                };
                let announced = ratelimit_fields(std::slice::from_ref(quota));
                let detail = error.detail().map(|message| Detail { message, member: None });
                Self { detail, ..with(Kind::BudgetExceeded, std::iter::once(retry).chain(announced).collect()) }
            }
            Refusal::Throttle(ThrottleError::QueueFull { .. }) | Refusal::Budget(BudgetError::QueueFull { .. }) => {
                with(Kind::TooManyRequests, vec![("retry-after", "1".to_owned())])
            }
            Refusal::Mint(MintError::IdentityTooLong { .. } | MintError::HeadTooLong { .. }) => {
                plain(Kind::HeaderFieldsTooLarge)
            }
            Refusal::Identity(
                IdentityError::Keys(_)
                | IdentityError::DenyList(DenyListError::Unavailable(_))
                | IdentityError::Introspection(IntrospectionError::Unavailable(_))
                | IdentityError::UsedProofs(_),
            )
            | Refusal::Availability(AvailabilityError::SwitchedOff)
            | Refusal::Respond(RespondError::Unreadable { .. })
            | Refusal::Throttle(ThrottleError::Unreachable { .. })
            | Refusal::Budget(BudgetError::Unreachable { .. })
            | Refusal::Mint(MintError::SigningFailed | MintError::NoExchangeKey { .. })
            | Refusal::Closed(
                ClosedError::Policy(_)
                | ClosedError::SigningKeys(_)
                | ClosedError::KillSwitch(_)
                | ClosedError::Randomness,
            )
            | Refusal::Select(_)
            | Refusal::Origin(OriginError::Unavailable(_) | OriginError::NoBackend(_)) => later(),
            Refusal::Origin(
                OriginError::Unreachable(_)
                | OriginError::NoConnection(_)
                | OriginError::Unreadable(_)
                | OriginError::UnexpectedStatus(_)
                | OriginError::List(_),
            ) => plain(Kind::BadGateway),
            Refusal::Origin(
                OriginError::TooSlow(_) | OriginError::NoConnectionInTime(_) | OriginError::OverTime(_),
            ) => plain(Kind::GatewayTimeout),
        }
    }
}
