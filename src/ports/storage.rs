//! The platform as the ports see it, in small traits: a KV store, a POP's cache, backends, secrets, rate counters and a
//! clock. The platform implements these traits and decides nothing.

use std::time::Duration;

use crate::policy::limits::{ErlDocument, Limit};
use crate::secret::Secret;
use crate::throttle::{CounterUnreachable, Taken};
use crate::time::{Seconds, UnixTime};

/// A stored value and its note.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// The note: metadata in the KV store, user metadata in the cache. Empty if there is none.
    pub note: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
}

impl Stored {
    /// A note without a value.
    #[must_use]
    pub fn note(note: impl Into<Vec<u8>>) -> Self {
        Self { note: note.into(), value: Vec::new() }
    }
}

/// A store gave no usable response. The text is for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

/// The KV store of the service: global, durable, eventually consistent.
pub trait KvStore {
    /// The value under `key`, of at most `max_bytes`.
    ///
    /// # Errors
    /// [`StoreError`] if the store does not say whether there is one, or if it cannot be read whole.
    fn lookup(&self, key: &str, max_bytes: usize) -> Result<Option<Stored>, StoreError>;

    /// The values under `keys`, in their order. All lookups are sent before the first is awaited.
    ///
    /// # Errors
    /// [`StoreError`] if one of the lookups fails.
    fn lookup_all(&self, keys: &[String], max_bytes: usize) -> Result<Vec<Option<Stored>>, StoreError>;

    /// Writes a value.
    ///
    /// # Errors
    /// [`StoreError`] if the store does not accept it.
    fn put(&self, key: &str, stored: &Stored) -> Result<(), StoreError>;
}

/// The cache of a POP: volatile, shared by the sandboxes of that POP, with request collapsing.
pub trait PopCache {
    /// The note of a fresh entry.
    ///
    /// # Errors
    /// [`StoreError`] if the cache cannot be read.
    fn note(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// A fresh entry, whose value is at most `max_bytes` long.
    ///
    /// # Errors
    /// [`StoreError`] if the cache cannot be read, or the entry cannot be read whole.
    fn lookup(&self, key: &[u8], max_bytes: usize) -> Result<Option<Stored>, StoreError>;

    /// Keeps an entry for `lifetime`.
    ///
    /// # Errors
    /// [`StoreError`] if the cache does not accept it.
    fn put(&self, key: &[u8], stored: &Stored, lifetime: Seconds) -> Result<(), StoreError>;

    /// The entry, or the right to write it, which one request at a time holds. Waits at most `timeout` for a request
    /// that holds it.
    ///
    /// # Errors
    /// [`StoreError`] if the cache gives neither.
    fn lease(&self, key: &[u8], timeout: Duration, max_bytes: usize) -> Result<Leased<'_>, StoreError>;
}

/// The result of a lookup with a lease.
pub enum Leased<'cache> {
    /// There is an entry.
    Found(Stored),
    /// There is no entry, and only this request may write it.
    Mine(Box<dyn Lease + 'cache>),
    /// Another request holds the lease, and still did when the timeout was over.
    TimedOut,
}

/// The right to write one entry. When it is dropped, it passes to the next request that waits.
pub trait Lease {
    /// Writes the entry, for `lifetime`.
    ///
    /// # Errors
    /// [`StoreError`] if the cache does not accept it.
    fn put(self: Box<Self>, stored: &Stored, lifetime: Seconds) -> Result<(), StoreError>;

    /// Gives the right up without writing.
    ///
    /// # Errors
    /// [`StoreError`] if the cache cannot release it.
    fn release(self: Box<Self>) -> Result<(), StoreError>;
}

/// A request to a backend.
#[derive(Debug)]
pub struct Outgoing<'request> {
    /// The backend.
    pub backend: &'request str,
    /// The whole URL.
    pub url: &'request str,
    /// Present for a POST with this `Authorization` and this form; absent for a GET.
    pub form: Option<(Secret<String>, Secret<String>)>,
    /// The longest response that is read, in bytes.
    pub max_bytes: usize,
}

/// A backend's response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// The status code.
    pub status: u16,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Age`.
    pub age: Option<String>,
    /// The whole body; empty if the status is not 200.
    pub body: Vec<u8>,
}

/// The backends of the service.
pub trait PlatformBackends {
    /// Sends a request and reads the response, within a bounded time. Follows no redirect.
    ///
    /// # Errors
    /// The cause, for the log. It contains nothing that was sent.
    fn send(&self, request: &Outgoing<'_>) -> Result<Incoming, String>;

    /// Whether the platform's own health checks say that a backend is unhealthy; false without such checks.
    fn is_unhealthy(&self, backend: &str) -> bool;
}

/// The Secret Store of the service.
pub trait Secrets {
    /// The secret of this name; `None` if the store says that there is none.
    ///
    /// # Errors
    /// [`StoreError`] if the store does not say.
    fn secret(&self, name: &str) -> Result<Option<Secret<Vec<u8>>>, StoreError>;
}

/// The platform's own rate counters.
pub trait Rates {
    /// Counts `cost` under `key`, and says whether the estimated rate is within `limit`.
    ///
    /// # Errors
    /// [`CounterUnreachable`] if there is no estimate.
    fn estimate(&self, limit: &Limit, erl: &ErlDocument, key: &str, cost: u64) -> Result<Taken, CounterUnreachable>;
}

/// The clock.
pub trait Clock {
    /// The current time.
    fn now(&self) -> UnixTime;
}

/// A platform: an implementation of every storage trait.
#[derive(Clone, Copy)]
pub struct Platform<'platform> {
    /// The KV store.
    pub kv: &'platform dyn KvStore,
    /// The POP's cache.
    pub cache: &'platform dyn PopCache,
    /// The backends.
    pub backends: &'platform dyn PlatformBackends,
    /// The secrets.
    pub secrets: &'platform dyn Secrets,
    /// The rate counters.
    pub rates: &'platform dyn Rates,
    /// The clock.
    pub clock: &'platform dyn Clock,
}
