//! The claims of the identity header: `docs/concepts/identity-header.md` as Rust types.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::error::MintError;
use super::forwarded::Forwarded;
use crate::budget::Reserved;
use crate::caching::shared_by;
use crate::client::{Client, Connection, Continent, Fact, Proxy};
use crate::content::ContentDigest;
use crate::digest::sha256;
use crate::identity::binding::Binding;
use crate::identity::{Caller, Identity};
use crate::mcp_request::{JudgedBody, Session};
use crate::policy::{Access, Backend, Edge, Origin, SharedFact};
use crate::rewrite::OriginTarget;
use crate::throttle::Cleared;
use crate::time::UnixTime;

/// The claims of `Fastgate-Identity`, in the order in which they are written.
#[derive(Clone, Debug, Serialize)]
pub struct EdgeClaims<'request> {
    iss: &'request str,
    aud: &'request str,
    iat: UnixTime,
    exp: UnixTime,
    /// The request id.
    txn: &'request str,
    /// The workload that requested the token: the edge.
    req_wl: &'request str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'request str>,
    /// The caller's scopes, separated by single spaces; empty if there are none.
    scope: String,
    tctx: Transaction<'request>,
    rctx: Requester<'request>,
}

/// The transaction context: the request.
#[derive(Clone, Debug, Serialize)]
struct Transaction<'request> {
    route: &'request str,
    template: &'request str,
    method: &'request str,
    /// The field `Host` as it is forwarded.
    host: &'request str,
    path: &'request str,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_digest: Option<&'request str>,
    /// Whether this is the opening handshake of a WebSocket, as opposed to another GET of the path. Absent if not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    websocket: bool,
    /// What the callers that share the response have in common; empty if it is for all, or if the caller is anonymous.
    /// Absent if responses are not shared. Nothing else about the caller is in the header.
    #[serde(skip_serializing_if = "Option::is_none")]
    shared: Option<Vec<Cow<'request, str>>>,
    /// What was decided about a request to a model.
    #[serde(skip_serializing_if = "Option::is_none")]
    inference: Option<Inference<'request>>,
    /// What was decided about a message to an MCP server.
    #[serde(skip_serializing_if = "Option::is_none")]
    mcp: Option<Mcp<'request>>,
}

/// A request to a model.
#[derive(Clone, Debug, Serialize)]
struct Inference<'request> {
    /// The name of the model in the body that the origin receives.
    model: &'request str,
    /// The name that the caller used, if it is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    alias: Option<&'request str>,
    /// What is left of each budget of the route, without what this request can cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining: Option<&'request BTreeMap<String, u64>>,
}

/// A message to an MCP server.
#[derive(Clone, Debug, Serialize)]
struct Mcp<'request> {
    method: &'request str,
    /// The tool or prompt, or the URI of the resource, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'request str>,
}

/// The requester context: the caller and the client.
#[derive(Clone, Debug, Serialize)]
struct Requester<'request> {
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'request str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'request str>,
    /// `exp` of the caller's token.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_exp: Option<UnixTime>,
    /// The key or certificate that the caller's token is bound to. The caller has proved that it holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<&'request Binding>,
    #[serde(flatten)]
    token: Forwarded<'request>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<&'request str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subdivision: Option<&'request str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    continent: Option<Continent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asn: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<Connection>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy: Option<Proxy>,
    /// The region of the backend that receives the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<&'request str>,
}

/// The input of the identity header: the evidence of every step before.
#[derive(Clone, Copy, Debug)]
pub struct MintInput<'request> {
    /// The edge that signs.
    pub edge: &'request Edge,
    /// The caller and the route that it may use.
    pub cleared: &'request Cleared<'request>,
    /// The origin that receives it.
    pub origin: &'request Arc<Origin>,
    /// The request as the origin receives it.
    pub target: &'request OriginTarget,
    /// The body, read as far as the route requires, and judged.
    pub body: &'request JudgedBody,
    /// The session, if the route is for an MCP server.
    pub session: Option<&'request Session>,
    /// What is reserved of the budgets of the route.
    pub reserved: &'request Reserved,
    /// The client.
    pub client: &'request Client,
    /// The time at which the header is signed.
    pub now: UnixTime,
    /// The request id.
    pub request_id: &'request str,
}

