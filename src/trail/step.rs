//! The steps of the pipeline.

use serde::Serialize;

/// The steps of the pipeline, in order. This is the only list of them: the log, refusals and `fastgate explain` use it,
/// and the numbered list in `lib.rs` is compared with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Reads the policy, the signing keys and the kill switch.
    Configure,
    /// Brings the request into canonical form.
    Normalize,
    /// Responds to preflights; checks which page opens a WebSocket.
    Cors,
    /// Finds the route.
    Match,
    /// Checks that the route is available.
    Availability,
    /// Checks where the client is.
    Place,
    /// Identifies the caller.
    Identify,
    /// Checks the caller against the route's requirements.
    Authorize,
    /// Checks the form of the request.
    Inspect,
    /// Counts the request against limits: the flood limit before identification, the route's limits here.
    Throttle,
    /// Makes the response, if the route has no origin.
    Respond,
    /// Gives the request the path and the fields that the origin receives.
    Rewrite,
    /// Reads the body, if the route bounds or signs it.
    Content,
    /// Judges the body, if the route is for requests to models.
    Inference,
    /// Judges the body and the session, if the route is for an MCP server.
    Mcp,
    /// Selects a backend of the origin: region and version before *cache*, the backend itself after it.
    Select,
    /// Looks a stored response up, if those of the route are stored.
    Cache,
    /// Reserves what a request to a model, or a use of a tool, can cost, if there are budgets for it.
    Budget,
    /// Signs the identity header.
    Mint,
    /// Forwards the request to the origin.
    Forward,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 20] = [
        Self::Configure,
        Self::Normalize,
        Self::Cors,
        Self::Match,
        Self::Availability,
        Self::Place,
        Self::Identify,
        Self::Authorize,
        Self::Inspect,
        Self::Throttle,
        Self::Respond,
        Self::Rewrite,
        Self::Content,
        Self::Inference,
        Self::Mcp,
        Self::Select,
        Self::Cache,
        Self::Budget,
        Self::Mint,
        Self::Forward,
    ];

    pub(super) const fn bit(self) -> u32 {
        1 << self as u16
    }

    /// The step as the log names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Configure => "configure",
            Self::Normalize => "normalize",
            Self::Cors => "cors",
            Self::Match => "match",
            Self::Availability => "availability",
            Self::Place => "place",
            Self::Identify => "identify",
            Self::Authorize => "authorize",
            Self::Inspect => "inspect",
            Self::Throttle => "throttle",
            Self::Respond => "respond",
            Self::Rewrite => "rewrite",
            Self::Content => "content",
            Self::Inference => "inference",
            Self::Mcp => "mcp",
            Self::Select => "select",
            Self::Cache => "cache",
            Self::Budget => "budget",
            Self::Mint => "mint",
            Self::Forward => "forward",
        }
    }
}
