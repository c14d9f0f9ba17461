//! Step 5, *authorize*: may this caller do this? A [`Permit`] is the evidence that the route's rules were asked and said
//! yes; without one nothing can be minted.

use crate::identity::Caller;
use crate::policy::{Access, Route};

/// The evidence that `caller` may use `route`. Only [`authorize`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit<'policy> {
    route: &'policy Route,
    caller: Caller,
}

impl<'policy> Permit<'policy> {
    /// The route that may be used.
    #[must_use]
    pub const fn route(&self) -> &'policy Route {
        self.route
    }

    /// Who may use it.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }
}

/// Why a caller may not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizeError {
    /// The route is not public and nobody was identified.
    #[error("the route is not public and the caller is unknown")]
    Unidentified,
    /// The token lacks scopes that the route asks for (RFC 6750 §3.1).
    #[error("the token lacks the scopes {missing:?}")]
    InsufficientScope {
        /// All scopes that the route asks for.
        required: Vec<String>,
        /// Those that the token lacks.
        missing: Vec<String>,
    },
}

/// Asks the route's rules.
///
/// # Errors
/// An [`AuthorizeError`] that names what is missing.
pub fn authorize(route: &Route, caller: Caller) -> Result<Permit<'_>, AuthorizeError> {
    if let Access::Authenticated { scopes } = &route.access {
        let Caller::Known(identity) = &caller else {
            return Err(AuthorizeError::Unidentified);
        };
        let missing: Vec<String> = scopes.iter().filter(|scope| !identity.scopes().contains(scope)).cloned().collect();
        if !missing.is_empty() {
            return Err(AuthorizeError::InsufficientScope { required: scopes.clone(), missing });
        }
    }
    Ok(Permit { route, caller })
}
