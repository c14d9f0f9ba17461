//! The backends of an origin, and the rules by which a request gets one of them. Input: members of an `OriginDocument`.
//! Output: [`Backends`].

mod backend;
pub(super) mod document;
pub(in crate::policy) mod fault;
mod regions;
mod version;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use backend::Backend;
use document::{
    BackendDocument, HashPartDocument, HealthDocument, RegionDocument, RegionFactDocument, RegionRuleDocument,
    RetriesDocument, SelectionDocument,
};
use fault::BackendsFault;
pub use version::VersionSource;

use crate::policy::claim_path::ClaimPath;
use crate::policy::fault::{Fault, Faults};
use crate::policy::limits::Limit;
use crate::policy::places::{is_continent, is_country};
use crate::time::Seconds;

/// The most backends, and the most regions, of one origin. Each request ranks them.
const MOST: usize = 64;

/// The backends of an origin: one, or several with rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backends {
    /// The name of the origin.
    pub origin: String,
    /// At least one.
    pub all: Vec<Arc<Backend>>,
    /// The regions by name, each with the regions that may serve its requests: first itself, then its fallbacks. Empty if
    /// the origin has no regions.
    pub regions: BTreeMap<String, Vec<String>>,
    /// The rules that assign a region.
    pub region_by: Vec<RegionRule>,
    /// The region if no rule decides.
    pub default_region: Option<String>,
    /// What names a version.
    pub version_by: Option<VersionSource>,
    /// What requests of one backend have in common; `None` if they are spread.
    pub hash_by: Option<HashPart>,
    /// How many failures [in a row](crate::backend::HealthRecord) make the POP skip a backend.
    pub failures: u32,
    /// For how long it is skipped.
    pub pause: Seconds,
    /// How often one request is sent again.
    pub retries: u32,
    /// How many retries a backend receives in one POP.
    pub retry_budget: Limit,
}

/// A rule that assigns a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionRule {
    /// The fact that it reads.
    pub by: RegionFact,
    /// The region for each value.
    pub regions: BTreeMap<String, String>,
}

/// The region that the rules assign to a request, and the rule that decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionChoice {
    /// The region; `None` if no rule decides and there is no default.
    pub region: Option<String>,
    /// The index of the first rule that knows the value of the request; `None` if the default counts.
    pub rule: Option<usize>,
}

/// A fact that can assign a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegionFact {
    /// The tenant.
    Tenant,
    /// The client's country.
    Country,
    /// The client's continent.
    Continent,
    /// A claim.
    Claim(ClaimPath),
}

/// What requests of one backend have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashPart {
    /// Issuer and subject.
    Caller,
    /// Issuer and tenant.
    Tenant,
    /// The path at the origin.
    Path,
    /// Issuer and claim.
    Claim(ClaimPath),
}

/// The members of an origin that concern its backends.
pub(super) struct Members {
    pub(super) backend: Option<String>,
    pub(super) backends: BTreeMap<String, BackendDocument>,
    pub(super) regions: BTreeMap<String, RegionDocument>,
    pub(super) selection: Option<SelectionDocument>,
    pub(super) health: Option<HealthDocument>,
    pub(super) retries: Option<RetriesDocument>,
}

