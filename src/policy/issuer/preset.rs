//! The token shapes of well-known products, as their vendors document them. The modules below contain only data. A policy
//! may override every field. If a vendor lets customers choose a name, it is the name that the vendor's examples use.

mod form;
mod servers;
mod sessions;
mod workloads;

use serde::Deserialize;

pub(super) use form::{KindShape, OTHER, PLAIN, Path, Preset};

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
    /// Microsoft Entra ID, also External ID: access tokens of version 1.0 or 2.0.
    Entra,
    /// An Amazon Cognito user pool.
    Cognito,
    /// Google. Its access tokens are not JWTs, so ID tokens are accepted.
    Google,
    /// A Keycloak realm.
    Keycloak,
    /// Ory Hydra, Ory `OAuth2`, with JWT access tokens.
    Hydra,
    /// Firebase Authentication, Google Cloud Identity Platform: ID tokens.
    Firebase,
    /// Supabase Auth: tokens of its sessions, with asymmetric signing keys.
    Supabase,
    /// Clerk: tokens of its sessions.
    Clerk,
    /// `WorkOS` `AuthKit`: tokens of its sessions. `jwks_uri` is required.
    Workos,
    /// Zitadel, with JWT access tokens.
    Zitadel,
    /// authentik: an `OAuth2` provider with a signing key.
    Authentik,
    /// `PingOne`: an environment.
    Pingone,
    /// Descope: tokens of its sessions.
    Descope,
    /// Kinde.
    Kinde,
    /// Logto: access tokens for an API resource or an organization.
    Logto,
    /// `FusionAuth`, with an asymmetric signing key.
    Fusionauth,
    /// Workflows of GitHub Actions. `tenants` or `required_claims` must say whose.
    GithubActions,
    /// Jobs of GitLab CI/CD. `tenants` or `required_claims` must say whose.
    GitlabCi,
    /// Service accounts of a Kubernetes cluster.
    Kubernetes,
    /// Service accounts of Google Cloud. `required_claims` must say which.
    GoogleServiceAccount,
}

impl PresetName {
    /// The form of the provider's tokens.
    pub(super) const fn preset(self) -> &'static Preset {
        match self {
            Self::Auth0 => &servers::AUTH0,
            Self::Okta => &servers::OKTA,
            Self::Entra => &servers::ENTRA,
            Self::Cognito => &servers::COGNITO,
            Self::Google => &sessions::GOOGLE,
            Self::Keycloak => &servers::KEYCLOAK,
            Self::Hydra => &servers::HYDRA,
            Self::Firebase => &sessions::FIREBASE,
            Self::Supabase => &sessions::SUPABASE,
            Self::Clerk => &sessions::CLERK,
            Self::Workos => &sessions::WORKOS,
            Self::Zitadel => &servers::ZITADEL,
            Self::Authentik => &servers::AUTHENTIK,
            Self::Pingone => &servers::PINGONE,
            Self::Descope => &sessions::DESCOPE,
            Self::Kinde => &servers::KINDE,
            Self::Logto => &servers::LOGTO,
            Self::Fusionauth => &servers::FUSIONAUTH,
            Self::GithubActions => &workloads::GITHUB_ACTIONS,
            Self::GitlabCi => &workloads::GITLAB_CI,
            Self::Kubernetes => &workloads::KUBERNETES,
            Self::GoogleServiceAccount => &workloads::GOOGLE_SERVICE_ACCOUNT,
        }
    }
}
