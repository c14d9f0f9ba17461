//! One OpenID provider as a policy writes it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::introspection::Introspection;
use super::preset::PresetName;
use super::{KeyLife, TokenKind};
use crate::policy::algorithm::AlgorithmName;
use crate::policy::claim_path::{ClaimName, Scalar};
use crate::policy::json_form::objects;

objects!(IssuerDocument, ClaimsDocument);

/// One OpenID provider.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct IssuerDocument {
    /// The provider's issuer identifier, byte for byte as `iss` in its tokens.
    pub issuer: String,
    /// Other spellings of `iss` under which this same provider, with the same keys, issues tokens.
    #[serde(default)]
    pub issuer_aliases: Option<Vec<String>>,
    /// The product that issues the tokens. What is not written here is then as that product documents its tokens;
    /// without a preset it is as in RFC 9068.
    #[serde(default)]
    pub preset: Option<PresetName>,
    /// The kind of tokens that is accepted.
    #[serde(default)]
    pub tokens: TokenKind,
    /// The backend through which its keys are fetched.
    pub backend: String,
    /// The audiences of which a token must name at least one. An ID token is for clients: these are then client ids, and
    /// it must name no others.
    pub audiences: Vec<String>,
    /// The signature algorithms that are accepted.
    #[serde(default = "default_algorithms")]
    pub algorithms: Vec<AlgorithmName>,
    /// The token types (`typ`) that are accepted, with or without `application/`. `at+jwt` is an access token by RFC 9068;
    /// many providers write `JWT`.
    #[serde(default)]
    pub types: Option<Vec<String>>,
    /// Whether tokens without `typ` are accepted. Where `types` is written and this is not, they are not.
    #[serde(default)]
    pub untyped: Option<bool>,
    /// Where tokens carry what.
    #[serde(default)]
    pub claims: ClaimsDocument,
    /// How far the provider's clock may be off, in seconds, 0 to 300.
    #[serde(default = "default_leeway")]
    pub leeway: u64,
    /// How long its keys are used.
    #[serde(default)]
    pub key_life: KeyLife,
    /// How long a signature that was verified is remembered, in seconds, 0 to 300. Everything else about a token is
    /// decided again on every request. What the deny-list and introspection say may be as old.
    #[serde(default = "default_verdict_window")]
    pub verdict_window: u64,
    /// Whether its tokens are looked up in the deny-list, which `fastgate revoke` writes entries for. That costs reads of
    /// the KV store: up to three for a token, each at most once a `verdict_window` and POP.
    #[serde(default)]
    pub deny_list: bool,
    /// How its opaque tokens are asked about.
    #[serde(default)]
    pub introspection: Option<Introspection>,
    /// Where the keys are, if not where the provider's discovery document says. On the host of `issuer`, or on the one
    /// where the preset's provider keeps its keys.
    #[serde(default)]
    pub jwks_uri: Option<String>,
    /// The OAuth clients whose tokens are accepted; without this, all of them.
    #[serde(default)]
    pub clients: Option<Vec<String>>,
    /// Whether a token that does not name its client is refused.
    #[serde(default)]
    pub require_client: Option<bool>,
    /// The tenants whose tokens are accepted; without this, all of them, or the one that the preset finds in `issuer`.
    #[serde(default)]
    pub tenants: Option<Vec<String>>,
    /// How old a token may be, in seconds since its `iat`, which it then must have.
    #[serde(default)]
    pub max_age: Option<u64>,
    /// How long a token may be valid, in seconds from `iat` to `exp`.
    #[serde(default)]
    pub max_lifetime: Option<u64>,
    /// Claims that a token must have, each with its value, or a list of values of which it must have one.
    #[serde(default)]
    pub required_claims: BTreeMap<String, RequiredValue>,
    /// Claims that a token must not have: they mark tokens of another kind. Without this, for access tokens, what marks an
    /// ID token (`nonce`, `at_hash`, `c_hash`); for ID tokens, `scope` and `scp`.
    #[serde(default)]
    pub refused_claims: Option<Vec<String>>,
}

/// Where tokens carry what. A list in place of a name leads into nested objects: `["realm_access", "roles"]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct ClaimsDocument {
    /// The claims with scopes; those of all of them count.
    #[serde(default)]
    pub scopes: Option<Vec<ClaimName>>,
    /// The claims with roles; those of all of them count.
    #[serde(default)]
    pub roles: Option<Vec<ClaimName>>,
    /// The claims with groups; those of all of them count.
    #[serde(default)]
    pub groups: Option<Vec<ClaimName>>,
    /// The claims that may name the client; the first that is there counts.
    #[serde(default)]
    pub client: Option<Vec<ClaimName>>,
    /// The claims that may name the audience; the first that is there counts.
    #[serde(default)]
    pub audience: Option<Vec<ClaimName>>,
    /// The claim that names the tenant.
    #[serde(default)]
    pub tenant: Option<ClaimName>,
}

/// What a claim must be.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum RequiredValue {
    /// Exactly this.
    One(Scalar),
    /// Exactly one of these.
    OneOf(Vec<Scalar>),
}

fn default_algorithms() -> Vec<AlgorithmName> {
    vec![AlgorithmName::RS256, AlgorithmName::ES256]
}

const fn default_leeway() -> u64 {
    30
}

const fn default_verdict_window() -> u64 {
    30
}
