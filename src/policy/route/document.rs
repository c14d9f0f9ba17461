//! `routes`, as a policy writes them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::MethodName;
use crate::policy::conditions::ConditionDocument;
use crate::policy::fields::{AcceptsDocument, FieldEditsDocument};
use crate::policy::json_form::{objects, words};
use crate::policy::rewrite::RewriteDocument;

objects!(RouteDocument, RequirementDocument);
words!(AccessName);

/// One thing that may be reached.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub struct RouteDocument {
    /// A name for logs and for the origin, unique in this policy; FastAPI's operation id serves well.
    pub id: String,
    /// The path in FastAPI's syntax: `/orders/{order_id}`, `/files/{path:path}`.
    pub path: String,
    /// The methods that may be used.
    pub methods: Vec<MethodName>,
    /// The origin that answers; may be left out where there is only one.
    #[serde(default)]
    pub origin: Option<String>,
    /// The group that it belongs to: a name of `groups`.
    #[serde(default)]
    pub group: Option<String>,
    /// The path at the origin, where it is another one.
    #[serde(default)]
    pub rewrite: Option<RewriteDocument>,
    /// What requests must look like.
    #[serde(default)]
    pub accepts: AcceptsDocument,
    /// Edits of the header fields that the origin sees.
    #[serde(default)]
    pub request_headers: FieldEditsDocument,
    /// Edits of the header fields of answers.
    #[serde(default)]
    pub response_headers: FieldEditsDocument,
    /// From where it may be used: names of `places`, all of which must let the client pass.
    #[serde(default)]
    pub from: Vec<String>,
    /// Who may call.
    #[serde(default)]
    pub access: AccessName,
    /// The scopes that the caller's token must have, all of them.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// A condition that the caller must meet besides.
    #[serde(default)]
    pub require: Option<ConditionDocument>,
    /// The issuers whose tokens are accepted here, by their ids, and what each asks of its own; without this, all of them.
    #[serde(default)]
    pub issuers: BTreeMap<String, RequirementDocument>,
    /// How often it may be used: names of `limits`, asked in this order.
    #[serde(default)]
    pub limits: Vec<String>,
    /// Scopes and a condition that are only tried: what they would refuse is logged and passes.
    #[serde(default)]
    pub shadow: RequirementDocument,
    /// Whether this is a WebSocket: only opening handshakes are taken (`methods` is `["GET"]`), and what was judged is handed
    /// over to the origin with its signed header. Other requests of the same path, `GET` among them, have a route of their
    /// own. Needs the product WebSockets on Fastly.
    #[serde(default)]
    pub websocket: bool,
    /// Whether a page may hand its token over as a subprotocol, since it cannot set `Authorization` on a WebSocket:
    /// `new WebSocket(url, ["bearer", token, "chat"])`. The edge takes `bearer` and the token out of
    /// `Sec-WebSocket-Protocol`; the origin is offered the rest. `docs/websockets.md` says what this is worth.
    #[serde(default)]
    pub bearer_subprotocol: bool,
    /// Whether the token must be bound to a key or certificate that the caller shows to hold: `Authorization: DPoP` with a
    /// proof (RFC 9449), or a certificate-bound token over mutual TLS (RFC 8705).
    #[serde(default)]
    pub require_bound: bool,
    /// Whether the client's own token is forwarded to the origin, where it was read and is good: not on public routes. It is
    /// not needed there: identity travels in the signed header.
    #[serde(default)]
    pub forward_token: bool,
    /// Whether the signed header binds the body, too: the edge reads it whole (at most `accepts.max_body`, or 8 MiB), signs
    /// its `Content-Digest` (RFC 9530), and the application refuses any other.
    #[serde(default)]
    pub sign_body: bool,
}

/// What callers must meet besides what the route asks of everybody.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct RequirementDocument {
    /// The scopes that the token must have, all of them.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// A condition that the caller must meet.
    #[serde(default)]
    pub require: Option<ConditionDocument>,
}

/// Who may call a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", remote = "Self")]
pub enum AccessName {
    /// Callers with a valid token.
    #[default]
    Authenticated,
    /// Everybody; who sends a valid token is known to the origin. A token that is not valid counts as none.
    Optional,
    /// Everybody. A token that is sent along is neither read nor forwarded.
    Public,
}
