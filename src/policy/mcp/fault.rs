//! The faults of `mcp`, each with a remedy.

/// A fault of `mcp` at a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum McpFault {
    /// The route lacks POST, accepts methods that MCP does not have, or is a WebSocket.
    #[error("is on a route that lacks POST, or accepts other methods than POST, GET and DELETE")]
    Methods,
    /// The route is for requests to models, too.
    #[error("is on a route with \"inference\"")]
    Inference,
    /// `accepts` limits the body or its media types as well.
    #[error("limits what \"mcp\" limits, too")]
    Accepts,
    /// Responses are stored.
    #[error("is on a route with \"mcp\", whose responses are for one caller")]
    Cache,
    /// A name that is empty, long, or has other than visible ASCII characters.
    #[error("is not the name of a tool or prompt")]
    NotAName,
    /// Two names differ only in case.
    #[error("differs from another name only in case")]
    OtherCase,
    /// Neither a URI nor a template of level 1.
    #[error("is neither a URI nor a URI template of level 1")]
    NotAUri,
    /// Not the name of a method.
    #[error("is not the name of a method")]
    NotAMethod,
    /// A method that needs no listing, or another spelling of one.
    #[error("is a method that the edge judges in any case")]
    JudgedMethod,
    /// A method is listed twice.
    #[error("is listed twice")]
    Repeated,
    /// The route counts the request against this limit already.
    #[error("is a limit of the route, too, which would count the request twice")]
    LimitOfRoute,
}

impl McpFault {
    /// The next step.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Methods => {
                "write \"methods\": [\"POST\"], or [\"GET\", \"POST\", \"DELETE\"] for a server with sessions, and a route of its \
                 own for other requests"
            }
            Self::Inference => "write a route of its own for requests to models",
            Self::Accepts => "write \"max_body\" in \"mcp\"; the media type is application/json in any case",
            Self::Cache | Self::Repeated | Self::JudgedMethod => "leave it out",
            Self::NotAName => "write 1 to 128 visible ASCII characters without quotation marks and backslashes",
            Self::OtherCase => "rename one of them: clients and people confuse them",
            Self::NotAUri => {
                "write a URI such as \"config://app\", or a template such as \"orders://{id}\": visible ASCII characters, each \
                 variable a name of letters, digits and \"_\" in braces, and a character between two variables"
            }
            Self::NotAMethod => "write a method such as \"logging/setLevel\"",
            Self::LimitOfRoute => "leave it out at one of them",
        }
    }
}