impl<'request> EdgeClaims<'request> {
    /// The claims for `input`.
    ///
    /// # Errors
    /// [`MintError::ClaimNotForwardable`] if a forwarded claim could not arrive unchanged.
    pub(super) fn of(input: &MintInput<'request>, backend: Option<&'request Backend>) -> Result<Self, MintError> {
        let &MintInput { edge, cleared, origin, target, body, client, now, request_id, session: _, reserved } = input;
        let route = cleared.route();
        let rule = shared_by(route, target, body);
        let of_audience = |fact: &SharedFact| rule.is_none_or(|rule| rule.audience.contains(fact));
        let identity = match cleared.caller() {
            Caller::Known(identity) if rule.is_none_or(|rule| !rule.audience.is_empty()) => Some(identity),
            Caller::Anonymous | Caller::Known(_) => None,
        };
        // What the response must not depend on.
        let (of_token, client) = match rule {
            None => (identity, client),
            Some(_) => (None, &Client::UNKNOWN),
        };
        let token = identity.map(|identity| Forwarded::of(identity, edge, route, rule)).transpose()?;
        Ok(Self {
            iss: &edge.issuer,
            aud: origin.audience.as_str(),
            iat: now,
            exp: now.plus(edge.identity_lifetime),
            txn: request_id,
            req_wl: &edge.issuer,
            sub: identity.filter(|_| of_audience(&SharedFact::Caller)).map(Identity::subject),
            scope: match rule {
                None => identity.map(|identity| identity.scopes().join(" ")).unwrap_or_default(),
                Some(_) => required_scopes(&route.access),
            },
            tctx: Transaction {
                route: route.id.as_str(),
                template: route.template_at_origin().as_str(),
                method: target.received().method(),
                host: target.received().host(),
                path: target.path().encoded(),
                query: query_digest(target.received().query()),
                content_digest: body.digest().map(ContentDigest::as_str),
                websocket: route.websocket,
                shared: rule.map(|rule| {
                    let known = rule.audience.iter().filter(|_| identity.is_some());
                    known.map(SharedFact::name).collect()
                }),
                inference: body.admission().map(|admission| Inference {
                    model: &admission.model_at_origin,
                    alias: Some(admission.model.as_str()).filter(|name| *name != admission.model_at_origin),
                    remaining: Some(reserved.remaining()).filter(|left| rule.is_none() && !left.is_empty()),
                }),
                mcp: body.operation().and_then(|operation| {
                    let name = operation.name.as_deref();
                    operation.method.as_deref().map(|method| Mcp { method, name })
                }),
            },
            rctx: Requester {
                iss: identity.map(Identity::issuer),
                client_id: of_token.and_then(Identity::client_id),
                token_exp: of_token.and_then(Identity::expires),
                cnf: of_token.and_then(Identity::binding),
                token: token.unwrap_or_default(),
                country: client.country.as_deref(),
                subdivision: client.subdivision.as_deref().filter(|_| route.tests(Fact::Subdivision)),
                continent: client.continent.filter(|_| route.tests(Fact::Continent)),
                asn: client.asn.filter(|_| route.tests(Fact::Asn)),
                connection: client.connection.filter(|_| route.tests(Fact::Connection)),
                proxy: client.proxy.filter(|_| route.tests(Fact::Proxy)),
                region: backend.and_then(|backend| backend.region.as_deref()),
            },
        })
    }

    /// The longest of the parts that a token determines, by its name in the policy, and its length in bytes.
    pub(super) fn longest_part(&self) -> (&str, usize) {
        let length = |text: Option<&str>| text.map_or(0, str::len);
        let parts = [
            ("scope", self.scope.len()),
            ("sub", length(self.sub)),
            ("client_id", length(self.rctx.client_id)),
            ("the path", self.tctx.path.len()),
            ("the name in the message", length(self.tctx.mcp.as_ref().and_then(|mcp| mcp.name))),
            self.rctx.token.longest(),
        ];
        parts.into_iter().max_by_key(|(_, length)| *length).unwrap_or_default()
    }
}

/// The scopes that every caller of the route has.
fn required_scopes(access: &Access) -> String {
    match access {
        Access::Authenticated { all_callers, .. } => all_callers.scopes.join(" "),
        Access::Public | Access::Optional => String::new(),
    }
}

/// base64url of SHA-256 of the query's bytes; `None` for an empty query.
fn query_digest(query: &str) -> Option<String> {
    (!query.is_empty()).then(|| URL_SAFE_NO_PAD.encode(sha256(query)))
}
