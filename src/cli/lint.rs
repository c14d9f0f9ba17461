//! What is valid in a policy and yet hardly meant.

mod absence;
mod countries;
mod exposed;
mod overlap;
mod useless;

use absence::absences;
use exposed::exposed;
use fastgate::gateway::KEYS_PATH;
use fastgate::policy::pattern::Segment;
use fastgate::policy::{Access, Issuer, Policy, PresetName, Requirement, Route};
use useless::useless;

/// One thing that is hardly meant, and what to do about it.
pub(super) struct Lint {
    pub(super) at: String,
    pub(super) what: String,
    pub(super) remedy: &'static str,
}

/// Looks a valid policy over.
pub(super) fn lints(policy: &Policy) -> Vec<Lint> {
    let mut lints = Vec::new();
    let mut add = |at: String, what: String, remedy| lints.push(Lint { at, what, remedy });
    for issuer in policy.issuers() {
        let at = format!("$.issuers.{}", issuer.id);
        if issuer.issuer.starts_with("http:") {
            add(format!("{at}.issuer"), "is http, which only this machine can reach".to_owned(), "use https elsewhere");
        }
        if is_auth0(issuer) && !issuer.issuer.ends_with('/') {
            let what = "has no slash at its end, and `iss` of Auth0's tokens has: every token is refused".to_owned();
            add(
                format!("{at}.issuer"),
                what,
                "write \"https://<tenant>.auth0.com/\", or your own domain, with the slash",
            );
        }
        if issuer.leeway > 60 {
            let what = format!("lets tokens live {} seconds longer than their issuer says", issuer.leeway);
            add(format!("{at}.leeway"), what, "keep the provider's clock right and write 60 or less");
        }
    }
    for (number, route) in policy.routes().iter().enumerate() {
        let at = format!("$.routes[{number}]");
        if route.template.as_str() == KEYS_PATH {
            let what = "is answered by the edge itself with its public keys".to_owned();
            add(format!("{at}.path"), what, "choose another path");
        }
        if open(route) && matches!(route.template.segments(), [Segment::Rest(_)]) {
            let what = "lets everybody reach whatever no other route names: there is no default deny".to_owned();
            add(at.clone(), what, "name the paths that are public");
        }
        for (place, what) in absences(policy, route) {
            let remedy =
                "ask for a role or group that every caller has besides, or refuse by a claim that is always there";
            add(format!("{at}{place}"), what, remedy);
        }
        if route.trial != Requirement::default() {
            add(
                format!("{at}.trial"),
                TRIED.to_owned(),
                "look for \"would-refuse\" in the log, then move it to the route itself",
            );
        }
        if route.accepts.shadow {
            add(format!("{at}.accepts"), TRIED.to_owned(), TRIED_REMEDY);
        }
        for limit in &route.limits {
            if !limit.needs_no_caller() && open(route) && route.access == Access::Public {
                let what = format!("limit \"{}\" counts callers, whom a public route does not know", limit.name);
                add(format!("{at}.limits"), what, "count by \"network\", or write \"access\": \"optional\"");
            }
            if limit.shadow {
                add(format!("$.limits.{}", limit.name), TRIED.to_owned(), TRIED_REMEDY);
            }
        }
        for place in route.from.iter().filter(|place| place.shadow) {
            add(format!("$.places.{}", place.name), TRIED.to_owned(), TRIED_REMEDY);
        }
    }
    lints.extend(exposed(policy));
    for (number, route) in policy.routes().iter().enumerate() {
        lints.extend(useless(policy, route, &format!("$.routes[{number}]")));
    }
    let mut known = std::collections::BTreeSet::new();
    lints.retain(|lint| known.insert((lint.at.clone(), lint.what.clone())));
    lints
}

/// By its preset, or by its host where the policy names none.
fn is_auth0(issuer: &Issuer) -> bool {
    let host = issuer.issuer.split('/').nth(2).unwrap_or_default();
    issuer.preset == Some(PresetName::Auth0) || (issuer.preset.is_none() && host.ends_with(".auth0.com"))
}

const TRIED: &str = "is only tried: what it would refuse passes";
const TRIED_REMEDY: &str = "look for \"would-refuse\" in the log, then take \"shadow\" away";

const fn open(route: &Route) -> bool {
    matches!(route.access, Access::Public | Access::Optional)
}
