//! `issuers` in the document.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::introspection::Introspection;
use super::names_claim::NamesDocument;
use super::preset::PresetName;
use super::{KeyLife, TokenKind};
use crate::json_form::{objects, strings};
use crate::policy::algorithm::AlgorithmName;
use crate::policy::claim_path::{ClaimName, Scalar};
use crate::policy::forward::ForwardDocument;
use crate::time::Seconds;

objects!(IssuerDocument, ClaimsDocument);
strings!(AnyTenant, NoAudience);

/// One OpenID provider.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct IssuerDocument {
    /// The issuer identifier of the provider, an https URL. `iss` of its tokens must equal it byte for byte. If the
    /// provider has an issuer for each tenant, `{tenant}` may replace one segment of the path; `iss` must then contain
    /// the token's own tenant there, and `tenants` and the claim of the tenant are required. With `jwks_uri`, it may be
    /// any text of printable ASCII without spaces and `://`.
    pub issuer: String,
    /// Other spellings of `iss` under which the same provider issues tokens with the same keys, each with `{tenant}` if
    /// `issuer` has it. Default: those of the preset.
    #[serde(default)]
    pub issuer_aliases: Option<Vec<String>>,
    /// The product that issues the tokens. Members that are absent here then have the values that this product
    /// documents; without a preset, those of RFC 9068.
    #[serde(default)]
    pub preset: Option<PresetName>,
    /// The kind of tokens that is accepted. Default: the usual one of the preset; without one, `access`.
    #[serde(default)]
    pub tokens: Option<TokenKind>,
    /// The name of the Fastly backend from which its discovery document and its keys are fetched.
    pub backend: String,
    /// The accepted audiences, at least one. An access token must name at least one of them. For ID tokens they are
    /// client ids, and a token must name no other audience. `"none"` accepts only tokens without any audience, and
    /// requires `clients` or `keys_of_one_client`: otherwise tokens for other applications would be accepted.
    pub audiences: AudiencesDocument,
    /// Whether its keys sign tokens of one client only, so that a token without an audience is for no other
    /// application: the provider has a key set for each client. It only matters if `audiences` is `"none"`. Default:
    /// false.
    #[serde(default)]
    pub keys_of_one_client: bool,
    /// The accepted signature algorithms, at least one. Default: `RS256` and `ES256`; with the preset `logto`, `ES384`
    /// and `RS256`.
    #[serde(default)]
    pub algorithms: Option<Vec<AlgorithmName>>,
    /// The accepted token types (`typ`), with or without `application/`. `at+jwt` is an access token of RFC 9068; many
    /// providers write `JWT`. Default: those of the preset; without one, `at+jwt` for access tokens and `JWT` for others.
    #[serde(default)]
    pub types: Option<Vec<String>>,
    /// Whether a token without `typ` is accepted. Default: false if `types` is present; or else as in the preset;
    /// without one, false for access tokens and true for others.
    #[serde(default)]
    pub untyped: Option<bool>,
    /// The claims that contain scopes, roles, groups, the client, the audience and the tenant.
    #[serde(default)]
    pub claims: ClaimsDocument,
    /// What applications learn of the issuer's tokens, in addition to subject, client, scopes, roles and tenant: `"groups"`, or
    /// `{"claim": "email"}` for a claim with its JSON type. The lists of edge, issuer, group and route add up. Default:
    /// nothing else.
    #[serde(default)]
    pub forward: Vec<ForwardDocument>,
    /// The time by which the clock of the provider may differ, in seconds, 0 to 300. Default: 30. It applies to `exp`,
    /// `nbf`, `iat` and `max_age`, not to `max_lifetime`.
    #[serde(default = "default_leeway")]
    pub leeway: Seconds,
    /// How long its keys are used.
    #[serde(default)]
    pub key_life: KeyLife,
    /// The time for which a verified signature is remembered, in seconds, 0 to 300. Default: 30. Everything else about
    /// a token is checked again on every request. Results of the deny-list and of introspection are remembered as long.
    #[serde(default = "default_verdict_window")]
    pub verdict_window: Seconds,
    /// Whether its tokens are looked up in the deny-list, to which `fastgate revoke` adds entries. Each token costs up
    /// to three reads of the KV store, each at most once in a `verdict_window` and POP. Default: false.
    #[serde(default)]
    pub deny_list: bool,
    /// The introspection endpoint for its opaque tokens. Default: opaque tokens are refused. At most one issuer of a
    /// policy may have one.
    #[serde(default)]
    pub introspection: Option<Introspection>,
    /// The URL of its key set, on the host of `issuer`, if that is a URL, or on the host where the preset's provider
    /// publishes keys.
    /// Default: that of the preset, or else the `jwks_uri` of the provider's discovery document.
    #[serde(default)]
    pub jwks_uri: Option<String>,
    /// The OAuth clients whose tokens are accepted, at least one. Default: all clients.
    #[serde(default)]
    pub clients: Option<Vec<String>>,
    /// Whether a token that does not name its client is refused. Default: as in the preset, or else false.
    #[serde(default)]
    pub require_client: Option<bool>,
    /// The tenants whose tokens are accepted: at least one; or, if `issuer` has `{tenant}`, `"any"` for every tenant of
    /// the provider. Default: the tenant that the preset finds in `issuer`, or else all tenants; none if `issuer` has
    /// `{tenant}`.
    #[serde(default)]
    pub tenants: Option<TenantsDocument>,
    /// The greatest age of a token, in seconds since its `iat`, 1 to 31622400. A token without `iat` is then refused.
    /// Default: no such limit.
    #[serde(default)]
    pub max_age: Option<Seconds>,
    /// The longest lifetime of a token, in seconds from `iat` to `exp`, 1 to 31622400. A token without `iat` is then
    /// refused. Default: no such limit.
    #[serde(default)]
    pub max_lifetime: Option<Seconds>,
    /// Claims that a token must have at the top level, each with its value or with a list of accepted values. They are
    /// added to those of the preset, and replace those of the same name.
    #[serde(default)]
    pub required_claims: BTreeMap<String, RequiredValue>,
    /// Claims that a token must not have, because they mark tokens of another kind. Default: those of the preset;
    /// without one, for access tokens the claims that mark an ID token (`nonce`, `at_hash`, `c_hash`), for ID tokens
    /// `scope` and `scp`, for other tokens none.
    #[serde(default)]
    pub refused_claims: Option<Vec<String>>,
}

