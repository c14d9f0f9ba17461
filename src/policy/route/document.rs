//! `routes` in the document.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::MethodName;
use crate::json_form::{objects, strings};
use crate::policy::authentication::AuthenticationDocument;
use crate::policy::cache::CacheDocument;
use crate::policy::conditions::ConditionDocument;
use crate::policy::fields::{AcceptsDocument, FieldEditsDocument};
use crate::policy::forward::ForwardDocument;
use crate::policy::inference::InferenceDocument;
use crate::policy::mcp::McpDocument;
use crate::policy::respond::RespondDocument;
use crate::policy::rewrite::RewriteDocument;
use crate::time::Seconds;

objects!(RouteDocument, RequirementDocument);
strings!(AccessName);

/// One route: a path, its methods, and who may use it.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
#[expect(clippy::struct_excessive_bools, reason = "each is a rule of its own")]
pub struct RouteDocument {
    /// The id of the route in logs, in limits and for the origin, unique in this policy: 1 to 64 of `a-z`, `0-9`, `-`,
    /// `_`. The operation id of FastAPI serves well.
    pub id: String,
    /// The path in the syntax of FastAPI: `/orders/{order_id}`, `/files/{path:path}`.
    pub path: String,
    /// The methods that the route accepts, at least one. A request with another method gets 405.
    pub methods: Vec<MethodName>,
    /// The name of the origin that serves the route. Required if there is more than one origin, unless the route has
    /// `respond`.
    #[serde(default)]
    pub origin: Option<String>,
    /// The regions of the origin, at least one: only their backends serve the route. A request gets 503 if neither its region
    /// nor a fallback of it is among them. Default: all regions.
    #[serde(default)]
    pub regions: Option<Vec<String>>,
    /// For how many seconds the edge waits for a backend's response to begin, 1 to 110, after it began to send the request. It
    /// then responds with 504; the request is not taken back. Default: as long as the backend in the service says (`first_byte_timeout`).
    #[serde(default)]
    #[cfg_attr(not(target_os = "wasi"), schemars(range(min = 1, max = 110)))]
    pub timeout: Option<Seconds>,
    /// The name of the group that the route belongs to.
    #[serde(default)]
    pub group: Option<String>,
    /// The path at the origin, if it differs.
    #[serde(default)]
    pub rewrite: Option<RewriteDocument>,
    /// The form that requests must have.
    #[serde(default)]
    pub accepts: AcceptsDocument,
    /// Edits of the header fields that the origin receives.
    #[serde(default)]
    pub request_headers: FieldEditsDocument,
    /// Edits of the header fields of responses.
    #[serde(default)]
    pub response_headers: FieldEditsDocument,
    /// Names of `places`. The client must pass all of them.
    #[serde(default)]
    pub from: Vec<String>,
    /// Who may call the route.
    #[serde(default)]
    pub access: AccessName,
    /// The audiences of tokens that the route accepts, at least one: a token must name one of them, in addition to what its
    /// issuer requires. So a token for one application cannot be used at another (RFC 8707 §2). Default: those of its
    /// origin.
    #[serde(default)]
    pub token_audiences: Option<Vec<String>>,
    /// The scopes that the token of the caller must have, all of them.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// A condition that the caller must meet in addition to `scopes`.
    #[serde(default)]
    pub require: Option<ConditionDocument>,
    /// How, and how recently, the caller must have signed in. Default: in any way, at any time.
    #[serde(default)]
    pub authentication: Option<AuthenticationDocument>,
    /// The ids of the issuers whose tokens are accepted here, and what each requires in addition. Default: all issuers.
    #[serde(default)]
    pub issuers: BTreeMap<String, RequirementDocument>,
    /// Names of `limits`, checked in this order. All of them apply.
    #[serde(default)]
    pub limits: Vec<String>,
    /// Scopes, a condition and a sign-in in shadow mode: a request that they would refuse is logged and passes.
    #[serde(default)]
    pub shadow: RequirementDocument,
    /// Whether this is a WebSocket. Only opening handshakes are then accepted (`methods` is `["GET"]`), and the edge
    /// passes each accepted one to the origin with its signed header. Other requests of the same path, `GET` among
    /// them, need a route of their own. Requires the product WebSockets on Fastly. Default: false.
    #[serde(default)]
    pub websocket: bool,
    /// Whether a page may send its token as a subprotocol, because it cannot set `Authorization` on a WebSocket: `new
    /// WebSocket(url, ["bearer", token, "chat"])`. The edge removes `bearer` and the token from
    /// `Sec-WebSocket-Protocol`; the origin receives the rest. See `docs/guides/websockets.md` for the risks. Default:
    /// false.
    #[serde(default)]
    pub bearer_subprotocol: bool,
    /// Whether the token must be bound to a key or certificate that the caller proves to hold: `Authorization: DPoP`
    /// with a proof (RFC 9449), or a certificate-bound token over mutual TLS (RFC 8705). Default: false.
    #[serde(default)]
    pub require_bound: bool,
    /// What applications learn of callers' tokens, in addition to subject, client, scopes, roles and tenant: `"groups"`, or
    /// `{"claim": "email"}` for a claim with its JSON type. The lists of edge, issuer, group and route add up. Default:
    /// nothing else.
    #[serde(default)]
    pub forward: Vec<ForwardDocument>,
    /// Whether the edge forwards the token of the client to the origin, after it was verified; never on public routes.
    /// The origin does not need it: identity is in the signed header. Default: false.
    #[serde(default)]
    pub forward_token: bool,
    /// Whether the signed header covers the body, too. The edge reads the whole body (at most `accepts.max_body`, or 8
    /// MiB) and signs its `Content-Digest` (RFC 9530); the application refuses any other body. Default: false.
    #[serde(default)]
    pub sign_body: bool,
    /// Which callers share a stored response to GET, or of a model, and for how long. The caller is authorized first, on every request.
    /// Default: responses are not stored.
    #[serde(default)]
    pub cache: Option<CacheDocument>,
    /// The requests to language and embedding models that the route accepts. Default: it accepts any body.
    #[serde(default)]
    pub inference: Option<InferenceDocument>,
    /// The MCP server behind the route: its tools, resources and prompts, and who may use each. Default: none.
    #[serde(default)]
    pub mcp: Option<McpDocument>,
    /// The response that the edge makes itself, after it has authorized the caller. The route then has no origin, and
    /// nothing that an origin would need. Default: the origin responds.
    #[serde(default)]
    pub respond: Option<RespondDocument>,
}

/// Scopes, a condition and a sign-in that a caller must meet.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct RequirementDocument {
    /// The scopes that the token must have, all of them.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// A condition that the caller must meet in addition to `scopes`.
    #[serde(default)]
    pub require: Option<ConditionDocument>,
    /// How, and how recently, the caller must have signed in.
    #[serde(default)]
    pub authentication: Option<AuthenticationDocument>,
}

/// Who may call a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", remote = "Self")]
pub enum AccessName {
    /// Callers with a valid token. A request without one gets 401.
    #[default]
    Authenticated,
    /// All callers. If the token is valid, the origin learns who the caller is. A token that is invalid, or cannot be
    /// checked because its issuer's keys are unavailable, counts as absent.
    Optional,
    /// All callers. A token is neither read nor forwarded.
    Public,
}
