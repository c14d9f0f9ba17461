//! A simulated platform: a KV store, the cache of one POP, two providers and an introspection endpoint, a clock.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fastgate::policy::limits::{ErlDocument, Limit};
use fastgate::ports::storage::{
    Clock, Incoming, KvStore, Lease, Leased, Outgoing, Platform, PlatformBackends, PopCache, Rates, Secrets,
    StoreError, Stored,
};
use fastgate::secret::Secret;
use fastgate::store_keys::{POLICY_KEY, SIGNING_KEYS, SWITCH_KEY};
use fastgate::throttle::{CounterUnreachable, Taken};
use fastgate::time::{Seconds, UnixTime};
use serde_json::json;

use crate::shared::policy::Names;
use crate::shared::steps::{Held, Key, Outage, SOURCES, first_keys};
use crate::shared::tokens::{claims, jwks};

/// The time at which every sequence begins, in seconds.
pub(crate) const BEGIN: u64 = 1_800_000_000;

/// Everything outside the gate.
pub(crate) struct World {
    pub(crate) names: Names,
    /// Milliseconds since 1970.
    pub(crate) now: Cell<u64>,
    pub(crate) kv: RefCell<BTreeMap<String, Stored>>,
    pub(crate) outage: Cell<Option<Outage>>,
    cache: RefCell<BTreeMap<Vec<u8>, (Stored, u64)>>,
    pub(crate) cache_is_up: Cell<bool>,
    pub(crate) held: Cell<Held>,
    pub(crate) published: RefCell<Vec<Vec<Key>>>,
    pub(crate) reachable: RefCell<Vec<bool>>,
    /// The `Cache-Control` of key sets.
    pub(crate) cache_control: Cell<Option<&'static str>>,
    pub(crate) endpoint: Cell<bool>,
    pub(crate) active: RefCell<[bool; 3]>,
    /// The URLs at which an opaque token was introspected.
    pub(crate) introspections: RefCell<Vec<String>>,
    /// The URLs from which keys were fetched.
    pub(crate) fetches: RefCell<Vec<String>>,
    /// Whether the next request that fetches keys is lost meanwhile.
    pub(crate) loses_next_fetch: Cell<bool>,
    /// How long requests would have waited for the lease of a fetch.
    pub(crate) patience: RefCell<Vec<Duration>>,
    /// The leases that are held.
    leases: RefCell<BTreeSet<Vec<u8>>>,
    signing_keys: String,
}

impl World {
    pub(crate) fn new(signing_keys: &str) -> Self {
        let host = |name: &str| format!("https://{name}.test");
        Self {
            names: Names { lane: "lane".to_owned(), hosts: [host("first"), host("second"), host("endpoint")] },
            now: Cell::new(BEGIN * 1000),
            kv: RefCell::default(),
            outage: Cell::new(None),
            cache: RefCell::default(),
            cache_is_up: Cell::new(true),
            held: Cell::new(Held::Nothing),
            published: RefCell::new((0..SOURCES).map(first_keys).collect()),
            reachable: RefCell::new(vec![true; SOURCES]),
            cache_control: Cell::new(None),
            endpoint: Cell::new(true),
            active: RefCell::new([true, true, false]),
            introspections: RefCell::default(),
            fetches: RefCell::default(),
            loses_next_fetch: Cell::new(false),
            patience: RefCell::default(),
            leases: RefCell::default(),
            signing_keys: signing_keys.to_owned(),
        }
    }

    pub(crate) fn platform(&self) -> Platform<'_> {
        Platform { kv: self, cache: self, backends: self, secrets: self, rates: self, clock: self }
    }

    /// Writes to the KV store from outside.
    pub(crate) fn put_value(&self, key: &str, value: impl Into<Vec<u8>>) {
        self.kv.borrow_mut().insert(key.to_owned(), Stored { note: Vec::new(), value: value.into() });
    }

    /// The cache loses everything.
    pub(crate) fn evict(&self) {
        self.cache.borrow_mut().clear();
    }

    /// Puts an entry into the cache from outside.
    pub(crate) fn cache_entry(&self, key: &[u8], stored: Stored) {
        self.cache.borrow_mut().insert(key.to_vec(), (stored, u64::MAX));
    }

    /// Damages the cached entries about tokens and keys, and returns their number.
    pub(crate) fn damage_cache(&self, damage: impl Fn(&mut Stored)) -> usize {
        let mut cache = self.cache.borrow_mut();
        let is_fetch = |key: &[u8]| String::from_utf8_lossy(key).contains("/key-fetch/");
        let entries = cache.iter_mut().filter(|(key, _)| !is_fetch(key));
        entries.map(|(_, (stored, _))| damage(stored)).count()
    }

    fn fresh(&self, key: &[u8]) -> Result<Option<Stored>, StoreError> {
        if !self.cache_is_up.get() {
            return Err(StoreError("the cache is down".to_owned()));
        }
        let cache = self.cache.borrow();
        Ok(cache.get(key).filter(|(_, until)| self.now.get() < *until).map(|(stored, _)| stored.clone()))
    }

    fn readable(&self, key: &str) -> Result<(), StoreError> {
        let is_out = match self.outage.get() {
            None => false,
            Some(Outage::All) => true,
            Some(Outage::Policy) => key == POLICY_KEY,
            Some(Outage::KillSwitch) => key == SWITCH_KEY,
            Some(Outage::Denied) => key.starts_with("denied/"),
            Some(Outage::Keys) => key.starts_with("jwks/"),
        };
        if is_out { Err(StoreError("the store is down".to_owned())) } else { Ok(()) }
    }

    /// The response of a provider at this URL through this backend.
    fn provider(&self, url: &str, backend: &str) -> Option<String> {
        for number in 0..SOURCES {
            let source = self.names.source(number);
            if source.backend != backend || !self.reachable.borrow()[number] {
                continue;
            }
            let keys = source.jwks_uri.clone().unwrap_or_else(|| format!("{}/keys", source.iss));
            if url == keys {
                return Some(jwks(&self.published.borrow()[number]));
            }
            if source.jwks_uri.is_none() && url == format!("{}/.well-known/openid-configuration", source.iss) {
                return Some(json!({ "issuer": source.iss, "jwks_uri": keys }).to_string());
            }
        }
        None
    }

    fn endpoint(&self, url: &str, form: &str) -> Option<String> {
        self.introspections.borrow_mut().push(url.to_owned());
        let token = form.strip_prefix("token=")?.split('&').next()?;
        let number: u8 = token.strip_prefix("opaque-")?.parse().ok()?;
        if !self.endpoint.get() {
            return None;
        }
        // Both providers share one endpoint, which does not name the issuer (RFC 7662 §2.2).
        let mut response = claims("", number, BEGIN);
        response.as_object_mut()?.remove("iss");
        response["active"] = json!(self.active.borrow()[usize::from(number)]);
        Some(response.to_string())
    }
}

