//! The key sets of issuers, from the nearest place: this sandbox's memory, the POP's cache, the KV store, the issuer
//! itself. A set belongs to a [`KeysDigest`] (the issuer, the URL of its keys and the backend) and is never used for
//! another one. A stale set is still used while a new one is fetched after the response; good keys are never replaced
//! by a bad response. A POP fetches the keys of an issuer once per cool-down, however many requests need its keys.

mod fetch;
mod stored_sets;
mod withdrawn;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::role_platform::{NO_WAIT, RolePlatform, SENT_AFTER_RESPONSE};
use crate::availability::KillSwitch;
use crate::identity::key_life::{CachedKeySet, KeysNote};
use crate::identity::keys::{Key, KeySet};
use crate::identity::{KeySource, KeysUnavailable, Wanted};
use crate::policy::{Issuer, IssuerId};
use crate::time::{Seconds, UnixTime};
use fetch::{Fetch, Outcome, fetch};
pub use stored_sets::KeysDigest;
use withdrawn::Withdrawn;

/// How long a stale set is used from memory before it is compared with the other places again, in seconds.
const COMPARE_AFTER: Seconds = Seconds::new(5);
/// How long a request without any keys waits for another request that is fetching them.
const LEASE_TIMEOUT: Duration = Duration::from_secs(8);

/// The key sets in the memory of this sandbox.
#[derive(Default)]
pub(super) struct KeySets {
    held: BTreeMap<KeysDigest, MemoryEntry>,
    /// The digests of the policy's issuers.
    digests: BTreeMap<IssuerId, KeysDigest>,
    /// Issuers whose sets are renewed after the response.
    due: Vec<Issuer>,
    withdrawn: Withdrawn,
}

#[derive(Clone)]
struct MemoryEntry {
    held: CachedKeySet,
    compared_at: UnixTime,
}

impl KeySets {
    /// Whether sets were stale.
    pub(super) const fn has_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Renews the sets that were stale.
    pub(super) fn renew(&mut self, platform: RolePlatform<'_>) {
        for issuer in std::mem::take(&mut self.due) {
            let digest = self.digest(&issuer);
            if let Fetch::Given(held) = fetch(&issuer, &digest, platform, NO_WAIT, true) {
                self.keep(digest, held, platform.now());
            }
        }
    }

    fn digest(&mut self, issuer: &Issuer) -> KeysDigest {
        match self.digests.get(&issuer.id) {
            Some(known) => *known,
            None => *self.digests.entry(issuer.id.clone()).or_insert(KeysDigest::of(issuer)),
        }
    }

    fn keep(&mut self, digest: KeysDigest, held: CachedKeySet, now: UnixTime) {
        self.held.insert(digest, MemoryEntry { held, compared_at: now });
    }
}

/// The key sets for one request.
pub(super) struct CachedKeys<'request> {
    sets: &'request mut KeySets,
    kill_switch: &'request KillSwitch,
    platform: RolePlatform<'request>,
    note: Option<KeysNote>,
    /// Whether the current set was fetched while this request waited.
    fetched: bool,
}

impl<'request> CachedKeys<'request> {
    pub(super) const fn new(
        sets: &'request mut KeySets,
        kill_switch: &'request KillSwitch,
        platform: RolePlatform<'request>,
    ) -> Self {
        Self { sets, kill_switch, platform, note: None, fetched: false }
    }

    /// The keys that this request used, for the log.
    pub(super) const fn note(&self) -> Option<KeysNote> {
        self.note
    }

    fn found(&mut self, digest: KeysDigest, issuer: &Issuer, held: CachedKeySet, from: &'static str) -> Arc<KeySet> {
        let now = if self.fetched { self.platform.now() } else { self.platform.began() };
        self.note = Some(held.note(from, now, &issuer.key_life));
        let keys = held.keys();
        self.sets.keep(digest, held, now);
        keys
    }

    fn fetched(&mut self, digest: KeysDigest, issuer: &Issuer, held: CachedKeySet) -> Arc<KeySet> {
        self.fetched = true;
        self.found(digest, issuer, held, "issuer")
    }

    /// The set in memory, if it need not be compared with the other places now.
    fn in_memory(&mut self, digest: &KeysDigest, issuer: &Issuer) -> Option<Arc<KeySet>> {
        let now = self.platform.began();
        let entry = self.sets.held.get(digest)?;
        let recent = now.since(entry.compared_at) < COMPARE_AFTER && entry.held.is_usable(now, &issuer.key_life);
        if !entry.held.is_fresh(now, &issuer.key_life) && !recent {
            return None;
        }
        self.note = Some(entry.held.note("memory", now, &issuer.key_life));
        Some(entry.held.keys())
    }

