//! Members that have no effect at a route whose responses are stored.

use fastgate::policy::{Route, SharedFact};

use super::hint::Lint;

/// Claims and groups that the route forwards and that its audience does not have in common.
pub(super) fn stored<'policy>(route: &'policy Route, at: &str) -> impl Iterator<Item = Lint> + 'policy {
    let at = at.to_owned();
    let rule = route.cache.as_deref();
    rule.into_iter().flat_map(move |rule| {
        let claims = route.forward.claims.iter().filter(|(_, path)| !rule.names_claim(path));
        let names = claims.map(|(name, _)| format!("the claim \"{name}\""));
        let lacks_groups = route.forward.groups && !rule.audience.contains(&SharedFact::Groups);
        let groups = lacks_groups.then(|| "the groups".to_owned());
        let at = at.clone();
        names.chain(groups).map(move |what| Lint {
            at: format!("{at}.forward"),
            what: format!(
                "names {what}, which the callers that share a response need not have in common: not forwarded"
            ),
            remedy: "add it to \"audience\" of \"cache\", or remove it from \"forward\"",
        })
    })
}
