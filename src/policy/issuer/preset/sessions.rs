//! Products whose tokens for an API are ID tokens or session tokens.

use super::form::{BASE, ID, KindShape, OTHER, Preset};

/// <https://developers.google.com/identity/openid-connect/openid-connect#an-id-tokens-payload>: only ID tokens, because
/// access tokens are opaque; `iss` with and without `https://`; the Workspace domain is `hd`. The keys are on another
/// host (<https://accounts.google.com/.well-known/openid-configuration>).
pub(super) const GOOGLE: Preset = Preset {
    access: None,
    tenant: Some(&["hd"]),
    bare_issuer: true,
    jwks_uri: Some("https://www.googleapis.com/oauth2/v3/certs"),
    keys_host: Some("https://www.googleapis.com/"),
    ..BASE
};

/// <https://firebase.google.com/docs/auth/admin/verify-id-tokens#verify_id_tokens_using_a_third-party_jwt_library>: only
/// ID tokens; `iss` is `https://securetoken.google.com/<project id>`, the audience is the project id, and `auth_time` is
/// always present. They name no client. Custom claims are at the top level; only administrators can set them. All
/// projects have the same keys. Session cookies have another `iss`. Not confirmed: the URL of the JWK set (the page names
/// that of the certificates), and `firebase.tenant`, the tenant of Identity Platform.
pub(super) const FIREBASE: Preset = Preset {
    access: None,
    id: Some(KindShape { required: &[("auth_time", &[]), ("firebase", &[])], client: &[], ..ID }),
    scopes: &[],
    tenant: Some(&["firebase", "tenant"]),
    jwks_uri: Some("https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com"),
    keys_host: Some("https://www.googleapis.com/"),
    ..BASE
};

/// <https://supabase.com/docs/guides/auth/jwt-fields>: the audience and `role` of signed-in users are `authenticated` in
/// every project, and `aal` and `session_id` are always present. The keys `anon` and `service_role` have another `iss` and
/// no `sub`. Tokens that a third-party application obtained name it in `client_id`
/// (<https://supabase.com/docs/guides/auth/oauth-server/token-security>): they are refused. Anonymous users
/// (`is_anonymous`) have the same tokens as others. `user_role` is the claim of
/// <https://supabase.com/docs/guides/database/postgres/custom-claims-and-role-based-access-control-rbac>; users cannot
/// write to `app_metadata`, but to `user_metadata`, which is not read. Projects that still sign with a shared secret
/// (HS256) must first migrate to signing keys (<https://supabase.com/docs/guides/auth/signing-keys>).
pub(super) const SUPABASE: Preset = Preset {
    access: None,
    id: None,
    other: Some(KindShape {
        untyped: false,
        required: &[("role", &["authenticated"]), ("aal", &["aal1", "aal2"]), ("session_id", &[])],
        refused: &["client_id", "nonce", "at_hash", "c_hash"],
        client: &[],
        ..OTHER
    }),
    scopes: &[],
    roles: &[&["user_role"], &["app_metadata", "roles"]],
    groups: &[&["app_metadata", "groups"]],
    always_for_audience: true,
    jwks_uri: Some("{issuer}/.well-known/jwks.json"),
    ..BASE
};

/// <https://clerk.com/docs/guides/sessions/session-tokens>: session tokens of versions 1 and 2 have `sid`, which tokens of
/// JWT templates lack (<https://clerk.com/docs/guides/sessions/jwt-templates>); `azp` is the origin of the page, and may be
/// absent; there is no audience by default. A session whose `sts` is `pending` is not signed in yet. The organization is
/// `o.id`, the role there `o.rol` (version 1: `org_role`, `org_permissions`). `o.per` is not read: what it grants depends
/// on `o.fpm` and `fea`. `act` is present during impersonation; it is not refused. The keys:
/// <https://clerk.com/docs/backend-requests/manual-jwt>. Not confirmed: `typ`, which is `JWT` in all
/// published samples.
pub(super) const CLERK: Preset = Preset {
    access: None,
    id: None,
    other: Some(KindShape {
        untyped: false,
        required: &[("sid", &[])],
        optional: &[("sts", &["active"])],
        refused: &["client_id", "scope", "scp", "nonce", "at_hash", "c_hash"],
        client: &[&["azp"]],
        ..OTHER
    }),
    scopes: &[],
    roles: &[&["o", "rol"], &["org_role"], &["org_permissions"]],
    groups: &[],
    without_audience: "list the origins of your pages in \"clients\": [\"https://app.example.com\"]: Clerk writes them \
                       into \"azp\"",
    tenant: Some(&["o", "id"]),
    jwks_uri: Some("{issuer}/.well-known/jwks.json"),
    ..BASE
};

/// <https://workos.com/docs/reference/authkit/session-tokens>: the session's id is `sid`; `org_id`, `role`, `roles` and
/// `permissions` are about the organization. There is neither an audience nor a client; the key set belongs to one client.
/// `act` is present during impersonation; it is not refused. Tokens of `WorkOS` Connect (MCP servers) have another `iss`
/// and an audience: use no preset. Not confirmed: `typ`, `client_id`, and `iss` in the form
/// `https://api.workos.com/user_management/<client id>`, which some tokens have.
pub(super) const WORKOS: Preset = Preset {
    access: None,
    id: None,
    other: Some(KindShape {
        required: &[("sid", &[])],
        refused: &["scope", "scp", "nonce", "at_hash", "c_hash"],
        client: &[&["client_id"]],
        ..OTHER
    }),
    scopes: &[],
    roles: &[&["roles"], &["role"], &["permissions"]],
    groups: &[],
    without_audience: "write \"keys_of_one_client\": true, and the key set of your client as \"jwks_uri\": \
                       \"https://api.workos.com/sso/jwks/<client id>\"",
    tenant: Some(&["org_id"]),
    needs_jwks_uri: Some("write \"https://api.workos.com/sso/jwks/<client id>\""),
    ..BASE
};

/// <https://docs.descope.com/session-overview>: `drn` is `DS` in session tokens and `DSR` in refresh tokens, which the
/// same keys sign. `iss` is the project id, or a URL with it if the JWT template says so. There is no audience by
/// default. Roles and permissions outside tenants are `roles` and `permissions`; those inside a tenant are below
/// `tenants.<id>`, which a policy must name. Not confirmed: the values of `drn` (they are in the tests of
/// <https://github.com/descope/python-sdk>), `dct`, which names the current tenant, and the URL of the keys.
pub(super) const DESCOPE: Preset = Preset {
    access: None,
    id: None,
    other: Some(KindShape {
        required: &[("drn", &["DS"])],
        refused: &["nonce", "at_hash", "c_hash"],
        client: &[&["azp"]],
        ..OTHER
    }),
    scopes: &[],
    roles: &[&["roles"], &["permissions"]],
    groups: &[],
    without_audience: "write \"keys_of_one_client\": true if the Descope project serves this API only; otherwise add \
                       \"aud\" by a JWT template, and list it here",
    tenant: Some(&["dct"]),
    jwks_uri: Some("{issuer}/.well-known/jwks.json"),
    jwks_uri_of_text: Some("https://api.descope.com/{issuer}/.well-known/jwks.json"),
    keys_host: Some("https://api.descope.com/"),
    ..BASE
};
