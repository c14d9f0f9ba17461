//! Why a log line cannot be judged again: one of the policies, or the difference between them, depends on facts that
//! the line does not have.

mod regions;

use fastgate::client::Fact;
use fastgate::content::longest_body;
use fastgate::policy::conditions::Condition;
use fastgate::policy::limits::{CounterDocument, KeyPart, Limit};
use fastgate::policy::{Access, Issuer, Policy, Requirement, Route};
use fastgate::request::CanonicalPath;
use fastgate::route::websocket;
use fastgate::time::Seconds;

use super::recorded::{Caller, Line, requires_binding};

/// The two policies that are compared.
pub(super) struct Policies {
    old: Policy,
    new: Policy,
    /// Members of `edge` that apply to every request and that the new policy changes.
    edge: Vec<String>,
}

impl Policies {
    /// `hosts_differ`: whether the new policy does not serve all hosts of the old one.
    pub(super) fn new(old: Policy, new: Policy, hosts_differ: bool) -> Self {
        let edge = hosts_differ.then(|| "edge.hosts".to_owned()).into_iter().collect();
        Self { old, new, edge }
    }

    /// The facts about this request that the policies need and the line does not have; `None` if it has them all.
    pub(super) fn gap(&self, line: &Line) -> Option<String> {
        let gap = of_request(line, &self.old).or_else(|| of_request(line, &self.new)).map(str::to_owned);
        let changed = || {
            let members = [self.edge.clone(), self.token_rules(line), self.route_rules(line)].concat();
            let named =
                format!("the new policy changes {}, and the log does not have enough facts", members.join(", "));
            (!members.is_empty()).then_some(named)
        };
        gap.or_else(changed)
    }

    /// Whether the log has the facts by which both policies assign a region: it has no claims but those of the caller's
    /// identity.
    pub(super) fn knows_region(&self, line: &Line) -> bool {
        regions::is_known(line, &self.old) && regions::is_known(line, &self.new)
    }

    /// Members that check a token by facts that the log does not have, and that the new policy changes.
    fn token_rules(&self, line: &Line) -> Vec<String> {
        let (old, new) = (self.old.edge(), self.new.edge());
        if line.route(&self.new).is_none_or(|route| route.access == Access::Public) {
            return Vec::new();
        }
        let find = |policy: &Policy, id: &str| policy.issuers().find(|issuer| issuer.id == id).cloned();
        let mut members = Vec::new();
        match (line.caller(), &line.issuer) {
            (Caller::Known { issuer: id, .. }, _) => {
                if let (Some(before), Some(after)) = (find(&self.old, id), find(&self.new, id)) {
                    let has_tenant = line.recorded.tenant.is_some();
                    let lost = stricter(&before, &after).filter(|member| !(has_tenant && *member == "tenants"));
                    members.extend(lost.map(|member| format!("issuers.{id}.{member}")));
                }
                members.extend((new.max_token < old.max_token).then(|| "edge.max_token".to_owned()));
                if line.bound(&self.old) != Some(false) && new.proofs != old.proofs {
                    members.push("edge.dpop".to_owned());
                }
            }
            (Caller::WithBadToken(code), Some(id)) => {
                let same = |before: Issuer, after: Issuer| {
                    // The deny-list is not read for a token that is invalid anyway.
                    let deny_list = if code == "token-revoked" { after.deny_list } else { before.deny_list };
                    before == Issuer { deny_list, ..after }
                };
                if !find(&self.old, id).zip(find(&self.new, id)).is_some_and(|(before, after)| same(before, after)) {
                    members.push(format!("issuers.{id}"));
                }
                if code.starts_with("proof-") && new.proofs != old.proofs {
                    members.push("edge.dpop".to_owned());
                }
            }
            (Caller::WithBadToken(code), None) if !code.starts_with("credentials-") => {
                members.extend((!self.old.issuers().eq(self.new.issuers())).then(|| "issuers".to_owned()));
                members.extend((new.max_token != old.max_token).then(|| "edge.max_token".to_owned()));
            }
            _ => {}
        }
        members
    }

