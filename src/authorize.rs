//! Step *authorize*: may this caller use the route? Input: the [`Admitted`] route and the caller. Output: a [`Permit`],
//! the evidence that the route's requirements are met.

mod authentication;
mod conditions;

use authentication::is_met;

use crate::identity::{Caller, Identity};
use crate::place::Admitted;
use crate::policy::conditions::Condition;
use crate::policy::{Access, Authentication, Captures, Requirement, Route};
use crate::time::UnixTime;

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

    /// The caller who may use it.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }
}

/// Why a caller may not use a route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizeError {
    /// The route is not public and the caller is anonymous.
    #[error("the route is not public and the caller is unknown")]
    Unidentified,
    /// The route requires a token that is bound to a key, and this token is not.
    #[error("the route requires a bound token and this one is not bound")]
    Unbound,
    /// The route does not accept tokens of this issuer.
    #[error("the route does not accept tokens of issuer \"{issuer}\"")]
    IssuerNotAccepted {
        /// The policy's id of the issuer.
        issuer: String,
    },
    /// The token lacks scopes that the route requires (RFC 6750 §3.1).
    #[error("the token lacks the scopes {missing:?}")]
    InsufficientScope {
        /// All scopes that the route requires.
        required: Vec<String>,
        /// Those that the token lacks.
        missing: Vec<String>,
    },
    /// The caller has not signed in as, or as recently as, the route requires (RFC 9470).
    #[error("the caller has not signed in as the route requires: {0}")]
    AuthenticationInsufficient(Authentication),
    /// A condition of the route is not met.
    #[error("the caller does not meet: {unmet}")]
    ConditionUnmet {
        /// The part of the condition that decided, in the policy's terms.
        unmet: String,
    },
}

impl AuthorizeError {
    /// The code for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unidentified => "unidentified",
            Self::Unbound => "token-unbound",
            Self::IssuerNotAccepted { .. } => "issuer-not-accepted",
            Self::InsufficientScope { .. } => "insufficient-scope",
            Self::AuthenticationInsufficient(_) => "authentication-insufficient",
            Self::ConditionUnmet { .. } => "condition-unmet",
        }
    }
}

/// Checks the caller against the route's requirements.
///
/// # Errors
/// An [`AuthorizeError`] that names what is missing.
pub fn authorize<'policy>(
    admitted: Admitted<'policy>,
    caller: Caller,
    captures: &Captures,
    now: UnixTime,
) -> Result<Permit<'policy>, AuthorizeError> {
    let route = admitted.route();
    if let Access::Authenticated { all_callers, by_issuer } = &route.access {
        let Caller::Known(identity) = &caller else {
            return Err(AuthorizeError::Unidentified);
        };
        if route.require_bound && identity.binding().is_none() {
            return Err(AuthorizeError::Unbound);
        }
        if !route.access.accepts(identity.issuer_id()) {
            return Err(AuthorizeError::IssuerNotAccepted { issuer: identity.issuer_id().to_owned() });
        }
        for requirement in std::iter::once(all_callers).chain(by_issuer.get(identity.issuer_id())) {
            check(requirement, identity, captures, now)?;
        }
    }
    Ok(Permit { route, caller })
}

/// Checks the caller against a condition on what it asks for, in addition to the route's requirements. An anonymous caller
/// meets none.
///
/// # Errors
/// The part of the condition that is not met, in the policy's terms.
pub fn meets(caller: &Caller, condition: &Condition, captures: &Captures) -> Result<(), String> {
    match caller {
        Caller::Known(identity) => conditions::unmet(condition, identity, captures).map_or(Ok(()), Err),
        Caller::Anonymous => Err("the caller is unknown".to_owned()),
    }
}

/// Checks the route's shadow requirement, which refuses no caller.
///
/// # Errors
/// The [`AuthorizeError`] that the requirement would give if it were not in shadow.
pub fn check_shadow(permit: &Permit<'_>, captures: &Captures, now: UnixTime) -> Result<(), AuthorizeError> {
    let route = permit.route;
    match &permit.caller {
        _ if route.shadow == Requirement::default() => Ok(()),
        Caller::Known(identity) => check(&route.shadow, identity, captures, now),
        Caller::Anonymous => Err(AuthorizeError::Unidentified),
    }
}

/// The sign-in comes last: a caller who may not use the route in any case is not asked to sign in again.
fn check(
    requirement: &Requirement,
    identity: &Identity,
    captures: &Captures,
    now: UnixTime,
) -> Result<(), AuthorizeError> {
    let Requirement { scopes, condition, authentication } = requirement;
    let missing: Vec<String> = scopes.iter().filter(|scope| !identity.scopes().contains(scope)).cloned().collect();
    if !missing.is_empty() {
        return Err(AuthorizeError::InsufficientScope { required: scopes.clone(), missing });
    }
    if let Some(unmet) = condition.as_ref().and_then(|condition| conditions::unmet(condition, identity, captures)) {
        return Err(AuthorizeError::ConditionUnmet { unmet });
    }
    match authentication.as_ref().filter(|required| !is_met(required, identity, now)) {
        Some(required) => Err(AuthorizeError::AuthenticationInsufficient(required.clone())),
        None => Ok(()),
    }
}
