//! Log lines as requests that can be judged again, or the reason why one cannot.

use fastgate::identity::rehearsal::put;
use fastgate::policy::conditions::Condition;
use fastgate::policy::limits::KeyPart;
use fastgate::policy::{Access, Policy, Requirement, Route};
use fastgate::request::CanonicalPath;
use fastgate::route::{find_for, websocket};
use fastgate::surroundings::Fact;
use fastgate::time::UnixTime;
use fastgate::trail::Replay;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::desk::Case;

/// What is read of a log line.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Line {
    pub(super) time: UnixTime,
    pub(super) request_id: String,
    pub(super) method: String,
    verdict: String,
    #[serde(default)]
    ignored: Option<String>,
    #[serde(default)]
    subject: Option<String>,
    #[serde(default)]
    issuer: Option<String>,
    pub(super) replay: Replay,
}

/// Who called, as far as the line says.
enum Caller<'line> {
    Known { subject: &'line str, issuer: &'line str },
    WithoutToken,
    WithBadToken,
    NotLookedAt,
}

impl Line {
    fn caller(&self) -> Caller<'_> {
        if let (Some(subject), Some(issuer)) = (&self.subject, &self.issuer) {
            return Caller::Known { subject, issuer };
        }
        match self.ignored.as_ref().unwrap_or(&self.verdict).as_str() {
            "credentials-missing" => Caller::WithoutToken,
            code if code.starts_with("credentials-") || code.starts_with("token-") => Caller::WithBadToken,
            _ => Caller::NotLookedAt,
        }
    }

    /// The request, for the desk; `policy` says where its issuers keep roles and groups.
    pub(super) fn case(&self, policy: &Policy) -> Case {
        let Replay { path, query, content_length, client, surroundings, .. } = &self.replay;
        let target = if *query > 0 { format!("{path}?{}", "x".repeat(*query)) } else { path.clone() };
        let length = content_length.map(|length| ("content-length".to_owned(), length.to_string()));
        let mut case = Case {
            method: Some(self.method.clone()),
            target,
            headers: length.into_iter().collect(),
            client: *client,
            surroundings: Some(surroundings.clone()),
            ..Case::default()
        };
        match self.caller() {
            Caller::Known { subject, issuer } => {
                case.issuer = Some(issuer.to_owned());
                case.claims = Some(self.claims(subject, issuer, policy));
            }
            Caller::WithBadToken => case.token = Some("bad".to_owned()),
            Caller::WithoutToken | Caller::NotLookedAt => {}
        }
        case
    }

    fn claims(&self, subject: &str, issuer: &str, policy: &Policy) -> Map<String, Value> {
        let mut claims = Map::new();
        claims.insert("sub".to_owned(), subject.into());
        if let Some(issuer) = policy.issuers().find(|known| known.id == issuer) {
            let shape = &issuer.shape;
            for (path, value) in [
                (shape.scopes.first(), Some(self.replay.scopes.join(" ").into())),
                (shape.roles.first(), Some(self.replay.roles.clone().into())),
                (shape.groups.first(), Some(self.replay.groups.clone().into())),
                (shape.client.first(), self.replay.client_id.as_deref().map(Value::from)),
            ] {
                if let (Some(path), Some(value)) = (path, value) {
                    put(&mut claims, path, value);
                }
            }
        }
        claims
    }

    /// What `policy` would have to know of this request and the line does not say.
    pub(super) fn gap(&self, policy: &Policy) -> Option<&'static str> {
        let path = CanonicalPath::parse(self.replay.path.as_bytes()).ok()?;
        let group_of = |route: &Route| route.group.as_ref().is_some_and(|group| group.cors.is_some());
        if self.method == "OPTIONS" && policy.routes().iter().any(group_of) {
            return Some("it may be a preflight, which its headers tell");
        }
        if self.method == "GET" && websocket(policy, &path).is_some() {
            return Some("it may be the opening handshake of a WebSocket, which its headers tell");
        }
        let route = find_for(policy, &path, &self.method).ok()?;
        if route.access != Access::Public {
            match self.caller() {
                Caller::NotLookedAt => return Some("nobody looked at its token then"),
                Caller::Known { issuer, .. } if !policy.issuers().any(|known| known.id == issuer) => {
                    return Some("its issuer has another id, or none, in one of the policies");
                }
                _ => {}
            }
        }
        if !route.accepts.content_types.is_empty() || !route.accepts.required_headers.is_empty() {
            return Some("its route looks at headers");
        }
        if route.judges(Fact::Acl) {
            return Some("its route asks an ACL");
        }
        if let Access::Authenticated { everybody, by_issuer } = &route.access
            && std::iter::once(everybody).chain(by_issuer.values()).any(asks_claims)
        {
            return Some("its route asks for a claim");
        }
        let by_claim = |part: &KeyPart| matches!(part, KeyPart::Claim(_));
        route
            .limits
            .iter()
            .any(|limit| limit.by.iter().any(by_claim) || limit.cost.header.is_some() || limit.cost.claim.is_some())
            .then_some("a limit of its route looks at a claim or a header")
    }
}

fn asks_claims(requirement: &Requirement) -> bool {
    fn asks(condition: &Condition) -> bool {
        match condition {
            Condition::All(list) | Condition::Any(list) => list.iter().any(asks),
            Condition::Not(inner) => asks(inner),
            Condition::Rule(_, inner) => asks(inner),
            Condition::Claim(..) => true,
            Condition::Scope(_) | Condition::Role(_) | Condition::Group(_) => false,
        }
    }
    requirement.condition.as_ref().is_some_and(asks)
}
