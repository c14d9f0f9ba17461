//! A hint about a valid policy, and what hints say about open routes.

use fastgate::policy::{Access, Route};

/// What a rule in shadow does.
pub(super) const IN_SHADOW: &str = "is in shadow: requests that it would refuse are logged and pass";
/// What to do about it.
pub(super) const SHADOW_REMEDY: &str = "look for \"would-refuse\" in the log, then remove \"shadow\"";

/// A probable mistake, and its remedy.
pub(in crate::cli) struct Lint {
    pub(in crate::cli) at: String,
    pub(in crate::cli) what: String,
    pub(in crate::cli) remedy: &'static str,
}

/// The callers that an open route admits.
pub(super) fn admitted_callers(route: &Route) -> String {
    let places: Vec<_> =
        route.from.iter().filter(|place| !place.shadow).map(|place| format!("\"{}\"", place.name)).collect();
    let closed = route.group.as_ref().filter(|group| group.maintenance.is_some());
    let after = closed.map(|group| format!(", once the group \"{}\" is open again,", group.name)).unwrap_or_default();
    match places.as_slice() {
        [] => format!("every client{after}"),
        _ => format!("every client that {} admits{after}", places.join(" and ")),
    }
}

/// Whether callers without a token may use the route.
pub(super) const fn open(route: &Route) -> bool {
    matches!(route.access, Access::Public | Access::Optional)
}
