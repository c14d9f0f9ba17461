//! The challenge of a refusal, `WWW-Authenticate`: which scheme, what was wrong with what was presented, and where to read
//! what would be right.

use crate::identity::bearer::Scheme;
use crate::identity::dpop::ALGORITHMS;

/// What a client is told about presenting a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Challenge {
    /// The scheme that it is asked to use.
    pub(super) scheme: Scheme,
    /// Absent where no credentials were sent (RFC 6750 §3.1).
    pub(super) error: Option<&'static str>,
    /// The scopes that the route asks for. They come from the policy and are scope tokens: nothing needs escaping.
    pub(super) scope: Option<String>,
    /// Where the resource says which tokens it takes (RFC 9728 §5.1); a URL of the policy, which holds no quotes.
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
