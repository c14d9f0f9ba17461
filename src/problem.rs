//! What the client sees of a refusal: RFC 9457 problem details, with the challenge of RFC 6750 §3 where it applies. One
//! table decides it, [`Problem::from`]; a refusal that is not in it does not compile. Every bad token looks the same.

mod challenge;

use serde_json::json;

use crate::answer::AnswerFields;
use crate::authorize::AuthorizeError;
use crate::content::ContentError;
use crate::headers::Headers;
use crate::identity::bearer::{CredentialsError, Scheme};
use crate::identity::deny_list::DenyListError;
use crate::identity::dpop::ProofError;
use crate::identity::introspection::IntrospectionError;
use crate::identity::token::TokenError;
use crate::inspect::InspectError;
use crate::mint::MintError;
use crate::opening::OpeningError;
use crate::place::PlaceError;
use crate::refusal::{ClosedError, OriginError, Refusal};
use crate::request::RequestError;
use crate::route::RouteError;
use crate::throttle::{ThrottleError, announce};
use challenge::Challenge;

/// An answer made by the edge itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    kind: Kind,
    /// `Allow`, `Retry-After` or whatever else the kind calls for.
    fields: Vec<(&'static str, String)>,
    /// `WWW-Authenticate`.
    challenge: Option<Challenge>,
    /// What the route's answers get besides.
    answer: AnswerFields,
}

/// The problem types; `README.md` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request cannot be read in exactly one way.
    BadRequest,
    /// The route wants a token and there is none.
    AuthenticationRequired,
    /// The token is not good.
    InvalidToken,
    /// The proof of possession is not good.
    InvalidProof,
    /// The proof of possession needs a nonce; `DPoP-Nonce` gives it.
    NonceRequired,
    /// The route wants a token that is bound to a key.
    BoundTokenRequired,
    /// The token does not allow this.
    InsufficientScope,
    /// The caller may not do this.
    Forbidden,
    /// Not from there.
    PlaceRefused,
    /// Not from there, by law (RFC 7725).
    LegalReasons,
    /// Nothing is here.
    NotFound,
    /// Not with this method.
    MethodNotAllowed,
    /// The body arrives too slowly.
    RequestTimeout,
    /// The URL is too long.
    UriTooLong,
    /// The body is too long.
    ContentTooLarge,
    /// The body is of no accepted type.
    UnsupportedMediaType,
    /// Closed for maintenance.
    Maintenance,
    /// This host is not served here.
    MisdirectedRequest,
    /// The header fields are too large or too many.
    HeaderFieldsTooLarge,
    /// Only a WebSocket is here.
    UpgradeRequired,
    /// Too often.
    TooManyRequests,
    /// The origin gave no usable answer.
    BadGateway,
    /// Something that is needed to judge or to serve the request cannot be had now.
    Unavailable,
    /// The origin was too slow.
    GatewayTimeout,
}

impl Kind {
    /// Status code, slug and title.
    const fn row(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::BadRequest => (400, "bad-request", "The request is malformed or ambiguous"),
            Self::AuthenticationRequired => (401, "authentication-required", "A bearer token is required"),
            Self::InvalidToken => (401, "invalid-token", "The bearer token is not valid"),
            Self::InvalidProof => (401, "invalid-proof", "The proof of possession is not valid"),
            Self::NonceRequired => {
                (401, "proof-nonce-required", "The proof of possession needs a current nonce of this service")
            }
            Self::BoundTokenRequired => (401, "bound-token-required", "A token that is bound to a key is required"),
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
            Self::UnsupportedMediaType => (415, "unsupported-media-type", "The body is of no accepted media type"),
            Self::Maintenance => (503, "maintenance", "This is closed for maintenance"),
            Self::MisdirectedRequest => (421, "misdirected-request", "This host is not served here"),
            Self::UpgradeRequired => (426, "upgrade-required", "This is a WebSocket"),
            Self::TooManyRequests => (429, "too-many-requests", "This was used too often"),
            Self::HeaderFieldsTooLarge => {
                (431, "header-fields-too-large", "The header fields are too large or too many")
            }
            Self::BadGateway => (502, "bad-gateway", "The origin gave no usable answer"),
            Self::Unavailable => (503, "unavailable", "The service is not available right now"),
            Self::GatewayTimeout => (504, "gateway-timeout", "The origin did not answer in time"),
        }
    }
}

impl Problem {
    /// The HTTP status code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.kind.row().0
    }

    /// The problem type.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The fields of the answer.
    #[must_use]
    pub fn headers(&self) -> Headers {
        let fixed = [("content-type", "application/problem+json"), ("cache-control", "no-store")];
        let mut headers: Headers = fixed.into_iter().collect();
        for (name, value) in &self.fields {
            headers.append(name, value.as_str());
        }
        if let Some(challenge) = &self.challenge {
            headers.append("www-authenticate", challenge.value());
        }
        self.answer.dress(&headers)
    }

    /// The problem, whose challenge, where there is one, names the resource's metadata and asks for `scheme`.
    #[must_use]
    pub fn asking_for(mut self, scheme: Scheme, resource_metadata: &str) -> Self {
        if let Some(challenge) = &mut self.challenge {
            challenge.resource_metadata = Some(resource_metadata.to_owned());
            if scheme == Scheme::DPoP {
                challenge.scheme = scheme;
            }
        }
        self
    }

    /// The problem, answered on a route whose answers get these fields.
    #[must_use]
    pub fn dressed(mut self, answer: AnswerFields) -> Self {
        self.answer = answer;
        self
    }

    /// The body: `type`, `title` and `status` (RFC 9457 §3.1).
    #[must_use]
    pub fn body(&self) -> String {
        let (status, slug, title) = self.kind.row();
        json!({ "type": format!("urn:fastgate:problem:{slug}"), "title": title, "status": status }).to_string()
    }
}

