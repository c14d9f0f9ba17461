//! What a preset says about the tokens of a product, and the shapes that standards define.

use crate::policy::algorithm::AlgorithmName;
use crate::policy::issuer::names_claim::NamesForm;

/// The path to a claim, from the outermost name to the innermost. `{audience}` is replaced by each audience of the
/// issuer.
pub(in crate::policy::issuer) type Path = &'static [&'static str];

/// Claims, each with its accepted values; if there are none, any value is accepted.
pub(super) type Values = &'static [(&'static str, &'static [&'static str])];

/// The shape of a provider's tokens. The default kind is the first of `access`, `other` and `id` that is present.
pub(in crate::policy::issuer) struct Preset {
    /// Its access tokens; `None` if they are not JWTs.
    pub(in crate::policy::issuer) access: Option<KindShape>,
    /// Its ID tokens; `None` if an API never accepts them.
    pub(in crate::policy::issuer) id: Option<KindShape>,
    /// Its tokens that are neither.
    pub(in crate::policy::issuer) other: Option<KindShape>,
    pub(in crate::policy::issuer) algorithms: &'static [AlgorithmName],
    pub(in crate::policy::issuer) scopes: &'static [Path],
    pub(in crate::policy::issuer) roles: &'static [Path],
    /// Further claims with roles, in another form than a list.
    pub(in crate::policy::issuer) formed_roles: &'static [(Path, NamesForm)],
    pub(in crate::policy::issuer) groups: &'static [Path],
    /// The first that is present names the audience.
    pub(in crate::policy::issuer) audience: &'static [Path],
    /// Whether every token names an audience.
    pub(in crate::policy::issuer) always_for_audience: bool,
    /// What a policy with `"audiences": "none"` needs.
    pub(in crate::policy::issuer) without_audience: &'static str,
    /// Set if everybody can obtain tokens of this provider for any audience.
    pub(in crate::policy::issuer) open_to_all: Option<OpenToAll>,
    pub(in crate::policy::issuer) tenant: Option<Path>,
    /// Whether the URL of the issuer contains the id of its only tenant.
    pub(in crate::policy::issuer) tenant_in_issuer: bool,
    /// The accepted values of `issuer` in a JWK (a member of the provider's own), with `{tenantid}` for the tenant. If
    /// empty, the member is not checked.
    pub(in crate::policy::issuer) key_issuers: &'static [&'static str],
    /// Whether `iss` may lack the `https://` of the issuer.
    pub(in crate::policy::issuer) bare_issuer: bool,
    /// The URL of its key set, if its discovery document names another host or is not documented. `{issuer}` is
    /// replaced by the issuer without a slash at its end.
    pub(in crate::policy::issuer) jwks_uri: Option<&'static str>,
    /// The same if the issuer is not a URL.
    pub(in crate::policy::issuer) jwks_uri_of_text: Option<&'static str>,
    /// The URL that a policy must write, if the URL of the key set is not known from the issuer.
    pub(in crate::policy::issuer) needs_jwks_uri: Option<&'static str>,
    /// The URL of the key set of all tenants, if each has an issuer of its own.
    pub(in crate::policy::issuer) keys_of_tenants: Option<&'static str>,
    /// A second host that may publish its keys, as a URL.
    pub(in crate::policy::issuer) keys_host: Option<&'static str>,
}

/// What keeps strangers out if everybody can obtain tokens of a provider for any audience. A policy must list tenants, or
/// require a value of one of these claims.
pub(in crate::policy::issuer) struct OpenToAll {
    pub(in crate::policy::issuer) claims: &'static [&'static str],
    /// What to write.
    pub(in crate::policy::issuer) remedy: &'static str,
}

/// The shape of one kind of tokens, as far as it differs from the other kinds of the same provider.
pub(in crate::policy::issuer) struct KindShape {
    /// `typ`, lower case, without `application/`.
    pub(in crate::policy::issuer) types: &'static [&'static str],
    /// Whether `typ` may be absent.
    pub(in crate::policy::issuer) untyped: bool,
    /// Required claims.
    pub(in crate::policy::issuer) required: Values,
    /// Claims that must have one of these values if they are present.
    pub(in crate::policy::issuer) optional: Values,
    /// Claims that mark tokens of another kind.
    pub(in crate::policy::issuer) refused: &'static [&'static str],
    /// The first that is present names the client.
    pub(in crate::policy::issuer) client: &'static [Path],
    /// Whether every such token names its client.
    pub(in crate::policy::issuer) require_client: bool,
}

/// OpenID Connect Core §2 and §3.3.2.11 define these for ID tokens.
const MARKS_OF_ID_TOKENS: &[&str] = &["nonce", "at_hash", "c_hash"];

/// RFC 9068 §2.1 (`typ`), §2.2 (`client_id`).
pub(super) const ACCESS: KindShape = KindShape {
    types: &["at+jwt"],
    untyped: false,
    required: &[],
    optional: &[],
    refused: MARKS_OF_ID_TOKENS,
    client: &[&["client_id"], &["azp"]],
    require_client: false,
};

/// OpenID Connect Core §2. `azp` names the client, or else the only audience is the client. `typ` is not specified.
pub(super) const ID: KindShape = KindShape {
    types: &["jwt"],
    untyped: true,
    required: &[],
    optional: &[],
    refused: &["scope", "scp"],
    client: &[&["azp"], &["aud"]],
    require_client: false,
};

/// Tokens that are neither: no standard marks them, so nothing is refused.
pub(in crate::policy::issuer) const OTHER: KindShape = KindShape {
    types: &["jwt"],
    untyped: true,
    required: &[],
    optional: &[],
    refused: &[],
    client: &[&["azp"], &["client_id"]],
    require_client: false,
};

/// What RFC 9068 §2.2 says, with `scp` as an alternative to `scope`, which some providers use; roles and groups as in
/// §2.2.3.1. Products begin with it.
pub(super) const BASE: Preset = Preset {
    access: Some(ACCESS),
    id: Some(ID),
    other: None,
    algorithms: &[AlgorithmName::RS256, AlgorithmName::ES256],
    scopes: &[&["scope"], &["scp"]],
    roles: &[&["roles"]],
    formed_roles: &[],
    groups: &[&["groups"]],
    audience: &[&["aud"]],
    always_for_audience: false,
    without_audience: "list \"clients\"; or write \"keys_of_one_client\": true if the key set belongs to your client alone",
    open_to_all: None,
    tenant: None,
    tenant_in_issuer: false,
    key_issuers: &[],
    bare_issuer: false,
    jwks_uri: None,
    jwks_uri_of_text: None,
    needs_jwks_uri: None,
    keys_of_tenants: None,
    keys_host: None,
};

/// The shape without a preset.
pub(in crate::policy::issuer) const PLAIN: Preset = Preset { other: Some(OTHER), ..BASE };
