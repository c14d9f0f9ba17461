//! Audiences of tokens that no issuer accepts, and issuers whose tokens for one application are accepted at another.

use std::collections::BTreeSet;

use fastgate::policy::Policy;

use super::hint::Lint;

/// The hints about `token_audiences`.
pub(super) fn audiences(policy: &Policy) -> impl Iterator<Item = Lint> {
    unknown(policy).chain(unnamed(policy)).chain(shared(policy))
}

/// Routes whose list no token of an accepted issuer meets, because its tokens name no audience.
fn unnamed(policy: &Policy) -> impl Iterator<Item = Lint> {
    let restricted = policy.routes().iter().enumerate().filter(|(_, route)| !route.token_audiences.is_empty());
    restricted.flat_map(|(number, route)| {
        let accepted = policy.issuers().filter(|issuer| route.access.accepts(issuer.id.as_str()));
        accepted.filter(|issuer| issuer.audiences.is_empty()).map(move |issuer| Lint {
            at: format!("$.routes[{number}]"),
            what: format!(
                "accepts tokens by their audience, but tokens of the issuer \"{}\" name none: all are refused",
                issuer.id
            ),
            remedy: "name the other issuers in \"issuers\" of the route, or leave \"token_audiences\" out",
        })
    })
}

/// Routes whose list has an audience that no issuer accepts: no token meets both.
fn unknown(policy: &Policy) -> impl Iterator<Item = Lint> {
    policy.routes().iter().enumerate().filter_map(|(number, route)| {
        let is_accepted = |name: &str| policy.issuers().any(|issuer| issuer.audiences.iter().any(|known| *known == name));
        let unknown = route.token_audiences.iter().find(|name| !is_accepted(name.as_str()))?;
        Some(Lint {
            at: format!("$.routes[{number}]"),
            what: format!("accepts tokens for \"{unknown}\", but no issuer accepts this audience"),
            remedy: "add it to the \"audiences\" of an issuer, or correct \"token_audiences\" of the route or its origin",
        })
    })
}

/// Issuers with several audiences whose tokens reach several origins, whatever audience they name.
fn shared(policy: &Policy) -> impl Iterator<Item = Lint> {
    policy.issuers().filter(|issuer| issuer.audiences.len() > 1).filter_map(|issuer| {
        let reached = policy.routes().iter().filter(|route| route.access.accepts(issuer.id.as_str()));
        let unrestricted = reached.filter(|route| route.token_audiences.is_empty());
        let origins: BTreeSet<&str> = unrestricted.map(|route| route.origin.audience.as_str()).collect();
        (origins.len() > 1).then(|| Lint {
            at: format!("$.issuers.{}.audiences", issuer.id),
            what: format!(
                "are accepted at {} origins alike: a token for one application can be used at another",
                origins.len()
            ),
            remedy: "write \"token_audiences\" at the origins, or at routes",
        })
    })
}
