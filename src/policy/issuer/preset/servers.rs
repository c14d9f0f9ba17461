//! Products that issue access tokens in the form of JWTs.

use super::form::{ACCESS, BASE, ID, KindShape, Preset};
use crate::policy::algorithm::AlgorithmName;
use crate::policy::issuer::names_claim::NamesForm;

/// <https://auth0.com/docs/secure/tokens/access-tokens/access-token-profiles>: `typ` is `JWT` with `azp` in the Auth0
/// profile, `at+jwt` with `client_id` in the RFC 9068 profile. Permissions of role-based access control are in
/// `permissions`. They describe the user and not the client, so they are roles and not scopes. Other roles and groups
/// are custom claims, whose names begin with a URL
/// (<https://auth0.com/docs/secure/tokens/json-web-tokens/create-custom-claims>); here it is the audience.
/// Organizations are tenants (<https://auth0.com/docs/manage-users/organizations/using-tokens>).
pub(super) const AUTH0: Preset = Preset {
    access: Some(KindShape { types: &["at+jwt", "jwt"], require_client: true, ..ACCESS }),
    scopes: &[&["scope"]],
    roles: &[&["permissions"], &["{audience}/roles"]],
    groups: &[&["{audience}/groups"]],
    tenant: Some(&["org_id"]),
    ..BASE
};

/// <https://developer.okta.com/docs/api/openapi/okta-oauth/guides/overview/>: the header has only `kid` and `alg`;
/// scopes are the list `scp`, the client is `cid`, which ID tokens lack. The customer must add the claim `groups`
/// (<https://developer.okta.com/docs/guides/customize-tokens-groups-claim/main/>).
pub(super) const OKTA: Preset = Preset {
    access: Some(KindShape {
        types: &["jwt", "at+jwt"],
        untyped: true,
        client: &[&["cid"]],
        require_client: true,
        ..ACCESS
    }),
    scopes: &[&["scp"]],
    ..BASE
};

/// <https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>: `typ` is `JWT`, scopes are the
/// text `scp`, the client is `azp` in version 2.0 and `appid` in 1.0, both absent from ID tokens; the tenant is `tid`,
/// and part of the issuer: `https://login.microsoftonline.com/<tid>/v2.0`, `https://sts.windows.net/<tid>/`. The keys
/// of both are on the former host. If a user has too many groups, Entra omits them and names them in `_claim_names`.
/// The key set is common to all tenants and includes keys of single tenants; `issuer` of a key names its owner
/// (<https://learn.microsoft.com/entra/identity-platform/access-tokens#validate-the-signing-key-issuer>). External ID has
/// the same tokens with the issuer `https://<tid>.ciamlogin.com/<tid>/v2.0`, where `<tid>` is the id also in the host
/// (<https://learn.microsoft.com/entra/external-id/customers/concept-supported-features-customers>). Not confirmed: that
/// its discovery document, at this issuer, names keys on the same host, and `issuer` of its keys.
pub(super) const ENTRA: Preset = Preset {
    access: Some(KindShape { types: &["jwt"], client: &[&["azp"], &["appid"]], require_client: true, ..ACCESS }),
    scopes: &[&["scp"]],
    tenant: Some(&["tid"]),
    tenant_in_issuer: true,
    key_issuers: &["https://login.microsoftonline.com/{tenantid}/v2.0", "https://sts.windows.net/{tenantid}/"],
    keys_of_tenants: Some("https://login.microsoftonline.com/common/discovery/v2.0/keys"),
    keys_host: Some("https://login.microsoftonline.com/"),
    ..BASE
};

/// <https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html>:
/// no `typ`; `token_use` is the kind of token; `client_id` is the client and also the audience, unless the client
/// requested a resource, which is then in `aud`.
pub(super) const COGNITO: Preset = Preset {
    access: Some(KindShape {
        types: &["jwt"],
        untyped: true,
        required: &[("token_use", &["access"])],
        client: &[&["client_id"]],
        require_client: true,
        ..ACCESS
    }),
    id: Some(KindShape { required: &[("token_use", &["id"])], ..ID }),
    scopes: &[&["scope"]],
    roles: &[&["cognito:roles"]],
    groups: &[&["cognito:groups"]],
    audience: &[&["aud"], &["client_id"]],
    always_for_audience: true,
    ..BASE
};

