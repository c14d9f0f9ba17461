//! The faults of `respond`, each with a remedy.

/// A fault of `respond` at a route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RespondFault {
    /// No response, or more than one.
    #[error("is not exactly one response")]
    NotOne,
    /// A member that belongs to another response.
    #[error("belongs to \"{with}\"")]
    Misplaced {
        /// What it belongs to.
        with: &'static str,
    },
    /// The status of a redirect is another.
    #[error("is not the status of a redirect")]
    NotARedirect,
    /// Neither a path nor an https URL, or its host depends on a parameter.
    #[error("is neither a path nor an https URL")]
    NotALocation,
    /// A text with a status without content.
    #[error("is not empty, and responses with this status have no content")]
    NoContent,
    /// The status of a response to a condition or range.
    #[error("is a status that depends on conditions of the request, and the edge evaluates those itself")]
    OfConditions,
    /// Not the name of a file.
    #[error("is not the name of a file")]
    NotAFileName,
    /// Not the name of a folder.
    #[error("is not the name of a folder")]
    NotAFolder,
    /// The path of the route has no parameter for the rest of the name.
    #[error("is on a route whose path has no parameter {{path:path}}")]
    NoPathParameter,
    /// A member that needs an origin.
    #[error("is on a route with \"respond\", which has no origin")]
    NeedsOrigin,
    /// Another method than GET and HEAD, with another response than a redirect.
    #[error("lists methods other than GET and HEAD, and only a redirect responds to those")]
    OtherMethods,
}

impl RespondFault {
    /// The next step.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::NotOne => "write one of \"body\", \"redirect\", \"file\" and \"files\", or a \"status\" alone",
            Self::Misplaced { .. } => "remove it",
            Self::NotARedirect => "write 301, 302, 303, 307 or 308",
            Self::NotALocation => {
                "write \"/new/{name}\" or \"https://host/{name}\": the host in full, everything else percent-encoded"
            }
            Self::NoContent => "leave \"body\" out, or write another status",
            Self::OfConditions => "write another status, such as 200 or 404",
            Self::NotAFileName => "write \"robots.txt\" or \"docs/index.html\", without \"files/\" and dot segments",
            Self::NotAFolder => "write \"assets/\", with a slash at its end and none in front",
            Self::NoPathParameter => "write \"path\": \"/assets/{path:path}\"",
            Self::NeedsOrigin => "remove it, or remove \"respond\"",
            Self::OtherMethods => "write \"methods\": [\"GET\", \"HEAD\"]",
        }
    }
}