    fn nearest(&mut self, issuer: &Issuer) -> Result<Arc<KeySet>, KeysUnavailable> {
        let digest = self.sets.digest(issuer);
        if let Some(keys) = self.in_memory(&digest, issuer) {
            return Ok(keys);
        }
        let now = self.platform.began();
        let entry = self.sets.held.get(&digest).filter(|entry| entry.held.is_usable(now, &issuer.key_life));
        let mut best = entry.map(|entry| (entry.held.clone(), "memory"));
        for (look, from) in [(stored_sets::cached as stored_sets::Lookup, "cache"), (stored_sets::stored, "store")] {
            // An older set of the issuer is never used, however long it would be fresh.
            let is_newer = |held: &CachedKeySet| best.as_ref().is_none_or(|(known, _)| held.is_newer_than(known));
            if let Some(held) = look(issuer, &digest, self.platform).filter(is_newer) {
                if held.is_fresh(now, &issuer.key_life) {
                    return Ok(self.found(digest, issuer, held, from));
                }
                best = Some((held, from));
            }
        }
        match best {
            Some((held, from)) => {
                self.sets.due.push(issuer.clone());
                Ok(self.found(digest, issuer, held, from))
            }
            None => self.wait_for_issuer(digest, issuer),
        }
    }

    /// Without any keys, the request has to wait for the issuer, or for the request that is asking it.
    fn wait_for_issuer(&mut self, digest: KeysDigest, issuer: &Issuer) -> Result<Arc<KeySet>, KeysUnavailable> {
        if let Some(unavailable) = self.postponed(issuer) {
            return Err(unavailable);
        }
        match fetch(issuer, &digest, self.platform, LEASE_TIMEOUT, false) {
            Fetch::Given(held) => Ok(self.fetched(digest, issuer, held)),
            Fetch::RecentlyFetched(_) => {
                let platform = self.platform;
                let found = stored_sets::cached(issuer, &digest, platform)
                    .or_else(|| stored_sets::stored(issuer, &digest, platform));
                match found {
                    Some(held) => Ok(self.found(digest, issuer, held, "cache")),
                    None => Err(unavailable(issuer, "the issuer failed a moment ago")),
                }
            }
            Fetch::Failed(cause) => Err(unavailable(issuer, &cause)),
        }
    }

    /// A set later than the current one, which lacks a key or has another one under its id. If the issuer cannot be
    /// reached, the key may exist, so the result is an error (503) and not a missing key (401).
    fn later(&mut self, issuer: &Issuer) -> Result<Arc<KeySet>, KeysUnavailable> {
        let digest = self.sets.digest(issuer);
        let Some(known) = self.sets.held.get(&digest).map(|entry| entry.held.clone()) else {
            return self.nearest(issuer);
        };
        if let Some(held) = stored_sets::cached_later(issuer, &digest, self.platform, &known) {
            return Ok(self.found(digest, issuer, held, "cache"));
        }
        if let Some(unavailable) = self.postponed(issuer) {
            return Err(unavailable);
        }
        match fetch(issuer, &digest, self.platform, LEASE_TIMEOUT, true) {
            Fetch::Given(held) => Ok(self.fetched(digest, issuer, held)),
            Fetch::RecentlyFetched(Outcome::Given) => {
                match stored_sets::cached_later(issuer, &digest, self.platform, &known) {
                    Some(held) => Ok(self.found(digest, issuer, held, "cache")),
                    None => Ok(known.keys()),
                }
            }
            Fetch::RecentlyFetched(Outcome::Failed) => Err(unavailable(issuer, "the issuer failed a moment ago")),
            Fetch::Failed(cause) => Err(unavailable(issuer, &cause)),
        }
    }

    /// Postpones the request to an issuer of a shadow policy until after the response, and returns the error; `None` if
    /// the keys may be fetched now.
    fn postponed(&mut self, issuer: &Issuer) -> Option<KeysUnavailable> {
        if self.platform.may_send_to_issuers() {
            return None;
        }
        self.sets.due.push(issuer.clone());
        Some(unavailable(issuer, SENT_AFTER_RESPONSE))
    }
}

fn unavailable(issuer: &Issuer, cause: &str) -> KeysUnavailable {
    KeysUnavailable { issuer: issuer.id.clone(), cause: cause.to_owned() }
}

impl KeySource for CachedKeys<'_> {
    fn keys(&mut self, issuer: &Issuer, wanted: Wanted) -> Result<Arc<KeySet>, KeysUnavailable> {
        let digest = self.sets.digest(issuer);
        let KeySets { held, withdrawn, .. } = &mut *self.sets;
        if let Some(entry) = held.get(&digest) {
            withdrawn.note(issuer, self.kill_switch, &entry.held.keys()); // another set may replace it
        }
        let keys = match wanted {
            Wanted::Nearest => self.nearest(issuer)?,
            Wanted::Later => self.later(issuer)?,
        };
        Ok(self.sets.withdrawn.taken_from(issuer, self.kill_switch, keys))
    }

    fn may_lack(&self, issuer: &Issuer, kid: Option<&str>, since: Option<UnixTime>) -> bool {
        let held = self.sets.held.get(&KeysDigest::of(issuer)).map(|entry| &entry.held);
        let is_withdrawn = |key: &Key| key.id() == kid && self.sets.withdrawn.has(issuer, self.kill_switch, key);
        if self.kill_switch.withdraws(issuer, kid, None)
            || held.is_some_and(|held| held.keys().keys().iter().any(is_withdrawn))
        {
            return false;
        }
        let known = held.and_then(CachedKeySet::fetched_at);
        match (known, since) {
            _ if self.fetched => false,
            (Some(given), Some(since)) => since.plus(issuer.leeway) >= given.at(),
            _ => true,
        }
    }
}
