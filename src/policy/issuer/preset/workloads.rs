//! Tokens of callers that are not people. They name the audience that the caller chose, and neither scopes nor roles.

use super::form::{BASE, ID, KindShape, OTHER, OpenToAll, Preset};

/// The audience is the choice of the caller.
const WORKLOAD: Preset =
    Preset { access: None, id: None, scopes: &[], roles: &[], groups: &[], always_for_audience: true, ..BASE };

/// <https://docs.github.com/actions/reference/openid-connect-reference>: `typ` is `JWT`. Every workflow in the world can
/// obtain a token for any audience, so a policy must restrict `repository_owner_id` (the tenant) or another claim. `sub`
/// depends on the configuration of the repository, and contains ids since July 2026; names can be taken over, ids cannot.
pub(super) const GITHUB_ACTIONS: Preset = Preset {
    other: Some(KindShape { untyped: false, required: &[("repository_id", &[])], client: &[], ..OTHER }),
    open_to_all: Some(OpenToAll {
        claims: &["repository_id", "repository", "repository_owner", "repository_owner_id", "enterprise_id", "sub"],
        remedy: "write \"tenants\": [\"<id of the owner>\"] (`gh api users/<owner> --jq .id`), or \"required_claims\": { \
                 \"repository_id\": \"<id>\" }",
    }),
    tenant: Some(&["repository_owner_id"]),
    ..WORKLOAD
};

/// <https://docs.gitlab.com/ci/secrets/id_token_authentication/>: `iss` is the URL of the instance. Every user of the
/// instance can obtain a token for any audience, so a policy must restrict `namespace_id` (the tenant) or another claim.
/// The same keys sign ID tokens of users, which have no `job_id`. Flags are strings: `"ref_protected": "true"`. Not
/// confirmed: `typ`, which is `JWT` in published samples.
pub(super) const GITLAB_CI: Preset = Preset {
    other: Some(KindShape {
        required: &[("job_id", &[]), ("project_id", &[])],
        refused: &["nonce", "at_hash", "c_hash"],
        client: &[],
        ..OTHER
    }),
    open_to_all: Some(OpenToAll {
        claims: &["project_id", "project_path", "namespace_id", "namespace_path", "sub"],
        remedy: "write \"tenants\": [\"<id of the namespace>\"], or \"required_claims\": { \"project_id\": \"<id>\" }",
    }),
    tenant: Some(&["namespace_id"]),
    ..WORKLOAD
};

/// <https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/>: bound tokens have no `typ`; `sub` is
/// `system:serviceaccount:<namespace>:<name>`, details are in `kubernetes.io`. The issuer is chosen by the cluster; its
/// keys are at the URL that its discovery document names, which must be reachable from the edge
/// (<https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#service-account-issuer-discovery>).
/// Tokens from Secrets have neither `exp` nor `kubernetes.io`, and another `iss`.
pub(super) const KUBERNETES: Preset = Preset {
    other: Some(KindShape { required: &[("kubernetes.io", &[])], client: &[], ..OTHER }),
    tenant: Some(&["kubernetes.io", "namespace"]),
    ..WORKLOAD
};

/// <https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateIdToken>: ID tokens of service accounts, for an audience that the
/// caller chose. Every service account in the world can obtain one, so a policy must restrict `email` or `sub`. `email`
/// is present if the caller requested it (`includeEmail`, `format=full`). `azp` is the account's email address or its
/// numeric id. The keys are those of the preset `google`; a policy cannot have both, because `iss` is the same. Not
/// confirmed: `azp`.
pub(super) const GOOGLE_SERVICE_ACCOUNT: Preset = Preset {
    id: Some(KindShape { refused: &["scope", "scp", "nonce", "at_hash", "c_hash"], client: &[&["azp"]], ..ID }),
    open_to_all: Some(OpenToAll {
        claims: &["email", "sub"],
        remedy: "write \"required_claims\": { \"email\": [\"<name>@<project>.iam.gserviceaccount.com\"] }, or \"sub\" with \
                 its numeric ids",
    }),
    bare_issuer: true,
    jwks_uri: Some("https://www.googleapis.com/oauth2/v3/certs"),
    keys_host: Some("https://www.googleapis.com/"),
    ..WORKLOAD
};
