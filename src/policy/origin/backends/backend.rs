//! One of the backends of an origin.

use std::collections::{BTreeMap, BTreeSet};

use super::document::{BackendDocument, RegionDocument};
use super::fault::BackendsFault;
use crate::policy::fault::{Fault, Faults};

/// A backend of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Its name in the service.
    pub name: String,
    /// The region in which it is.
    pub region: Option<String>,
    /// The version that it runs, if requests choose it.
    pub version: Option<String>,
    /// Its share of the requests.
    pub weight: u32,
    /// Its rank; the smallest number is the first.
    pub priority: u32,
    /// The models that it serves; `None` if it serves all of them, and requests for none.
    pub models: Option<BTreeSet<String>>,
}

impl Backend {
    /// Reads the backend at `at`; without a document it is the only one of its origin.
    pub(super) fn read(
        name: String,
        document: Option<BackendDocument>,
        regions: &BTreeMap<String, RegionDocument>,
        at: &str,
        faults: &mut Faults,
    ) -> Self {
        faults.add_if(name.is_empty(), at, Fault::Empty);
        let is_no_name = name.len() > 255 || name.chars().any(char::is_control);
        faults.add_if(is_no_name, at, BackendsFault::NotABackendName.into());
        let Some(BackendDocument { region, version, weight, priority, models }) = document else {
            return Self { name, region: None, version: None, weight: 1, priority: 1, models: None };
        };
        faults.range(weight, 0, 1000, format_args!("{at}.weight"));
        faults.range(priority, 1, 16, format_args!("{at}.priority"));
        faults.add_if(version.as_deref() == Some(""), format_args!("{at}.version"), Fault::Empty);
        faults.add_if(models.as_ref().is_some_and(Vec::is_empty), format_args!("{at}.models"), Fault::Empty);
        let at_region = format_args!("{at}.region");
        faults.add_if(region.is_none() && !regions.is_empty(), at_region, BackendsFault::RegionMissing.into());
        let is_unknown = region.as_ref().is_some_and(|region| !regions.contains_key(region));
        faults.add_if(is_unknown, at_region, BackendsFault::UnknownRegion.into());
        Self { name, region, version, weight, priority, models: models.map(|models| models.into_iter().collect()) }
    }

    /// Whether it serves requests for this model; `None` stands for requests that are for no model.
    #[must_use]
    pub fn serves(&self, model: Option<&str>) -> bool {
        self.models.as_ref().is_none_or(|models| model.is_some_and(|model| models.contains(model)))
    }

    /// Whether it receives requests at all.
    #[must_use]
    pub const fn takes_requests(&self) -> bool {
        self.weight > 0
    }
}