impl Backends {
    /// Reads the members of the origin at `at`.
    pub(super) fn read(origin: &str, members: Members, at: &str, faults: &mut Faults) -> Self {
        let Members { backend, backends, regions, selection, health, retries } = members;
        faults.add_if(backend.is_some() != backends.is_empty(), at, BackendsFault::NotOneForm.into());
        if backend.is_some() {
            for (is_present, member) in [
                (!regions.is_empty(), "regions"),
                (selection.is_some(), "selection"),
                (health.is_some(), "health"),
                (retries.is_some(), "retries"),
            ] {
                faults.add_if(is_present, format_args!("{at}.{member}"), BackendsFault::SingleBackend.into());
            }
        }
        let selection = selection.unwrap_or_default();
        let health = health.unwrap_or_default();
        let retries = retries.unwrap_or_default();
        for (count, member) in [(backends.len(), "backends"), (regions.len(), "regions")] {
            let fault = BackendsFault::TooMany { most: MOST };
            faults.add_if(count > MOST, format_args!("{at}.{member}"), fault.into());
        }
        faults.range(health.failures, 1, 100, format_args!("{at}.health.failures"));
        faults.range(health.pause, 1, 3600, format_args!("{at}.health.pause"));
        faults.range(retries.limit, 0, 3, format_args!("{at}.retries.limit"));
        faults.range(retries.budget, 0, 10_000, format_args!("{at}.retries.budget"));
        faults.range(retries.window, 1, 3600, format_args!("{at}.retries.window"));
        let single = backend.into_iter().map(|name| (format!("{at}.backend"), name, None));
        let several =
            backends.into_iter().map(|(name, document)| (format!("{at}.backends.{name}"), name, Some(document)));
        let all: Vec<_> = single
            .chain(several)
            .map(|(at, name, document)| Backend::read(name, document, &regions, &at, faults))
            .collect();
        let at_selection = format!("{at}.selection");
        regions::check(&regions, &all, &selection, at, faults);
        let versions: BTreeSet<_> = all.iter().filter_map(|backend| backend.version.as_deref()).collect();
        let half = selection.version_by.is_some() == versions.is_empty();
        faults.add_if(half, &at_selection, BackendsFault::HalfOfVersions.into());
        let hash_by = selection.hash_by.map(|part| HashPart::read(part, &at_selection, faults));
        let version_by = selection.version_by.map(|source| VersionSource::read(source, &at_selection, faults));
        for backend in &all {
            let versions = version_by.as_ref().zip(backend.version.as_deref());
            let cannot_be = versions.is_some_and(|(source, version)| !source.can_be(version));
            let at_version = format_args!("{at}.backends.{}.version", backend.name);
            faults.add_if(cannot_be, at_version, BackendsFault::NotAVersion.into());
        }
        let rules = selection.region_by.into_iter().enumerate();
        let region_by =
            rules.map(|(index, rule)| RegionRule::read(rule, &format!("{at_selection}.region_by[{index}]"), faults));
        Self {
            origin: origin.to_owned(),
            all: all.into_iter().map(Arc::new).collect(),
            region_by: region_by.collect(),
            default_region: selection.default_region,
            version_by,
            hash_by,
            failures: health.failures,
            pause: health.pause,
            retries: retries.limit,
            retry_budget: Limit::of_retries(retries.budget, retries.window),
            regions: regions::chains(&regions),
        }
    }

    /// Whether rules choose the backend of a request: there are several backends or regions.
    #[must_use]
    pub fn are_chosen(&self) -> bool {
        self.all.len() > 1 || !self.regions.is_empty()
    }
}

impl RegionRule {
    fn read(document: RegionRuleDocument, at: &str, faults: &mut Faults) -> Self {
        let RegionRuleDocument { by, regions } = document;
        faults.add_if(regions.is_empty(), format_args!("{at}.regions"), Fault::Empty);
        let fault_of = |value: &String| match &by {
            RegionFactDocument::Country if !is_country(value) => Some(BackendsFault::NotACountry(value.clone())),
            RegionFactDocument::Continent if !is_continent(value) => Some(BackendsFault::NotAContinent(value.clone())),
            _ => None,
        };
        for fault in regions.keys().filter_map(fault_of) {
            faults.add(format!("{at}.regions"), fault.into());
        }
        let by = match by {
            RegionFactDocument::Tenant => RegionFact::Tenant,
            RegionFactDocument::Country => RegionFact::Country,
            RegionFactDocument::Continent => RegionFact::Continent,
            RegionFactDocument::Claim(name) => {
                RegionFact::Claim(ClaimPath::read(name, &format!("{at}.by.claim"), faults))
            }
        };
        Self { by, regions }
    }
}

impl HashPart {
    fn read(document: HashPartDocument, at: &str, faults: &mut Faults) -> Self {
        match document {
            HashPartDocument::Caller => Self::Caller,
            HashPartDocument::Tenant => Self::Tenant,
            HashPartDocument::Path => Self::Path,
            HashPartDocument::Claim(name) => Self::Claim(ClaimPath::read(name, &format!("{at}.hash_by.claim"), faults)),
        }
    }
}
