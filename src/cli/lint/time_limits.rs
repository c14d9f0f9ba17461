//! Routes whose tries may together take longer than the platform lets one request run.

use std::collections::BTreeMap;

use fastgate::backend::may_resend;
use fastgate::policy::{Backend, Backends, Route};

use super::hint::Lint;

/// The platform ends a request after this time, in seconds.
const PLATFORM_SECONDS: u64 = 120;

/// A hint if the platform may end a request of the route before its last try is over.
pub(super) fn over_time(route: &Route, at: &str) -> Option<Lint> {
    let backends = &route.origin()?.backends;
    let timeout = route.timeout?.as_u64();
    let is_resent = route.methods.iter().any(|method| may_resend(method.as_str()));
    let retries = if is_resent { retries(route, backends) } else { 0 };
    let tries = retries.saturating_add(1);
    let seconds = timeout.saturating_mul(tries);
    (retries > 0 && seconds > PLATFORM_SECONDS).then(|| Lint {
        at: format!("{at}.timeout"),
        what: format!(
            "of route \"{}\" counts for each try: {tries} tries of {timeout} seconds may take {seconds}, but the platform \
             ends a request after {PLATFORM_SECONDS}",
            route.id
        ),
        remedy: "write a \"timeout\" of which all tries fit, or a smaller \"limit\" in \"retries\" of the origin",
    })
}

/// How often a request of the route can be sent again at most: each time to another backend.
fn retries(route: &Route, backends: &Backends) -> u64 {
    let serving = |chain: &[String]| {
        let serves = |backend: &&Backend| {
            let region = backend.region.as_ref();
            // Requests to models are not sent again, because their method is POST.
            backend.takes_requests()
                && backend.serves(None)
                && region.is_none_or(|region| chain.contains(region) && route.admits_region(region))
        };
        let mut by_version: BTreeMap<Option<&str>, u64> = BTreeMap::new();
        for backend in backends.all.iter().map(AsRef::as_ref).filter(serves) {
            *by_version.entry(backend.version.as_deref()).or_default() += 1;
        }
        // A request gets those of one version, and those without.
        let plain = by_version.remove(&None).unwrap_or_default();
        by_version.into_values().max().unwrap_or_default().saturating_add(plain)
    };
    let of_regions = backends.regions.values().map(|chain| serving(chain)).max();
    let several = of_regions.unwrap_or_else(|| serving(&[]));
    several.saturating_sub(1).min(backends.retries.into())
}
