//! Every way in which the pipeline can end early: the sum of the errors of its modules. It does not depend on HTTP;
//! [`problem`](crate::problem) decides what the client sees of a refusal.

use crate::authorize::AuthorizeError;
use crate::availability::AvailabilityError;
use crate::backend::SelectError;
use crate::budget::BudgetError;
use crate::content::ContentError;
use crate::cors::CorsError;
use crate::identity::IdentityError;
use crate::inference::InferenceError;
use crate::inspect::InspectError;
use crate::mcp_list::ListError;
use crate::mcp_request::McpError;
use crate::mint::MintError;
use crate::place::PlaceError;
use crate::request::RequestError;
use crate::respond::RespondError;
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
    /// The caller is not identified.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The caller does not meet the route's requirements.
    #[error(transparent)]
    Authorize(#[from] AuthorizeError),
    /// The request does not have the form that the route accepts.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// The request has no unambiguous path at the origin.
    #[error(transparent)]
    Rewrite(#[from] RewriteError),
    /// The edge has no response.
    #[error(transparent)]
    Respond(#[from] RespondError),
    /// The request exceeds a limit.
    #[error(transparent)]
    Throttle(#[from] ThrottleError),
    /// The body cannot be forwarded.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The caller may not send this request to a model.
    #[error(transparent)]
    Inference(#[from] InferenceError),
    /// The caller may not send this message to an MCP server.
    #[error(transparent)]
    Mcp(#[from] McpError),
    /// No backend may serve the request.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// The request exceeds a budget.
    #[error(transparent)]
    Budget(#[from] BudgetError),
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

/// Why there is no response from the origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// It could not be reached, or its response is not HTTP.
    #[error("the origin cannot be reached or its response cannot be read: {0}")]
    Unreachable(String),
    /// There is no connection to it.
    #[error("the origin cannot be reached: {0}")]
    NoConnection(String),
    /// Its response is not HTTP, or the platform does not accept it.
    #[error("the response of the origin cannot be read: {0}")]
    Unreadable(String),
    /// There was no connection to it in time.
    #[error("the origin cannot be reached in time: {0}")]
    NoConnectionInTime(String),
    /// It did not respond in time.
    #[error("the origin did not respond in time: {0}")]
    TooSlow(String),
    /// It did not respond within the time limit of the route.
    #[error("the origin did not respond within \"timeout\" of the route, {0} seconds")]
    OverTime(u64),
    /// It is unhealthy or has no free connection.
    #[error("the origin accepts no more requests: {0}")]
    Unavailable(String),
    /// All of its backends that may serve the request are skipped because of earlier failures, and the one that was tried
    /// failed, too.
    #[error("every backend that may serve the request has failed repeatedly: {0}")]
    NoBackend(String),
    /// It switches protocols (`101`) although the request did not ask for it.
    #[error("the origin responded with status {0}, which cannot be forwarded")]
    UnexpectedStatus(u16),
    /// Its response may have a list of an MCP server, and cannot be filtered.
    #[error("the response to a request for a list cannot be filtered: {0}")]
    List(#[from] ListError),
}

impl OriginError {
    /// Whether the backend failed: it gave no response although the platform waited as long as it waits for that backend.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        !matches!(self, Self::OverTime(_) | Self::NoBackend(_))
    }

    /// The code for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) | Self::NoConnection(_) | Self::Unreadable(_) => "origin-unreachable",
            Self::TooSlow(_) | Self::NoConnectionInTime(_) => "origin-too-slow",
            Self::OverTime(_) => "origin-over-time",
            Self::Unavailable(_) => "origin-unavailable",
            Self::NoBackend(_) => "origin-backends-failed",
            Self::UnexpectedStatus(_) => "origin-unexpected-status",
            Self::List(_) => "origin-list-unfiltered",
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
            Self::Identity(_) => Step::Identify,
            Self::Authorize(_) => Step::Authorize,
            Self::Inspect(_) => Step::Inspect,
            Self::Throttle(_) => Step::Throttle,
            Self::Respond(_) => Step::Respond,
            Self::Rewrite(_) => Step::Rewrite,
            Self::Content(_) => Step::Content,
            Self::Inference(_) => Step::Inference,
            Self::Mcp(_) => Step::Mcp,
            Self::Select(_) => Step::Select,
            Self::Budget(_) => Step::Budget,
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
            Self::Identity(error) => error.code(),
            Self::Authorize(error) => error.code(),
            Self::Inspect(error) => error.code(),
            Self::Respond(error) => error.code(),
            Self::Rewrite(error) => error.code(),
            Self::Throttle(error) => error.code(),
            Self::Content(error) => error.code(),
            Self::Inference(error) => error.code(),
            Self::Mcp(error) => error.code(),
            Self::Select(error) => error.code(),
            Self::Budget(error) => error.code(),
            Self::Mint(error) => error.code(),
            Self::Closed(error) => error.code(),
            Self::Origin(error) => error.code(),
        }
    }
}
