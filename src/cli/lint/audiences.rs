//! Audiences of tokens that no issuer accepts, resources that are no audience, and issuers whose tokens for one
//! application are accepted at another.

use std::collections::BTreeSet;

use fastgate::policy::{Access, Issuer, Policy, Route};

use super::hint::Lint;

/// The hints about `token_audiences` and the resources of origins.
pub(super) fn audiences(policy: &Policy) -> impl Iterator<Item = Lint> {
    let own = policy.issuers().filter_map(wildcard);
    own.chain(unknown(policy)).chain(unnamed(policy)).chain(shared(policy)).chain(resources(policy))
}

/// A list that looks as if it accepted every audience.
fn wildcard(issuer: &Issuer) -> Option<Lint> {
    let audience = issuer.audiences.iter().find(|audience| ["none", "any", "*"].contains(&audience.as_str()))?;
    Some(Lint {
        at: format!("$.issuers.{}.audiences", issuer.id),
        what: format!("lists \"{audience}\", an audience like any other: a token must name exactly it"),
        remedy: "list the audiences; for tokens without any write \"audiences\": \"none\", not a list",
    })
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
        let unrestricted = reached.filter(|route| route.audiences_of(issuer).is_empty());
        let origins: BTreeSet<&str> =
            unrestricted.filter_map(Route::origin).map(|origin| origin.audience.as_str()).collect();
        (origins.len() > 1).then(|| Lint {
            at: format!("$.issuers.{}.audiences", issuer.id),
            what: format!(
                "are accepted at {} origins alike: a token for one application can be used at another",
                origins.len()
            ),
            remedy: "write \"token_audiences\" or \"resource\" at the origins, or \"token_audiences\" at routes",
        })
    })
}

/// Resources of origins that no token has to name, and those that are not at the path of the application.
fn resources(policy: &Policy) -> impl Iterator<Item = Lint> {
    let with_resource = policy.named_origins().filter_map(|(name, origin)| Some((name, origin.resource.as_ref()?)));
    with_resource.flat_map(|(name, resource)| {
        let routes: Vec<&Route> =
            policy.routes().iter().filter(|route| route.resource() == Some(resource.as_str())).collect();
        let accepts =
            |route: &Route, issuer: &Issuer| route.access != Access::Public && route.access.accepts(issuer.id.as_str());
        // Tokens without audiences have a hint of their own.
        let mut naming = policy.issuers().filter(|issuer| !issuer.audiences.is_empty());
        let lacks = |issuer: &&Issuer| {
            routes.iter().any(|route| accepts(route, issuer) && route.audiences_of(issuer).is_empty())
        };
        let unchecked = naming.find(lacks).map(|issuer| {
            let what =
                format!("is an audience that the issuer \"{}\" does not list: its tokens need not name it", issuer.id);
            let remedy = "add it to \"audiences\" of the issuer; if tokens for this application name another audience, \
                          write that one as \"token_audiences\"";
            (what, remedy)
        });
        let is_elsewhere = !routes.is_empty() && !routes.iter().any(|route| is_near(resource.as_str(), route));
        let elsewhere = is_elsewhere.then(|| {
            let what = "has a path at which the origin has no route: clients compare it with the URL that they request";
            (what.to_owned(), "write the URL of the application as clients request it")
        });
        let at = format!("$.origins.{name}.resource");
        let hints = unchecked.into_iter().chain(elsewhere);
        hints.map(move |(what, remedy)| Lint { at: at.clone(), what, remedy })
    })
}

/// Whether the route may be at or below the path of this resource.
fn is_near(resource: &str, route: &Route) -> bool {
    let path = resource.splitn(4, '/').nth(3).unwrap_or_default().trim_end_matches('/');
    let template = route.template.as_str().trim_start_matches('/');
    let (literal, has_parameter) = template.split_once('{').map_or((template, false), |(literal, _)| (literal, true));
    let below =
        literal.strip_prefix(path).is_some_and(|rest| path.is_empty() || rest.is_empty() || rest.starts_with('/'));
    below || (has_parameter && path.starts_with(literal))
}
