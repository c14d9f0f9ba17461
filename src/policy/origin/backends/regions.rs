//! The regions of an origin: checks that each has a backend and that its fallbacks come to an end within its jurisdiction.

use std::collections::BTreeMap;

use super::backend::Backend;
use super::document::{RegionDocument, SelectionDocument};
use super::fault::BackendsFault;
use crate::policy::fault::{Fault, Faults};
use crate::policy::names::is_id;

/// Adds the faults of the regions of the origin at `at`.
pub(super) fn check(
    regions: &BTreeMap<String, RegionDocument>,
    backends: &[Backend],
    selection: &SelectionDocument,
    at: &str,
    faults: &mut Faults,
) {
    if regions.is_empty() && !backends.is_empty() {
        check_backends(backends.iter(), &format!("{at}.backends"), faults);
    }
    for (name, region) in regions {
        let at = format!("{at}.regions.{name}");
        faults.add_if(!is_id(name), &at, Fault::NotAnId);
        let empty = region.jurisdiction.as_deref() == Some("");
        faults.add_if(empty, format_args!("{at}.jurisdiction"), Fault::Empty);
        check_backends(backends.iter().filter(|backend| backend.region.as_ref() == Some(name)), &at, faults);
        check_fallback(name, region, regions, &format!("{at}.fallback"), faults);
    }
    let at = format!("{at}.selection");
    let mut named: Vec<_> =
        selection.default_region.iter().map(|name| (name, format!("{at}.default_region"))).collect();
    for (index, rule) in selection.region_by.iter().enumerate() {
        let at = |value: &String| format!("{at}.region_by[{index}].regions.{value}");
        named.extend(rule.regions.iter().map(|(value, name)| (name, at(value))));
    }
    for (name, at) in named {
        faults.add_if(!regions.contains_key(name), at, BackendsFault::UnknownRegion.into());
    }
    let is_unassigned = selection.region_by.is_empty() && selection.default_region.is_none();
    faults.add_if(is_unassigned && !regions.is_empty(), at, BackendsFault::NoAssignment.into());
}

/// Adds a fault if no backend can receive requests that choose no version.
fn check_backends<'backends>(here: impl Iterator<Item = &'backends Backend>, at: &str, faults: &mut Faults) {
    let (ready, drained): (Vec<_>, Vec<_>) =
        here.filter(|backend| backend.version.is_none()).partition(|backend| backend.takes_requests());
    if ready.is_empty() {
        let drained = drained.into_iter().map(|backend| backend.name.clone()).collect();
        faults.add(at, BackendsFault::NoBackend { drained }.into());
    }
}

/// Follows the fallbacks of one region.
fn check_fallback(
    name: &str,
    region: &RegionDocument,
    regions: &BTreeMap<String, RegionDocument>,
    at: &str,
    faults: &mut Faults,
) {
    let mut current = region;
    for _ in regions {
        let Some(fallback) = &current.fallback else { return };
        if fallback == name {
            return faults.add(at, BackendsFault::FallbackCycle { region: name.to_owned() }.into());
        }
        let Some(next) = regions.get(fallback) else {
            // The region that names it has the fault.
            let is_own = std::ptr::eq(current, region);
            return faults.add_if(is_own, at, BackendsFault::UnknownRegion.into());
        };
        if let Some(jurisdiction) = region.jurisdiction.as_ref().filter(|own| next.jurisdiction.as_ref() != Some(own)) {
            let (jurisdiction, region) = (jurisdiction.clone(), name.to_owned());
            return faults.add(at, BackendsFault::LeavesJurisdiction { jurisdiction, region }.into());
        }
        current = next;
    }
}

/// Each region with those that may serve its requests: first itself, then its fallbacks.
pub(super) fn chains(regions: &BTreeMap<String, RegionDocument>) -> BTreeMap<String, Vec<String>> {
    let chain = |name: &String| {
        let mut chain = vec![name.clone()];
        while let Some(fallback) = chain.last().and_then(|last| regions.get(last)?.fallback.as_ref())
            && !chain.contains(fallback)
        {
            chain.push(fallback.clone());
        }
        chain
    };
    regions.keys().map(|name| (name.clone(), chain(name))).collect()
}