/// Seconds after which it is worth trying again.
const RETRY_AFTER: &str = "5";

impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Self {
        let with = |kind, fields| Self { kind, fields, challenge: None, answer: AnswerFields::default() };
        let plain = |kind| with(kind, Vec::new());
        let challenge = |kind, challenge| Self { challenge: Some(challenge), ..plain(kind) };
        let later = || with(Kind::Unavailable, vec![("retry-after", RETRY_AFTER.to_owned())]);
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
            Refusal::Route(RouteError::NoRoute) => plain(Kind::NotFound),
            Refusal::Route(RouteError::MethodNotAllowed { allowed }) => {
                with(Kind::MethodNotAllowed, vec![("allow", allowed.join(", "))])
            }
            Refusal::Cors(_) => plain(Kind::Forbidden),
            Refusal::Opening(OpeningError::Maintenance { retry_after, .. }) => {
                with(Kind::Maintenance, vec![("retry-after", retry_after.to_string())])
            }
            Refusal::Place(PlaceError { legal: true, .. }) => plain(Kind::LegalReasons),
            Refusal::Place(PlaceError { legal: false, .. }) => plain(Kind::PlaceRefused),
            Refusal::Credentials(CredentialsError::Missing | CredentialsError::OtherScheme)
            | Refusal::Authorize(AuthorizeError::Unidentified) => {
                challenge(Kind::AuthenticationRequired, Challenge::default())
            }
            Refusal::Credentials(CredentialsError::Repeated { .. }) => {
                challenge(Kind::BadRequest, Challenge::because("invalid_request"))
            }
            Refusal::Token(TokenError::TooLong { .. }) => plain(Kind::HeaderFieldsTooLarge),
            Refusal::Credentials(CredentialsError::Malformed)
            | Refusal::Token(_)
            | Refusal::DenyList(DenyListError::Revoked { .. })
            | Refusal::Introspection(IntrospectionError::Inactive) => {
                challenge(Kind::InvalidToken, Challenge::because("invalid_token"))
            }
            Refusal::Proof(ProofError::Nonce) => challenge(Kind::NonceRequired, Challenge::proving("use_dpop_nonce")),
            Refusal::Proof(_) => challenge(Kind::InvalidProof, Challenge::proving("invalid_dpop_proof")),
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
            Refusal::Inspect(error) => match error {
                // RFC 9110 §15.5.22: the answer names the protocol that is required.
                InspectError::NoHandshake => with(Kind::UpgradeRequired, vec![("upgrade", "websocket".to_owned())]),
                InspectError::QueryTooLong { .. } => plain(Kind::UriTooLong),
                InspectError::BodyTooLong { .. } => plain(Kind::ContentTooLarge),
                InspectError::ContentType => plain(Kind::UnsupportedMediaType),
                InspectError::HeaderMissing { .. } => plain(Kind::BadRequest),
            },
            Refusal::Content(ContentError::TooLong { .. }) => plain(Kind::ContentTooLarge),
            Refusal::Content(ContentError::TooSlow) => plain(Kind::RequestTimeout),
            Refusal::Content(ContentError::Unreadable) | Refusal::Rewrite(_) => plain(Kind::BadRequest),
            Refusal::Throttle(ThrottleError::Exceeded { standing }) => {
                let retry_after = ("retry-after", standing.retry_after().to_string());
                let announced = announce(std::slice::from_ref(standing));
                with(Kind::TooManyRequests, std::iter::once(retry_after).chain(announced).collect())
            }
            Refusal::Throttle(ThrottleError::QueueFull { .. }) => {
                with(Kind::TooManyRequests, vec![("retry-after", "1".to_owned())])
            }
            Refusal::Mint(MintError::IdentityTooLong { .. } | MintError::HeadTooLong { .. }) => {
                plain(Kind::HeaderFieldsTooLarge)
            }
            Refusal::Keys(_)
            | Refusal::Opening(OpeningError::SwitchedOff)
            | Refusal::DenyList(DenyListError::Unavailable(_))
            | Refusal::Introspection(IntrospectionError::Unavailable(_))
            | Refusal::UsedProofs(_)
            | Refusal::Throttle(ThrottleError::Unreachable { .. })
            | Refusal::Mint(MintError::SigningFailed)
            | Refusal::Closed(
                ClosedError::Policy(_) | ClosedError::SigningKeys(_) | ClosedError::Switch(_) | ClosedError::Randomness,
            )
            | Refusal::Origin(OriginError::Unavailable(_)) => later(),
            Refusal::Origin(OriginError::Unreachable(_) | OriginError::UnexpectedStatus(_)) => plain(Kind::BadGateway),
            Refusal::Origin(OriginError::TooSlow(_)) => plain(Kind::GatewayTimeout),
        }
    }
}