    /// Members of the line's route that depend on facts that the log does not have, and that the new policy changes.
    fn route_rules(&self, line: &Line) -> Vec<String> {
        let Some(route) = line.route(&self.new) else { return Vec::new() };
        let mut members = Vec::new();
        if matches!(line.caller(), Caller::Known { .. }) && requires_binding(route) && line.bound(&self.old).is_none() {
            members.push(format!("require_bound of route \"{}\"", route.id));
        }
        if let Caller::Known { issuer: id, .. } = line.caller()
            && let Some(after) = self.new.issuers().find(|issuer| issuer.id == id)
            && let Some(before) = self.old.issuers().find(|issuer| issuer.id == id)
        {
            let was = line.route(&self.old).map_or(&[][..], |route| route.audiences_of(before));
            if narrower(was, route.audiences_of(after)) {
                members.push(format!("the audiences of tokens on route \"{}\"", route.id));
            }
        }
        let before = line.route(&self.old).and_then(longest_body);
        let shorter = longest_body(route).is_some_and(|after| before.is_none_or(|before| after < before));
        // If no field says whether there is a body (HTTP/2), the methods that usually have a body count as having one.
        let sends = matches!(line.method.as_str(), "POST" | "PUT" | "PATCH");
        if shorter && sends && line.recorded.content_length.is_none() {
            members.push(format!("the longest body of route \"{}\"", route.id));
        }
        members
    }
}

/// The members of an issuer by which `new` may refuse a token that `old` accepts, whatever the log says about it.
fn stricter(old: &Issuer, new: &Issuer) -> impl Iterator<Item = &'static str> {
    let (was, is, required_before, required_now) = (&old.shape, &new.shape, &old.rules, &new.rules);
    let spellings = |issuer: &Issuer| [std::slice::from_ref(&issuer.issuer), &issuer.aliases].concat();
    let shorter = |old: Option<Seconds>, new: Option<Seconds>| new.is_some_and(|new| old.is_none_or(|old| new < old));
    let claims_moved = (&was.scopes, &was.roles, &was.groups, &was.client, &was.audience, &was.tenant)
        != (&is.scopes, &is.roles, &is.groups, &is.client, &is.audience, &is.tenant);
    let mut required = required_now.required.iter();
    let required =
        required.any(|(claim, now)| required_before.required.get(claim).is_none_or(|before| narrower(before, now)));
    [
        // Without `jwks_uri`, the discovery document under `issuer` gives the URL of the keys.
        ("issuer", lost(&spellings(old), &spellings(new)) || (new.jwks_uri.is_none() && old.issuer != new.issuer)),
        ("backend", old.backend != new.backend),
        // An empty list accepts only tokens that name no audience.
        ("audiences", lost(&old.audiences, &new.audiences) || old.audiences.is_empty() != new.audiences.is_empty()),
        ("algorithms", lost(&old.algorithms, &new.algorithms)),
        ("tokens", was.tokens != is.tokens),
        ("types", lost(&was.types, &is.types)),
        ("untyped", was.untyped && !is.untyped),
        ("claims", claims_moved),
        ("tenants", narrower(&required_before.tenants, &required_now.tenants)),
        ("max_age", shorter(required_before.max_age, required_now.max_age)),
        ("max_lifetime", shorter(required_before.max_lifetime, required_now.max_lifetime)),
        ("leeway", new.leeway < old.leeway),
        ("required_claims", required),
        ("refused_claims", lost(&required_now.refused, &required_before.refused)),
        // The deny-list was not read when the line was logged.
        ("deny_list", new.deny_list && !old.deny_list),
        ("introspection", old.introspection != new.introspection),
        ("jwks_uri", old.jwks_uri != new.jwks_uri || narrower(&old.key_issuers, &new.key_issuers)),
    ]
    .into_iter()
    .filter_map(|(member, is_stricter)| is_stricter.then_some(member))
}

