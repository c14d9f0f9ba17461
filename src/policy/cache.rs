//! `cache` of a route: which callers may share a stored response, and for how long. Input: a [`CacheDocument`]. Output: a
//! [`CacheRule`].

pub(super) mod fault;

use std::borrow::Cow;
use std::collections::BTreeSet;

use fault::CacheFault;
use serde::Deserialize;

use super::claim_path::{ClaimName, ClaimPath};
use super::fault::{Fault, Faults};
use super::issuer::Issuer;
use crate::headers::{is_field_name, is_visible_to_rules};
use crate::json_form::{objects, strict, strings};
use crate::time::Seconds;

objects!(CacheDocument, SharedClaim);
strict!(SharedFactDocument, true, true, Self::Name(_));
strings!(AudienceName);

/// The longest time for which a response is stored, in seconds: a year.
const MAX_SECONDS: u64 = 31_536_000;
/// The most request fields by which responses of one route may differ.
const MAX_VARY: usize = 8;
/// The request fields by which responses must not differ: those with credentials, and those that the edge itself
/// evaluates for a stored response.
const NEVER_VARY: [&str; 8] = [
    "cookie",
    "cache-control",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "range",
];

/// Stored responses of a route: who shares them, and for how long. On a route with `inference`, these are embeddings, and
/// responses to requests with `"temperature": 0` and a `seed` for which nothing is kept at the provider.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct CacheDocument {
    /// The callers that share a response: `"public"` for all, `"tenant"`, `"roles"` (callers with the same roles),
    /// `"caller"` for one alone; or a list of what such callers have in common. The application learns nothing else about
    /// the caller. A caller without the declared claim gets no stored response, and its own is not stored.
    pub audience: AudienceDocument,
    /// For how many seconds a response is fresh, 1 to 31536000. `Cache-Control` of the origin can only shorten it.
    pub ttl: u64,
    /// For how many seconds after that a stale response is sent while a new one is requested; not with `inference`. Default: 0.
    #[serde(default)]
    pub stale_while_revalidate: u64,
    /// For how many seconds after `ttl` a stale response is sent if the origin fails. Default: 0.
    #[serde(default)]
    pub stale_if_error: u64,
    /// The request fields by which responses may differ, at most 8: `["accept-language"]`. The application receives no
    /// others. Default: none.
    #[serde(default)]
    pub vary: Vec<String>,
    /// Whether every caller that the route admits may share one response: required for the audience `"public"` on a route
    /// that is not public. Default: false.
    #[serde(default)]
    pub shared: bool,
}

/// The callers that share a response.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "expected \"public\", \"tenant\", \"roles\", \"caller\" or a list")]
pub enum AudienceDocument {
    /// One word.
    Name(AudienceName),
    /// What the callers have in common, at least one. A text that is none of `"tenant"`, `"roles"`, `"groups"` and
    /// `"caller"` is the name of a claim.
    List(Vec<SharedFactDocument>),
}

/// The callers that share a response, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", remote = "Self")]
pub enum AudienceName {
    /// All callers that the route admits.
    Public,
    /// The callers of one tenant.
    Tenant,
    /// The callers with the same roles.
    Roles,
    /// One caller.
    Caller,
}

/// Something that the callers have in common.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(untagged, remote = "Self")]
pub enum SharedFactDocument {
    /// `"tenant"`, `"roles"`, `"groups"`, `"caller"`, or the name of a claim.
    Name(String),
    /// A claim, also in nested objects.
    Claim(SharedClaim),
}

/// A claim that the callers have in common.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct SharedClaim {
    /// The name of the claim. A list leads into nested objects: `["org", "id"]`.
    pub claim: ClaimName,
}

/// Stored responses of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheRule {
    /// What the callers that share a response have in common; nothing if it is for all.
    pub audience: BTreeSet<SharedFact>,
    /// How long a response is fresh.
    pub ttl: Seconds,
    /// How long after that it is sent while a new one is requested.
    pub stale_while_revalidate: Seconds,
    /// How long after `ttl` it is sent if the origin fails.
    pub stale_if_error: Seconds,
    /// The request fields by which responses differ, in lower case, sorted.
    pub vary: Vec<String>,
}

/// Something that the callers of one audience have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SharedFact {
    /// Issuer and tenant.
    Tenant,
    /// The roles.
    Roles,
    /// The groups.
    Groups,
    /// Issuer and subject: one caller.
    Caller,
    /// The value of a claim of an issuer.
    Claim(ClaimPath),
}

