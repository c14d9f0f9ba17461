//! Step *match*: finds the route of a request. Input: the [`Target`]. Output: a [`Route`] of the policy. The most
//! specific template that has the method wins; a request without a route is refused. Opening handshakes of WebSockets
//! and other requests have routes of their own, as in ASGI, so a path may have both.

use std::collections::BTreeSet;

use crate::policy::{Captures, Policy, Route};
use crate::request::{CanonicalPath, Target};

/// Why a request has no route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// No template matches the path.
    #[error("no route names this path")]
    NoRoute,
    /// Templates match the path, but none of them has the method.
    #[error("no route names this method here")]
    MethodNotAllowed {
        /// The methods that the matching routes have, in alphabetical order.
        allowed: Vec<&'static str>,
    },
}

impl RouteError {
    /// The code for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoRoute => "no-route",
            Self::MethodNotAllowed { .. } => "method-not-allowed",
        }
    }
}

/// Finds the route of `target`. For an opening handshake this is the most specific WebSocket; if there is none, the
/// handshake is an ordinary GET, whose `Upgrade` is ignored (RFC 9110 §7.8).
///
/// # Errors
/// A [`RouteError`] if no route has both the path and the method.
pub fn find<'policy>(policy: &'policy Policy, target: &Target) -> Result<&'policy Route, RouteError> {
    let socket = if target.opens_websocket() { websocket(policy, target.path()) } else { None };
    match socket {
        Some(route) => Ok(route),
        None => find_for(policy, target.path(), target.method()),
    }
}

/// Finds the WebSocket route of `path`; `None` if there is none.
#[must_use]
pub fn websocket<'policy>(policy: &'policy Policy, path: &CanonicalPath) -> Option<&'policy Route> {
    let segments: Vec<_> = path.segments().collect();
    let mut found = None;
    policy.visit_routes(&segments, |route| {
        found = Some(route).filter(|route| route.websocket);
        found.is_some()
    });
    found
}

/// Finds the route of `path` and `method` for a request that is not an opening handshake. If only a WebSocket has both,
/// it is the route, so that the response says that an upgrade is required.
///
/// # Errors
/// As [`find`].
pub fn find_for<'policy>(
    policy: &'policy Policy,
    path: &CanonicalPath,
    method: &str,
) -> Result<&'policy Route, RouteError> {
    let segments: Vec<_> = path.segments().collect();
    let (mut found, mut socket) = (None, None);
    let mut allowed = BTreeSet::new();
    policy.visit_routes(&segments, |route| {
        allowed.extend(route.methods.iter().map(|method| method.as_str()));
        let named = route.methods.iter().any(|allowed| allowed.as_str() == method);
        if named {
            let place = if route.websocket { &mut socket } else { &mut found };
            place.get_or_insert(route);
        }
        found.is_some()
    });
    match found.or(socket) {
        Some(route) => Ok(route),
        None if allowed.is_empty() => Err(RouteError::NoRoute),
        None => Err(RouteError::MethodNotAllowed { allowed: allowed.into_iter().collect() }),
    }
}

/// The values of the parameters in the template of `route`, taken from `target`, which it matches.
#[must_use]
pub fn captures(route: &Route, target: &Target) -> Captures {
    let segments: Vec<_> = target.path().segments().collect();
    route.template.captures(&segments).unwrap_or_default()
}
