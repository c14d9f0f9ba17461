//! The policy as it is written: the JSON of `policy.json`, no logic. [`Policy`](super::Policy) is what it means.

mod issuer;
mod origin;
pub(super) mod strict;

use std::collections::BTreeMap;

pub(super) use issuer::{ClaimsDocument, IssuerDocument, RequiredValue};
pub use issuer::{KeyLife, PresetName, TokenKind};
pub use origin::IdentityAlgorithm;
pub(super) use origin::OriginDocument;
use serde::Deserialize;

use super::conditions::ConditionDocument;
use super::fields::{AcceptsDocument, FieldEditsDocument};
use super::groups::GroupDocument;
use super::limits::LimitDocument;
use super::places::PlaceDocument;
use super::rewrite::RewriteDocument;
use strict::{objects, words};

objects!(PolicyDocument, EdgeDocument, ProofDemands, RouteDocument, RequirementDocument);
words!(AlgorithmName, AccessName, MethodName);

/// The policy of one Fastgate service.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct PolicyDocument {
    /// Where the JSON Schema of this file is, for editors.
    #[serde(rename = "$schema", default)]
    pub schema: Option<String>,
    /// What this edge is called.
    pub edge: EdgeDocument,
    /// The FastAPI applications behind the edge, by a name that routes refer to.
    pub origins: BTreeMap<String, OriginDocument>,
    /// The OpenID providers whose tokens are accepted, by a short id (`a-z`, `0-9`, `-`).
    #[serde(default)]
    pub issuers: BTreeMap<String, IssuerDocument>,
    /// Conditions on callers that routes share, by name.
    #[serde(default)]
    pub rules: BTreeMap<String, ConditionDocument>,
    /// From where routes may be used, by a name that they refer to.
    #[serde(default)]
    pub places: BTreeMap<String, PlaceDocument>,
    /// How often routes may be used, by a name that they refer to and that callers are told.
    #[serde(default)]
    pub limits: BTreeMap<String, LimitDocument>,
    /// Groups of routes, by a name that routes refer to and by which an operator can switch them off.
    #[serde(default)]
    pub groups: BTreeMap<String, GroupDocument>,
    /// What may be reached. A request that no route names is refused.
    pub routes: Vec<RouteDocument>,
}

/// What this edge is called, by clients and by origins.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct EdgeDocument {
    /// The edge's own URL, `https://api.example.com`; `iss` of the signed header that origins receive.
    pub issuer: String,
    /// The host names that requests may name; others are answered 421. Without a port, a host is served at the default
    /// port of its scheme and at the ports of `issuer` and `resource`; with one (`api.example.com:8443`), at that alone.
    pub hosts: Vec<String>,
    /// How long a signed header is valid, in seconds, 1 to 60.
    #[serde(default = "default_identity_lifetime")]
    pub identity_lifetime: u64,
    /// The longest token that is read, in bytes, 1024 to 32768; a longer one is answered 431. Tokens with many groups or
    /// roles are long, and a server behind the edge that is handed them (`forward_token`) has to read them, too.
    #[serde(default = "default_max_token")]
    pub max_token: u64,
    /// The name of the limit that is kept before a token is looked at, to spare the CPU what bad tokens cost. It counts by
    /// `network`, `route` or both, and it counts preflights, documents of the edge and what no route names as one route.
    /// What has no canonical form, is closed or is not asked from where it may be is refused for less than counting costs.
    #[serde(default)]
    pub flood_limit: Option<String>,
    /// Whether answers get `Strict-Transport-Security`, `X-Content-Type-Options`, `X-Frame-Options`,
    /// `Content-Security-Policy` and `Referrer-Policy`, in a strict form, where the origin does not send them.
    #[serde(default)]
    pub security_headers: bool,
    /// The identifier of what is protected here (RFC 9728 §1.2), where it is not `issuer`: an https URL, under whose host
    /// `/.well-known/oauth-protected-resource` tells clients which providers and scopes there are.
    #[serde(default)]
    pub resource: Option<String>,
    /// What is asked of proofs of possession. They are accepted wherever a token is bound to a key (`cnf.jkt`).
    #[serde(default)]
    pub dpop: ProofDemands,
}

/// What is asked of a proof of possession (RFC 9449).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, remote = "Self")]
pub struct ProofDemands {
    /// How many seconds ago it may have been made, 1 to 600. Within this time it is good once for each POP.
    pub max_age: u64,
    /// How many seconds the client's clock may be ahead, 0 to 60.
    pub leeway: u64,
    /// Whether it must carry a nonce that this edge gave within the last two to four minutes (RFC 9449 §9).
    pub nonce: bool,
}

impl Default for ProofDemands {
    fn default() -> Self {
        Self { max_age: 60, leeway: 10, nonce: false }
    }
}

const fn default_identity_lifetime() -> u64 {
    30
}

const fn default_max_token() -> u64 {
    16 * 1024
}

/// A signature algorithm of RFC 7518 §3.1 or RFC 8037 §3.1. There is no `none` and nothing symmetric among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(remote = "Self")]
pub enum AlgorithmName {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// RSASSA-PSS with SHA-384.
    PS384,
    /// RSASSA-PSS with SHA-512.
    PS512,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// Ed25519; tokens and keys may call it `Ed25519`, too (RFC 9864 §2.2).
    EdDSA,
}

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
    /// `Sec-WebSocket-Protocol`; the origin is offered the rest. `docs/guides/websockets.md` says what this is worth.
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

/// The methods that a route may name. `TRACE` and `CONNECT` are never forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE", remote = "Self")]
pub enum MethodName {
    /// RFC 9110 §9.3.1
    Get,
    /// RFC 9110 §9.3.2
    Head,
    /// RFC 9110 §9.3.3
    Post,
    /// RFC 9110 §9.3.4
    Put,
    /// RFC 5789
    Patch,
    /// RFC 9110 §9.3.5
    Delete,
    /// RFC 9110 §9.3.7
    Options,
}

impl AlgorithmName {
    /// The algorithm that a JOSE header or a JWK means by `alg`, exactly as it is written there. `EdDSA` could be Ed448,
    /// too; which curve it is, the key says.
    #[must_use]
    pub fn from_jose(alg: &str) -> Option<Self> {
        Some(match alg {
            "RS256" => Self::RS256,
            "RS384" => Self::RS384,
            "RS512" => Self::RS512,
            "PS256" => Self::PS256,
            "PS384" => Self::PS384,
            "PS512" => Self::PS512,
            "ES256" => Self::ES256,
            "ES384" => Self::ES384,
            "EdDSA" | "Ed25519" => Self::EdDSA,
            _ => return None,
        })
    }
}

impl MethodName {
    /// The method as it stands in a request line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }
}
