//! One OpenID provider as a policy writes it.

use serde::Deserialize;

use super::AlgorithmName;
use crate::policy::conditions::ClaimName;

/// One OpenID provider.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct IssuerDocument {
    /// The provider's issuer identifier, byte for byte as `iss` in its tokens.
    pub issuer: String,
    /// The backend through which its keys are fetched.
    pub backend: String,
    /// The audiences of which a token must name at least one.
    pub audiences: Vec<String>,
    /// The signature algorithms that are accepted.
    #[serde(default = "default_algorithms")]
    pub algorithms: Vec<AlgorithmName>,
    /// The token types (`typ`) that are accepted. `at+jwt` is an access token by RFC 9068; many providers write `JWT`.
    #[serde(default = "default_types")]
    pub types: Vec<String>,
    /// How far the provider's clock may be off, in seconds, 0 to 300.
    #[serde(default = "default_leeway")]
    pub leeway: u64,
    /// How long its keys are used.
    #[serde(default)]
    pub key_life: KeyLife,
    /// How long a signature that was verified is remembered, in seconds, 0 to 300. Everything else about a token is
    /// decided again on every request.
    #[serde(default = "default_verdict_window")]
    pub verdict_window: u64,
    /// Where the keys are, if not where the provider's discovery document says. On the host of `issuer`.
    #[serde(default)]
    pub jwks_uri: Option<String>,
    /// The claim with the caller's roles (RFC 9068 §2.2.3.1); Keycloak has them in `["realm_access", "roles"]`.
    #[serde(default = "default_roles_claim")]
    pub roles_claim: ClaimName,
    /// The claim with the caller's groups.
    #[serde(default = "default_groups_claim")]
    pub groups_claim: ClaimName,
}

fn default_roles_claim() -> ClaimName {
    ClaimName::Top("roles".to_owned())
}

fn default_groups_claim() -> ClaimName {
    ClaimName::Top("groups".to_owned())
}

fn default_algorithms() -> Vec<AlgorithmName> {
    vec![AlgorithmName::RS256, AlgorithmName::ES256]
}

fn default_types() -> Vec<String> {
    vec!["at+jwt".to_owned()]
}

const fn default_leeway() -> u64 {
    30
}

const fn default_verdict_window() -> u64 {
    30
}

/// How long the keys of an issuer are used, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct KeyLife {
    /// The issuer is not asked again for at least this long, whatever its `Cache-Control` says.
    pub min_fresh: u64,
    /// It is asked again after this long at the latest.
    pub max_fresh: u64,
    /// Keys are used at most this long while the issuer gives no better ones.
    pub max_stale: u64,
    /// A POP asks the issuer at most once in this time, whatever tokens arrive.
    pub cool_down: u64,
}

impl Default for KeyLife {
    fn default() -> Self {
        Self { min_fresh: 60, max_fresh: 3600, max_stale: 24 * 3600, cool_down: 30 }
    }
}
