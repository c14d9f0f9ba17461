//! The Core Cache of the POP. Its transactions are the leases: while one request holds the obligation to insert an
//! entry, the others wait.

use std::io::Write as _;
use std::time::Duration;

use fastgate::ports::storage::{Lease, Leased, PopCache, StoreError, Stored};
use fastgate::time::Seconds;
use fastly::cache::core::{self, CacheError, CacheKey, Found, Transaction};
use fastly::http::body::StreamingBody;

use super::bounded;

/// The Core Cache.
pub(super) struct CoreCache;

impl PopCache for CoreCache {
    fn note(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let found = core::lookup(cache_key(key)).execute().map_err(broken)?;
        Ok(found.map(|found| found.user_metadata().to_vec()))
    }

    fn lookup(&self, key: &[u8], max_bytes: usize) -> Result<Option<Stored>, StoreError> {
        let found = core::lookup(cache_key(key)).execute().map_err(broken)?;
        found.map(|found| read(&found, max_bytes)).transpose()
    }

    fn put(&self, key: &[u8], stored: &Stored, lifetime: Seconds) -> Result<(), StoreError> {
        let insert = core::insert(cache_key(key), Duration::from_secs(lifetime.as_u64()));
        write(insert.user_metadata(stored.note.clone().into()).execute(), &stored.value)
    }

    fn lease(&self, key: &[u8], timeout: Duration, max_bytes: usize) -> Result<Leased<'_>, StoreError> {
        let lookup = Transaction::lookup(cache_key(key)).execute_async().map_err(broken)?;
        let waited = if lookup.pending().map_err(broken)? { lookup.wait_for(timeout) } else { lookup.wait() };
        let transaction = match waited {
            Ok(transaction) => transaction,
            Err(CacheError::Timeout) => return Ok(Leased::TimedOut),
            Err(error) => return Err(broken(error)),
        };
        match transaction.found() {
            Some(found) => read(&found, max_bytes).map(Leased::Found),
            None if transaction.must_insert() => Ok(Leased::Mine(Box::new(Obligation(transaction)))),
            None => Err(StoreError("the Core Cache gave neither an entry nor the right to insert one".to_owned())),
        }
    }
}

struct Obligation(Transaction);

impl Lease for Obligation {
    fn put(self: Box<Self>, stored: &Stored, lifetime: Seconds) -> Result<(), StoreError> {
        let insert = self.0.insert(Duration::from_secs(lifetime.as_u64()));
        write(insert.user_metadata(stored.note.clone().into()).execute(), &stored.value)
    }

    fn release(self: Box<Self>) -> Result<(), StoreError> {
        self.0.cancel_insert_or_update().map_err(broken)
    }
}

fn read(found: &Found, max_bytes: usize) -> Result<Stored, StoreError> {
    let note = found.user_metadata().to_vec();
    if max_bytes == 0 {
        return Ok(Stored::note(note));
    }
    let body = found.to_stream().map_err(broken)?;
    match bounded::read(body, max_bytes, bounded::RESPONSE) {
        Ok(value) => Ok(Stored { note, value }),
        Err(cause) => Err(StoreError(format!("the Core Cache: an entry {cause}"))),
    }
}

fn write(insert: Result<StreamingBody, CacheError>, value: &[u8]) -> Result<(), StoreError> {
    let unfinished = |_| StoreError("the Core Cache: an entry could not be finished".to_owned());
    let mut body = insert.map_err(broken)?;
    body.write_all(value).map_err(unfinished)?;
    body.finish().map_err(unfinished)
}

fn cache_key(key: &[u8]) -> CacheKey {
    CacheKey::from(key.to_vec())
}

#[expect(clippy::needless_pass_by_value, reason = "what `map_err` calls gets the error by value")]
fn broken(error: CacheError) -> StoreError {
    StoreError(format!("the Core Cache: {error}"))
}
