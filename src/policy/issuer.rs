//! What a policy makes of one OpenID provider.

use std::collections::BTreeMap;

use serde_json::Value;

use super::claim_path::ClaimPath;
use super::document::{AlgorithmName, KeyLife, PresetName, TokenKind};
use super::introspection::Introspection;

/// One OpenID provider and what its tokens must look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// The short id by which stores and logs know it.
    pub id: String,
    /// The product that issues its tokens, where the policy names it.
    pub preset: Option<PresetName>,
    /// `iss`, compared byte for byte.
    pub issuer: String,
    /// Other spellings of `iss`, likewise.
    pub aliases: Vec<String>,
    /// The backend through which its keys are fetched.
    pub backend: String,
    /// A token must name at least one of these as its audience.
    pub audiences: Vec<String>,
    /// The accepted signature algorithms.
    pub algorithms: Vec<AlgorithmName>,
    /// Where its tokens carry what.
    pub shape: TokenShape,
    /// What is asked of its tokens besides.
    pub demands: TokenDemands,
    /// How far the provider's clock may be off, in seconds.
    pub leeway: u64,
    /// How long its keys are used.
    pub key_life: KeyLife,
    /// How long a verified signature is remembered, in seconds.
    pub verdict_window: u64,
    /// Whether the deny-list is asked about its tokens.
    pub deny_list: bool,
    /// How its opaque tokens are asked about.
    pub introspection: Option<Introspection>,
    /// What a key may say that it belongs to (`issuer` of a JWK); where there is nothing, it may say anything.
    pub key_issuers: Vec<String>,
    /// Where its keys are; the discovery document says so where this is absent.
    pub jwks_uri: Option<String>,
}

impl Issuer {
    /// Whether a token that is accepted can have scopes: they are looked for in a claim that tokens may have.
    pub(super) fn grants_scopes(&self) -> bool {
        let is_refused = |path: &ClaimPath| {
            path.steps().next().is_some_and(|first| self.demands.refused.iter().any(|claim| claim == first))
        };
        self.shape.scopes.iter().any(|path| self.introspection.is_some() || !is_refused(path))
    }
}

/// What tokens look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenShape {
    /// Which kind of tokens this is about.
    pub tokens: TokenKind,
    /// The accepted token types, lower case, without `application/`.
    pub types: Vec<String>,
    /// Whether `typ` may be absent.
    pub untyped: bool,
    /// Where scopes are; all of these count.
    pub scopes: Vec<ClaimPath>,
    /// Where roles are; all of these count.
    pub roles: Vec<ClaimPath>,
    /// Where groups are; all of these count.
    pub groups: Vec<ClaimPath>,
    /// Where the client is; the first that is there counts.
    pub client: Vec<ClaimPath>,
    /// Where the audience is; the first that is there counts.
    pub audience: Vec<ClaimPath>,
    /// Where the tenant is.
    pub tenant: Option<ClaimPath>,
}

/// What is asked of tokens besides a signature, times, audience and subject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenDemands {
    /// The accepted clients; any, where there are none.
    pub clients: Vec<String>,
    /// Whether a client must be named.
    pub require_client: bool,
    /// The accepted tenants; any, where there are none.
    pub tenants: Vec<String>,
    /// The greatest age, in seconds since `iat`.
    pub max_age: Option<u64>,
    /// The longest validity, in seconds from `iat` to `exp`.
    pub max_lifetime: Option<u64>,
    /// Claims at the top, and the values of which each must have one.
    pub required: BTreeMap<String, Vec<Value>>,
    /// Claims at the top that must be absent.
    pub refused: Vec<String>,
}