/// The claims that contain scopes, roles, groups, the client, the audience and the tenant. A list instead of a name
/// leads into nested objects: `["realm_access", "roles"]`. Absent members have the values of the preset. Scopes, roles
/// and groups may be in a claim of another form: `{"claim": "permissions", "form": "comma"}`.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct ClaimsDocument {
    /// The claims with scopes. The scopes of all of them count.
    #[serde(default)]
    pub scopes: Option<Vec<NamesDocument>>,
    /// The claims with roles. The roles of all of them count.
    #[serde(default)]
    pub roles: Option<Vec<NamesDocument>>,
    /// The claims with groups. The groups of all of them count.
    #[serde(default)]
    pub groups: Option<Vec<NamesDocument>>,
    /// The claims that may name the client. The first that is present counts.
    #[serde(default)]
    pub client: Option<Vec<ClaimName>>,
    /// The claims that may name the audience, at least one. The first that is present counts.
    #[serde(default)]
    pub audience: Option<Vec<ClaimName>>,
    /// The claim that names the tenant.
    #[serde(default)]
    pub tenant: Option<ClaimName>,
}

/// The accepted audiences.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "expected a list of strings, or \"none\"")]
pub enum AudiencesDocument {
    /// Tokens name no audience.
    None(NoAudience),
    /// These audiences.
    Listed(Vec<String>),
}

/// Tokens name no audience.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", remote = "Self")]
pub enum NoAudience {
    /// Tokens name no audience. A token with one, even an empty list, is refused.
    None,
}

impl AudiencesDocument {
    /// The listed audiences.
    pub(super) fn listed(&self) -> &[String] {
        match self {
            Self::None(_) => &[],
            Self::Listed(audiences) => audiences,
        }
    }
}

/// The accepted tenants.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "expected a list of strings, or \"any\"")]
pub enum TenantsDocument {
    /// Every tenant of the provider.
    Any(AnyTenant),
    /// These tenants, as the claim names them.
    Listed(Vec<String>),
}

/// Every tenant of the provider.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", remote = "Self")]
pub enum AnyTenant {
    /// Every tenant of the provider.
    Any,
}

/// The accepted values of a claim.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum RequiredValue {
    /// Exactly this value.
    One(Scalar),
    /// Exactly one of these values.
    OneOf(Vec<Scalar>),
}

const fn default_leeway() -> Seconds {
    Seconds::new(30)
}

const fn default_verdict_window() -> Seconds {
    Seconds::new(30)
}
