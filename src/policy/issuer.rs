//! What a policy makes of one OpenID provider.

pub(super) mod document;
mod introspection;
mod preset;
pub(super) mod read;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::algorithm::AlgorithmName;
use super::claim_path::ClaimPath;
use super::json_form::{objects, words};
pub use introspection::Introspection;
pub use preset::PresetName;

objects!(KeyLife);
words!(TokenKind);

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
    pub rules: TokenRules,
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
            path.steps().next().is_some_and(|first| self.rules.refused.iter().any(|claim| claim == first))
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
pub struct TokenRules {
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

/// The kind of tokens that an issuer's callers may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", remote = "Self")]
pub enum TokenKind {
    /// Access tokens (RFC 9068), which are made for APIs.
    #[default]
    Access,
    /// ID tokens (OpenID Connect Core §2), which tell a client who has signed in and carry no scopes.
    Id,
}

/// How long the keys of an issuer are used, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, remote = "Self")]
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
