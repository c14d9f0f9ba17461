//! The faults of `resource`, each with a remedy.

/// A fault of `resource` at an origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResourceFault {
    /// The resource of an origin is not on a host that requests may name.
    #[error("is not on one of \"edge.hosts\"")]
    Foreign,
    /// The host of a resource has capital letters or the default port, or its path an encoded or empty segment.
    #[error("can be written in another way")]
    Ambiguous,
    /// An origin has the resource of the edge.
    #[error("is the resource of the edge, too")]
    OfEdge,
    /// Two origins have the same `resource`, so that their metadata would be at one URL.
    #[error("is the resource of \"{other}\", too")]
    Taken {
        /// The name of the earlier one.
        other: String,
    },
}

impl ResourceFault {
    /// The next step.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Foreign => "write a URL on a host of the edge, or add its host to \"edge.hosts\"",
            Self::Ambiguous => {
                "write the host in lower case, without the default port, and the path without percent-encoded characters, \
                 empty segments and dot segments"
            }
            Self::OfEdge => "leave it out: the routes of an origin without it belong to the edge's resource",
            Self::Taken { .. } => "give each a path or a host of its own, or make the two one origin",
        }
    }
}
