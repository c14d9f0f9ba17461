//! Rules of `region_by` that no request meets, regions that no request gets, and routes whose requests get no region.

use std::collections::BTreeSet;

use fastgate::policy::{Access, Backends, Policy, RegionFact, Route};

use super::countries::{correction, is_assigned};
use super::hint::Lint;
use super::regions::reached;

/// The hints about the rules and regions of every origin.
pub(super) fn region_rules(policy: &Policy) -> Vec<Lint> {
    let has_tenants = policy.issuers().any(|issuer| issuer.shape.tenant.is_some());
    let mut found = Vec::new();
    for (name, origin) in policy.named_origins() {
        let at = format!("$.origins.{name}");
        let backends = &origin.backends;
        if !has_tenants {
            found.extend(of_tenants(backends, &at));
        }
        found.extend(of_no_country(backends, &at));
        found.extend(after_place(backends, &at));
        found.extend(unassigned(backends, &at));
    }
    found
}

/// A hint if a request without a caller can get no region: all rules read the token, and there is no default.
pub(super) fn without_region(route: &Route, at: &str) -> Option<Lint> {
    let backends = &route.origin()?.backends;
    let needs_token = |fact: &RegionFact| matches!(fact, RegionFact::Tenant | RegionFact::Claim(_));
    let all_need_token = backends.region_by.iter().all(|rule| needs_token(&rule.by));
    if backends.regions.is_empty() || backends.default_region.is_some() || !all_need_token {
        return None;
    }
    let (whose, remedy) = match route.access {
        Access::Public => (
            "each request",
            "add \"default_region\", or a rule by \"country\" or \"continent\", to \"selection\" of the origin",
        ),
        Access::Optional => (
            "each request without a token",
            "add \"default_region\", or a rule by \"country\" or \"continent\", to \"selection\" of the origin; or write \
             \"access\": \"authenticated\"",
        ),
        Access::Authenticated { .. } => return None,
    };
    Some(Lint {
        at: format!("{at}.access"),
        what: format!(
            "admits clients without a token, but \"region_by\" of the origin \"{}\" reads only tokens: {whose} to route \
             \"{}\" gets 503 (no-region)",
            backends.origin, route.id
        ),
        remedy,
    })
}

/// The rules that read the tenant, if no issuer has one.
fn of_tenants(backends: &Backends, at: &str) -> Vec<Lint> {
    let rules = backends.region_by.iter().enumerate();
    rules
        .filter(|(_, rule)| rule.by == RegionFact::Tenant)
        .map(|(index, _)| Lint {
            at: format!("{at}.selection.region_by[{index}].by"),
            what: "reads the tenant, but no issuer names a claim for it: the rule never decides".to_owned(),
            remedy: "add \"claims\": { \"tenant\": \"<claim>\" } to the issuer, or read a claim: \"by\": { \"claim\": \"<claim>\" }",
        })
        .collect()
}

/// The rules that read the token after the place of the client, which decides for nearly every request.
fn after_place(backends: &Backends, at: &str) -> Vec<Lint> {
    let is_of_place = |fact: &RegionFact| matches!(fact, RegionFact::Country | RegionFact::Continent);
    let rules = backends.region_by.iter().enumerate().skip_while(|(_, rule)| !is_of_place(&rule.by));
    rules
        .filter(|(_, rule)| !is_of_place(&rule.by))
        .map(|(index, _)| Lint {
            at: format!("{at}.selection.region_by[{index}]"),
            what:
                "reads the token, but the place of the client decides before: a caller gets another region on a journey"
                    .to_owned(),
            remedy: "put the rules that read the token first, or remove this one if the place is to decide",
        })
        .collect()
}

/// The codes that no country has.
fn of_no_country(backends: &Backends, at: &str) -> Vec<Lint> {
    let rules = backends.region_by.iter().enumerate().filter(|(_, rule)| rule.by == RegionFact::Country);
    let codes = rules.flat_map(|(index, rule)| rule.regions.keys().map(move |code| (index, code)));
    codes
        .filter(|(_, code)| !is_assigned(code))
        .map(|(index, code)| Lint {
            at: format!("{at}.selection.region_by[{index}].regions.{code}"),
            what: format!("applies to no client: ISO 3166-1 assigns no country \"{code}\""),
            remedy: correction(code),
        })
        .collect()
}

/// The regions that neither a rule nor the default assigns, and that stand in for none of those.
fn unassigned(backends: &Backends, at: &str) -> Vec<Lint> {
    let reached: BTreeSet<_> = reached(backends).collect();
    let regions = backends.regions.keys().filter(|region| !reached.contains(region));
    regions
        .map(|region| Lint {
            at: format!("{at}.regions.{region}"),
            what: "is assigned to no request, and stands in for no region that is: its backends receive none".to_owned(),
            remedy: "name it in \"region_by\", as \"default_region\" or as a \"fallback\", or remove it and its backends",
        })
        .collect()
}
