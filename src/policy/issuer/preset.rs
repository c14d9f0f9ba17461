//! The token shapes of well-known providers, as their vendors document them. This module contains only data. A policy
//! may override every field. If a vendor lets customers choose a name, it is the name that the vendor's examples use.

use serde::Deserialize;

use crate::json_form::strings;

strings!(PresetName);

/// A product whose tokens have a known shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", remote = "Self")]
pub enum PresetName {
    /// Auth0 by Okta.
    Auth0,
    /// Okta, a custom authorization server.
    Okta,
    /// Microsoft Entra ID: access tokens of version 1.0 or 2.0.
    Entra,
    /// An Amazon Cognito user pool.
    Cognito,
    /// Google. Its access tokens are not JWTs: `"tokens": "id"` is required.
    Google,
    /// A Keycloak realm.
    Keycloak,
    /// Ory Hydra, Ory `OAuth2`, with JWT access tokens.
    Hydra,
}

/// The path to a claim, from the outermost name to the innermost. `{audience}` is replaced by each audience of the
/// issuer.
pub(super) type Path = &'static [&'static str];

/// The shape of a provider's tokens.
pub(super) struct Preset {
    /// Its access tokens; `None` if they are not JWTs.
    pub(super) access: Option<KindShape>,
    /// Its ID tokens.
    pub(super) id: KindShape,
    pub(super) scopes: &'static [Path],
    pub(super) roles: &'static [Path],
    pub(super) groups: &'static [Path],
    /// The first that is present names the audience.
    pub(super) audience: &'static [Path],
    pub(super) tenant: Option<Path>,
    /// Whether the URL of the issuer contains the id of its only tenant.
    pub(super) tenant_in_issuer: bool,
    /// The accepted values of `issuer` in a JWK (a member of the provider's own), with `{tenantid}` for the tenant. If
    /// empty, the member is not checked.
    pub(super) key_issuers: &'static [&'static str],
    /// Whether `iss` may lack the `https://` of the issuer.
    pub(super) bare_issuer: bool,
    /// The URL of its key set, if its discovery document names another host.
    pub(super) jwks_uri: Option<&'static str>,
    /// The URL of the key set of all tenants, if each has an issuer of its own.
    pub(super) keys_of_tenants: Option<&'static str>,
    /// A second host that may publish its keys, as a URL.
    pub(super) keys_host: Option<&'static str>,
}

/// The shape of one kind of tokens, as far as it differs from the other kind of the same provider.
pub(super) struct KindShape {
    /// `typ`, lower case, without `application/`.
    pub(super) types: &'static [&'static str],
    /// Whether `typ` may be absent.
    pub(super) untyped: bool,
    /// Required claims, each with its accepted values.
    pub(super) required: &'static [(&'static str, &'static [&'static str])],
    /// Claims that mark tokens of another kind.
    pub(super) refused: &'static [&'static str],
    /// The first that is present names the client.
    pub(super) client: &'static [Path],
    /// Whether every such token names its client.
    pub(super) require_client: bool,
}

/// OpenID Connect Core §2 and §3.3.2.11 define these for ID tokens.
const MARKS_OF_ID_TOKENS: &[&str] = &["nonce", "at_hash", "c_hash"];

/// RFC 9068 §2.1 (`typ`), §2.2 (`client_id`).
const ACCESS: KindShape = KindShape {
    types: &["at+jwt"],
    untyped: false,
    required: &[],
    refused: MARKS_OF_ID_TOKENS,
    client: &[&["client_id"], &["azp"]],
    require_client: false,
};

/// OpenID Connect Core §2. `azp` names the client, or else the only audience is the client. `typ` is not specified.
const ID: KindShape = KindShape {
    types: &["jwt"],
    untyped: true,
    required: &[],
    refused: &["scope", "scp"],
    client: &[&["azp"], &["aud"]],
    require_client: false,
};

/// Tokens that are neither: no standard marks them, so nothing is refused.
pub(super) const OTHER: KindShape = KindShape {
    types: &["jwt"],
    untyped: true,
    required: &[],
    refused: &[],
    client: &[&["azp"], &["client_id"]],
    require_client: false,
};

/// The shape without a preset: RFC 9068 §2.2, with `scp` as an alternative to `scope`, which some providers use; roles
/// and groups as in §2.2.3.1.
pub(super) const PLAIN: Preset = Preset {
    access: Some(ACCESS),
    id: ID,
    scopes: &[&["scope"], &["scp"]],
    roles: &[&["roles"]],
    groups: &[&["groups"]],
    audience: &[&["aud"]],
    tenant: None,
    tenant_in_issuer: false,
    key_issuers: &[],
    bare_issuer: false,
    jwks_uri: None,
    keys_of_tenants: None,
    keys_host: None,
};

/// <https://auth0.com/docs/secure/tokens/access-tokens/access-token-profiles>: `typ` is `JWT` with `azp` in the Auth0
/// profile, `at+jwt` with `client_id` in the RFC 9068 profile. Permissions of role-based access control are in
/// `permissions`. They describe the user and not the client, so they are roles and not scopes. Other roles and groups
/// are custom claims, whose names begin with a URL
/// (<https://auth0.com/docs/secure/tokens/json-web-tokens/create-custom-claims>); here it is the audience.
/// Organizations are tenants (<https://auth0.com/docs/manage-users/organizations/using-tokens>).
const AUTH0: Preset = Preset {
    access: Some(KindShape { types: &["at+jwt", "jwt"], require_client: true, ..ACCESS }),
    scopes: &[&["scope"]],
    roles: &[&["permissions"], &["{audience}/roles"]],
    groups: &[&["{audience}/groups"]],
    tenant: Some(&["org_id"]),
    ..PLAIN
};

