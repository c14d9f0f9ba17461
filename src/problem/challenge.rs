//! The challenge of a refusal, `WWW-Authenticate`: the scheme, what was wrong with the credentials, and where to read
//! which credentials are accepted.

use crate::identity::bearer::Scheme;
use crate::identity::dpop::ALGORITHMS;

/// The parameters of a challenge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Challenge {
    /// The scheme that the client must use.
    pub(super) scheme: Scheme,
    /// Absent if no credentials were sent (RFC 6750 §3.1).
    pub(super) error: Option<&'static str>,
    /// The accepted values of `acr`, with spaces between them (RFC 9470 §3). They need no escaping either.
    pub(super) acr_values: Option<String>,
    /// The greatest time since the sign-in, in seconds (RFC 9470 §3).
    pub(super) max_age: Option<u64>,
    /// The scopes that the route requires. They come from the policy and are scope tokens, so they need no escaping.
    pub(super) scope: Option<String>,
    /// The URL of the resource's metadata (RFC 9728 §5.1), from the policy, without quotes.
    pub(super) resource_metadata: Option<String>,
}

impl Challenge {
    pub(super) fn because(error: &'static str) -> Self {
        Self { error: Some(error), ..Self::default() }
    }

    pub(super) fn proving(error: &'static str) -> Self {
        Self { scheme: Scheme::DPoP, ..Self::because(error) }
    }

    /// The value of the field.
    pub(super) fn value(&self) -> String {
        let parameter = |name: &str, value: &str| format!("{name}=\"{value}\"");
        let parameters = [
            self.error.map(|error| parameter("error", error)),
            self.acr_values.as_ref().map(|values| parameter("acr_values", values)),
            self.max_age.map(|seconds| parameter("max_age", &seconds.to_string())),
            self.scope.as_ref().map(|scope| parameter("scope", scope)),
            (self.scheme == Scheme::DPoP).then(|| parameter("algs", &ALGORITHMS.join(" "))),
            self.resource_metadata.as_ref().map(|url| parameter("resource_metadata", url)),
        ];
        let scheme = match self.scheme {
            Scheme::Bearer => "Bearer",
            Scheme::DPoP => "DPoP",
        };
        let parameters: Vec<String> = parameters.into_iter().flatten().collect();
        if parameters.is_empty() { scheme.to_owned() } else { format!("{scheme} {}", parameters.join(", ")) }
    }
}
