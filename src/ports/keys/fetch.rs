//! Fetches the keys of an issuer: discovery, then its key set, through the declared backend. A lease lets one request
//! of the POP fetch; the others wait for it. The outcome stays in the cache for a cool-down, during which no request is
//! sent to the issuer. If the holder of the lease dies, the lease passes to the next request. If the cache fails, no
//! request is sent.

use std::time::Duration;

use super::stored_sets::{self, KeysDigest};
use crate::identity::discovery;
use crate::identity::key_life::{CachedKeySet, FetchedAt, fresh_for};
use crate::identity::keys::{KeySet, MAX_JWKS_BYTES};
use crate::policy::Issuer;
use crate::ports::cache_space::Space;
use crate::ports::role_platform::RolePlatform;
use crate::ports::storage::{Incoming, Leased, Outgoing, Stored};
use crate::time::Seconds;

/// The cool-down after a failure while there are no keys at all, in seconds.
const COLD_RETRY: Seconds = Seconds::new(5);

/// The outcome of a fetch, as the cache keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The issuer served a set.
    Given,
    /// The issuer failed.
    Failed,
}

const GIVEN: &[u8] = b"given";
const FAILED: &[u8] = b"failed";

/// The result of a fetch, for one request.
pub(super) enum Fetch {
    /// The issuer served this set.
    Given(CachedKeySet),
    /// Another request fetched the keys within the cool-down.
    RecentlyFetched(Outcome),
    /// The issuer failed, or it is unknown whether the keys may be fetched.
    Failed(String),
}

/// Fetches the key set of the issuer, unless another request is doing so or did so within the cool-down. Waits at most
/// `timeout` for the lease.
pub(super) fn fetch(
    issuer: &Issuer,
    digest: &KeysDigest,
    platform: RolePlatform<'_>,
    timeout: Duration,
    has_keys: bool,
) -> Fetch {
    let lease = match platform.lease(Space::KeyFetch, digest.as_bytes(), timeout, 0) {
        Ok(Leased::Mine(lease)) => lease,
        Ok(Leased::Found(found)) if found.note == GIVEN => return Fetch::RecentlyFetched(Outcome::Given),
        Ok(Leased::Found(_)) => return Fetch::RecentlyFetched(Outcome::Failed),
        Ok(Leased::TimedOut) => {
            return Fetch::Failed("another request to the issuer takes too long".to_owned());
        }
        Err(error) => return Fetch::Failed(format!("it is unknown whether the keys may be fetched: {error}")),
    };
    let mut fetched = key_set(issuer, platform);
    if fetched.is_err() && !has_keys {
        // Other requests wait for this one: a single failure must not refuse all of them.
        fetched = key_set(issuer, platform);
    }
    let full = issuer.key_life.cool_down;
    let (result, outcome, cool_down) = match fetched {
        Ok((keys, given, json)) => {
            stored_sets::remember(issuer, digest, json, given, platform);
            (Fetch::Given(CachedKeySet::with_note(keys, Some(given))), GIVEN, full)
        }
        Err(cause) => {
            let cool_down = if has_keys { full } else { full.min(COLD_RETRY) };
            (Fetch::Failed(cause), FAILED, cool_down)
        }
    };
    let _ = lease.put(&Stored::note(outcome), cool_down);
    result
}

/// The key set of `issuer`, when it was served, and its text. The error names the URL and what was wrong with the
/// response.
fn key_set(issuer: &Issuer, platform: RolePlatform<'_>) -> Result<(KeySet, FetchedAt, Vec<u8>), String> {
    let at = platform.now();
    let uri = match &issuer.jwks_uri {
        Some(uri) => uri.clone(),
        None => discover(issuer, platform)?,
    };
    let response = document(&uri, issuer, platform)?;
    let fresh_for = fresh_for(&issuer.key_life, response.cache_control.as_deref(), response.age.as_deref());
    let keys = KeySet::parse(&response.body).map_err(|error| format!("{uri}: {error}"))?;
    Ok((keys, FetchedAt::new(at, fresh_for), response.body))
}

fn discover(issuer: &Issuer, platform: RolePlatform<'_>) -> Result<String, String> {
    let url = discovery::document_url(issuer);
    let document = document(&url, issuer, platform)?.body;
    discovery::jwks_uri(issuer, &document).map_err(|error| format!("{url}: {error}"))
}

fn document(url: &str, issuer: &Issuer, platform: RolePlatform<'_>) -> Result<Incoming, String> {
    platform.ask(&Outgoing { backend: &issuer.backend, url, form: None, max_bytes: MAX_JWKS_BYTES })
}
