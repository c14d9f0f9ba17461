//! `backends`, `regions`, `selection`, `health` and `retries` of an origin, in the document.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::json_form::{objects, strict};
use crate::policy::claim_path::ClaimName;
use crate::time::Seconds;

objects!(BackendDocument, RegionDocument, RegionRuleDocument, SelectionDocument, HealthDocument, RetriesDocument);
strict!(RegionFactDocument, true, true, Self::Tenant | Self::Country | Self::Continent);
strict!(HashPartDocument, true, true, Self::Caller | Self::Tenant | Self::Path);

/// One of several backends of an origin.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct BackendDocument {
    /// The name of the region in which it is. Required if the origin has `regions`.
    #[serde(default)]
    pub region: Option<String>,
    /// The version of the application that it runs, if requests choose it by `selection.version_by`. Default: none; it
    /// receives the requests that choose no version, and those whose version no backend of the region runs.
    #[serde(default)]
    pub version: Option<String>,
    /// Its share of the requests, in relation to the other backends of the same region, version and priority: 0 to 1000.
    /// With 0 it receives none. Default: 1.
    #[serde(default = "one")]
    #[cfg_attr(not(target_os = "wasi"), schemars(range(min = 0, max = 1000)))]
    pub weight: u32,
    /// The models that it serves, by the names that callers use: only requests for these models get it. Default: all, and all
    /// requests that are for no model.
    #[serde(default)]
    pub models: Option<Vec<String>>,
    /// Its rank, 1 to 16: it receives requests only while those of a smaller number are skipped. Default: 1.
    #[serde(default = "one")]
    #[cfg_attr(not(target_os = "wasi"), schemars(range(min = 1, max = 16)))]
    pub priority: u32,
}

const fn one() -> u32 {
    1
}

/// A region: some backends, of which a request gets one.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct RegionDocument {
    /// The region whose backends stand in while all of this one are skipped. Default: none; then no other region ever
    /// receives the requests of this one.
    #[serde(default)]
    pub fallback: Option<String>,
    /// The jurisdiction in which it is, such as `eu`. A fallback to a region outside of it is a fault. Default: none.
    #[serde(default)]
    pub jurisdiction: Option<String>,
}

/// How the backend of a request is chosen.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct SelectionDocument {
    /// The rules that assign a region, in order: the first that knows the value of the request decides.
    #[serde(default)]
    pub region_by: Vec<RegionRuleDocument>,
    /// The region if no rule decides. Default: none; such a request is refused with 503.
    #[serde(default)]
    pub default_region: Option<String>,
    /// What names the version of the application that a request gets.
    #[serde(default)]
    pub version_by: Option<VersionSourceDocument>,
    /// Requests with the same value get the same backend of their region, as long as it is not skipped; if backends are
    /// added or removed, as few as possible move (rendezvous hashing). Requests without the value are spread. Default:
    /// requests are spread.
    #[serde(default)]
    pub hash_by: Option<HashPartDocument>,
}

/// A rule that assigns a region.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct RegionRuleDocument {
    /// The fact that it reads.
    pub by: RegionFactDocument,
    /// The region for each value: `{"acme": "eu"}`, `{"DE": "eu"}`, `{"EU": "eu"}`. A value that is not listed is left to
    /// the next rule.
    pub regions: BTreeMap<String, String>,
}

/// A fact that can assign a region. No header field is one: clients write those.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", remote = "Self")]
pub enum RegionFactDocument {
    /// The tenant of the caller.
    Tenant,
    /// The country where the client's address is registered: ISO 3166-1 alpha-2, upper case.
    Country,
    /// The continent of that address: `AF`, `AN`, `AS`, `EU`, `NA`, `OC`, `SA`.
    Continent,
    /// A claim of the caller's token: a string, a number, true or false.
    Claim(ClaimName),
}

/// What names a version. A value that no backend of the region has as `version` names none.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum VersionSourceDocument {
    /// A request header field. Every client can write it.
    Header(String),
    /// A cookie. Every client can write it.
    Cookie(String),
    /// A claim of the caller's token: a string, a number, true or false.
    Claim(ClaimName),
}

/// What requests of one backend have in common.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", remote = "Self")]
pub enum HashPartDocument {
    /// Issuer and subject.
    Caller,
    /// Issuer and tenant.
    Tenant,
    /// The path that the origin receives.
    Path,
    /// Issuer and a claim of the caller's token: a string, a number, true or false.
    Claim(ClaimName),
}

/// When a backend is skipped.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, remote = "Self")]
pub struct HealthDocument {
    /// How many requests in a row must fail, in one POP. Those with 502, 503 or 504 or without a response in time count only
    /// if the failures in a row last for five seconds, because a caller may cause them. 1 to 100; default: 5.
    #[cfg_attr(not(target_os = "wasi"), schemars(range(min = 1, max = 100)))]
    pub failures: u32,
    /// For how many seconds the POP then skips the backend, 1 to 3600; one request tries it afterwards. Default: 10.
    #[cfg_attr(not(target_os = "wasi"), schemars(range(min = 1, max = 3600)))]
    pub pause: Seconds,
}

impl Default for HealthDocument {
    fn default() -> Self {
        Self { failures: 5, pause: Seconds::new(10) }
    }
}

/// When a request that failed is sent to another backend.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, remote = "Self")]
pub struct RetriesDocument {
    /// How often one request is sent again, 0 to 3. Only requests with GET, HEAD, OPTIONS, PUT or DELETE are, and only
    /// if their body has been read whole or is empty. Default: 1.
    #[cfg_attr(not(target_os = "wasi"), schemars(range(min = 0, max = 3)))]
    pub limit: u32,
    /// How many retries a backend receives in one POP within `window`, 0 to 10000. Default: 20.
    #[cfg_attr(not(target_os = "wasi"), schemars(range(min = 0, max = 10000)))]
    pub budget: u64,
    /// The length of the window in seconds, 1 to 3600. Default: 10.
    #[cfg_attr(not(target_os = "wasi"), schemars(range(min = 1, max = 3600)))]
    pub window: Seconds,
}

impl Default for RetriesDocument {
    fn default() -> Self {
        Self { limit: 1, budget: 20, window: Seconds::new(10) }
    }
}
