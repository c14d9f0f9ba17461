//! What the origin learns of the caller's token besides subject, client and scopes: members of `rctx`. Input: the
//! [`Identity`], and the [`Forward`] lists of edge, issuer, group and route, which add up. Output: [`Forwarded`].

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::error::MintError;
use crate::identity::Identity;
use crate::policy::{CacheRule, Edge, Forward, Route, SharedFact};
use crate::time::UnixTime;

/// The deepest nesting of a forwarded claim.
const MAX_DEPTH: usize = 32;
/// The least number that may have lost digits when it was read: above it, not every integer is a binary64 (RFC 8259 §6).
const FIRST_INEXACT: f64 = 9_007_199_254_740_992.0; // 2^53

/// What the origin learns of the caller's token; nothing for an anonymous caller.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Forwarded<'request> {
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    roles: &'request [String],
    /// Absent unless the route forwards groups; then present, even if the caller has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<&'request [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'request str>,
    /// The forwarded claims by the name that the application uses. `null` stands for a claim that the token lacks, so the
    /// application can tell it from a claim that is not forwarded.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    claims: BTreeMap<Cow<'request, str>, &'request Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<UnixTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'request str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'request str>,
}

/// The value that stands for a claim that the token lacks.
static ABSENT: Value = Value::Null;

impl<'request> Forwarded<'request> {
    /// What the origin of `route` learns of `identity`; if the response is `shared`, only what its audience has in common.
    ///
    /// # Errors
    /// [`MintError::ClaimNotForwardable`] if a forwarded claim could not arrive unchanged.
    pub(super) fn of(
        identity: &'request Identity,
        edge: &'request Edge,
        route: &'request Route,
        shared: Option<&'request CacheRule>,
    ) -> Result<Self, MintError> {
        let has = |fact: &SharedFact| shared.is_none_or(|rule| rule.audience.contains(fact));
        let group = route.group.as_ref().map(|group| &group.forward);
        let mut lists = Forward::added_up(&edge.forward, identity.forward(), group, &route.forward);
        let mut claims = BTreeMap::new();
        let listed = lists.clone().flat_map(|list| &list.claims).map(|(name, path)| (Cow::from(name), path));
        let listed = listed.filter(|(_, path)| shared.is_none_or(|rule| rule.names_claim(path)));
        let of_audience = shared.into_iter().flat_map(CacheRule::claims).map(|path| (path.name_in_app(), path));
        for (name, path) in of_audience.chain(listed) {
            let claim = identity.claim(path).unwrap_or(&ABSENT);
            if !is_faithful(claim, MAX_DEPTH) {
                return Err(MintError::ClaimNotForwardable { claim: name.into_owned() });
            }
            claims.insert(name, claim);
        }
        Ok(Self {
            roles: if has(&SharedFact::Roles) { identity.roles() } else { &[] },
            groups: match shared {
                None => lists.any(|list| list.groups),
                Some(_) => has(&SharedFact::Groups),
            }
            .then(|| identity.groups()),
            tenant: identity.tenant().filter(|_| has(&SharedFact::Tenant)),
            claims,
            auth_time: identity.authenticated().filter(|_| shared.is_none()),
            acr: identity.acr().filter(|_| shared.is_none()),
            sid: identity.session().filter(|_| shared.is_none()),
        })
    }

    /// The longest part, as the policy names it, and its length in bytes.
    pub(super) fn longest(&self) -> (&str, usize) {
        fn length(part: &impl Serialize) -> usize {
            serde_json::to_vec(part).map_or(0, |json| json.len())
        }
        let groups = self.groups.map_or(0, |groups| length(&groups));
        let texts = [("tenant", self.tenant), ("acr", self.acr), ("sid", self.sid)];
        let texts = texts.map(|(name, text)| (name, text.map_or(0, |text| length(&text))));
        let claims = self.claims.iter().map(|(name, claim)| (name.as_ref(), length(claim)));
        [("roles", length(&self.roles)), ("groups", groups)]
            .into_iter()
            .chain(texts)
            .chain(claims)
            .max_by_key(|(_, length)| *length)
            .unwrap_or_default()
    }
}

/// Whether a parser of JSON reads this claim as the edge did: numbers keep their digits, and it is at most `depth` deep.
fn is_faithful(claim: &Value, depth: usize) -> bool {
    match claim {
        Value::Null | Value::Bool(_) | Value::String(_) => true,
        Value::Number(number) => {
            // Without a fraction, minus zero is an integer to one parser and a float to another.
            let is_exact = |float: f64| float.abs() < FIRST_INEXACT && !(float == 0.0 && float.is_sign_negative());
            number.is_i64() || number.is_u64() || number.as_f64().is_some_and(is_exact)
        }
        Value::Array(_) | Value::Object(_) if depth == 0 => false,
        Value::Array(elements) => elements.iter().all(|element| is_faithful(element, depth - 1)),
        Value::Object(members) => members.values().all(|member| is_faithful(member, depth - 1)),
    }
}
