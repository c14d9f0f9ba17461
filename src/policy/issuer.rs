//! What a policy makes of one OpenID provider.

use super::conditions::ClaimPath;
use super::document::{AlgorithmName, KeyLife};

/// One OpenID provider and what its tokens must look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// The short id by which stores and logs know it.
    pub id: String,
    /// `iss`, compared byte for byte.
    pub issuer: String,
    /// The backend through which its keys are fetched.
    pub backend: String,
    /// A token must name at least one of these in `aud`.
    pub audiences: Vec<String>,
    /// The accepted signature algorithms.
    pub algorithms: Vec<AlgorithmName>,
    /// The accepted token types, lower case, without `application/`.
    pub types: Vec<String>,
    /// How far the provider's clock may be off, in seconds.
    pub leeway: u64,
    /// How long its keys are used.
    pub key_life: KeyLife,
    /// How long a verified signature is remembered, in seconds.
    pub verdict_window: u64,
    /// Where its keys are; the discovery document says so where this is absent.
    pub jwks_uri: Option<String>,
    /// Where its tokens carry roles.
    pub roles_claim: ClaimPath,
    /// Where its tokens carry groups.
    pub groups_claim: ClaimPath,
}
