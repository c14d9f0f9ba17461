//! The deny-list in the KV store. What it said is kept in the memory of this sandbox and in the Core Cache of the POP, for
//! the window of the issuer and not a second longer: it keeps the time at which the store was asked.

use std::time::Duration;

use fastgate::identity::deny_list::{DenyList, DenyListUnavailable, Entry, Known, Mark, Memory};
use fastgate::time::UnixTime;
use fastly::cache::core::{self, CacheKey};
use fastly::kv_store::{KVStore, KVStoreError};

use super::bounded;
use super::settings::STORE;

/// The longest entry that is read, in bytes.
const MAX_ENTRY_BYTES: usize = 1024;

/// The deny-list as it is asked by one request.
pub(super) struct DenyListAt<'sandbox> {
    pub(super) memory: &'sandbox mut Memory,
    pub(super) now: UnixTime,
}

impl DenyList for DenyListAt<'_> {
    fn entries(&mut self, marks: &[Mark], window: u64) -> Result<Vec<(Mark, Entry)>, DenyListUnavailable> {
        let mut found = Vec::new();
        let mut unknown = Vec::new();
        for mark in marks {
            match self.at_hand(mark, window) {
                Some(known) => found.extend(known.entry().map(|entry| (*mark, entry))),
                None => unknown.push(*mark),
            }
        }
        if !unknown.is_empty() {
            let answers = stored(&unknown).map_err(|cause| DenyListUnavailable { cause })?;
            for (mark, entry) in answers {
                self.remember(mark, Known::new(self.now, entry), window);
                found.extend(entry.map(|entry| (mark, entry)));
            }
        }
        Ok(found)
    }
}

impl DenyListAt<'_> {
    fn at_hand(&mut self, mark: &Mark, window: u64) -> Option<Known> {
        if let Some(known) = self.memory.recall(mark, self.now, window) {
            return Some(known);
        }
        let found = core::lookup(cache_key(mark)).execute().ok()??;
        let known = Known::from_record(&found.user_metadata()).filter(|known| known.holds(self.now, window))?;
        self.memory.keep(*mark, known);
        Some(known)
    }

    fn remember(&mut self, mark: Mark, known: Known, window: u64) {
        if window == 0 {
            return;
        }
        self.memory.keep(mark, known);
        let insert = core::insert(cache_key(&mark), Duration::from_secs(window));
        if let Ok(body) = insert.user_metadata(known.to_record().into()).execute() {
            let _ = body.finish();
        }
    }
}

/// What the store says of each mark; all of them are asked for before the first is waited for.
fn stored(marks: &[Mark]) -> Result<Vec<(Mark, Option<Entry>)>, String> {
    let broken = |error: KVStoreError| format!("KV store \"{STORE}\": {error}");
    let store = KVStore::open(STORE).map_err(broken)?.ok_or_else(|| format!("there is no KV store \"{STORE}\""))?;
    let ask = |mark: &Mark| store.build_lookup().execute_async(&mark.store_key()).map(|pending| (*mark, pending));
    let asked: Vec<_> = marks.iter().map(ask).collect::<Result<_, _>>().map_err(broken)?;
    let answer = |(mark, pending)| match store.pending_lookup_wait(pending) {
        Ok(mut found) => {
            let body = found.try_take_body().ok_or("an entry without a body")?;
            let json = bounded::read(body, MAX_ENTRY_BYTES).map_err(|()| "an entry cannot be read to its end")?;
            Ok((mark, Some(Entry::parse(&json))))
        }
        Err(KVStoreError::ItemNotFound) => Ok((mark, None)),
        Err(error) => Err(broken(error)),
    };
    asked.into_iter().map(answer).collect()
}

fn cache_key(mark: &Mark) -> CacheKey {
    CacheKey::from(format!("fastgate/{}", mark.store_key()).into_bytes())
}