/// <https://www.keycloak.org/docs/latest/server_admin/>: the header says `JWT`, or `at+jwt` if the client is configured
/// so; the claim `typ` is the kind of token. Roles of the realm are in `realm_access`, those of each client in
/// `resource_access`; only those of our audiences count. Access tokens may have a `nonce`, as all did before version 25
/// (<https://www.keycloak.org/docs/latest/upgrading/>). The customer must add a mapper for `groups`.
pub(super) const KEYCLOAK: Preset = Preset {
    access: Some(KindShape {
        types: &["jwt", "at+jwt"],
        required: &[("typ", &["Bearer", "DPoP"])],
        refused: &["at_hash", "c_hash"],
        client: &[&["azp"], &["client_id"]],
        require_client: true,
        ..ACCESS
    }),
    id: Some(KindShape { required: &[("typ", &["ID"])], ..ID }),
    scopes: &[&["scope"]],
    roles: &[&["realm_access", "roles"], &["resource_access", "{audience}", "roles"]],
    ..BASE
};

/// <https://www.ory.com/docs/oauth2-oidc/jwt-access-token>: scopes are the list `scp` or the string `scope`, depending
/// on the configuration; claims that an application adds are in `ext`, and at the top level if the configuration allows
/// it.
pub(super) const HYDRA: Preset = Preset {
    access: Some(KindShape { types: &["jwt", "at+jwt"], client: &[&["client_id"]], require_client: true, ..ACCESS }),
    scopes: &[&["scp"], &["scope"]],
    roles: &[&["roles"], &["ext", "roles"]],
    groups: &[&["groups"], &["ext", "groups"]],
    ..BASE
};

/// <https://zitadel.com/docs/apis/openidoauth/claims>: access tokens are JWTs if the application is configured so. The
/// audience of both kinds is every client id of the project and the project id; `jti` is only in access tokens, `acr`,
/// `amr` and `auth_time` only in ID tokens. Roles are the names in `urn:zitadel:iam:org:project:<project id>:roles`, so
/// `audiences` must list the project id; `urn:zitadel:iam:org:project:roles` is not read, because it is about the
/// project of the client. Not confirmed: that this claim is an object (the page shows a list with an object), and `typ`,
/// which is `JWT` in the source of their library (<https://github.com/zitadel/oidc/blob/main/pkg/op/signer.go>).
pub(super) const ZITADEL: Preset = Preset {
    access: Some(KindShape {
        types: &["jwt", "at+jwt"],
        required: &[("jti", &[])],
        refused: &["nonce", "at_hash", "c_hash", "acr", "amr", "auth_time"],
        client: &[&["azp"], &["client_id"]],
        require_client: true,
        ..ACCESS
    }),
    id: Some(KindShape { refused: &["scope", "scp", "jti"], ..ID }),
    scopes: &[&["scope"]],
    roles: &[],
    formed_roles: &[(&["urn:zitadel:iam:org:project:{audience}:roles"], NamesForm::Keys)],
    groups: &[],
    tenant: Some(&["urn:zitadel:iam:user:resourceowner:id"]),
    always_for_audience: true,
    ..BASE
};

/// <https://docs.goauthentik.io/add-secure-apps/providers/oauth2/>; the claims are those of
/// <https://github.com/goauthentik/authentik/blob/main/authentik/providers/oauth2/id_token.py>: an access token is the
/// ID token with `azp` and `uid`, so it may have `nonce` and `at_hash`. The audience is the client id. Without a signing
/// key tokens are signed by HS256, with an encryption key they are encrypted; neither is accepted. Not confirmed: `typ`,
/// and whether scopes are in `scope`.
pub(super) const AUTHENTIK: Preset = Preset {
    access: Some(KindShape {
        types: &["jwt"],
        untyped: true,
        required: &[("uid", &[])],
        refused: &[],
        client: &[&["azp"]],
        require_client: true,
        ..ACCESS
    }),
    id: Some(KindShape { refused: &["scope", "scp", "uid"], ..ID }),
    scopes: &[&["scope"]],
    always_for_audience: true,
    ..BASE
};