impl SharedFact {
    fn read(document: SharedFactDocument, at: &str, faults: &mut Faults) -> Self {
        match document {
            SharedFactDocument::Claim(claim) => {
                Self::Claim(ClaimPath::read(claim.claim, &format!("{at}.claim"), faults))
            }
            SharedFactDocument::Name(name) => match name.as_str() {
                "tenant" => Self::Tenant,
                "roles" => Self::Roles,
                "groups" => Self::Groups,
                "caller" => Self::Caller,
                _ => Self::Claim(ClaimPath::read(ClaimName::Top(name), at, faults)),
            },
        }
    }

    /// Its name for the application: a claim in nested objects by its JSON Pointer (RFC 6901).
    #[must_use]
    pub fn name(&self) -> Cow<'_, str> {
        match self {
            Self::Tenant => "tenant".into(),
            Self::Roles => "roles".into(),
            Self::Groups => "groups".into(),
            Self::Caller => "caller".into(),
            Self::Claim(path) => format!("claim:{}", path.name_in_app()).into(),
        }
    }

    /// Whether tokens of `issuer` can have it, as far as the policy tells.
    pub(super) fn is_known_of(&self, issuer: &Issuer) -> bool {
        match self {
            Self::Tenant => issuer.shape.tenant.is_some(),
            Self::Roles => !issuer.shape.roles.is_empty(),
            Self::Groups => !issuer.shape.groups.is_empty(),
            Self::Caller | Self::Claim(_) => true,
        }
    }
}

impl CacheRule {
    /// Reads the section at `at`.
    pub(super) fn read(document: CacheDocument, at: &str, faults: &mut Faults) -> Self {
        let most = |name: &str, value: u64, least: u64, faults: &mut Faults| {
            let out_of_range = Fault::OutOfRange { value, least, most: MAX_SECONDS };
            faults.add_if(!(least..=MAX_SECONDS).contains(&value), format_args!("{at}.{name}"), out_of_range);
            Seconds::new(value)
        };
        let at_audience = format!("{at}.audience");
        let audience = match document.audience {
            AudienceDocument::Name(AudienceName::Public) => BTreeSet::new(),
            AudienceDocument::Name(AudienceName::Tenant) => BTreeSet::from([SharedFact::Tenant]),
            AudienceDocument::Name(AudienceName::Roles) => BTreeSet::from([SharedFact::Roles]),
            AudienceDocument::Name(AudienceName::Caller) => BTreeSet::from([SharedFact::Caller]),
            AudienceDocument::List(facts) => {
                faults.add_if(facts.is_empty(), &at_audience, Fault::Empty);
                let read = |(index, fact)| SharedFact::read(fact, &format!("{at_audience}[{index}]"), faults);
                facts.into_iter().enumerate().map(read).collect()
            }
        };
        Self {
            audience,
            ttl: most("ttl", document.ttl, 1, faults),
            stale_while_revalidate: most("stale_while_revalidate", document.stale_while_revalidate, 0, faults),
            stale_if_error: most("stale_if_error", document.stale_if_error, 0, faults),
            vary: vary(document.vary, &format!("{at}.vary"), faults),
        }
    }

    /// The claims that the audience has in common.
    pub fn claims(&self) -> impl Iterator<Item = &ClaimPath> {
        self.audience.iter().filter_map(|fact| match fact {
            SharedFact::Claim(path) => Some(path),
            _ => None,
        })
    }

    /// Whether the audience has the claim at `path` in common.
    #[must_use]
    pub fn names_claim(&self, path: &ClaimPath) -> bool {
        self.claims().any(|claim| claim == path)
    }

    /// Whether the origin receives the field `name` (lower case) of the client: it does if responses may differ by it, or if
    /// it describes a body, which is then part of the key, or the response is not stored.
    #[must_use]
    pub fn forwards(&self, name: &str, has_body: bool) -> bool {
        let of_body = has_body && matches!(name, "content-type" | "content-encoding");
        of_body || self.vary.iter().any(|field| field == name)
    }
}

/// Reads the request fields by which responses differ.
fn vary(names: Vec<String>, at: &str, faults: &mut Faults) -> Vec<String> {
    faults.add_if(names.len() > MAX_VARY, at, Fault::Cache(CacheFault::TooManyFields { most: MAX_VARY }));
    let mut fields = BTreeSet::new();
    for (index, name) in names.into_iter().enumerate() {
        let at = format_args!("{at}[{index}]");
        let name = name.to_ascii_lowercase();
        faults.add_if(!is_field_name(&name), at, Fault::NotAFieldName);
        let is_reserved = !is_visible_to_rules(&name) || NEVER_VARY.contains(&name.as_str());
        faults.add_if(is_reserved, at, Fault::ReservedField { name: name.clone() });
        fields.insert(name);
    }
    fields.into_iter().collect()
}
