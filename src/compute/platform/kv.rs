//! The KV store.

use fastgate::ports::storage::{KvStore, StoreError, Stored};
use fastgate::store_keys::STORE;
use fastly::kv_store::{KVStore, KVStoreError, LookupResponse};

use super::bounded;

/// The KV store that is linked to this service.
pub(super) struct LinkedKv;

impl KvStore for LinkedKv {
    fn lookup(&self, key: &str, max_bytes: usize) -> Result<Option<Stored>, StoreError> {
        read(open()?.lookup(key), max_bytes)
    }

    fn lookup_all(&self, keys: &[String], max_bytes: usize) -> Result<Vec<Option<Stored>>, StoreError> {
        let store = open()?;
        let send = |key: &String| store.build_lookup().execute_async(key);
        let pending: Vec<_> = keys.iter().map(send).collect::<Result<_, _>>().map_err(|error| broken(&error))?;
        pending.into_iter().map(|lookup| read(store.pending_lookup_wait(lookup), max_bytes)).collect()
    }

    fn put(&self, key: &str, stored: &Stored) -> Result<(), StoreError> {
        let note = std::str::from_utf8(&stored.note).map_err(|_| StoreError("a note is not text".to_owned()))?;
        open()?.build_insert().metadata(note).execute(key, stored.value.as_slice()).map_err(|error| broken(&error))
    }
}

pub(super) fn open() -> Result<KVStore, StoreError> {
    let missing = || StoreError(format!("there is no KV store \"{STORE}\" linked to this service"));
    KVStore::open(STORE).map_err(|error| broken(&error))?.ok_or_else(missing)
}

fn read(result: Result<LookupResponse, KVStoreError>, max_bytes: usize) -> Result<Option<Stored>, StoreError> {
    let mut found = match result {
        Ok(found) => found,
        Err(KVStoreError::ItemNotFound) => return Ok(None),
        Err(error) => return Err(broken(&error)),
    };
    let note = found.metadata().map(|note| note.to_vec()).unwrap_or_default();
    let body =
        found.try_take_body().ok_or_else(|| StoreError(format!("KV store \"{STORE}\": a value without a body")))?;
    match bounded::read(body, max_bytes, bounded::RESPONSE) {
        Ok(value) => Ok(Some(Stored { note, value })),
        Err(cause) => Err(StoreError(format!("KV store \"{STORE}\": a value {cause}"))),
    }
}

fn broken(error: &KVStoreError) -> StoreError {
    StoreError(format!("KV store \"{STORE}\": {error}"))
}
