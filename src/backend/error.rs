//! Why no backend is selected.

/// No backend may serve a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// No rule assigns a region, and the origin has no default.
    #[error("no rule of \"selection.region_by\" knows a value of this request, and there is no \"default_region\"")]
    NoRegion,
    /// The region of the request, and those that stand in for it, are not among those of the route.
    #[error(
        "the request belongs to region \"{region}\", and \"regions\" of the route has neither it nor a fallback of it"
    )]
    OtherRegion {
        /// The region.
        region: String,
    },
}

impl SelectError {
    /// The code for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoRegion => "no-region",
            Self::OtherRegion { .. } => "other-region",
        }
    }
}