/// <https://developer.okta.com/docs/api/openapi/okta-oauth/guides/overview/>: the header has only `kid` and `alg`;
/// scopes are the list `scp`, the client is `cid`, which ID tokens lack. The customer must add the claim `groups`
/// (<https://developer.okta.com/docs/guides/customize-tokens-groups-claim/main/>).
const OKTA: Preset = Preset {
    access: Some(KindShape {
        types: &["jwt", "at+jwt"],
        untyped: true,
        client: &[&["cid"]],
        require_client: true,
        ..ACCESS
    }),
    scopes: &[&["scp"]],
    ..PLAIN
};

/// <https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>: `typ` is `JWT`, scopes are the
/// text `scp`, the client is `azp` in version 2.0 and `appid` in 1.0, both absent from ID tokens; the tenant is `tid`,
/// and part of the issuer: `https://login.microsoftonline.com/<tid>/v2.0`, `https://sts.windows.net/<tid>/`. The keys
/// of both are on the former host. If a user has too many groups, Entra omits them and names them in `_claim_names`.
/// The key set is common to all tenants and includes keys of single tenants; `issuer` of a key names its owner
/// (<https://learn.microsoft.com/entra/identity-platform/access-tokens#validate-the-signing-key-issuer>).
const ENTRA: Preset = Preset {
    access: Some(KindShape { types: &["jwt"], client: &[&["azp"], &["appid"]], require_client: true, ..ACCESS }),
    scopes: &[&["scp"]],
    tenant: Some(&["tid"]),
    tenant_in_issuer: true,
    key_issuers: &["https://login.microsoftonline.com/{tenantid}/v2.0", "https://sts.windows.net/{tenantid}/"],
    keys_of_tenants: Some("https://login.microsoftonline.com/common/discovery/v2.0/keys"),
    keys_host: Some("https://login.microsoftonline.com/"),
    ..PLAIN
};

/// <https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html>:
/// no `typ`; `token_use` is the kind of token; `client_id` is the client and also the audience, unless the client
/// requested a resource, which is then in `aud`.
const COGNITO: Preset = Preset {
    access: Some(KindShape {
        types: &["jwt"],
        untyped: true,
        required: &[("token_use", &["access"])],
        client: &[&["client_id"]],
        require_client: true,
        ..ACCESS
    }),
    id: KindShape { required: &[("token_use", &["id"])], ..ID },
    scopes: &[&["scope"]],
    roles: &[&["cognito:roles"]],
    groups: &[&["cognito:groups"]],
    audience: &[&["aud"], &["client_id"]],
    ..PLAIN
};

/// <https://developers.google.com/identity/openid-connect/openid-connect#an-id-tokens-payload>: only ID tokens, because
/// access tokens are opaque; `iss` with and without `https://`; the Workspace domain is `hd`. The keys are on another
/// host (<https://accounts.google.com/.well-known/openid-configuration>).
const GOOGLE: Preset = Preset {
    access: None,
    tenant: Some(&["hd"]),
    bare_issuer: true,
    jwks_uri: Some("https://www.googleapis.com/oauth2/v3/certs"),
    keys_host: Some("https://www.googleapis.com/"),
    ..PLAIN
};

/// <https://www.keycloak.org/docs/latest/server_admin/>: the header says `JWT`, or `at+jwt` if the client is configured
/// so; the claim `typ` is the kind of token. Roles of the realm are in `realm_access`, those of each client in
/// `resource_access`; only those of our audiences count. Access tokens may have a `nonce`, as all did before version 25
/// (<https://www.keycloak.org/docs/latest/upgrading/>). The customer must add a mapper for `groups`.
const KEYCLOAK: Preset = Preset {
    access: Some(KindShape {
        types: &["jwt", "at+jwt"],
        required: &[("typ", &["Bearer", "DPoP"])],
        refused: &["at_hash", "c_hash"],
        client: &[&["azp"], &["client_id"]],
        require_client: true,
        ..ACCESS
    }),
    id: KindShape { required: &[("typ", &["ID"])], ..ID },
    scopes: &[&["scope"]],
    roles: &[&["realm_access", "roles"], &["resource_access", "{audience}", "roles"]],
    ..PLAIN
};

/// <https://www.ory.com/docs/oauth2-oidc/jwt-access-token>: scopes are the list `scp` or the string `scope`, depending
/// on the configuration; claims that an application adds are in `ext`, and at the top level if the configuration allows
/// it.
const HYDRA: Preset = Preset {
    access: Some(KindShape { types: &["jwt", "at+jwt"], client: &[&["client_id"]], require_client: true, ..ACCESS }),
    scopes: &[&["scp"], &["scope"]],
    roles: &[&["roles"], &["ext", "roles"]],
    groups: &[&["groups"], &["ext", "groups"]],
    ..PLAIN
};

impl PresetName {
    /// The form of the provider's tokens.
    pub(super) const fn preset(self) -> &'static Preset {
        match self {
            Self::Auth0 => &AUTH0,
            Self::Okta => &OKTA,
            Self::Entra => &ENTRA,
            Self::Cognito => &COGNITO,
            Self::Google => &GOOGLE,
            Self::Keycloak => &KEYCLOAK,
            Self::Hydra => &HYDRA,
        }
    }
}
