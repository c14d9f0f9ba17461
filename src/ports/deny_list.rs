//! The deny-list in the KV store. Its entries are kept in the memory of this sandbox and in the POP's cache, for the
//! window of the issuer and not a second longer: the window begins when the store was read.

use super::cache_space::Space;
use super::role_platform::RolePlatform;
use super::storage::Stored;
use crate::identity::deny_list::{CachedEntry, DenyList, DenyListMemory, DenyListUnavailable, Entry, RevocationKey};

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
        marks: &[RevocationKey],
        window: u64,
    ) -> Result<Vec<(RevocationKey, Entry)>, DenyListUnavailable> {
        let mut found = Vec::new();
        let mut unknown = Vec::new();
        for mark in marks {
            match self.cached(mark, window) {
                Some(known) => found.extend(known.entry().map(|entry| (*mark, entry))),
                None => unknown.push(*mark),
            }
        }
        if unknown.is_empty() {
            return Ok(found);
        }
        let read_at = self.platform.now();
        let keys: Vec<String> = unknown.iter().map(RevocationKey::store_key).collect();
        let stored = self.platform.kv_all(&keys, MAX_ENTRY_BYTES);
        let stored = stored.map_err(|error| DenyListUnavailable { cause: error.to_string() })?;
        for (mark, stored) in unknown.into_iter().zip(stored) {
            let entry = stored.map(|stored| Entry::parse(&stored.value));
            self.remember(mark, CachedEntry::new(read_at, entry), window);
            found.extend(entry.map(|entry| (mark, entry)));
        }
        Ok(found)
    }
}

impl KvDenyList<'_> {
    fn cached(&mut self, mark: &RevocationKey, window: u64) -> Option<CachedEntry> {
        let now = self.platform.now();
        let known = self.memory.recall(mark, now).filter(|known| known.holds(now, window));
        if known.is_some() {
            return known.copied();
        }
        let note = self.platform.cached_note(Space::DenyList, mark.as_bytes()).ok()??;
        let known = CachedEntry::from_record(&note).filter(|known| known.holds(now, window))?;
        self.memory.keep(*mark, known, known.until(window));
        Some(known)
    }

    fn remember(&mut self, mark: RevocationKey, known: CachedEntry, window: u64) {
        if window == 0 {
            return;
        }
        self.memory.keep(mark, known, known.until(window));
        let _ = self.platform.cache(Space::DenyList, mark.as_bytes(), &Stored::note(known.to_record()), window);
    }
}
