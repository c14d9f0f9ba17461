//! Regions that a log line cannot tell, because a rule reads a claim that the line does not have.

use fastgate::client::Continent;
use fastgate::policy::{Access, ClaimPath, Policy, RegionFact, Route};

use super::super::recorded::{Caller, Line};

/// The regions that the rules of a policy may assign to the request of a line; `None` among them stands for no region.
struct Possible<'policy> {
    regions: Vec<Option<&'policy String>>,
    /// Whether a claim decides that the line does not have.
    by_unknown_claim: bool,
}

/// Whether the line has the facts by which `policy` assigns its request to a region.
pub(super) fn is_known(line: &Line, policy: &Policy) -> bool {
    line.route(policy).is_none_or(|route| !possible(route, line, policy).by_unknown_claim)
}

/// Whether the verdict depends on a claim that the line does not have, because the request would be refused in some of the
/// regions to which the rules may assign it, or without a region.
pub(super) fn may_refuse(route: &Route, line: &Line, policy: &Policy) -> bool {
    let Some(backends) = route.origin().map(|origin| &origin.backends) else { return false };
    let Possible { regions, by_unknown_claim } = possible(route, line, policy);
    // A region of which no backend may serve the route has another refusal than no region.
    let verdict = |region: Option<&String>| {
        let chain = region.map(|region| backends.regions.get(region).map(Vec::as_slice).unwrap_or_default());
        chain.map(|chain| route.regions.is_empty() || chain.iter().any(|name| route.regions.contains(name)))
    };
    let mut verdicts = regions.into_iter().map(verdict);
    let first = verdicts.next();
    by_unknown_claim && verdicts.any(|verdict| Some(verdict) != first)
}

fn possible<'policy>(route: &'policy Route, line: &Line, policy: &Policy) -> Possible<'policy> {
    let mut possible = Possible { regions: Vec::new(), by_unknown_claim: false };
    let Some(origin) = route.origin() else { return possible };
    let caller = match line.caller() {
        Caller::Known { subject, issuer } if route.access != Access::Public => Some((subject, issuer)),
        _ => None,
    };
    let (client, tenant) = (&line.recorded.client, line.recorded.tenant.as_deref());
    for rule in &origin.backends.region_by {
        let value = match (&rule.by, caller) {
            (RegionFact::Country, _) => client.country.as_deref(),
            (RegionFact::Continent, _) => client.continent.map(Continent::as_str),
            (RegionFact::Tenant, Some(_)) => tenant,
            (RegionFact::Claim(path), Some((subject, _))) if path.steps().eq(["sub"]) => Some(subject),
            (RegionFact::Claim(path), Some((_, issuer))) if tenant.is_some() && is_tenant(path, issuer, policy) => {
                tenant
            }
            (RegionFact::Claim(_), Some(_)) => {
                possible.regions.extend(rule.regions.values().map(Some));
                possible.by_unknown_claim = true;
                None
            }
            (RegionFact::Tenant | RegionFact::Claim(_), None) => None,
        };
        if let Some(region) = value.and_then(|value| rule.regions.get(value)) {
            possible.regions.push(Some(region));
            return possible;
        }
    }
    possible.regions.push(origin.backends.default_region.as_ref());
    possible
}

/// Whether the tenant of the issuer's tokens is in this claim.
fn is_tenant(path: &ClaimPath, issuer: &str, policy: &Policy) -> bool {
    policy.issuers().any(|known| known.id == issuer && known.shape.tenant.as_ref() == Some(path))
}
