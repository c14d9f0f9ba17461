//! Routes whose identity header may get longer than origins read. The policy does not say how long the claims of a token
//! are, so this is an estimate: lengths from the policy where it has them, and assumed ones for the rest.

use std::collections::BTreeMap;

use fastgate::mint::MAX_IDENTITY_BYTES;
use fastgate::policy::{Access, Forward, Issuer, Origin, Policy, Route};
use serde_json::{Value, json};

use super::hint::Lint;

/// The estimate above which there is a hint, in bytes: seven eighths of the limit.
const NEAR: usize = MAX_IDENTITY_BYTES / 8 * 7;
/// The assumed length of roles, and of groups if they are forwarded, in bytes each.
const NAMES: usize = 1024;
/// The assumed length of a forwarded claim as JSON, in bytes.
const CLAIM: usize = 200;
/// The assumed length of the scopes, in bytes.
const SCOPES: usize = 256;
/// The assumed length of the path, in bytes.
const PATH: usize = 128;
/// The assumed length of subject and client, in bytes each.
const ID: usize = 64;
/// The length of the protected header, the signature and the two dots between the parts, in bytes.
const SEAL: usize = 200;

/// What the identity header of a route is estimated to have.
struct Estimate<'policy> {
    bytes: usize,
    issuer: &'policy str,
    claims: usize,
    groups: bool,
}

/// One hint for the route with the longest header, if that is near the limit or above it.
pub(super) fn header_size(policy: &Policy) -> Option<Lint> {
    let estimates = policy.routes().iter().enumerate().filter_map(|(number, route)| {
        let longest = longest(policy, route).filter(|estimate| estimate.bytes > NEAR)?;
        Some((number, longest))
    });
    let estimates: Vec<(usize, Estimate<'_>)> = estimates.collect();
    let (number, Estimate { bytes, issuer, claims, groups }) = estimates.iter().rev().max_by_key(|(_, it)| it.bytes)?;
    let names = if *groups { format!("roles and groups {NAMES} each") } else { format!("roles {NAMES}") };
    let more = match estimates.len().saturating_sub(1) {
        0 => String::new(),
        1 => " (and 1 more route is near the limit)".to_owned(),
        more => format!(" (and {more} more routes are near the limit)"),
    };
    Some(Lint {
        at: format!("$.routes[{number}]"),
        what: format!(
            "may have an identity header of about {bytes} bytes for a caller of issuer \"{issuer}\", and one of more than \
             {MAX_IDENTITY_BYTES} is refused with 431{more}. Assumed are, in bytes: {names}, {claims} forwarded claims \
             {CLAIM} each, scopes {SCOPES}, the path {PATH}, subject and client {ID} each",
        ),
        remedy: "forward only what the application reads, and let the edge decide by the rest (\"require\")",
    })
}

/// The longest header of the route, over the issuers that it accepts.
fn longest<'policy>(policy: &'policy Policy, route: &Route) -> Option<Estimate<'policy>> {
    let accepted =
        policy.issuers().filter(|issuer| route.access != Access::Public && route.access.accepts(issuer.id.as_str()));
    let origin = route.origin()?;
    accepted.map(|issuer| estimate(policy, route, origin, issuer)).max_by_key(|estimate| estimate.bytes)
}

fn estimate<'policy>(
    policy: &'policy Policy,
    route: &Route,
    origin: &Origin,
    issuer: &'policy Issuer,
) -> Estimate<'policy> {
    let edge = policy.edge();
    let group = route.group.as_ref().map(|group| &group.forward);
    let lists = || Forward::added_up(&edge.forward, &issuer.forward, group, &route.forward);
    // A text of this many bytes in JSON, where the quotes count.
    let text = |bytes: usize| Value::from("x".repeat(bytes.saturating_sub(2)));
    let claims: BTreeMap<&str, Value> =
        lists().flat_map(|list| list.claims.keys()).map(|name| (name.as_str(), text(CLAIM))).collect();
    let groups = lists().any(|list| list.groups);
    let payload = json!({
        "iss": edge.issuer, "req_wl": edge.issuer, "aud": origin.audience.as_str(),
        "iat": 1_000_000_000, "exp": 1_000_000_000, "txn": text(34), "sub": text(ID), "scope": text(SCOPES),
        "tctx": {
            "route": route.id.as_str(), "template": route.template_at_origin().as_str(), "method": "DELETE",
            "host": edge.hosts.first(), "path": text(PATH), "query": text(45)
        },
        "rctx": {
            "iss": issuer.issuer, "client_id": text(ID), "token_exp": 1_000_000_000, "roles": text(NAMES),
            "groups": groups.then(|| text(NAMES)), "tenant": issuer.shape.tenant.as_ref().map(|_| text(38)),
            "claims": claims, "country": "DE"
        }
    });
    // Three bytes are four characters of base64url.
    let bytes = payload.to_string().len().div_ceil(3) * 4 + SEAL;
    Estimate { bytes, issuer: issuer.id.as_str(), claims: claims.len(), groups }
}
