//! The faults of `cache`, each with a remedy.

/// A fault of `cache` at a route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CacheFault {
    /// The route does not accept GET, or is a WebSocket.
    #[error("is on a route without responses to GET, and no others are stored")]
    NoGet,
    /// The API of the route has no requests that would get the same response again.
    #[error("stores nothing: requests of this \"api\" say nothing by which the same one would get the same response")]
    NoneRepeatable,
    /// A response that is stale would be renewed by a request of the edge, which has no body.
    #[error("is on a route for models: a response is not renewed, because the edge keeps no request")]
    RenewsModels,
    /// The route forwards the token, which is not part of the key of a stored response.
    #[error("is on a route with \"forward_token\": the response might depend on the token")]
    ForwardsToken,
    /// The route signs bodies.
    #[error("is on a route with \"sign_body\": a request with a body has no stored response")]
    SignsBody,
    /// The route is public, so it has no callers with claims.
    #[error("names claims on a public route, where no token is read")]
    NoCallers,
    /// The route requires something of callers, and all of them would share a response.
    #[error("is \"public\" on a route that is not public")]
    NotShared,
    /// `shared` where responses are shared anyway, or by an audience.
    #[error("belongs to the audience \"public\" on a route that is not public")]
    NothingToShare,
    /// Tokens of an accepted issuer cannot have the fact.
    #[error("needs a claim that issuer \"{issuer}\" does not name")]
    UnknownOfIssuer {
        /// The id of the issuer.
        issuer: String,
    },
    /// More fields than the edge compares.
    #[error("lists more than {most} fields")]
    TooManyFields {
        /// The most that are read.
        most: usize,
    },
}

impl CacheFault {
    /// The next step.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::NoGet => "add \"GET\" to \"methods\", or move \"cache\" to the route that has it",
            Self::NoneRepeatable => {
                "remove it; only \"openai-embeddings\", and \"openai-chat\" with a seed, have such requests"
            }
            Self::RenewsModels => "remove it, or make \"ttl\" longer",
            Self::ForwardsToken => "remove one of the two; the signed header has the claims of the audience",
            Self::SignsBody => "remove one of the two",
            Self::NoCallers => "write \"audience\": \"public\", or another \"access\"",
            Self::NotShared => {
                "write \"tenant\", \"roles\" or \"caller\"; or \"shared\": true if all admitted callers may see one response"
            }
            Self::NothingToShare => "remove it",
            Self::UnknownOfIssuer { .. } => {
                "name the claim in \"claims\" of the issuer, or accept only other issuers at this route"
            }
            Self::TooManyFields { .. } => "list the fields that the application reads, and no others",
        }
    }
}
