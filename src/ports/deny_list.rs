//! The deny-list in the KV store. Its entries are kept in the memory of this sandbox and in the POP's cache, for the
//! window of the issuer and not a second longer: the window begins when the store was read.

use super::cache_space::Space;
use super::role_platform::RolePlatform;
use super::storage::Stored;
use crate::identity::deny_list::{CachedEntry, DenyList, DenyListMemory, DenyListUnavailable, Entry, RevocationKey};
use crate::time::Seconds;

/// The longest entry that is read, in bytes.
const MAX_ENTRY_BYTES: usize = 1024;

/// The deny-list for one request.
pub(super) struct KvDenyList<'request> {
    pub(super) memory: &'request mut DenyListMemory,
    pub(super) platform: RolePlatform<'request>,
}

impl DenyList for KvDenyList<'_> {
    fn entries(
        &mut self,
        keys: &[RevocationKey],
        window: Seconds,
    ) -> Result<Vec<(RevocationKey, Entry)>, DenyListUnavailable> {
        let mut found = Vec::new();
        let mut unknown = Vec::new();
        for key in keys {
            match self.cached(key, window) {
                Some(known) => found.extend(known.entry().map(|entry| (*key, entry))),
                None => unknown.push(*key),
            }
        }
        if unknown.is_empty() {
            return Ok(found);
        }
        let read_at = self.platform.now();
        let store_keys: Vec<String> = unknown.iter().map(RevocationKey::store_key).collect();
        let stored = self.platform.kv_all(&store_keys, MAX_ENTRY_BYTES);
        let stored = stored.map_err(|error| DenyListUnavailable { cause: error.to_string() })?;
        for (key, stored) in unknown.into_iter().zip(stored) {
            let entry = stored.map(|stored| Entry::parse(&stored.value));
            self.remember(key, CachedEntry::new(read_at, entry), window);
            found.extend(entry.map(|entry| (key, entry)));
        }
        Ok(found)
    }
}

impl KvDenyList<'_> {
    fn cached(&mut self, key: &RevocationKey, window: Seconds) -> Option<CachedEntry> {
        let now = self.platform.now();
        let known = self.memory.recall(key, now).filter(|known| known.holds(now, window));
        if known.is_some() {
            return known.copied();
        }
        let note = self.platform.cached_note(Space::DenyList, key.as_bytes()).ok()??;
        let known = CachedEntry::from_record(&note).filter(|known| known.holds(now, window))?;
        self.memory.keep(*key, known, known.until(window));
        Some(known)
    }

    fn remember(&mut self, key: RevocationKey, known: CachedEntry, window: Seconds) {
        if window.is_zero() {
            return;
        }
        self.memory.keep(key, known, known.until(window));
        let _ = self.platform.cache(Space::DenyList, key.as_bytes(), &Stored::note(known.to_record()), window);
    }
}