/// Whether `new` lacks a value that `old` accepts. An empty list accepts any value.
fn narrower<T: PartialEq>(old: &[T], new: &[T]) -> bool {
    !new.is_empty() && (old.is_empty() || lost(old, new))
}

/// Whether `new` lacks an element of `old`.
fn lost<T: PartialEq>(old: &[T], new: &[T]) -> bool {
    !old.iter().all(|element| new.contains(element))
}

/// The facts about this request that `policy` needs and the line does not have.
fn of_request(line: &Line, policy: &Policy) -> Option<&'static str> {
    let path = CanonicalPath::parse(line.recorded.path.as_bytes()).ok()?;
    let allows_preflights = |route: &Route| route.group.as_ref().is_some_and(|group| group.cors.is_some());
    if line.method == "OPTIONS" && policy.routes().iter().any(allows_preflights) {
        return Some("it may be a preflight, which depends on its headers");
    }
    if line.method == "GET" && websocket(policy, &path).is_some() {
        return Some("it may be the opening handshake of a WebSocket, which depends on its headers");
    }
    if let Some(limit) = policy.edge().flood_limit.as_deref() {
        if reads_more(limit) {
            return Some("the flood limit reads a header");
        }
        if is_estimated(limit) {
            return Some("Edge Rate Limiting counts the flood limit, by estimates and penalties");
        }
    }
    let route = line.route(policy)?;
    if route.access != Access::Public {
        match line.caller() {
            Caller::NotRead => return Some("its token was not read when it was logged"),
            Caller::Known { issuer, .. } if !policy.issuers().any(|known| known.id == issuer) => {
                return Some("its issuer has another id, or none, in one of the policies");
            }
            _ => {}
        }
    }
    if !route.accepts.content_types.is_empty() || !route.accepts.required_headers.is_empty() {
        return Some("its route reads headers");
    }
    if route.inference.is_some() {
        return Some("its route is for requests to models, which depends on the body");
    }
    if route.mcp.is_some() {
        return Some("its route is for an MCP server, which depends on the body and the session");
    }
    if route.tests(Fact::Acl) {
        return Some("its route reads an ACL");
    }
    if let Access::Authenticated { all_callers, by_issuer } = &route.access
        && std::iter::once(all_callers).chain(by_issuer.values()).any(reads_claims)
    {
        return Some("its route reads a claim");
    }
    if route.limits.iter().any(|limit| reads_more(limit)) {
        return Some("a limit of its route reads a claim or a header");
    }
    if regions::may_refuse(route, line, policy) {
        return Some("its route chooses the region by a claim, and some regions would refuse it");
    }
    let estimated = route.limits.iter().any(|limit| is_estimated(limit));
    estimated.then_some("Edge Rate Limiting counts a limit of its route, by estimates and penalties")
}

/// Whether the result of `limit` depends on Edge Rate Limiting, whose counts cannot be repeated. A limit in shadow
/// refuses no request.
const fn is_estimated(limit: &Limit) -> bool {
    matches!(limit.counter, CounterDocument::Erl(_)) && !limit.shadow
}

fn reads_more(limit: &Limit) -> bool {
    let by_claim = |part: &KeyPart| matches!(part, KeyPart::Claim(_));
    limit.by.iter().any(by_claim) || limit.cost.header.is_some() || limit.cost.claim.is_some()
}

fn reads_claims(requirement: &Requirement) -> bool {
    fn reads(condition: &Condition) -> bool {
        match condition {
            Condition::All(list) | Condition::Any(list) => list.iter().any(reads),
            Condition::Not(inner) => reads(inner),
            Condition::Rule(_, inner) => reads(inner),
            Condition::Claim(..) => true,
            Condition::Scope(_) | Condition::Role(_) | Condition::Group(_) => false,
        }
    }
    requirement.authentication.is_some() || requirement.condition.as_ref().is_some_and(reads)
}