impl KvStore for World {
    fn lookup(&self, key: &str, max_bytes: usize) -> Result<Option<Stored>, StoreError> {
        self.readable(key)?;
        let found = self.kv.borrow().get(key).cloned();
        match found {
            Some(stored) if stored.value.len() > max_bytes => Err(StoreError("a value is too long".to_owned())),
            found => Ok(found),
        }
    }

    fn lookup_all(&self, keys: &[String], max_bytes: usize) -> Result<Vec<Option<Stored>>, StoreError> {
        keys.iter().map(|key| KvStore::lookup(self, key, max_bytes)).collect()
    }

    fn put(&self, key: &str, stored: &Stored) -> Result<(), StoreError> {
        self.readable(key)?;
        self.kv.borrow_mut().insert(key.to_owned(), stored.clone());
        Ok(())
    }
}

impl PopCache for World {
    fn note(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.fresh(key)?.map(|stored| stored.note))
    }

    fn lookup(&self, key: &[u8], max_bytes: usize) -> Result<Option<Stored>, StoreError> {
        match self.fresh(key)? {
            Some(stored) if stored.value.len() > max_bytes => Err(StoreError("an entry is too long".to_owned())),
            found => Ok(found),
        }
    }

    fn put(&self, key: &[u8], stored: &Stored, lifetime: Seconds) -> Result<(), StoreError> {
        self.fresh(key)?;
        let until = self.now.get().saturating_add(lifetime.as_u64().saturating_mul(1000));
        self.cache.borrow_mut().insert(key.to_vec(), (stored.clone(), until));
        Ok(())
    }

    fn lease(&self, key: &[u8], patience: Duration, _: usize) -> Result<Leased<'_>, StoreError> {
        if let Some(found) = self.fresh(key)? {
            return Ok(Leased::Found(found));
        }
        let is_of = |space: &str| String::from_utf8_lossy(key).contains(&format!("/{space}/"));
        if is_of("key-fetch") {
            self.patience.borrow_mut().push(patience);
        }
        let is_held = match self.held.get() {
            Held::Nothing => self.leases.borrow().contains(key),
            Held::Counts => is_of("count-lease"),
            Held::Fetches => is_of("key-fetch"),
        };
        if is_held {
            return Ok(Leased::TimedOut);
        }
        self.leases.borrow_mut().insert(key.to_vec());
        Ok(Leased::Mine(Box::new(Mine { world: self, key: key.to_vec() })))
    }
}

struct Mine<'world> {
    world: &'world World,
    key: Vec<u8>,
}

impl Lease for Mine<'_> {
    fn put(self: Box<Self>, stored: &Stored, lifetime: Seconds) -> Result<(), StoreError> {
        PopCache::put(self.world, &self.key, stored, lifetime)
    }

    fn release(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Drop for Mine<'_> {
    fn drop(&mut self) {
        self.world.leases.borrow_mut().remove(&self.key);
    }
}

impl PlatformBackends for World {
    fn send(&self, request: &Outgoing<'_>) -> Result<Incoming, String> {
        if request.form.is_none() {
            self.fetches.borrow_mut().push(request.url.to_owned());
            assert!(!self.loses_next_fetch.take(), "this request is lost");
        }
        let body = match &request.form {
            None => self.provider(request.url, request.backend),
            Some((_, form)) => self.endpoint(request.url, form.expose()),
        };
        let body = body.ok_or_else(|| "no response".to_owned())?;
        Ok(Incoming {
            status: 200,
            cache_control: self.cache_control.get().map(str::to_owned),
            age: None,
            body: body.into_bytes(),
        })
    }

    fn is_unhealthy(&self, _: &str) -> bool {
        false
    }
}

impl Secrets for World {
    fn secret(&self, name: &str) -> Result<Option<Secret<Vec<u8>>>, StoreError> {
        let known = [(SIGNING_KEYS, self.signing_keys.as_str()), ("provider-client", "secret")];
        let found = known.into_iter().find(|(known, _)| *known == name);
        Ok(found.map(|(_, secret)| Secret::new(secret.as_bytes().to_vec())))
    }
}

impl Rates for World {
    fn estimate(&self, _: &Limit, _: &ErlDocument, _: &str, _: u64) -> Result<Taken, CounterUnreachable> {
        Ok(Taken { admitted: true, remaining: None, queue_full: false })
    }
}

impl Clock for World {
    fn now(&self) -> UnixTime {
        UnixTime::from_seconds(self.now.get() / 1000)
    }
}
