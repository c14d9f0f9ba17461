//! `issuers`: the OpenID providers. Input: an `IssuerDocument` and its preset. Output: an [`Issuer`].

pub(super) mod document;
pub(super) mod fault;
pub(super) mod index;
mod introspection;
mod keys;
mod names_claim;
mod preset;
pub(super) mod read;
mod rules;
mod shape;
mod template;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::algorithm::AlgorithmName;
use super::claim_path::ClaimPath;
use super::forward::Forward;
use super::ids::{Audience, IssuerId};
use crate::json_form::{objects, strings};
pub use fault::PresetFault;
pub use introspection::Introspection;
pub use names_claim::{NamesClaim, NamesForm};
pub use preset::PresetName;
use template::OWNING_TENANT;
pub use template::Templates;

use crate::time::Seconds;

objects!(KeyLife);
strings!(TokenKind);

/// One OpenID provider, and the rules for its tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// Its short id in stores and logs.
    pub id: IssuerId,
    /// The product that issues its tokens; `None` if the policy does not name it.
    pub preset: Option<PresetName>,
    /// `iss`, compared byte for byte; with [`templates`](Self::templates), the text with `{tenant}`.
    pub issuer: String,
    /// Other spellings of `iss`, compared in the same way.
    pub aliases: Vec<String>,
    /// The forms of `iss` if it contains the tenant; `None` if all tokens have the same `iss`.
    pub templates: Option<Templates>,
    /// The backend through which its keys are fetched.
    pub backend: String,
    /// A token must name at least one of these as its audience. If empty, it must name none.
    pub audiences: Vec<Audience>,
    /// The accepted signature algorithms.
    pub algorithms: Vec<AlgorithmName>,
    /// The claims and types by which its tokens are read.
    pub shape: TokenShape,
    /// Further rules for its tokens.
    pub rules: TokenRules,
    /// What all origins learn of its tokens.
    pub forward: Forward,
    /// The time by which the clock of the provider may differ, in seconds.
    pub leeway: Seconds,
    /// How long its keys are used.
    pub key_life: KeyLife,
    /// The time for which a verified signature is remembered, in seconds.
    pub verdict_window: Seconds,
    /// Whether its tokens are looked up in the deny-list.
    pub deny_list: bool,
    /// The introspection endpoint for its opaque tokens.
    pub introspection: Option<Introspection>,
    /// The values that `issuer` of a JWK may have, with `{tenantid}` for the tenant of the token. If empty, `issuer` of
    /// a JWK is not checked.
    pub key_issuers: Vec<String>,
    /// The URL of its key set; `None` if the discovery document names it.
    pub jwks_uri: Option<String>,
}

impl Issuer {
    /// `iss` of the tokens of `tenant`, as `issuer` of the policy spells it. Together with `sub` it names a subject.
    #[must_use]
    pub fn name_for(&self, tenant: Option<&str>) -> Cow<'_, str> {
        match (&self.templates, tenant) {
            (Some(templates), Some(tenant)) => Cow::Owned(templates.filled(tenant)),
            _ => Cow::Borrowed(&self.issuer),
        }
    }

    /// Whether tokens of this issuer may have this `iss`, whatever tenants are accepted.
    #[must_use]
    pub fn is_spelling(&self, iss: &str) -> bool {
        match &self.templates {
            Some(templates) => templates.tenant_in(iss).is_some(),
            None => self.issuer == iss || self.aliases.iter().any(|alias| alias == iss),
        }
    }

    /// Whether `iss` contains a tenant that is accepted.
    fn accepts_tenant_in(&self, iss: &str) -> bool {
        let tenant = self.templates.as_ref().and_then(|templates| templates.tenant_in(iss));
        tenant.is_some_and(|tenant| self.rules.accepts_tenant(tenant))
    }

    /// Whether a key may verify tokens of `tenant`, if `issuer` of the JWK is `owner`. A provider with keys for several
    /// tenants in one set names the owner of each key, so a key without one verifies no token there.
    #[must_use]
    pub fn accepts_key(&self, owner: Option<&Value>, tenant: Option<&str>) -> bool {
        let of_tenant = |form: &String, owner: &str| {
            let rest =
                form.split_once(OWNING_TENANT).map(|(before, after)| owner.strip_prefix(before)?.strip_suffix(after));
            self.templates.is_some() && tenant.is_some() && rest.flatten() == tenant
        };
        match owner {
            _ if self.key_issuers.is_empty() => true,
            None => self.templates.is_none(),
            Some(Value::String(owner)) => self.key_issuers.iter().any(|form| form == owner || of_tenant(form, owner)),
            Some(_) => false,
        }
    }

    /// Whether an accepted token can have scopes: at least one claim with scopes is not refused.
    pub(super) fn grants_scopes(&self) -> bool {
        let is_refused = |path: &ClaimPath| {
            path.steps().next().is_some_and(|first| self.rules.refused.iter().any(|claim| claim == first))
        };
        self.shape.scopes.iter().any(|claim| self.introspection.is_some() || !is_refused(&claim.path))
    }
}