/// <https://developer.pingidentity.com/pingone-api/foundations/authentication-concepts/access-tokens-and-id-tokens/token-claims.html>:
/// `typ` is absent or `at+jwt`, always the latter from March 2, 2027; the audience is a list, the client is `client_id`,
/// scopes are the text `scope`. Groups and roles are attributes of the resource that the customer maps. Not confirmed:
/// that ID tokens never have `client_id`, and `typ` of ID tokens.
pub(super) const PINGONE: Preset = Preset {
    access: Some(KindShape { untyped: true, client: &[&["client_id"]], require_client: true, ..ACCESS }),
    id: Some(KindShape { refused: &["scope", "scp", "client_id"], ..ID }),
    scopes: &[&["scope"]],
    always_for_audience: true,
    ..BASE
};

/// <https://docs.kinde.com/build/tokens/about-access-tokens/>,
/// <https://docs.kinde.com/machine-to-machine-applications/about-m2m/token-structure-and-claims-for-m2m-applications/>:
/// scopes are the list `scp` and the text `scope`, the client is `azp`. Permissions describe the user, so they are roles.
/// ID tokens have `at_hash` (<https://docs.kinde.com/build/tokens/about-id-tokens/>). The tokens of machines have no
/// `sub` in the example; such tokens are refused. Not confirmed: `typ`, the empty `aud` of tokens that no API was
/// requested for, and the form of `roles`, which the customer can add: objects in it are not read.
pub(super) const KINDE: Preset = Preset {
    access: Some(KindShape {
        types: &["jwt", "at+jwt"],
        refused: &["nonce", "at_hash", "c_hash", "auth_time"],
        client: &[&["azp"]],
        require_client: true,
        ..ACCESS
    }),
    scopes: &[&["scp"], &["scope"]],
    roles: &[&["permissions"], &["roles"]],
    groups: &[],
    tenant: Some(&["org_code"]),
    always_for_audience: true,
    ..BASE
};

/// <https://docs.logto.io/authorization/validate-access-tokens>: permissions are the text `scope`, the client is
/// `client_id`, the organization `organization_id`; the audience is the API resource or
/// `urn:logto:organization:<id>`. Without a resource, tokens are opaque. Not confirmed: ES384 as the default algorithm,
/// and `typ`, which is `at+jwt` in the library that Logto uses (<https://github.com/panva/node-oidc-provider>).
pub(super) const LOGTO: Preset = Preset {
    access: Some(KindShape { client: &[&["client_id"]], require_client: true, ..ACCESS }),
    algorithms: &[AlgorithmName::ES384, AlgorithmName::RS256],
    scopes: &[&["scope"]],
    tenant: Some(&["organization_id"]),
    always_for_audience: true,
    ..BASE
};

/// <https://fusionauth.io/docs/lifecycle/authenticate-users/oauth/tokens>: `typ` is always `JWT`; the audience is the
/// client id, the application is `applicationId`, which is absent if the user is not registered for it, and from ID
/// tokens since 1.24; those have `at_hash`. Both kinds have `scope` since 1.50. The tokens of machines are for the target
/// entity, have `permissions` and do not name a client: they need `"require_client": false`. `iss` is the text that
/// the tenant configures. Not confirmed: the algorithm of new tenants, which may be HS256; that is not accepted.
pub(super) const FUSIONAUTH: Preset = Preset {
    access: Some(KindShape { types: &["jwt"], client: &[&["applicationId"]], require_client: true, ..ACCESS }),
    id: Some(KindShape { required: &[("at_hash", &[])], refused: &["applicationId"], ..ID }),
    scopes: &[&["scope"]],
    roles: &[&["roles"], &["permissions"]],
    groups: &[],
    tenant: Some(&["tid"]),
    always_for_audience: true,
    ..BASE
};
