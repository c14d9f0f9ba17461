//! One visit to an issuer: discovery, then its key set, through the declared backend. A lease gives the visit to one
//! request of the POP; the others wait for it, and once it is over its outcome stays in the cache for a cool-down, during
//! which nobody asks. A request that holds the lease and dies hands it to the next. A cache that errs lets nobody ask.

use std::time::Duration;

use super::places::{self, KeysDigest};
use crate::identity::discovery;
use crate::identity::key_life::{CachedKeySet, FetchedAt, fresh_for};
use crate::identity::keys::{KeySet, MAX_JWKS_BYTES};
use crate::policy::Issuer;
use crate::ports::scoped::{Scoped, Space};
use crate::ports::storage::{Incoming, Leased, Outgoing, Stored};

/// How long an issuer that failed is left alone while there are no keys at all, in seconds.
const COLD_RETRY: u64 = 5;

/// What a visit came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The issuer gave a set.
    Given,
    /// It did not.
    Failed,
}

const GIVEN: &[u8] = b"given";
const FAILED: &[u8] = b"failed";

/// What asking the issuer came to.
pub(super) enum Asked {
    /// It gave a set.
    Given(CachedKeySet),
    /// It was asked within the cool-down, by another request.
    Lately(Outcome),
    /// It was asked and failed, or it is not known whether anybody may ask.
    Failed(String),
}

/// Asks the issuer, if no other request does or did; waits at most `patience` to learn whether one does.
pub(super) fn ask(
    issuer: &Issuer,
    digest: &KeysDigest,
    scoped: Scoped<'_>,
    patience: Duration,
    has_keys: bool,
) -> Asked {
    let lease = match scoped.lease(Space::KeyVisit, digest.as_bytes(), patience, 0) {
        Ok(Leased::Mine(lease)) => lease,
        Ok(Leased::Found(found)) if found.note == GIVEN => return Asked::Lately(Outcome::Given),
        Ok(Leased::Found(_)) => return Asked::Lately(Outcome::Failed),
        Ok(Leased::TimedOut) => return Asked::Failed("another request is asking the issuer, too slowly".to_owned()),
        Err(error) => return Asked::Failed(format!("whether the issuer may be asked cannot be told: {error}")),
    };
    let mut fetched = key_set(issuer, scoped);
    if fetched.is_err() && !has_keys {
        fetched = key_set(issuer, scoped); // everybody waits for this one: a single slip is not passed on to all of them
    }
    let cool_down = issuer.key_life.cool_down.as_u64();
    let (asked, outcome, rest) = match fetched {
        Ok((keys, given, json)) => {
            places::remember(issuer, digest, json, given, scoped);
            (Asked::Given(CachedKeySet::with_note(keys, Some(given))), GIVEN, cool_down)
        }
        Err(cause) => {
            let rest = if has_keys { cool_down } else { cool_down.min(COLD_RETRY) };
            (Asked::Failed(cause), FAILED, rest)
        }
    };
    let _ = lease.put(&Stored::note(outcome), rest);
    asked
}

/// The key set of `issuer`, when it was given, and its text. The error says what was wrong with which response.
fn key_set(issuer: &Issuer, scoped: Scoped<'_>) -> Result<(KeySet, FetchedAt, Vec<u8>), String> {
    let at = scoped.now();
    let uri = match &issuer.jwks_uri {
        Some(uri) => uri.clone(),
        None => discover(issuer, scoped)?,
    };
    let response = fetch(&uri, issuer, scoped)?;
    let fresh_for = fresh_for(&issuer.key_life, response.cache_control.as_deref(), response.age.as_deref());
    let keys = KeySet::parse(&response.body).map_err(|error| format!("{uri}: {error}"))?;
    Ok((keys, FetchedAt::new(at, fresh_for), response.body))
}

fn discover(issuer: &Issuer, scoped: Scoped<'_>) -> Result<String, String> {
    let url = discovery::document_url(issuer);
    let document = fetch(&url, issuer, scoped)?.body;
    discovery::jwks_uri(issuer, &document).map_err(|error| format!("{url}: {error}"))
}

fn fetch(url: &str, issuer: &Issuer, scoped: Scoped<'_>) -> Result<Incoming, String> {
    scoped.ask(&Outgoing { backend: &issuer.backend, url, form: None, max_bytes: MAX_JWKS_BYTES })
}