/// The claims and types by which tokens are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenShape {
    /// The kind of tokens.
    pub tokens: TokenKind,
    /// The accepted token types, lower case, without `application/`.
    pub types: Vec<String>,
    /// Whether `typ` may be absent.
    pub untyped: bool,
    /// The claims with scopes; all of them count.
    pub scopes: Vec<NamesClaim>,
    /// The claims with roles; all of them count.
    pub roles: Vec<NamesClaim>,
    /// The claims with groups; all of them count.
    pub groups: Vec<NamesClaim>,
    /// The claims that may name the client; the first that is present counts.
    pub client: Vec<ClaimPath>,
    /// The claims that may name the audience; the first that is present counts.
    pub audience: Vec<ClaimPath>,
    /// The claim that names the tenant.
    pub tenant: Option<ClaimPath>,
}

/// Rules for tokens in addition to signature, times, audience and subject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenRules {
    /// The accepted clients; all if empty.
    pub clients: Vec<String>,
    /// Whether a token must name its client.
    pub require_client: bool,
    /// The accepted tenants; all if empty.
    pub tenants: Vec<String>,
    /// The greatest age, in seconds since `iat`.
    pub max_age: Option<Seconds>,
    /// The longest lifetime, in seconds from `iat` to `exp`.
    pub max_lifetime: Option<Seconds>,
    /// Claims at the top level, each with its accepted values: any value if there are none. `null` among them stands for
    /// an absent claim.
    pub required: BTreeMap<String, Vec<Value>>,
    /// Claims at the top level that must be absent.
    pub refused: Vec<String>,
}

impl TokenRules {
    /// Whether tokens of this tenant are accepted.
    #[must_use]
    pub fn accepts_tenant(&self, tenant: &str) -> bool {
        self.tenants.is_empty() || self.tenants.iter().any(|accepted| accepted == tenant)
    }
}

/// The kind of tokens that is accepted of an issuer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", remote = "Self")]
pub enum TokenKind {
    /// Access tokens (RFC 9068), which are issued for APIs.
    #[default]
    Access,
    /// ID tokens (OpenID Connect Core §2), which tell a client who has signed in and have no scopes.
    Id,
    /// Other JWTs: session tokens (Clerk, Supabase) and tokens of workloads (GitHub Actions, Kubernetes). No
    /// claim is refused by default without a preset, so every token that the same keys sign for the same audience is
    /// accepted, of whatever kind: `required_claims` and `refused_claims` tell them apart.
    Other,
}

impl TokenKind {
    /// Its name in policies.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Id => "id",
            Self::Other => "other",
        }
    }
}

/// How long the keys of an issuer are used, in seconds. A POP uses a key set without a request to the issuer while it
/// is fresh, and fetches it again when it is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, remote = "Self")]
pub struct KeyLife {
    /// The shortest time for which a key set is fresh, whatever the `Cache-Control` of the issuer says, 1 to 604800.
    /// Default: 60.
    pub min_fresh: Seconds,
    /// The longest time for which a key set is fresh, `min_fresh` to 604800. Default: 3600.
    pub max_fresh: Seconds,
    /// The age up to which a key set is used while no newer one can be fetched, `max_fresh` to 604800. Default: 86400.
    pub max_stale: Seconds,
    /// The shortest time between two requests of one POP to the issuer, whatever tokens arrive, 1 to 3600. Default: 30.
    pub cool_down: Seconds,
}

impl Default for KeyLife {
    fn default() -> Self {
        Self {
            min_fresh: Seconds::new(60),
            max_fresh: Seconds::new(3600),
            max_stale: Seconds::new(24 * 3600),
            cool_down: Seconds::new(30),
        }
    }
}
