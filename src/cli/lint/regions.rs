//! Routes that no request can reach, because no region that requests are assigned to may serve them.

use fastgate::policy::{Backends, Route};

use super::hint::Lint;

/// A hint if no region that the rules of the origin assign leads to one of the route's.
pub(super) fn unreachable(route: &Route, at: &str) -> Option<Lint> {
    let backends = &route.origin()?.backends;
    let is_reached = route.regions.is_empty() || reached(backends).any(|region| route.regions.contains(region));
    (!is_reached).then(|| Lint {
        at: format!("{at}.regions"),
        what: "names no region that requests are assigned to, nor a fallback of one: each request gets 503".to_owned(),
        remedy: "assign one in \"selection\" of the origin, or name another region",
    })
}

/// The regions that the rules or the default assign, each with those that stand in for it.
pub(super) fn reached(backends: &Backends) -> impl Iterator<Item = &String> {
    let assigned = backends.region_by.iter().flat_map(|rule| rule.regions.values()).chain(&backends.default_region);
    assigned.filter_map(|region| backends.regions.get(region)).flatten()
}
