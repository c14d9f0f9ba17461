//! The faults of an issuer that depend on its preset, each with a remedy.

/// A fault of an issuer, compared with what its preset says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PresetFault {
    /// The product has no JWTs of this kind that an API accepts.
    #[error("is \"{kind}\", and this preset has no such tokens")]
    NoSuchTokens {
        /// The kind.
        kind: &'static str,
    },
    /// `audiences` is `"none"`, and tokens of other applications would be accepted.
    #[error("is \"none\", and a token for another application would be accepted")]
    ForAnyAudience {
        /// What keeps them out at this provider.
        remedy: &'static str,
    },
    /// `audiences` is `"none"`, and all such tokens name an audience.
    #[error("is \"none\", and all tokens of this kind name an audience")]
    AlwaysForAudience,
    /// Everybody can obtain tokens of the provider for any audience, and the policy does not say whose it accepts.
    #[error("does not say whose tokens are accepted, and everybody can obtain tokens of this provider")]
    OpenToAll {
        /// What to write for this provider.
        remedy: &'static str,
    },
    /// `jwks_uri` is missing, and the provider has a key set for each client.
    #[error("is missing, and this provider has a key set for each client")]
    NoKeysOfClient {
        /// What to write for this provider.
        remedy: &'static str,
    },
    /// Clients are restricted, and the tokens of the product do not name theirs.
    #[error("restricts clients, and tokens of this preset name none")]
    NoClientClaim,
}

impl PresetFault {
    /// The next step.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::NoSuchTokens { .. } => {
                "leave \"tokens\" out: the preset knows the kind; or leave \"preset\" out, and name the claims in \"claims\""
            }
            Self::ForAnyAudience { remedy } | Self::OpenToAll { remedy } | Self::NoKeysOfClient { remedy } => remedy,
            Self::NoClientClaim => {
                "leave \"clients\" and \"require_client\" out and restrict another claim in \"required_claims\", or name the \
                 claim in \"claims.client\""
            }
            Self::AlwaysForAudience => {
                "list the audiences; for ID tokens and with the preset \"cognito\" these are client ids"
            }
        }
    }
}
