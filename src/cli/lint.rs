//! Valid policies that are probably mistakes.

mod absent_claims;
mod audiences;
mod budgets;
mod candidates;
mod countries;
mod exposed;
mod header_size;
mod hint;
mod jurisdictions;
mod odd_issuers;
mod overlap;
mod region_rules;
mod regions;
mod required_claims;
mod resembling;
mod stored;
mod time_limits;
mod useless;

use absent_claims::absences;
use audiences::audiences;
use budgets::odd_budgets;
use exposed::exposed;
use fastgate::gateway::{KEYS_PATH, metadata_paths};
use fastgate::policy::fields::Accepts;
use fastgate::policy::limits::KeyPart;
use fastgate::policy::pattern::Segment;
use fastgate::policy::{Access, MethodName, Policy, Requirement, Route};
use fastgate::request::CanonicalPath;
use header_size::header_size;
use hint::{IN_SHADOW, Lint, SHADOW_REMEDY, admitted_callers, open};
pub(super) use jurisdictions::jurisdictions;
use odd_issuers::odd_issuer;
use region_rules::{region_rules, without_region};
use regions::unreachable;
pub(super) use resembling::resembling;
use stored::stored;
use time_limits::over_time;
use useless::{useless, useless_in_shared};

/// The hints for a valid policy.
pub(super) fn lints(policy: &Policy) -> Vec<Lint> {
    let mut lints: Vec<Lint> = policy.issuers().flat_map(odd_issuer).collect();
    let mut add = |at: String, what: String, remedy| lints.push(Lint { at, what, remedy });
    if let Some(limit) = policy.edge().flood_limit.as_ref().filter(|limit| limit.shadow) {
        add(format!("$.limits.{}", limit.name), IN_SHADOW.to_owned(), SHADOW_REMEDY);
    }
    let metadata: Vec<String> = metadata_paths(policy).collect();
    for (number, route) in policy.routes().iter().enumerate() {
        let at = format!("$.routes[{number}]");
        let metadata = metadata.iter().map(|path| (path.as_str(), "the metadata of what it protects (RFC 9728)"));
        let mut published = [(KEYS_PATH, "its public keys")].into_iter().chain(metadata);
        if let Some((_, document)) = published.find(|(path, _)| is_at(route, path)) {
            let what = format!("is served by the edge itself, for GET and HEAD, with {document}");
            add(format!("{at}.path"), what, "choose another path");
        }
        if open(route) && matches!(route.template.segments(), [Segment::Rest(_)]) {
            let what = format!(
                "lets {} reach every path without another route: there is no default deny",
                admitted_callers(route)
            );
            add(at.clone(), what, "name the paths that are public");
        }
        if route.shadow != Requirement::default() {
            let (what, remedy) = shadowed(route);
            add(format!("{at}.shadow"), what.to_owned(), remedy);
        }
        // `"shadow": true` alone is not a rule.
        if route.accepts.shadow && route.accepts != (Accepts { shadow: true, ..Accepts::default() }) {
            add(format!("{at}.accepts"), IN_SHADOW.to_owned(), SHADOW_REMEDY);
        }
        for limit in &route.limits {
            if route.access == Access::Public {
                let name = &limit.name;
                if limit.by.iter().any(|part| !matches!(part, KeyPart::Network | KeyPart::Route)) {
                    let what = format!("limit \"{name}\" counts callers, but a public route does not identify them");
                    add(format!("{at}.limits"), what, "count by \"network\", or write \"access\": \"optional\"");
                }
                if limit.cost.claim.is_some() {
                    let cost = limit.cost.usual;
                    let what = format!(
                        "limit \"{name}\" takes its cost from a claim, but a public route reads none: each \
                         request costs {cost}"
                    );
                    add(
                        format!("{at}.limits"),
                        what,
                        "name a limit without \"cost_from\", or write \"access\": \"optional\"",
                    );
                }
            }
            if limit.shadow {
                add(format!("$.limits.{}", limit.name), IN_SHADOW.to_owned(), SHADOW_REMEDY);
            }
        }
        for place in route.from.iter().filter(|place| place.shadow) {
            add(format!("$.places.{}", place.name), IN_SHADOW.to_owned(), SHADOW_REMEDY);
        }
    }
    lints.extend(exposed(policy));
    for (number, route) in policy.routes().iter().enumerate() {
        let at = format!("$.routes[{number}]");
        lints.extend(absences(policy, route, &at));
        lints.extend(useless(policy, route, &at));
        lints.extend(stored(route, &at));
        lints.extend([unreachable(route, &at), without_region(route, &at)].into_iter().flatten());
        lints.extend(over_time(route, &at));
    }
    lints.extend(useless_in_shared(policy));
    lints.extend(odd_budgets(policy));
    lints.extend(region_rules(policy));
    lints.extend(audiences(policy));
    lints.extend(header_size(policy));
    let mut known = std::collections::BTreeSet::new();
    lints.retain(|lint| known.insert((lint.at.clone(), lint.what.clone())));
    lints
}

/// Whether the route is for GET on exactly this path, which is encoded.
fn is_at(route: &Route, encoded: &str) -> bool {
    let all_literal = route.template.segments().iter().all(|segment| matches!(segment, Segment::Literal(_)));
    let path = CanonicalPath::of_decoded(route.template.as_str());
    all_literal && route.methods.contains(&MethodName::Get) && path.is_ok_and(|path| path.encoded() == encoded)
}

/// The hint about a shadow requirement, and its remedy.
fn shadowed(route: &Route) -> (&'static str, &'static str) {
    match route.access {
        Access::Public => (
            "tests callers, but a public route does not identify them: each of its requests is logged as \
             \"would-refuse\"",
            "remove it, or write \"access\": \"optional\" to test callers with a token",
        ),
        Access::Optional => (
            IN_SHADOW,
            "look for \"would-refuse\" in the log, then write \"access\": \"authenticated\" and move it to the \
             route itself",
        ),
        Access::Authenticated { .. } => {
            (IN_SHADOW, "look for \"would-refuse\" in the log, then move it to the route itself")
        }
    }
}
