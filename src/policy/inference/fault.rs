//! The faults of `inference`, each with a remedy.

use crate::policy::budgets::fault::BudgetFault;

/// A fault of `inference` at a route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InferenceFault {
    /// The route accepts other methods than POST, or is a WebSocket.
    #[error("is on a route that accepts other requests than POST")]
    NotPost,
    /// `accepts` limits the body or its media types as well.
    #[error("limits what \"inference\" limits, too")]
    Accepts,
    /// A name with other than visible ASCII characters, or a long one.
    #[error("is not the name of a model")]
    NotAModelName,
    /// `members` and `"api": "json"` belong together.
    #[error("belongs to \"api\": \"json\", which needs it")]
    MembersOfJson,
    /// Two members have one name.
    #[error("names one member twice")]
    SameMember,
    /// Some parsers take a member for another one.
    #[error("has \"{name}\", which some parsers read as \"{other}\"")]
    LikeMember {
        /// The member.
        name: String,
        /// The one that it is taken for.
        other: String,
    },
    /// The requests of this API do not limit tokens.
    #[error("limits tokens, which requests of this API do not")]
    NoTokenLimit,
    /// A member that judges nothing in requests of this API.
    #[error("judges nothing in requests of this API")]
    NotJudged,
    /// Types of tools where no tools are admitted.
    #[error("lists types of tools, and no tools are admitted")]
    NoTools,
    /// No backend that may serve the route has the model.
    #[error("is served by no backend without \"version\"{}", of_region(.0.as_deref()))]
    NotServed(Option<String>),
    /// All backends that may serve a route are for models, and its requests are for none.
    #[error("has only backends with \"models\"{}, and this route is for no model", of_region(.0.as_deref()))]
    ForNoModel(Option<String>),
    /// No route has the model that a backend serves.
    #[error("has \"{0}\", which is a model of no route with this origin")]
    UnusedModel(String),
    /// The requests of this API ask for one response.
    #[error("admits several responses, and requests of this API ask for one")]
    NoChoices,
    /// A fault of budgets.
    #[error(transparent)]
    Budget(#[from] BudgetFault),
}

impl InferenceFault {
    /// The next step.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::NotPost => "write \"methods\": [\"POST\"], and a route of its own for other requests",
            Self::Accepts => {
                "write \"max_input_bytes\" in \"inference\"; the media type is application/json in any case"
            }
            Self::NotAModelName => "write 1 to 128 visible ASCII characters without quotation marks and backslashes",
            Self::MembersOfJson => {
                "write \"members\": { \"model\": \"…\" } with \"api\": \"json\", and leave it out otherwise"
            }
            Self::SameMember => "name another member, or leave \"max_tokens\" out",
            Self::LikeMember { .. } => "leave it out, and let callers write another name",
            Self::NoTokenLimit => "leave it out; with \"api\": \"json\", name the member \"max_tokens\"",
            Self::NoTools => "write \"tools\": true, at the route or at a model, or leave it out",
            Self::NotServed(_) => "add it to \"models\" of a backend there, or leave \"models\" out at one of them",
            Self::ForNoModel(_) => {
                "name an origin for such requests, or add a backend without \"models\" and \"version\" there"
            }
            Self::UnusedModel(_) => {
                "write the name that callers use, as in \"inference.models\" of a route, or leave it out"
            }
            Self::NoChoices | Self::NotJudged => "leave it out",
            Self::Budget(fault) => fault.remedy(),
        }
    }
}

/// A region and those that stand in for it, as a part of a sentence.
fn of_region(region: Option<&str>) -> String {
    region.map(|region| format!(" for requests of region \"{region}\"")).unwrap_or_default()
}
