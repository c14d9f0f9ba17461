//! The faults of several backends at an origin, each with a remedy.

/// A fault of `backends`, or of a member that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackendsFault {
    /// Both `backend` and `backends`, or neither.
    #[error("has not exactly one of \"backend\" and \"backends\"")]
    NotOneForm,
    /// A member that only several backends need.
    #[error("is at an origin with a single \"backend\"")]
    SingleBackend,
    /// More than the edge ranks for each request.
    #[error("has more than {most} entries")]
    TooMany {
        /// The most that are read.
        most: usize,
    },
    /// Not a name that a backend of a service can have.
    #[error("is not the name of a backend: it is longer than 255 bytes or has control characters")]
    NotABackendName,
    /// No region has this name.
    #[error("names no region")]
    UnknownRegion,
    /// The origin has regions, and the backend is in none.
    #[error("is missing, and the origin has \"regions\"")]
    RegionMissing,
    /// No backend of a region can receive requests that choose no version.
    #[error("has no backend without \"version\" whose \"weight\" is more than 0{}", listed(.drained))]
    NoBackend {
        /// The names of those whose weight is 0.
        drained: Vec<String>,
    },
    /// There are regions, and nothing assigns one.
    #[error("has neither \"region_by\" nor \"default_region\", and the origin has \"regions\"")]
    NoAssignment,
    /// Regions stand in for each other in a circle.
    #[error("leads back to \"{region}\"")]
    FallbackCycle {
        /// The region.
        region: String,
    },
    /// A fallback leaves the jurisdiction of its region.
    #[error("leaves the jurisdiction \"{jurisdiction}\" of \"{region}\"")]
    LeavesJurisdiction {
        /// The jurisdiction.
        jurisdiction: String,
        /// The region that is in it.
        region: String,
    },
    /// A version that no request can choose, or no version to choose.
    #[error("has \"version_by\" without a backend with \"version\", or the other way round")]
    HalfOfVersions,
    /// A time limit for a WebSocket, which the platform passes to the backend.
    #[error("is on a WebSocket, whose handshake the edge passes on without waiting")]
    TimeoutOfWebSocket,
    /// Not the name of a cookie (RFC 6265 §4.1.1).
    #[error("is not the name of a cookie")]
    NotACookieName,
    /// All cookies are in one field.
    #[error("names \"cookie\", the field with all cookies of a request")]
    CookieField,
    /// Not a value that the field or the cookie can have.
    #[error("is not a value that the header field or cookie of \"version_by\" can have: no request can name it")]
    NotAVersion,
    /// Not the code of a country.
    #[error("\"{0}\" is not a code of a country")]
    NotACountry(String),
    /// Not the code of a continent.
    #[error("\"{0}\" is not a code of a continent")]
    NotAContinent(String),
}

/// The backends with the weight 0, as the end of a sentence.
fn listed(drained: &[String]) -> String {
    let names: Vec<_> = drained.iter().map(|name| format!("\"{name}\"")).collect();
    if names.is_empty() { String::new() } else { format!(": it is 0 for {}", names.join(", ")) }
}

impl BackendsFault {
    /// The next step.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::NotOneForm => "write \"backend\": \"name\" for one, or \"backends\": {\"name\": {}, …} for several",
            Self::SingleBackend => "write \"backends\": {\"name\": {}, …} in place of \"backend\", or remove it",
            Self::TooMany { .. } => "write several origins, or put a load balancer in front of the backends",
            Self::NotABackendName => "write the name that it has in the service, such as \"shop_eu\"",
            Self::UnknownRegion => "name one of the origin's \"regions\", or add it there: \"regions\": {\"eu\": {}}",
            Self::RegionMissing => "name the region of the backend, or remove \"regions\"",
            Self::NoBackend { .. } => "add such a backend, or give one of them a weight",
            Self::NoAssignment => {
                "write \"default_region\": \"…\", or rules: \"region_by\": [{\"by\": \"country\", \"regions\": {…}}]"
            }
            Self::FallbackCycle { .. } => "remove the fallback of one of them",
            Self::LeavesJurisdiction { .. } => "name a region of the same jurisdiction, or none: requests then get 503",
            Self::HalfOfVersions => "add the other one, or remove it",
            Self::TimeoutOfWebSocket => "remove it",
            Self::NotACookieName => "write the name alone, such as \"version\"",
            Self::CookieField => "name the one that counts: \"version_by\": {\"cookie\": \"version\"}",
            Self::NotAVersion => {
                "write a text such as \"next\", without control characters, spaces at its ends and \";\""
            }
            Self::NotACountry(_) => "write the code of ISO 3166-1, in upper case: \"DE\"; \"GB\" and not \"UK\"",
            Self::NotAContinent(_) => {
                "write \"AF\" (Africa), \"AN\" (Antarctica), \"AS\" (Asia), \"EU\" (Europe), \"NA\" (North America), \"OC\" \
                 (Oceania) or \"SA\" (South America)"
            }
        }
    }
}
